/* spin.c - whether to look again at once, or to sleep.
 *
 * To be woken costs a process some microseconds at best and tens at worst, on
 * top of what the sender pays for waking it. A question over a socket and its
 * answer are two such wakes, and nearly nothing else. So who waits for what is
 * likely to come within SPIN_NS looks again and again, and meets it in less
 * than one.
 *
 * That burns a processor, hence:
 *
 *   it has to have paid    A handle keeps a credit. A wait that was over within
 *                          SPIN_NS, asleep or not, adds one to it, a longer one
 *                          takes two. Below two nobody spins: not in a handle's
 *                          first waits, and after a long silence not at all.
 *   there must be another  On a single processor the one who is waited for can
 *   processor              not run meanwhile.
 *   it has an end          After SPIN_NS the wait goes on asleep. A wait that
 *                          disappoints so costs SPIN_NS of a processor, and it
 *                          takes two good ones to be there again.
 *
 * Both sides have to be awake for it to pay, and each finds out by itself: the
 * first exchanges sleep, and are over within SPIN_NS if a wake costs less.
 *
 * Threads that share a handle share its credit, and may mix up its count: it is
 * a guess anyway.
 *
 * Proof: tests/unit/test-spin.c; bench/net.py for what it brings.
 */
#include "ipc/spin.h"
#include "plat/plat.h"

#define CREDIT_MAX  4
#define CREDIT_NEED 2
#define PENALTY     2
#define YIELD_EVERY 8

bool spin_again_at(const struct spin *spin, struct spin_wait *wait,
                   int64_t deadline, int64_t now, bool others_run)
{
    if (wait->begun == 0) {
        wait->begun = now;
        wait->spins = others_run &&
                      atomic_load_explicit(&spin->credit,
                                           memory_order_relaxed) >= CREDIT_NEED;
    }
    wait->spins = wait->spins && now - wait->begun < SPIN_NS && now < deadline;
    return wait->spins;
}

void spin_learn_at(struct spin *spin, struct spin_wait *wait, int64_t now)
{
    int credit = atomic_load_explicit(&spin->credit, memory_order_relaxed);

    if (wait->begun == 0)
        return;
    if (now - wait->begun < SPIN_NS)
        credit = credit < CREDIT_MAX ? credit + 1 : CREDIT_MAX;
    else
        credit = credit > PENALTY ? credit - PENALTY : 0;
    atomic_store_explicit(&spin->credit, credit, memory_order_relaxed);
    *wait = (struct spin_wait){0};
}

bool spin_again(const struct spin *spin, struct spin_wait *wait,
                int64_t deadline)
{
    /* A call that may not wait does not even ask the clock. */
    if (deadline <= 0 ||
        !spin_again_at(spin, wait, deadline, plat_now(), plat_processors() > 1))
        return false;
    if (wait->n_looks++ % YIELD_EVERY == 0)
        plat_yield();
    return true;
}

void spin_learn(struct spin *spin, struct spin_wait *wait)
{
    if (wait->begun != 0)
        spin_learn_at(spin, wait, plat_now());
}
