/* crew.h - the processes that put and get, and the one that watches them. */
#ifndef BENCH_CREW_H
#define BENCH_CREW_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "bench.h"
#include "message.h"

#define MAX_CREW (2 * MAX_PUTTERS)
#define ANY_CPU  (-1)

struct seat {
    alignas(BENCH_LINE) struct account account;
    _Atomic bool is_done;
};

struct board { /* shared */
    alignas(BENCH_LINE) _Atomic int n_met;
    alignas(BENCH_LINE) _Atomic int n_released; /* so many meetings are over */
    _Atomic bool stop;
    struct seat seats[MAX_CREW];
};

struct crew {
    struct board *board;
    pid_t pids[MAX_CREW];
    int n;
    int n_meetings; /* each process counts for itself */
};

/* Make n processes; number i runs on cpus[i], calls work, and then waits to be
 * killed. */
void crew_start(struct crew *crew, int n, const int *cpus,
                void (*work)(struct crew *crew, int i, void *arg), void *arg);

/* Of a member: wait until all are here, and are told to go on. */
void crew_meet(struct crew *crew);

/* Of the watcher: wait until all have met; let them go on. */
void crew_await(struct crew *crew);
void crew_release(struct crew *crew);

/* Sleep, and die if a member has died. */
void crew_watch(struct crew *crew, double seconds);

/* Seconds of processor time that all threads of number i have used. */
double crew_cpu(const struct crew *crew, int i);
double crew_cpu_all(const struct crew *crew);

void crew_kill(struct crew *crew);

/* The number of the first processor that this program may use, or the second;
 * ANY_CPU if there is none. */
int cpu_number(int nth);

/* Seconds, by a clock that nobody sets. */
double now(void);

#endif /* BENCH_CREW_H */
