/* test-ring.c - src/shm/ring.c: items go in and come out, whole and in order.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chute/error.h"
#include "plat/plat.h"
#include "shm/ring.h"
#include "test.h"

#define MIB (1u << 20)

static struct ring_state state;

static void ring_new(struct region_chain *chain, uint32_t maxsize,
                     uint32_t memory)
{
    CHECK_OK(region_chain_new(chain, maxsize, memory / SHM_UNIT));
}

/* One item put, and one got. */
static int put_one(struct region_chain *chain, const void *data, size_t len,
                   int64_t deadline)
{
    struct iovec item = {.iov_base = (void *)(uintptr_t)data, .iov_len = len};
    struct ring_put_batch batch = {.items = &item, .n = 1};
    int r = ring_put(chain, &batch, deadline, &state);

    if (r == 0)
        CHECK_EQ(batch.n_done, 1);
    return r;
}

static int get_one(struct region_chain *chain, void *buf, size_t cap,
                   size_t *ret_len, int64_t deadline)
{
    struct iovec item = {.iov_len = *ret_len};
    struct ring_get_batch batch = {
        .buf = buf, .cap = cap, .items = &item, .n = 1};
    int r = ring_get(chain, &batch, deadline, &state);

    if (r == 0)
        CHECK_EQ(batch.n_done, 1);
    *ret_len = item.iov_len;
    return r;
}

static uint64_t word_of(uint32_t seq, uint32_t low)
{
    return (uint64_t)seq << 32 | low;
}

/* Byte i of item n. */
static char pattern(size_t n, size_t i)
{
    return (char)(n * 131 + i * 7 + i / 251);
}

static int put(struct region_chain *chain, size_t n, size_t len)
{
    char *data = malloc(len + 1);

    for (size_t i = 0; i < len; i++)
        data[i] = pattern(n, i);
    int r = put_one(chain, data, len, PLAT_NEVER);
    free(data);
    return r;
}

/* Take one, which is to be item n of that length. */
static void check_get(struct region_chain *chain, size_t n, size_t len)
{
    char *buf = malloc(len + 1);
    size_t got = 0;

    CHECK_OK(get_one(chain, buf, len, &got, PLAT_NEVER));
    CHECK_EQ(got, len);
    for (size_t i = 0; i < len; i++)
        CHECK_EQ(buf[i], pattern(n, i));
    free(buf);
}

static int get(struct region_chain *chain)
{
    char buf[64];
    size_t len = 0;

    return get_one(chain, buf, sizeof buf, &len, PLAT_NEVER);
}

static uint32_t count(struct region_chain *chain)
{
    return ring_count(ring_look(chain));
}

/* Make the queue one that is empty after so many items and units. */
static void come_to(struct region_chain *chain, uint64_t n_items,
                    uint64_t n_units)
{
    struct shm_queue *shm = chain->shm;
    uint64_t word = word_of((uint32_t)n_items, (uint32_t)n_units);

    atomic_store(&shm->region[0].start, (uint32_t)n_units);
    atomic_store(&shm->head, word);
    atomic_store(&shm->tail, word);
    atomic_store(&shm->put.n_items, n_items);
    atomic_store(&shm->put.n_units, n_units);
    atomic_store(&shm->got.n_items, n_items);
    atomic_store(&shm->got.n_units, n_units);
}

TEST(items_of_all_sizes_come_out_as_they_went_in)
{
    static const size_t lens[] = {0,    1,    7,    8,     9,     15,  16,
                                  4095, 4096, 4097, 65527, 65528, MIB, 0};
    struct region_chain chain;
    size_t n_lens = sizeof lens / sizeof lens[0];

    ring_new(&chain, 100, 16 * MIB);
    for (size_t i = 0; i < n_lens; i++)
        CHECK_OK(put(&chain, i, lens[i]));
    CHECK_EQ(count(&chain), n_lens);
    for (size_t i = 0; i < n_lens; i++)
        check_get(&chain, i, lens[i]);
    CHECK_EQ(get(&chain), RING_EMPTY);
    region_chain_free(&chain);
}

