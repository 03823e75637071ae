/* channel.c - what the soak's items go through: queues of bytes and of values,
 * pipes whose ends are shared by all of a side.
 */
#include "channel.h"

#include <stdatomic.h>
#include <string.h>

#include "chute/error.h"
#include "chute/value.h"
#include "chute/wait.h"
#include "ipc/conn.h"
#include "plat/io.h"
#include "plat/plat.h"
#include "shm/ring.h"
#include "torture.h"

/* A full queue has less room than this many bytes. */
#define ROOM ((uint64_t)600000)

/* A pipe with no more waiting in it has room for a message. */
#define PIPE_ROOM 4096

static bool is_pipe(const struct channel *channel)
{
    return channel->kind == CHANNEL_PIPE || channel->kind == CHANNEL_LONG;
}

void channel_begin(struct channel *channel, enum channel_kind kind,
                   unsigned maxsize, uint64_t memory)
{
    chute_conn *end[2];

    *channel = (struct channel){.kind = kind, .maxsize = maxsize};
    if (is_pipe(channel)) {
        MUST(chute_pipe(end, NULL));
        channel->from = end[0];
        channel->to = end[1];
    } else {
        MUST(chute_queue_new(&channel->queue, CHUTE_OPTIONS(chute_queue_options,
                                                            .maxsize = maxsize,
                                                            .memory = memory)));
    }
}

void channel_join(struct channel *channel, bool puts)
{
    if (channel->kind == CHANNEL_WATCHED && !puts)
        MUST(channel->wait_fd = chute_queue_wait_fd(channel->queue));
    if (puts)
        channel->to = chute_conn_free(channel->to);
    else
        channel->from = chute_conn_free(channel->from);
}

/* -- items ------------------------------------------------------------------ */

/* (len, the first half, the second half) */
static chute_value *value_of(const char *buf, size_t len)
{
    size_t half = len / 2;
    chute_value *part[] = {chute_int((int64_t)len), chute_bytes(buf, half),
                           chute_bytes(buf + half, len - half)};

    return chute_tuple_of(3, part);
}

/* Its bytes; of a value of any other shape none. */
static size_t bytes_of(const chute_value *v, char *buf, size_t cap)
{
    int64_t len = 0;
    size_t a_len, b_len;

    if (chute_value_len(v) != 3 ||
        chute_value_int(chute_value_at(v, 0), &len) < 0)
        return 0;
    const void *a = chute_value_bytes(chute_value_at(v, 1), &a_len);
    const void *b = chute_value_bytes(chute_value_at(v, 2), &b_len);
    if (!a || !b || a_len + b_len != (uint64_t)len || (uint64_t)len > cap)
        return 0;
    memcpy(buf, a, a_len);
    memcpy(buf + a_len, b, b_len);
    return (size_t)len;
}

static int get_watched(struct channel *channel, char *buf, size_t cap,
                       size_t *ret_len, int64_t timeout_ns)
{
    int r = CHUTE_ETIMEDOUT, n_ready = 1;
    bool ready;

    while (r == CHUTE_ETIMEDOUT && n_ready == 1) {
        n_ready = chute_wait(&channel->wait_fd, &ready, 1, timeout_ns);
        if (n_ready == 1)
            r = chute_queue_get_bytes(channel->queue, buf, cap, ret_len,
                                      CHUTE_NOWAIT);
    }
    return n_ready < 0 ? n_ready : r;
}

/* -- in their place --------------------------------------------------------- */

static int put_copy(struct channel *channel, const char *buf, size_t len,
                    int64_t timeout_ns)
{
    return chute_queue_put_bytes(channel->queue, buf, len, timeout_ns);
}

static int get_copy(struct channel *channel, char *buf, size_t cap,
                    size_t *ret_len, int64_t timeout_ns)
{
    return chute_queue_get_bytes(channel->queue, buf, cap, ret_len, timeout_ns);
}

static int put_in_place(struct channel *channel, const char *buf, size_t len,
                        int64_t timeout_ns)
{
    struct chute_loan loan;
    int r = chute_queue_reserve(channel->queue, &loan, len, timeout_ns);

    if (r < 0)
        return r;
    memcpy(loan.data, buf, len);
    r = chute_queue_commit(channel->queue, &loan, timeout_ns);
    if (r < 0)
        MUST(chute_queue_release(channel->queue, &loan));
    return r;
}

static int borrow(struct channel *channel, char *buf, size_t cap,
                  size_t *ret_len, int64_t timeout_ns)
{
    struct chute_loan loan;
    int r = chute_queue_borrow(channel->queue, &loan, timeout_ns);

    if (r < 0)
        return r;
    *ret_len = loan.len <= cap ? loan.len : 0;
    memcpy(buf, loan.data, *ret_len);
    return chute_queue_release(channel->queue, &loan);
}

/* -- put and get ------------------------------------------------------------ */

