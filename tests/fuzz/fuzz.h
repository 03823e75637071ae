/* fuzz.h - what fuzz targets share.
 *
 * With -DFUZZ_MAIN a target has a main() of its own, which runs the files it is
 * given: the corpus as a regression test, with any compiler. One that defines
 * FUZZ_RANDOM takes a number as well, and runs so many inputs of its own making.
 *
 * With -DCHUTE_FAULT it can have one allocation fail.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define REQUIRE(cond)                                                          \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);         \
            abort();                                                           \
        }                                                                      \
    } while (0)

/* -- faults ---------------------------------------------------------------- */

static unsigned long n_until_fault; /* 0: none */

#ifdef CHUTE_FAULT
bool fault(const char *site)
{
    (void)site;
    return n_until_fault > 0 && --n_until_fault == 0;
}
#endif

/* One of the next allocations fails: which, the input's first bytes choose. */
static inline void fault_arm(const uint8_t *data, size_t len)
{
    unsigned long n = 1;

    for (size_t i = 0; i < len && i < 8; i++)
        n = n * 31 + data[i];
    n_until_fault = 1 + n % (4 + len / 4);
}

static inline void fault_disarm(void)
{
    n_until_fault = 0;
}

/* -- main ------------------------------------------------------------------ */

#ifdef FUZZ_MAIN
#ifdef FUZZ_RANDOM
static void run_random(unsigned long n);
#endif

static void run_file(const char *name)
{
    static uint8_t data[1 << 24];
    FILE *from = fopen(name, "rb");

    REQUIRE(from != NULL);
    size_t len = fread(data, 1, sizeof data, from);
    fclose(from);
    /* In memory of just its length, so that a sanitizer sees the end. */
    uint8_t *copy = malloc(len ? len : 1);
    REQUIRE(copy != NULL);
    memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

int main(int argc, char **argv)
{
#ifdef FUZZ_RANDOM
    char *end;
    unsigned long n = argc == 2 ? strtoul(argv[1], &end, 10) : 0;

    if (n && !*end) {
        run_random(n);
        printf("%lu inputs\n", n);
        return 0;
    }
#endif
    for (int i = 1; i < argc; i++)
        run_file(argv[i]);
    printf("%d inputs\n", argc - 1);
    return 0;
}
#endif

#endif
