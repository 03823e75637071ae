/* memory-limit.h - a bound on what a test may take. */
#ifndef MEMORY_LIMIT_H
#define MEMORY_LIMIT_H

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test.h"

/* The most that the kernel lets us have besides what we have. */
static inline void limit_memory(size_t more)
{
    unsigned long pages;
    FILE *from = fopen("/proc/self/statm", "r");

    CHECK(from != NULL);
    CHECK_EQ(fscanf(from, "%lu", &pages), 1);
    fclose(from);
    rlim_t most = pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
    CHECK_EQ(setrlimit(RLIMIT_AS, &(struct rlimit){most, most}), 0);
}

#endif
