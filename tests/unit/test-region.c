/* test-region.c - src/shm/region.c: memory follows the need, up and down. */
#include <errno.h>

#include "chute/error.h"
#include "plat/plat.h"
#include "shm/region.h"
#include "test.h"

#define BASE REGION_BASE_UNITS
#define HUGE (8u << 20) /* units: 64 MiB */

/* What the header takes, in whole pages. */
#define HEADER (sizeof(struct shm_queue) + plat_page())

static void chain_new(struct region_chain *chain, uint32_t max_units)
{
    CHECK_OK(region_chain_new(chain, 1000, max_units));
}

/* Bytes of memory that the file holds. */
static uint64_t held(struct region_chain *chain)
{
    uint64_t len, bytes;

    CHECK_OK(plat_shm_size(chain->fd, &len, &bytes));
    return bytes;
}

static uint32_t put_units(struct region_chain *chain)
{
    struct region_view *view;

    CHECK_OK(region_put_view(chain, &view));
    return view->n_units;
}

static uint32_t get_number(struct region_chain *chain, uint32_t head_pos)
{
    struct region_view *view;

    CHECK_OK(region_get_view(chain, head_pos, &view));
    return view->number;
}

static int grow(struct region_chain *chain, uint32_t tail_pos, uint32_t need)
{
    struct region_view *view = NULL;
    int r = region_grow(chain, tail_pos, need, &view);

    CHECK((r == 0) == (view != NULL));
    CHECK(r < 0 || view->n_units >= need);
    return r;
}

TEST(a_new_queue_has_one_small_region)
{
    struct region_chain chain;

    chain_new(&chain, HUGE);
    CHECK_EQ(put_units(&chain), BASE);
    CHECK_EQ(get_number(&chain, 0), 0);
    CHECK_EQ(region_reserved(&chain), BASE * SHM_UNIT);
    CHECK(held(&chain) <= BASE * SHM_UNIT + HEADER);
    region_chain_free(&chain);
}

TEST(growth_doubles_or_fits_the_one_that_needs_more)
{
    struct region_chain chain;

    chain_new(&chain, HUGE);
    CHECK_OK(grow(&chain, 100, 10));
    CHECK_EQ(put_units(&chain), 2 * BASE);
    CHECK_OK(grow(&chain, 200, 20 * BASE));
    CHECK_EQ(put_units(&chain), 32 * BASE);
    CHECK_EQ(get_number(&chain, 50), 0);
    region_chain_free(&chain);
}

TEST(growth_ends_at_what_the_queue_may_hold)
{
    struct region_chain chain;

    chain_new(&chain, 3 * BASE);
    CHECK_OK(grow(&chain, 100, 10));
    CHECK_OK(grow(&chain, 200, 10));
    CHECK_EQ(put_units(&chain), 4 * BASE);
    CHECK_OK(grow(&chain, 300, 3 * BASE));
    CHECK_EQ(put_units(&chain), 4 * BASE);
    region_chain_free(&chain);
}

TEST(what_is_written_in_the_new_region_is_read_there)
{
    struct region_chain chain;
    struct region_view *put_view, *get_view;

    chain_new(&chain, HUGE);
    CHECK_OK(grow(&chain, 8, 10));
    CHECK_OK(region_put_view(&chain, &put_view));
    put_view->mem[5] = 'x';
    CHECK_OK(region_get_view(&chain, 8, &get_view));
    CHECK_EQ(get_view->number, 1);
    CHECK_EQ(get_view->mem[5], 'x');
    CHECK(get_view->mem != put_view->mem); /* each side has its own mapping */
    region_chain_free(&chain);
}

TEST(a_drained_region_gives_its_pages_back)
{
    struct region_chain chain;

    chain_new(&chain, HUGE);
    CHECK_OK(grow(&chain, 100, HUGE / 8));
    CHECK_OK(grow(&chain, 200, 10));
    CHECK(held(&chain) > HUGE * 3 / 8 * SHM_UNIT);
    CHECK_EQ(get_number(&chain, 100), 1);
    CHECK_EQ(get_number(&chain, 150), 1);
    CHECK_EQ(get_number(&chain, 200), 2);
    CHECK(held(&chain) <= HUGE / 4 * SHM_UNIT + HEADER);
    CHECK_EQ(region_reserved(&chain), HUGE / 4 * SHM_UNIT);
    region_chain_free(&chain);
}

TEST(an_emptied_queue_goes_back_to_a_small_region)
{
    struct region_chain chain;

    chain_new(&chain, HUGE);
    CHECK(!region_is_excess(&chain));
    CHECK_OK(grow(&chain, 0, HUGE / 4));
    CHECK_EQ(get_number(&chain, 0), 1);
    CHECK(region_is_excess(&chain));
    CHECK_OK(region_shrink(&chain, 777));
    CHECK_EQ(get_number(&chain, 777), 2);
    CHECK(!region_is_excess(&chain));
    CHECK(held(&chain) <= BASE * SHM_UNIT + HEADER);
    /* There is nothing to be had twice. */
    CHECK_OK(region_shrink(&chain, 778));
    CHECK_EQ(put_units(&chain), BASE);
    CHECK_EQ(get_number(&chain, 778), 2);
    region_chain_free(&chain);
}

