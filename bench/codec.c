/* codec.c - how long it takes to encode and to decode one pickle.
 *
 *     codec PICKLE SECONDS     the pickle in a file, as Python wrote it
 *
 * Prints four times, in nanoseconds a call: dumps; loads; loads and free; and
 * memcpy of as many bytes, into memory that is allocated and freed as dumps does
 * it. bench/codec.py runs this in turn with CPython, and compares.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <chute.h>

enum { MAX_KEPT = 64 };

struct scene {
    void *pickle;
    size_t pickle_len;
    chute_value *v;
    chute_value *kept[MAX_KEPT]; /* what loads made, to be freed later */
    size_t n_kept;
    double aside; /* seconds that do not count */
};

static void die(const char *what)
{
    fprintf(stderr, "codec: %s\n", what);
    exit(EXIT_FAILURE);
}

/* Of the processor's time, for nothing here waits, and others may be busy. */
static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* -- what is measured ------------------------------------------------------ */

static void dump(struct scene *s)
{
    void *data;
    size_t len;

    if (chute_dumps(s->v, &data, &len) < 0)
        die("dumps");
    free(data);
}

static chute_value *load(struct scene *s)
{
    chute_value *v;

    if (chute_loads(s->pickle, s->pickle_len, &v, NULL) < 0)
        die("loads");
    return v;
}

static void load_and_free(struct scene *s)
{
    chute_value_free(load(s));
}

static void free_kept(struct scene *s)
{
    double begin = now();

    while (s->n_kept > 0)
        chute_value_free(s->kept[--s->n_kept]);
    s->aside += now() - begin;
}

static void load_and_keep(struct scene *s)
{
    /* A few at a time: more would measure the caches. */
    if (s->n_kept == MAX_KEPT || s->n_kept * s->pickle_len > 65536)
        free_kept(s);
    s->kept[s->n_kept++] = load(s);
}

static void copy(struct scene *s)
{
    void *to = malloc(s->pickle_len);

    if (!to)
        die("out of memory");
    memcpy(to, s->pickle, s->pickle_len);
    __asm__ volatile("" : : "r"(to) : "memory");
    free(to);
}

/* -- measuring ------------------------------------------------------------- */

/* Nanoseconds a call, over about so many seconds. */
static double measure(struct scene *s, void (*run)(struct scene *),
                      double seconds)
{
    size_t n = 0, batch = 1;
    double begin = now(), end;

    s->aside = 0;
    do {
        for (size_t i = 0; i < batch; i++)
            run(s);
        n += batch;
        end = now();
        if (end - begin < seconds / 100)
            batch *= 2;
    } while (end - begin < seconds);
    double took = end - begin - s->aside;
    free_kept(s);
    return 1e9 * took / (double)n;
}

static void read_pickle(struct scene *s, const char *path)
{
    FILE *f = fopen(path, "rb");

    if (!f || fseek(f, 0, SEEK_END) < 0)
        die("cannot read the pickle");
    s->pickle_len = (size_t)ftell(f);
    rewind(f);
    s->pickle = malloc(s->pickle_len);
    if (!s->pickle || fread(s->pickle, 1, s->pickle_len, f) != s->pickle_len)
        die("cannot read the pickle");
    fclose(f);
    s->v = load(s);
}

int main(int argc, char **argv)
{
    struct scene s = {0};

    if (argc != 3)
        die("usage: codec PICKLE SECONDS");
    read_pickle(&s, argv[1]);
    double seconds = atof(argv[2]);
    printf("dumps %.1f\n", measure(&s, dump, seconds));
    printf("loads %.1f\n", measure(&s, load_and_keep, seconds));
    printf("loads-free %.1f\n", measure(&s, load_and_free, seconds));
    printf("memcpy %.1f\n", measure(&s, copy, seconds));
    chute_value_free(s.v);
    free(s.pickle);
    return EXIT_SUCCESS;
}
