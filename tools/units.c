/* units.c - numbers, sizes and times, as people write them.
 *
 * Sizes go by 1024, as memory does; counts by 1000. What is shown is short
 * rather than exact: it stands in columns.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "tool.h"

/* A number that is not negative, and what stands behind it. Not strtod alone,
 * which takes "nan", " 1", "0x1p3" and the locale's comma. */
static bool number(const char *text, double *ret, const char **ret_rest)
{
    char *rest;

    if (!isdigit((unsigned char)text[0]) &&
        !(text[0] == '.' && isdigit((unsigned char)text[1])))
        return false;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return false;
    *ret = strtod(text, &rest);
    *ret_rest = rest;
    return isfinite(*ret);
}

bool units_count(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    static const char letters[] = "kMG";
    const char *rest;
    double n, scale = 1;

    if (!number(text, &n, &rest))
        return false;
    if (*rest) {
        const char *letter = strchr(letters, *rest);
        if (!letter || rest[1])
            return false;
        for (const char *l = letters; l <= letter; l++)
            scale *= 1000;
    }
    n *= scale;
    if (n != floor(n) || n < (double)min || n > (double)max)
        return false;
    *ret = (uint64_t)n;
    return true;
}

bool units_size(const char *text, uint64_t *ret_len)
{
    static const char letters[] = "kmgt";
    const char *rest;
    double n;

    if (!number(text, &n, &rest))
        return false;
    if (*rest) {
        const char *letter = strchr(letters, tolower((unsigned char)*rest));
        if (letter) {
            for (const char *l = letters; l <= letter; l++)
                n *= 1024;
            rest++;
            if (*rest == 'i')
                rest++;
        }
        if (*rest && strcmp(rest, "B") != 0)
            return false;
    }
    if (n > 9e18)
        return false;
    *ret_len = (uint64_t)n;
    return true;
}

bool units_time(const char *text, int64_t *ret_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"", 1e9},     {"s", 1e9},    {"ms", 1e6},
                 {"us", 1e3},   {"ns", 1},     {"m", 60e9},
                 {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
    const char *rest;
    double n;

    if (!number(text, &n, &rest))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(units[i].name, rest) != 0)
            continue;
        n *= units[i].ns;
        /* For longer than a century is for ever. */
        *ret_ns = n > 3e18 ? CHUTE_FOREVER : (int64_t)n;
        return true;
    }
    return false;
}

static const char *scaled(char buf[UNITS_LEN], double n, double base,
                          const char *letters)
{
    int i = 0;

    while (n >= base - 0.5 && letters[i + 1]) {
        n /= base;
        i++;
    }
    if (i == 0)
        snprintf(buf, UNITS_LEN, n < 9.95 && n != floor(n) ? "%.1f" : "%.0f",
                 n);
    else
        snprintf(buf, UNITS_LEN, n < 99.95 ? "%.1f%c" : "%.0f%c", n,
                 letters[i]);
    return buf;
}

const char *units_show_count(char buf[UNITS_LEN], double n)
{
    return scaled(buf, n, 1000, " kMGTP");
}

const char *units_show_size(char buf[UNITS_LEN], double len)
{
    return scaled(buf, len, 1024, " KMGTP");
}

const char *units_show_time(char buf[UNITS_LEN], int64_t given_ns)
{
    uint64_t ns = given_ns > 0 ? (uint64_t)given_ns : 0;
    uint64_t ms = ns / 1000000, s = ms / 1000;

    if (ms < 1)
        snprintf(buf, UNITS_LEN, "%" PRIu64 "us", ns / 1000);
    else if (ms < 1000)
        snprintf(buf, UNITS_LEN, "%" PRIu64 "ms", ms);
    else if (s < 60)
        snprintf(buf, UNITS_LEN, "%" PRIu64 ".%" PRIu64 "s", s,
                 ms % 1000 / 100);
    else if (s < 3600)
        snprintf(buf, UNITS_LEN, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(buf, UNITS_LEN, "%" PRIu64 "h%02" PRIu64 "m", s / 3600,
                 s % 3600 / 60);
    else
        snprintf(buf, UNITS_LEN, "%" PRIu64 "d%02" PRIu64 "h",
                 s / 86400 % 100000, s % 86400 / 3600);
    return buf;
}

uint64_t units_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}
