/* peer-chute-uncopied.c - chute's queue, with messages filled and read where they
 * lie: only the ends, as raw-ring-uncopied. The bounds are those of peer-chute.c.
 */
#include <string.h>

#include <chute.h>

#include "bench.h"

#define MARK sizeof(uint64_t)

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
