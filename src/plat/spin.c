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
 *   it has to have paid    A handle counts the waits in a row that were over
 *                          within SPIN_NS, asleep or not. With two of them the
 *                          next one spins: so not a handle's first, and none
 *                          after a long silence.
 *   it has an end          After SPIN_NS the wait goes on asleep, and the next
 *                          spin takes four times as many short waits before it,
 *                          up to thousands. Spins that pay make it cheaper again.
 *
 * The last matters on a busy machine. Who spins yields now and then, for the one
 * he waits for may share his processor; but there the processor may as well go
 * to a third, who keeps it for milliseconds, whereas a sleeper who is woken gets
 * it at once. (Measured with thirty programs running on two processors: a round
 * trip of 1 MiB took several times as long without this rule.)
 *
 * If the one who is waited for shares the processor, the first look yields it to
 * him, and finds what he has done.
 *
 * Both sides have to be awake for it to pay, and each finds out by itself: the
 * first exchanges sleep, and are over within SPIN_NS if a wake costs less.
 *
 * Threads that share a handle share its credit, and may mix up its count: it is
 * a guess anyway.
 *
 * Proof: tests/unit/test-spin.c; bench/net.py for what it brings.
 */
#include "plat/spin.h"
#include "plat/plat.h"

#define CREDIT_MIN  2
#define CREDIT_MAX  4096
#define DEARER_BY   4
#define PAY_BACK    64 /* spins that halve it again */
#define YIELD_EVERY 8

static int get(const _Atomic int *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static void set(_Atomic int *n, int value)
{
    atomic_store_explicit(n, value, memory_order_relaxed);
}

bool spin_again_at(const struct spin *spin, struct spin_wait *wait,
                   int64_t deadline, int64_t now)
{
    if (wait->begun == 0) {
        wait->begun = now;
        wait->tried = get(&spin->credit) >= CREDIT_MIN + get(&spin->dearer);
        wait->spins = wait->tried;
    }
    wait->spins = wait->spins && now - wait->begun < SPIN_NS && now < deadline;
    return wait->spins;
}

/* A spin has paid. */
static void cheapen(struct spin *spin)
{
    int n = get(&spin->n_spins) + 1;

    if (n >= PAY_BACK) {
        set(&spin->dearer, get(&spin->dearer) / 2);
        n = 0;
    }
    set(&spin->n_spins, n);
}

/* A spin was for nothing. */
static void make_dearer(struct spin *spin)
{
    int price = DEARER_BY * (CREDIT_MIN + get(&spin->dearer));

    set(&spin->n_spins, 0);
    set(&spin->dearer, (price < CREDIT_MAX ? price : CREDIT_MAX) - CREDIT_MIN);
}

void spin_learn_at(struct spin *spin, struct spin_wait *wait, int64_t now)
{
    int credit = get(&spin->credit);

    if (wait->begun == 0)
        return;
    if (now - wait->begun < SPIN_NS) {
        set(&spin->credit, credit < CREDIT_MAX ? credit + 1 : CREDIT_MAX);
        if (wait->tried)
            cheapen(spin);
    } else {
        set(&spin->credit, 0);
        if (wait->tried)
            make_dearer(spin);
    }
    *wait = (struct spin_wait){0};
}

bool spin_again(const struct spin *spin, struct spin_wait *wait,
                int64_t deadline)
{
    /* A call that may not wait does not even ask the clock. */
    if (deadline <= 0 || !spin_again_at(spin, wait, deadline, plat_now()))
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