TEST(an_item_takes_its_length_in_units_and_two_more)
{
    CHECK_EQ(ring_need(0), 2);
    CHECK_EQ(ring_need(1), 3);
    CHECK_EQ(ring_need(8), 3);
    CHECK_EQ(ring_need(9), 4);
    CHECK_EQ(ring_need(UINT32_MAX), 2 + (UINT64_C(1) << 29));
    CHECK_EQ(ring_need((size_t)UINT32_MAX + 1), UINT64_MAX);
}

TEST(items_wrap_at_the_regions_end)
{
    struct region_chain chain;

    ring_new(&chain, 100, 65536);
    for (size_t n = 0; n < 5000; n++) {
        size_t len = n * 37 % 3000;
        CHECK_OK(put(&chain, n, len));
        CHECK_OK(put(&chain, n + 1, len + 1));
        check_get(&chain, n, len);
        check_get(&chain, n + 1, len + 1);
    }
    CHECK_EQ(region_reserved(&chain), 65536);
    region_chain_free(&chain);
}

TEST(sequence_and_position_wrap)
{
    struct region_chain chain;

    ring_new(&chain, 100, MIB);
    come_to(&chain, 0xfffffff0, 0xffffff00);
    for (size_t n = 0; n < 60; n++)
        CHECK_OK(put(&chain, n, 200));
    CHECK_EQ(count(&chain), 60);
    for (size_t n = 0; n < 60; n++)
        check_get(&chain, n, 200);
    CHECK_EQ(get(&chain), RING_EMPTY);
    region_chain_free(&chain);
}

/* The words have come round to where they were when one item was there, which a
 * getter knew. */
TEST(what_was_seen_before_the_words_wrapped_is_not_believed)
{
    struct region_chain chain;

    ring_new(&chain, 100, MIB);
    CHECK_OK(put(&chain, 0, 8));
    check_get(&chain, 0, 8);
    come_to(&chain, (uint64_t)1 << 32, (uint64_t)1 << 32);
    CHECK_EQ(get(&chain), RING_EMPTY);
    CHECK_OK(put(&chain, 1, 16));
    check_get(&chain, 1, 16);
    region_chain_free(&chain);
}

/* The same for a putter: he knew of room for one more, and another has filled
 * the queue. */
TEST(room_that_was_there_before_the_words_wrapped_is_not_believed)
{
    struct region_chain chain, other;

    ring_new(&chain, 2, MIB);
    CHECK_OK(region_chain_attach(&other, dup(chain.fd), false));
    for (size_t n = 0; n < 2; n++) {
        CHECK_OK(put(&chain, n, 8));
        check_get(&chain, n, 8);
    }
    come_to(&chain, (uint64_t)1 << 32, (uint64_t)1 << 32);
    for (size_t n = 0; n < 2; n++)
        CHECK_OK(put(&other, n, 8));
    CHECK_EQ(put(&chain, 2, 8), RING_FULL);
    for (size_t n = 0; n < 2; n++)
        check_get(&chain, n, 8);
    region_chain_free(&other);
    region_chain_free(&chain);
}

TEST(growth_at_the_wrap_of_positions_keeps_the_order)
{
    struct region_chain chain;
    size_t put_n = 0, get_n = 0;

    ring_new(&chain, 10000, 16 * MIB);
    come_to(&chain, 0, 0xffffff00);
    for (int round = 0; round < 400; round++) {
        for (int i = 0; i < 7; i++, put_n++)
            CHECK_OK(put(&chain, put_n, put_n % 4000));
        for (int i = 0; i < 3; i++, get_n++)
            check_get(&chain, get_n, get_n % 4000);
    }
    for (; get_n < put_n; get_n++)
        check_get(&chain, get_n, get_n % 4000);
    CHECK_EQ(get(&chain), RING_EMPTY);
    CHECK_EQ(atomic_load(&chain.shm->first), atomic_load(&chain.shm->last));
    region_chain_free(&chain);
}

