/* fuzz.h - what fuzz targets share.
 *
 * With -DFUZZ_MAIN a target has a main() of its own, which runs the files it is
 * given: the corpus as a regression test, with any compiler.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define REQUIRE(cond)                                                          \
    do {                                                                       \
        if (!(cond)) {                                                         \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);         \
            abort();                                                           \
        }                                                                      \
    } while (0)

#ifdef FUZZ_MAIN
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
    for (int i = 1; i < argc; i++)
        run_file(argv[i]);
    printf("%d inputs\n", argc - 1);
    return 0;
}
#endif

#endif
