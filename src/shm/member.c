/* member.c - the processes that use a queue.
 *
 * For whoever is on call: who is attached, what he has done, whether he waits.
 * Nothing that a queue does depends on this table, so it may be wrong for a
 * moment, or have no place left for some, and nobody is worse off.
 *
 *     a place is free    who == 0
 *     join               who: 0 -> mine, by compare-and-swap; then the rest
 *     leave              who: mine -> 0
 *     killed             who stays, until somebody looks at the place, finds
 *                        that no such process runs, and strikes it off
 *
 * `who` is a process id and its birth: the id alone could be somebody else's by
 * now. Who looks between a join and what follows it sees the figures of the
 * last one there for a moment.
 *
 * A child made by fork joins by itself, at its first put or get: the handle
 * remembers for which process its place is (queue.h).
 *
 * Proof: tests/unit/test-member.c.
 */
#define _GNU_SOURCE /* program_invocation_short_name */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "plat/child.h"
#include "plat/plat.h"
#include "shm/member.h"

static uint64_t who_of(pid_t pid)
{
    return child_birth(pid) << 32 | (uint32_t)pid;
}

bool member_lives(uint64_t who)
{
    pid_t pid = (pid_t)member_pid(who);

    if (pid <= 0 || !child_runs(pid, 0))
        return false;
    uint64_t now = who_of(pid);
    /* A birth of 0 is one that could not be told. */
    return now == who || now >> 32 == 0 || who >> 32 == 0;
}

uint64_t member_self(void)
{
    return who_of(getpid());
}

static void write_program(struct shm_member *member)
{
    uint64_t text[2] = {0, 0};
    const char *name = program_invocation_short_name;
    size_t len = strnlen(name, sizeof text - 1);

    memcpy(text, name, len);
    atomic_store_explicit(&member->program[0], text[0], memory_order_relaxed);
    atomic_store_explicit(&member->program[1], text[1], memory_order_relaxed);
}

static void set_at_rest(struct shm_blocked *blocked)
{
    atomic_store_explicit(&blocked->n_threads, 0, memory_order_relaxed);
    atomic_store_explicit(&blocked->since, 0, memory_order_relaxed);
}

static bool claim(struct shm_member *member, uint64_t mine)
{
    uint64_t nobody = 0;

    /* relaxed, like all here: nothing is decided by it. */
    if (!atomic_compare_exchange_strong_explicit(&member->who, &nobody, mine,
                                                 memory_order_relaxed,
                                                 memory_order_relaxed))
        return false;
    atomic_store_explicit(&member->attached_at, plat_now(),
                          memory_order_relaxed);
    atomic_store_explicit(&member->n_put, 0, memory_order_relaxed);
    atomic_store_explicit(&member->n_got, 0, memory_order_relaxed);
    set_at_rest(&member->putting);
    set_at_rest(&member->getting);
    write_program(member);
    return true;
}

bool member_is_there(struct shm_queue *shm, uint32_t place)
{
    struct shm_member *member = &shm->member[place];
    uint64_t who = atomic_load_explicit(&member->who, memory_order_relaxed);

    if (who == 0)
        return false;
    if (member_lives(who))
        return true;
    /* Of those who find him dead one counts. */
    if (atomic_compare_exchange_strong_explicit(
            &member->who, &who, 0, memory_order_relaxed, memory_order_relaxed))
        atomic_fetch_add_explicit(&shm->n_gone, 1, memory_order_relaxed);
    return false;
}

uint32_t member_join(struct shm_queue *shm)
{
    uint64_t mine = member_self();

    for (uint32_t i = 0; i < SHM_N_MEMBERS; i++)
        if (claim(&shm->member[i], mine))
            return i;
    for (uint32_t i = 0; i < SHM_N_MEMBERS; i++)
        if (!member_is_there(shm, i) && claim(&shm->member[i], mine))
            return i;
    return SHM_N_MEMBERS;
}

void member_leave(struct shm_queue *shm, uint32_t place)
{
    atomic_store_explicit(&shm->member[place].who, 0, memory_order_relaxed);
}
