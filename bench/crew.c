/* crew.c - the processes that put and get, and the one that watches them.
 *
 * The watcher sleeps while they work, and so does not take processor time from
 * them. They meet at fixed points: before one of them puts, all are there and
 * have opened what they need. Nobody ends by himself, for some peers take what
 * is under way with them; at the end the watcher kills all.
 *
 * Who waits for a meeting looks again each 100 us. That is short beside what is
 * measured, and, unlike a lock, it cannot outlast the death of a member.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"

#define LOOK_US 100

void die(const char *what, const char *why)
{
    fprintf(stderr, "measure: %s: %s\n", what, why);
    _exit(EXIT_FAILURE);
}

void *shared_new(size_t len)
{
    void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        die("shared memory", strerror(errno));
    return memory;
}

void shared_free(void *memory, size_t len)
{
    munmap(memory, len);
}

void poll_pause(unsigned *n_looks)
{
    if (++*n_looks > 64) {
        sched_yield();
        return;
    }
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* -- processors ----------------------------------------------------------- */

int cpu_number(int nth)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) < 0)
        die("processors", strerror(errno));
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET((size_t)i, &set) && nth-- == 0)
            return i;
    return ANY_CPU;
}

static void pin(int cpu)
{
    cpu_set_t set;

    if (cpu == ANY_CPU)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        die("pin", strerror(errno));
}

double crew_cpu(const struct crew *crew, int i)
{
    clockid_t clock;
    struct timespec t;

    int r = clock_getcpuclockid(crew->pids[i], &clock);
    if (r != 0 || clock_gettime(clock, &t) < 0)
        die("processor time", strerror(r != 0 ? r : errno));
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double crew_cpu_all(const struct crew *crew)
{
    double sum = 0;

    for (int i = 0; i < crew->n; i++)
        sum += crew_cpu(crew, i);
    return sum;
}

/* -- their lives ---------------------------------------------------------- */

void crew_start(struct crew *crew, int n, const int *cpus,
                void (*work)(struct crew *crew, int i, void *arg), void *arg)
{
    memset(crew, 0, sizeof *crew);
    crew->board = shared_new(sizeof *crew->board);
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork", strerror(errno));
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            pin(cpus[i]);
            crew->n = n;
            work(crew, i, arg);
            for (;;)
                pause();
        }
        crew->pids[crew->n++] = pid;
    }
}

static void sleep_us(long us)
{
    struct timespec t = {.tv_sec = us / 1000000,
                         .tv_nsec = us % 1000000 * 1000};

    nanosleep(&t, NULL);
}

void crew_kill(struct crew *crew)
{
    for (int i = 0; i < crew->n; i++)
        kill(crew->pids[i], SIGKILL);
    for (int i = 0; i < crew->n; i++)
        waitpid(crew->pids[i], NULL, 0);
    shared_free(crew->board, sizeof *crew->board);
}

void crew_watch(struct crew *crew, double seconds)
{
    siginfo_t info = {.si_pid = 0};

    sleep_us((long)(seconds * 1e6));
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid != 0) {
        crew_kill(crew);
        die("a process", "has died");
    }
}

void crew_meet(struct crew *crew)
{
    struct board *board = crew->board;

    crew->n_meetings++;
    atomic_fetch_add(&board->n_met, 1);
    while (atomic_load(&board->n_released) < crew->n_meetings)
        sleep_us(LOOK_US);
}

void crew_await(struct crew *crew)
{
    crew->n_meetings++;
    while (atomic_load(&crew->board->n_met) < crew->n_meetings * crew->n)
        crew_watch(crew, LOOK_US * 1e-6);
}

void crew_release(struct crew *crew)
{
    atomic_store(&crew->board->n_released, crew->n_meetings);
}