TEST(several_regions_may_begin_at_one_position)
{
    struct region_chain chain;

    chain_new(&chain, HUGE);
    for (int i = 0; i < 3; i++)
        CHECK_OK(grow(&chain, 64, 10));
    CHECK_EQ(get_number(&chain, 64), 3);
    region_chain_free(&chain);
}

TEST(there_are_so_many_regions_and_no_more)
{
    struct region_chain chain;

    chain_new(&chain, BASE);
    for (uint32_t i = 1; i < SHM_N_REGIONS; i++)
        CHECK_OK(grow(&chain, i, 10));
    CHECK_EQ(grow(&chain, 1000, 10), -EAGAIN);
    CHECK_EQ(get_number(&chain, 1), 1);
    CHECK_OK(grow(&chain, 1000, 10));
    CHECK_EQ(grow(&chain, 1000, 10), -EAGAIN);
    region_chain_free(&chain);
}

TEST(shrinking_leaves_slots_for_all_the_growth_that_may_follow)
{
    struct region_chain chain;
    uint32_t last;

    chain_new(&chain, HUGE);
    do { /* shrunk and grown again, and no get has left a region */
        last = atomic_load(&chain.shm->last);
        CHECK_OK(grow(&chain, 0, HUGE / 8));
        CHECK_OK(region_shrink(&chain, 0));
    } while (atomic_load(&chain.shm->last) == last + 2);
    /* With the one above 17 doublings: from 64 KiB to 8 GiB. */
    for (int i = 0; i < 16; i++)
        CHECK_OK(grow(&chain, 0, 10));
    region_chain_free(&chain);
}

TEST(units_before_the_last_regions_start_are_not_in_it)
{
    struct region_chain chain;

    chain_new(&chain, HUGE);
    CHECK_EQ(region_used(&chain, 500, 500), 500);
    CHECK_OK(grow(&chain, 500, 10));
    CHECK_EQ(region_used(&chain, 700, 700), 200);
    CHECK_EQ(get_number(&chain, 500), 1);
    CHECK_EQ(region_used(&chain, 700, 150), 150);
    region_chain_free(&chain);
}

TEST(what_a_dead_grower_had_reserved_is_given_back)
{
    struct region_chain chain;

    chain_new(&chain, HUGE);
    uint64_t before = held(&chain);
    /* As region_grow() does, up to its commit. */
    CHECK_OK(plat_shm_reserve(chain.fd, 131072, 8 << 20));
    CHECK(held(&chain) > before);
    region_mend(&chain);
    CHECK_EQ(held(&chain), before);
    CHECK_EQ(put_units(&chain), BASE);
    CHECK_OK(grow(&chain, 0, 10));
    region_chain_free(&chain);
}

TEST(a_table_overwritten_by_a_peer_is_an_error)
{
    struct region_chain chain;
    struct region_view *view;

    chain_new(&chain, HUGE);
    CHECK_OK(grow(&chain, 100, 10));
    struct shm_region good = {0}, *slot = &chain.shm->region[1];
    atomic_store(&good.offset, atomic_load(&slot->offset));

    atomic_store(&slot->offset, 12345);
    CHECK_ERR(region_get_view(&chain, 100, &view), CHUTE_ECORRUPT);
    atomic_store(&slot->offset, UINT64_MAX - 65535);
    CHECK_ERR(region_get_view(&chain, 100, &view), CHUTE_ECORRUPT);
    atomic_store(&slot->offset, atomic_load(&good.offset) + (1 << 30));
    CHECK_ERR(region_get_view(&chain, 100, &view), CHUTE_ECORRUPT);
    atomic_store(&slot->offset, atomic_load(&good.offset));
    atomic_store(&slot->n_units, 3 * BASE);
    CHECK_ERR(region_get_view(&chain, 100, &view), CHUTE_ECORRUPT);
    atomic_store(&slot->n_units, UINT32_MAX / 2 + 1);
    CHECK_ERR(region_get_view(&chain, 100, &view), CHUTE_ECORRUPT);
    atomic_store(&slot->n_units, 0);
    CHECK_ERR(region_get_view(&chain, 100, &view), CHUTE_ECORRUPT);
    atomic_store(&chain.shm->last, 1000);
    CHECK_ERR(region_get_view(&chain, 100, &view), CHUTE_ECORRUPT);
    region_chain_free(&chain);
}

TEST(a_chain_that_cannot_be_made_leaves_nothing)
{
    FAULT_LOOP (n) {
        struct region_chain chain;
        int r = region_chain_new(&chain, 10, HUGE);

        if (r < 0) {
            CHECK(fault_fired());
            continue;
        }
        region_chain_free(&chain);
    }
}

TEST(growth_that_fails_changes_nothing)
{
    FAULT_LOOP (n) {
        struct region_chain chain;
        uint64_t len, before, after;

        if (region_chain_new(&chain, 1000, HUGE) < 0)
            continue;
        int r = plat_shm_size(chain.fd, &len, &before);
        if (r == 0)
            r = grow(&chain, 100, 10);
        if (r < 0) {
            CHECK(fault_fired());
            CHECK_OK(plat_shm_size(chain.fd, &len, &after));
            CHECK_EQ(after, before);
        }
        CHECK_EQ(put_units(&chain), r < 0 ? BASE : 2 * BASE);
        region_chain_free(&chain);
    }
}