/* The next region begins at a small number, head stands at a large one. */
TEST(a_region_that_ends_beyond_the_wrap_is_not_left_before)
{
    struct region_chain chain;

    ring_new(&chain, 10000, 16 * MIB);
    come_to(&chain, 0, 0xffffff00);
    for (size_t n = 0; n < 400; n++)
        CHECK_OK(put(&chain, n, n % 4000));
    CHECK(atomic_load(&chain.shm->last) > 0);
    for (size_t n = 0; n < 400; n++)
        check_get(&chain, n, n % 4000);
    CHECK_EQ(get(&chain), RING_EMPTY);
    region_chain_free(&chain);
}

TEST(a_queue_of_three_holds_three)
{
    struct region_chain chain;

    ring_new(&chain, 3, MIB);
    for (size_t n = 0; n < 3; n++)
        CHECK_OK(put(&chain, n, 10));
    CHECK_EQ(put(&chain, 3, 10), RING_FULL);
    check_get(&chain, 0, 10);
    CHECK_OK(put(&chain, 3, 10));
    region_chain_free(&chain);
}

TEST(memory_is_filled_to_the_last_unit)
{
    struct region_chain chain;

    ring_new(&chain, 1000, 65536);
    CHECK_OK(put(&chain, 0, 65536 - 16 - 32));
    CHECK_EQ(put(&chain, 1, 17), RING_TIGHT);
    CHECK_OK(put(&chain, 1, 16));
    CHECK_EQ(put(&chain, 2, 0), RING_FULL);
    check_get(&chain, 0, 65536 - 16 - 32);
    check_get(&chain, 1, 16);
    CHECK_OK(put(&chain, 2, 65536 - 16));
    check_get(&chain, 2, 65536 - 16);
    region_chain_free(&chain);
}

TEST(memory_that_is_no_power_of_two_is_filled_too)
{
    struct region_chain chain;
    uint32_t memory = 3 * 65536 + 8 * 5;
    size_t n = 0;

    ring_new(&chain, 10000, memory);
    for (; put(&chain, n, 48) == 0; n++)
        ;
    CHECK_EQ(n, memory / 64);
    for (size_t i = 0; i < n; i++)
        check_get(&chain, i, 48);
    region_chain_free(&chain);
}

TEST(an_item_too_long_for_the_buffer_stays)
{
    struct region_chain chain;
    char buf[8];
    size_t len = 0;

    ring_new(&chain, 10, MIB);
    CHECK_OK(put(&chain, 5, 9));
    CHECK_ERR(get_one(&chain, buf, 8, &len, PLAT_NEVER), CHUTE_EMSGSIZE);
    CHECK_EQ(len, 9);
    check_get(&chain, 5, 9);
    region_chain_free(&chain);
}

TEST(a_closed_ring_takes_nothing_and_gives_what_is_left)
{
    struct region_chain chain;

    ring_new(&chain, 10, MIB);
    CHECK_OK(put(&chain, 0, 5));
    CHECK(!ring_is_closed(&chain));
    ring_close(&chain);
    CHECK(ring_is_closed(&chain));
    CHECK_ERR(put(&chain, 1, 5), CHUTE_ECLOSED);
    check_get(&chain, 0, 5);
    CHECK_ERR(get(&chain), CHUTE_EOF);
    CHECK_ERR(get(&chain), CHUTE_EOF);
    region_chain_free(&chain);
}

TEST(a_long_copy_ends_at_the_deadline_and_leaves_the_ring_as_it_was)
{
    struct region_chain chain;
    size_t len = 8 * MIB, got;
    char *data = calloc(1, len);

    ring_new(&chain, 10, 32 * MIB);
    CHECK_EQ(put_one(&chain, data, len, 1), -ETIMEDOUT);
    CHECK_EQ(count(&chain), 0);
    CHECK_OK(put(&chain, 0, len));
    CHECK_EQ(get_one(&chain, data, len, &got, 1), -ETIMEDOUT);
    CHECK_EQ(count(&chain), 1);
    check_get(&chain, 0, len);
    free(data);
    region_chain_free(&chain);
}

