/* test-spin.c - when a wait looks again at once, and when it sleeps; by a clock
 * of the tests' own.
 */
#include "plat/spin.h"
#include "plat/plat.h"
#include "test.h"

static struct spin spin;
static int64_t now = 1000;

/* A wait that is over after so many nanoseconds; how long it would spin. */
static int64_t wait_for(int64_t ns)
{
    struct spin_wait wait = {0};
    int64_t begun = now, spun = 0;

    for (; now - begun < ns; now += 500)
        if (spin_again_at(&spin, &wait, PLAT_NEVER, now))
            spun = now - begun + 500;
    spin_learn_at(&spin, &wait, now);
    return spun;
}

TEST(the_first_waits_sleep)
{
    CHECK_EQ(wait_for(2000), 0);
    CHECK_EQ(wait_for(2000), 0);
    CHECK_EQ(wait_for(2000), 2000);
}

TEST(long_waits_never_spin)
{
    for (int i = 0; i < 100; i++)
        CHECK_EQ(wait_for(2 * SPIN_NS), 0);
}

TEST(a_spin_has_an_end_and_has_to_be_earned_again)
{
    for (int i = 0; i < 100; i++)
        (void)wait_for(2000);
    CHECK_EQ(wait_for(1000 * SPIN_NS), SPIN_NS);
    CHECK_EQ(wait_for(1000 * SPIN_NS), 0);
    /* Dearer than at first, by four. */
    for (int i = 0; i < 8; i++)
        CHECK_EQ(wait_for(2000), 0);
    CHECK_EQ(wait_for(2000), 2000);
}

/* On a busy machine every spin may lose its processor to a third. */
TEST(spins_that_disappoint_become_rare)
{
    int n_spins = 0;

    for (int i = 0; i < 100000; i++) {
        struct spin_wait wait = {0};
        now += 1000;
        if (spin_again_at(&spin, &wait, PLAT_NEVER, now)) {
            n_spins++;
            now += 50 * SPIN_NS;
        }
        now += 1000;
        spin_learn_at(&spin, &wait, now);
    }
    CHECK(n_spins > 10);
    CHECK(n_spins < 50);
}

TEST(spins_that_pay_become_cheap_again)
{
    for (int i = 0; i < 20; i++) {
        for (int k = 0; k < 5000; k++)
            (void)wait_for(2000);
        (void)wait_for(2 * SPIN_NS);
    }
    for (int k = 0; k < 5000; k++)
        (void)wait_for(2000);
    CHECK_EQ(atomic_load(&spin.dearer), 0);
}

TEST(with_every_other_wait_long_nobody_spins)
{
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(wait_for(i % 2 ? 2000 : 2 * SPIN_NS), 0);
}

TEST(nobody_spins_past_his_deadline)
{
    struct spin_wait wait = {0};

    for (int i = 0; i < 10; i++)
        (void)wait_for(2000);
    CHECK(spin_again_at(&spin, &wait, now + 10, now));
    CHECK(!spin_again_at(&spin, &wait, now + 10, now + 10));
    /* CHUTE_NOWAIT's deadline does not even begin. */
    wait = (struct spin_wait){0};
    CHECK(!spin_again(&spin, &wait, 0));
    CHECK_EQ(wait.begun, 0);
}

TEST(what_has_not_begun_teaches_nothing)
{
    struct spin_wait wait = {0};

    (void)wait_for(2000);
    for (int i = 0; i < 10; i++)
        spin_learn(&spin, &wait);
    CHECK_EQ(atomic_load(&spin.credit), 1);
}
