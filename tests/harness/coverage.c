/* coverage.c - what a child has covered counts too.
 *
 * The compiler's counters go to their files when a program ends by exit(3). The
 * children of the tests, and those that the library makes, end by _exit(2) and
 * would take theirs along. In a build that counts, the linker sends every call
 * of _exit here (--wrap, see tests/meson.build); the library does not know. Who
 * is killed still takes his along.
 */
#include <unistd.h>

void __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}