TEST(commit_words_that_cannot_be_are_an_error)
{
    static const struct {
        uint64_t head, tail;
    } bad[] = {
        {0, (uint64_t)101 << 32 | 1000}, /* more items than maxsize */
        {0, (uint64_t)1 << 32 | 200000}, /* more units than memory */
        {0, (uint64_t)10 << 32 | 9},     /* more items than units */
        {(uint64_t)1 << 32 | 2, 0},      /* head beyond tail */
        {0, 5},                          /* units without items */
        {0, (uint64_t)5 << 32},          /* items without units */
        {UINT64_MAX, 0x123456789abcdef0},
    };
    struct region_chain chain;

    ring_new(&chain, 100, MIB);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        atomic_store(&chain.shm->head, bad[i].head);
        atomic_store(&chain.shm->tail, bad[i].tail);
        CHECK_ERR(get(&chain), CHUTE_ECORRUPT);
        CHECK_ERR(put(&chain, 0, 1), CHUTE_ECORRUPT);
    }
    atomic_store(&chain.shm->head, 0);
    atomic_store(&chain.shm->tail, 0);
    CHECK_OK(put(&chain, 0, 1));
    region_chain_free(&chain);
}

TEST(a_record_that_cannot_be_is_an_error)
{
    struct region_chain chain;
    struct region_view *view;

    ring_new(&chain, 100, MIB);
    CHECK_OK(put(&chain, 0, 20));
    CHECK_OK(region_put_view(&chain, &view));
    _Atomic uint64_t *record = (_Atomic uint64_t *)(void *)view->mem;
    CHECK_EQ(atomic_load(record), 20);
    atomic_store(record, 25); /* longer than what is there */
    CHECK_ERR(get(&chain), CHUTE_ECORRUPT);
    atomic_store(record, UINT32_MAX);
    CHECK_ERR(get(&chain), CHUTE_ECORRUPT);
    atomic_store(record, (uint64_t)7 << 32 | 20); /* another item's */
    CHECK_ERR(get(&chain), CHUTE_ECORRUPT);
    atomic_store(record, 20);
    check_get(&chain, 0, 20);
    region_chain_free(&chain);
}

/* One that would be there, if the region were as long as the commit words say. */
TEST(a_record_longer_than_its_region_is_an_error)
{
    struct region_chain chain;
    struct region_view *view;

    ring_new(&chain, 100, 16 * MIB);
    CHECK_OK(put(&chain, 0, 20));
    CHECK_OK(region_put_view(&chain, &view));
    atomic_store((_Atomic uint64_t *)(void *)view->mem, MIB);
    atomic_store(&chain.shm->tail, word_of(1, (uint32_t)ring_need(MIB)));
    CHECK_ERR(get(&chain), CHUTE_ECORRUPT);
    region_chain_free(&chain);
}

/* A region that begins so far back that it cannot hold what it should. */
TEST(a_start_that_cannot_be_makes_room_elsewhere)
{
    struct region_chain chain;

    ring_new(&chain, 100, 16 * MIB);
    CHECK_OK(put(&chain, 0, 40000));
    CHECK_OK(put(&chain, 1, 40000));
    CHECK_EQ(atomic_load(&chain.shm->last), 1);
    atomic_store(&chain.shm->region[1].start, 0x80000000);
    CHECK_OK(put(&chain, 2, 20));
    CHECK_EQ(atomic_load(&chain.shm->last), 2);
    region_chain_free(&chain);
}

TEST(a_table_that_cannot_be_is_an_error)
{
    struct region_chain chain;

    ring_new(&chain, 100, 16 * MIB);
    CHECK_OK(put(&chain, 0, 40000));
    atomic_store(&chain.shm->region[0].n_units, 7);
    CHECK_ERR(put(&chain, 1, 40000), CHUTE_ECORRUPT); /* nothing to double */
    atomic_store(&chain.shm->region[0].n_units, REGION_BASE_UNITS);
    CHECK_OK(put(&chain, 1, 40000));
    atomic_store(&chain.shm->last, 32); /* too far from first */
    CHECK_ERR(get(&chain), CHUTE_ECORRUPT);
    atomic_store(&chain.shm->last, 1);
    check_get(&chain, 0, 40000);
    check_get(&chain, 1, 40000);
    region_chain_free(&chain);
}

/* -- batches ----------------------------------------------------------------- */

