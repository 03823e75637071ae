/* peer-chute.c - chute's own queue, with the defaults of its options but for the
 * bounds, which are about everybody's: n_slots items, 16 MiB.
 *
 *     chute            put_bytes and get_bytes
 *     chute-many       put_many_bytes and get_many_bytes, 64 at once
 *     chute-get-many   put_bytes and get_many_bytes
 *     chute-uncopied   reserve, commit, borrow and release: only the ends of a
 *                      message are written and read, as raw-ring-uncopied has it
 *     chute-value      put and get of [42, None, 'hello'], made and freed each time
 */
#include <string.h>

#include <chute.h>

#include "bench.h"

static void check(int r, const char *what)
{
    if (r < 0)
        die(what, chute_strerror(r));
}

static const char *open_queue(void **ret_channel, const struct shape *shape)
{
    chute_queue *queue;

    check(chute_queue_new(&queue, CHUTE_OPTIONS(chute_queue_options,
                                                .maxsize = shape->n_slots,
                                                .memory = UINT64_C(16) << 20)),
          "chute_queue_new");
    *ret_channel = queue;
    return NULL;
}

static void close_queue(void *channel)
{
    chute_queue_free(channel);
}

static void put(void *channel, const char *data, size_t len)
{
    check(chute_queue_put_bytes(channel, data, len, CHUTE_FOREVER), "put");
}

static size_t get(void *channel, char *buf, size_t cap)
{
    size_t len = 0;

    check(chute_queue_get_bytes(channel, buf, cap, &len, CHUTE_FOREVER), "get");
    return len;
}

static void put_many(void *channel, const struct iovec *items, size_t n)
{
    size_t n_put;

    check(chute_queue_put_many_bytes(channel, items, n, &n_put, CHUTE_FOREVER),
          "put_many");
}

static size_t get_many(void *channel, char *buf, size_t cap,
                       struct iovec *items, size_t n)
{
    size_t n_got = 0;

    check(chute_queue_get_many_bytes(channel, buf, cap, items, n, &n_got,
                                     CHUTE_FOREVER),
          "get_many");
    return n_got;
}

static const struct peer single = {
    .name = "chute",
    .open = open_queue,
    .put = put,
    .get = get,
    .close = close_queue,
};
PEER(single);

static const struct peer many = {
    .name = "chute-many",
    .open = open_queue,
    .put = put,
    .get = get,
    .put_many = put_many,
    .get_many = get_many,
    .close = close_queue,
};
PEER(many);

static const struct peer half = {
    .name = "chute-get-many",
    .open = open_queue,
    .put = put,
    .get = get,
    .get_many = get_many,
    .close = close_queue,
};
PEER(half);

/* -- values ---------------------------------------------------------------- */

static chute_value *list_new(void)
{
    return chute_list(chute_int(42), chute_none(), chute_str("hello"));
}

static void put_value(void *channel, const char *data, size_t len)
{
    (void)data, (void)len;
    check(chute_queue_put(channel, list_new(), CHUTE_FOREVER), "put");
}

static size_t get_value(void *channel, char *buf, size_t cap)
{
    static chute_value *expected;
    chute_value *v;

    (void)buf;
    if (!expected)
        expected = list_new();
    check(chute_queue_get(channel, &v, CHUTE_FOREVER), "get");
    if (!chute_value_equal(v, expected))
        die("get", "another value than was put");
    chute_value_free(v);
    return cap;
}

static const struct peer value = {
    .name = "chute-value",
    .max_putters = 1,
    .max_getters = 1,
    .is_value = true,
    .open = open_queue,
    .put = put_value,
    .get = get_value,
    .close = close_queue,
};
PEER(value);

/* -- in their place --------------------------------------------------------- */

#define MARK sizeof(uint64_t)

static void put_ends(void *channel, const char *data, size_t len)
{
    struct chute_loan loan;

    check(chute_queue_reserve(channel, &loan, len, CHUTE_FOREVER), "reserve");
    char *to = loan.data;
    memcpy(to, data, MARK);
    memcpy(to + len - MARK, data + len - MARK, MARK);
    check(chute_queue_commit(channel, &loan, CHUTE_FOREVER), "commit");
}

static size_t get_ends(void *channel, char *buf, size_t cap)
{
    struct chute_loan loan;

    check(chute_queue_borrow(channel, &loan, CHUTE_FOREVER), "borrow");
    const char *from = loan.data;
    size_t len = loan.len;
    if (len > cap)
        die("borrow", "a message is too long");
    memcpy(buf, from, MARK);
    memcpy(buf + len - MARK, from + len - MARK, MARK);
    check(chute_queue_release(channel, &loan), "release");
    return len;
}

static const struct peer uncopied = {
    .name = "chute-uncopied",
    .is_uncopied = true,
    .open = open_queue,
    .put = put_ends,
    .get = get_ends,
    .close = close_queue,
};
PEER(uncopied);
