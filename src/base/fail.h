/* fail.h - where an error is born, and how tests make one.
 *
 * `return fail(-ENOMEM);` marks the place where an error comes into being;
 * `return r;` passes it on. fail() is the identity: a name to break on in a
 * debugger, and one word to search for.
 *
 * fault() is the other half: every place where the system may refuse us (an
 * allocation, a system call) asks it first. In the library it is constantly 0
 * and compiles to nothing. In the test build (-DCHUTE_FAULT) the harness can
 * make the n-th of these places fail, so that every error path is run.
 */
#ifndef BASE_FAIL_H
#define BASE_FAIL_H

static inline int fail(int code)
{
    return code;
}

#ifdef CHUTE_FAULT
/* The errno value this call is to fail with, or 0 to go on. `site` names the
 * call ("malloc", "mmap"), `error` is one it can really give. */
int fault(const char *site, int error);
#else
#define fault(site, error) 0
#endif

#endif
