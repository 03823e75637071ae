/* fail.h - where an error is born, and how tests make one.
 *
 * `return fail(-ENOMEM);` marks the place where an error comes into being;
 * `return r;` passes it on. fail() is the identity: a name to break on in a
 * debugger, and one word to search for.
 *
 * fault() is the other half: every call by which the system may refuse us (an
 * allocation, a system call) is asked for as
 *
 *     int fd = fault("memfd_create") ? -1 : memfd_create(label, flags);
 *
 * In the library fault() is constantly false and compiles to nothing. In the
 * test build (-DCHUTE_FAULT) the harness can make the n-th of these calls fail,
 * with each error that its manual names, and every error takes the way that the
 * system's own would take. A system call that no fault() announces fails
 * tests/unit/test-syscalls.c, which also has the list of those that need none.
 */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

#include <stdbool.h>

static inline int fail(int code)
{
    return code;
}

#ifdef CHUTE_FAULT
/* Whether the call that `site` names ("malloc", "mmap") is to fail; errno says
 * how. */
bool fault(const char *site);
#else
#define fault(site) false
#endif

#endif
