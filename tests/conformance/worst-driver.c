/* worst-driver.c - what one pickle costs, for worst.py.
 *
 * In:   a pickle, until the end.
 * Out:  chute_loads' result; the most KiB that decoding held besides the
 *       pickle; the milliseconds of processor time that decoding, comparing the
 *       value with another decoded copy, printing and freeing took.
 *
 * Memory is the kernel's own peak, set back before (proc(5), clear_refs): what
 * is asked for and never touched costs nothing, and does not count.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chute.h"

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void forget_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, "5", 1) != 1)
        exit(77);
    close(fd);
}

/* A line of /proc/self/status, in KiB. */
static long status_kib(const char *name)
{
    char line[256];
    long kib = -1;
    FILE *from = fopen("/proc/self/status", "r");

    if (!from)
        exit(1);
    while (kib < 0 && fgets(line, sizeof line, from))
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtol(line + strlen(name), NULL, 10);
    fclose(from);
    return kib;
}

int main(void)
{
    static char data[2 << 20];
    size_t len = fread(data, 1, sizeof data, stdin);
    chute_value *v = NULL, *twin = NULL;
    FILE *nowhere = fopen("/dev/null", "w");

    if (!nowhere)
        return 1;
    forget_peak();
    long before = status_kib("VmRSS:");
    double t0 = now_ms();
    int r = chute_loads(data, len, &v, NULL);
    double t1 = now_ms();
    long peak = status_kib("VmHWM:") - before;
    if (r == 0 && chute_loads(data, len, &twin, NULL) != 0)
        return 1;
    double t2 = now_ms();
    if (v)
        chute_value_equal(v, twin);
    double t3 = now_ms();
    if (v)
        chute_value_print(v, nowhere);
    double t4 = now_ms();
    chute_value_free(v);
    double t5 = now_ms();
    chute_value_free(twin);
    fclose(nowhere);
    printf("%d %ld %.1f %.1f %.1f %.1f\n", r, peak, t1 - t0, t3 - t2, t4 - t3,
           t5 - t4);
    return 0;
}