TEST(a_batch_ends_where_it_gets_long)
{
    size_t len = RING_BATCH_LEN / 2;
    char *data = calloc(3, len);
    struct iovec items[] = {{data, len}, {data, len}, {data, len}}, got[3];
    struct ring_put_batch puts = {.items = items, .n = 3};
    struct ring_get_batch gets = {.buf = data, .cap = 3 * len, .items = got};
    struct region_chain chain;

    ring_new(&chain, 100, 16 * MIB);
    CHECK_OK(put(&chain, 0, 4 * len)); /* so that a region holds all three */
    check_get(&chain, 0, 4 * len);
    CHECK_OK(ring_put(&chain, &puts, PLAT_NEVER, &state));
    CHECK_EQ(puts.n_done, 2);
    puts = (struct ring_put_batch){.items = items + 2, .n = 1};
    CHECK_OK(ring_put(&chain, &puts, PLAT_NEVER, &state));
    gets.n = 3;
    CHECK_OK(ring_get(&chain, &gets, PLAT_NEVER, &state));
    CHECK_EQ(gets.n_done, 2);
    CHECK_OK(ring_get(&chain, &gets, PLAT_NEVER, &state));
    CHECK_EQ(gets.n_done, 1);
    free(data);
    region_chain_free(&chain);
}

/* A batch has 256 KiB at most, and only longer copies look at the clock: but the
 * first item may be of any length, and it alone may be late. */
TEST(a_late_first_item_is_a_late_batch)
{
    size_t len = 2 * MIB;
    char *data = calloc(1, len);
    struct iovec items[] = {{data, len}, {data, 1}}, got[2];
    struct ring_put_batch puts = {.items = items, .n = 2};
    struct ring_get_batch gets = {
        .buf = data, .cap = len, .items = got, .n = 2};
    struct region_chain chain;

    ring_new(&chain, 100, 16 * MIB);
    CHECK_EQ(ring_put(&chain, &puts, 1, &state), -ETIMEDOUT);
    CHECK_OK(ring_put(&chain, &puts, PLAT_NEVER, &state));
    CHECK_EQ(puts.n_done, 1);
    CHECK_EQ(ring_peek(&chain, &gets, 1, &state), -ETIMEDOUT);
    CHECK_OK(ring_peek(&chain, &gets, PLAT_NEVER, &state));
    CHECK_EQ(count(&chain), 1);
    free(data);
    region_chain_free(&chain);
}

/* -- the oldest -------------------------------------------------------------- */

TEST(the_oldest_is_looked_for_in_all_regions_but_not_for_ever)
{
    struct region_chain chain;
    struct region_view *view;
    int64_t put_at = 0;

    ring_new(&chain, 100, 16 * MIB);
    CHECK_EQ(ring_oldest(&chain, &put_at), RING_EMPTY);
    CHECK_OK(put(&chain, 0, 20));
    CHECK_OK(ring_oldest(&chain, &put_at));
    CHECK(put_at > 0 && put_at <= plat_now());
    atomic_store(&chain.shm->last, 1000); /* more than there can be */
    CHECK_OK(ring_oldest(&chain, &put_at));
    atomic_store(&chain.shm->last, 0);
    CHECK_OK(region_put_view(&chain, &view));
    _Atomic uint64_t *record = (_Atomic uint64_t *)(void *)view->mem;
    atomic_store(record, word_of(7, 20)); /* another item's */
    CHECK_EQ(ring_oldest(&chain, &put_at), RING_EMPTY);
    atomic_store(&chain.shm->last, 1000);
    CHECK_EQ(ring_oldest(&chain, &put_at), RING_EMPTY);
    region_chain_free(&chain);
}

/* A peer that takes the first of two items and puts it back, for ever. */
struct mover {
    struct shm_queue *shm;
    uint64_t head[2], tail[2];
    _Atomic bool over;
};

static void *move(void *arg)
{
    struct mover *mover = arg;

    for (int i = 0; !atomic_load(&mover->over); i ^= 1) {
        atomic_store(&mover->shm->head, mover->head[i]);
        atomic_store(&mover->shm->tail, mover->tail[i]);
    }
    return NULL;
}