int channel_put(struct channel *channel, const char *buf, size_t len,
                int64_t timeout_ns)
{
    switch (channel->kind) {
    case CHANNEL_BYTES:
    case CHANNEL_WATCHED:
        return put_copy(channel, buf, len, timeout_ns);
    case CHANNEL_LENT:
        return (channel->n++ % 4 ? put_in_place : put_copy)(channel, buf, len,
                                                            timeout_ns);
    case CHANNEL_VALUES:
        return chute_queue_put(channel->queue, value_of(buf, len), timeout_ns);
    default:
        return chute_conn_send_bytes(channel->from, buf, len, timeout_ns);
    }
}

int channel_get(struct channel *channel, char *buf, size_t cap, size_t *ret_len,
                int64_t timeout_ns)
{
    chute_value *v;
    int r;

    switch (channel->kind) {
    case CHANNEL_BYTES:
        return get_copy(channel, buf, cap, ret_len, timeout_ns);
    case CHANNEL_VALUES:
        r = chute_queue_get(channel->queue, &v, timeout_ns);
        if (r == 0)
            *ret_len = bytes_of(v, buf, cap);
        chute_value_free(v);
        return r;
    case CHANNEL_LENT:
        return (channel->n++ % 4 ? borrow : get_copy)(channel, buf, cap,
                                                      ret_len, timeout_ns);
    case CHANNEL_WATCHED:
        return get_watched(channel, buf, cap, ret_len, timeout_ns);
    default:
        return chute_conn_recv_bytes(channel->to, buf, cap, ret_len,
                                     timeout_ns);
    }
}

/* -- looking from outside --------------------------------------------------- */

static void look_at_pipe(struct channel *channel, struct channel_view *view)
{
    size_t pending = 0;

    (void)io_pending(channel->to->fd, &pending);
    view->used = pending;
    view->may_put = pending < PIPE_ROOM;
    view->may_get = pending > 0;
}

void channel_look(struct channel *channel, struct channel_view *ret_view)
{
    *ret_view = (struct channel_view){0};
    if (is_pipe(channel)) {
        look_at_pipe(channel, ret_view);
        return;
    }
    struct region_chain *chain = chain_of(channel->queue);
    struct ring_state state = ring_look(chain);
    uint64_t used = (uint64_t)ring_units(state) * SHM_UNIT;
    uint64_t memory = (uint64_t)chain->max_units * SHM_UNIT;
    *ret_view = (struct channel_view){
        .may_put = ring_count(state) < chain->maxsize &&
                   used + ROOM<memory, .may_get = ring_count(state)> 0,
        .used = used,
        .has_words = true,
        .put_word = state.tail,
        .get_word = state.head};
}

/* -- the end ---------------------------------------------------------------- */

void channel_close(struct channel *channel)
{
    if (is_pipe(channel))
        channel->from = chute_conn_free(channel->from);
    else
        MUST(chute_queue_close(channel->queue));
}

static const char *check_pipe(struct channel *channel)
{
    const struct shm_pipe *shm = channel->to->memory->shm;

    for (int i = 0; i < 2; i++)
        if ((shm->end[i].send_lock.word | shm->end[i].recv_lock.word) &
            PLAT_OWNER_MASK)
            return "a lock is not free";
    return NULL;
}

static bool all_blocks_are_there(struct channel *channel)
{
    struct chute_loan loan[SHM_N_BLOCKS];
    int n = 0;

    chain_of(channel->queue)->shm->closed = 0; /* that they can be lent */
    while (n < SHM_N_BLOCKS &&
           chute_queue_reserve(channel->queue, &loan[n], 1, CHUTE_NOWAIT) == 0)
        n++;
    for (int i = 0; i < n; i++)
        MUST(chute_queue_release(channel->queue, &loan[i]));
    return n == SHM_N_BLOCKS;
}

const char *channel_check(struct channel *channel)
{
    if (is_pipe(channel))
        return check_pipe(channel);
    if (chute_queue_empty(channel->queue) != 1)
        return "the drained queue is not empty";
    if (!locks_are_free(channel->queue))
        return "a lock is not free";
    if (!memory_is_exact(channel->queue))
        return "memory that no region names";
    if (channel->kind == CHANNEL_LENT && !all_blocks_are_there(channel))
        return "a block was lost";
    if (held_when_empty(channel->queue) > HELD_WITH_BLOCKS)
        return "the empty queue holds memory";
    return NULL;
}

void channel_stat(struct channel *channel, unsigned long *ret_n_rescues,
                  unsigned long *ret_n_deaths)
{
    struct chute_queue_stats stat = {.size = sizeof stat};

    if (is_pipe(channel)) {
        const struct shm_pipe *shm = channel->to->memory->shm;
        const struct shm_lock *lock[] = {&shm->end[0].send_lock,
                                         &shm->end[1].recv_lock};
        *ret_n_rescues = lock[0]->n_rescues + lock[1]->n_rescues;
        *ret_n_deaths = lock[0]->n_deaths + lock[1]->n_deaths;
        return;
    }
    MUST(chute_queue_stat(channel->queue, &stat));
    *ret_n_rescues = (unsigned long)stat.n_rescues;
    *ret_n_deaths = (unsigned long)stat.n_deaths;
}

void channel_end(struct channel *channel)
{
    channel->queue = chute_queue_free(channel->queue);
    channel->from = chute_conn_free(channel->from);
    channel->to = chute_conn_free(channel->to);
}