TEST(an_oldest_that_moves_is_one_of_those_it_was)
{
    struct region_chain chain;
    struct mover mover = {0};
    pthread_t thread;
    int64_t first, second, got;
    int n_seen[3] = {0};

    ring_new(&chain, 100, MIB);
    CHECK_OK(put(&chain, 0, 20));
    CHECK_OK(ring_oldest(&chain, &first));
    uint64_t after_first = atomic_load(&chain.shm->tail);
    do { /* until the clock has gone on */
        atomic_store(&chain.shm->tail, after_first);
        CHECK_OK(put(&chain, 1, 20));
        atomic_store(&chain.shm->head, after_first);
        CHECK_OK(ring_oldest(&chain, &second));
        atomic_store(&chain.shm->head, 0);
    } while (second == first);
    mover.shm = chain.shm;
    mover.head[1] = after_first;
    mover.tail[0] = mover.tail[1] = atomic_load(&chain.shm->tail);
    mover.tail[1] += word_of(1, 3); /* it moves, too; nobody reads there */
    CHECK_OK(-pthread_create(&thread, NULL, move, &mover));
    for (int i = 0; i < 300000; i++) {
        int r = ring_oldest(&chain, &got);
        CHECK(r == RING_EMPTY || (r == 0 && (got == first || got == second)));
        n_seen[r != 0 ? 2 : got == second]++;
    }
    atomic_store(&mover.over, true);
    CHECK_OK(-pthread_join(thread, NULL));
    CHECK(n_seen[0] > 0 && n_seen[1] > 0);
    region_chain_free(&chain);
}

/* A peer that writes a good length and a bad one in turn. */
struct flipper {
    _Atomic uint64_t *record;
    _Atomic bool over;
};

static void *flip(void *arg)
{
    struct flipper *flipper = arg;
    bool good = false;
    int n = 0;

    while (!atomic_load_explicit(&flipper->over, memory_order_relaxed)) {
        atomic_store_explicit(flipper->record, good ? 20 : 0x7fffffff,
                              memory_order_relaxed);
        good = !good;
        for (int i = 0; i < n % 7; i++)
            plat_pause();
        n += good;
    }
    return NULL;
}

TEST(a_length_that_changes_under_the_getter_is_read_once)
{
    int64_t end = plat_now() + INT64_C(4000000000);
    struct flipper flipper = {0};
    struct region_chain chain;
    struct region_view *view;
    pthread_t thread;
    char buf[4];
    size_t len;

    ring_new(&chain, 100, MIB);
    CHECK_OK(put(&chain, 0, 20));
    CHECK_OK(region_put_view(&chain, &view));
    flipper.record = (_Atomic uint64_t *)(void *)view->mem;
    CHECK_OK(-pthread_create(&thread, NULL, flip, &flipper));
    for (int i = 0; i < 20000000 && !(i % 1000 == 0 && plat_expired(end));
         i++) {
        int r = get_one(&chain, buf, sizeof buf, &len, PLAT_NEVER);
        CHECK(r == CHUTE_ECORRUPT || r == CHUTE_EMSGSIZE);
        if (r == CHUTE_EMSGSIZE)
            CHECK_EQ(len, 20);
    }
    atomic_store(&flipper.over, true);
    CHECK_OK(-pthread_join(thread, NULL));
    region_chain_free(&chain);
}

TEST(a_put_that_finds_no_memory_leaves_the_ring_as_it_was)
{
    char *data = calloc(1, 4 * MIB);

    FAULT_LOOP (n) {
        struct region_chain chain;

        if (region_chain_new(&chain, 100, 16 * MIB / SHM_UNIT) < 0)
            continue;
        CHECK_OK(put(&chain, 0, 5));
        int r = put_one(&chain, data, 4 * MIB, PLAT_NEVER);
        if (r < 0) {
            CHECK(fault_fired());
            CHECK(r != -EAGAIN); /* that would be a full ring */
            CHECK_EQ(count(&chain), 1);
            CHECK_OK(put_one(&chain, data, 4 * MIB, PLAT_NEVER));
        }
        CHECK_EQ(count(&chain), 2);
        check_get(&chain, 0, 5);
        while (get_one(&chain, data, 4 * MIB, &(size_t){0}, PLAT_NEVER) < 0)
            CHECK(fault_fired());
        region_chain_free(&chain);
    }
    free(data);
}
