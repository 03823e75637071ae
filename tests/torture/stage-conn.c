/* stage-conn.c - a pipe, brought into the state in which a scene begins.
 *
 * scene-conn.c says which states there are. What was sent on the way is in the
 * script afterwards, and what came out already has been taken from it.
 */
#define _GNU_SOURCE
#include "stage-conn.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "chute/error.h"
#include "ipc/conn.h"
#include "ipc/frame.h"
#include "plat/io.h"
#include "plat/plat.h"
#include "torture.h"

struct conn_stage conn_stage;

static char *half_buf;

bool conn_victim_sends(void)
{
    return conn_stage.plan->operation == SEND;
}

/* What flows comes from one end and goes to the other. */
chute_conn *conn_from(void)
{
    return conn_victim_sends() ? conn_stage.near : conn_stage.far;
}

chute_conn *conn_to(void)
{
    return conn_victim_sends() ? conn_stage.far : conn_stage.near;
}

/* Whatever comes next, a message or a handle: its item. */
int conn_recv_any(chute_conn *conn, char *buf, size_t cap, size_t *ret_len,
                  int64_t timeout_ns)
{
    struct parcel parcel;
    int r = chute_conn_recv_bytes(conn, buf, cap, ret_len, timeout_ns);

    if (r != CHUTE_EKIND || !conn_stage.plan->parcel)
        return r;
    r = parcel_receive(&parcel, conn_stage.plan->parcel, conn, timeout_ns);
    if (r == 0)
        *ret_len = parcel_unpack(&parcel, buf, cap);
    parcel_free(&parcel);
    return r;
}

struct entry *conn_announce(uint64_t id, size_t len)
{
    struct entry *entry = script_add(id, len);

    entry->may_miss = true;
    return entry;
}

static void send_item(size_t len)
{
    uint64_t id = conn_stage.next_id++;

    item_fill(conn_stage.scratch, len, id);
    MUST(chute_conn_send_bytes(conn_from(), conn_stage.scratch, len,
                               CHUTE_NOWAIT));
    script_add(id, len);
}

static void send_victims_item(void)
{
    size_t len = conn_stage.scene->len;
    uint64_t id = conn_stage.next_id++;

    item_fill(conn_stage.scratch, len, id);
    if (conn_stage.plan->parcel) {
        parcel_pack(&conn_stage.parcel, conn_stage.plan->parcel,
                    conn_stage.scratch, len);
        MUST(parcel_send(&conn_stage.parcel, conn_from(), CHUTE_SEC(1)));
    } else if (conn_stage.plan->values)
        MUST(chute_conn_send(conn_from(), chute_bytes(conn_stage.scratch, len),
                             CHUTE_SEC(1)));
    else
        MUST(chute_conn_send_bytes(conn_from(), conn_stage.scratch, len,
                                   CHUTE_SEC(1)));
    conn_stage.victims = script_add(id, len);
    conn_stage.victims->is_value = conn_stage.plan->values;
}

void conn_prepare_nothing(void)
{
}

void conn_prepare_one(void)
{
    if (!conn_victim_sends()) {
        send_victims_item();
        send_item(FILLER_LEN);
    }
    send_item(FILLER_LEN);
}

void conn_prepare_noted(void)
{
    size_t len;

    send_item(FILLER_LEN);
    conn_prepare_one();
    MUST(chute_conn_recv_bytes(conn_to(), conn_stage.scratch, VAST_LEN, &len,
                               CHUTE_NOWAIT));
    script_take(conn_stage.scratch, len);
}

void conn_prepare_full(void)
{
    int r;

    if (!conn_victim_sends())
        send_victims_item();
    do {
        item_fill(conn_stage.scratch, FULL_LEN, conn_stage.next_id);
        r = chute_conn_send_bytes(conn_from(), conn_stage.scratch, FULL_LEN,
                                  CHUTE_NOWAIT);
        if (r == 0)
            script_add(conn_stage.next_id++, FULL_LEN);
    } while (r == 0);
    if (r != CHUTE_ETIMEDOUT)
        trouble("filling the socket");
}

/* Write n bytes as they are. */
static void write_raw(chute_conn *conn, const char *bytes, size_t n)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};

    if (io_send(conn->fd, &part, 1) != (ssize_t)n)
        trouble("writing into the socket");
}

/* The beginning of a message. The rest is to come, or not. */
void conn_prepare_half(void)
{
    unsigned char head[FRAME_MAX];
    size_t n_head = frame_write(head, 2 * HALF_LEN);
    uint64_t id = conn_stage.next_id++;

    item_fill(half_buf, 2 * HALF_LEN, id);
    write_raw(conn_from(), (const char *)head, n_head);
    write_raw(conn_from(), half_buf, HALF_LEN);
    conn_stage.half_left = HALF_LEN;
    script_add(id, 2 * HALF_LEN);
}

/* It is in our hands. */
void conn_prepare_kept(void)
{
    size_t len;

    conn_prepare_half();
    if (chute_conn_recv_bytes(conn_stage.near, conn_stage.scratch, VAST_LEN,
                              &len, CHUTE_NOWAIT) != CHUTE_ETIMEDOUT)
        trouble("keeping half a message");
}

/* A process died in the middle of a message, as the state says that it wrote
 * down. */
void conn_prepare_left(void)
{
    if (!conn_victim_sends()) {
        send_item(FILLER_LEN);
    } else {
        conn_prepare_half();
        script_entry(0)->may_miss = true;
    }
    conn_stage.half_left = 0;
    if (!conn_victim_sends())
        atomic_store(&conn_stage.near->own->receiving, SHM_BUSY);
    else
        atomic_store(&conn_stage.near->own->sending, SHM_BUSY);
}

void conn_write_rest(void)
{
    write_raw(conn_from(), half_buf + HALF_LEN, conn_stage.half_left);
    conn_stage.half_left = 0;
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
    uint64_t word;

    for (size_t i = 0; i + 8 <= len; i += 8) {
        memcpy(&word, (const char *)bytes + i, 8);
        hash = mix(hash ^ word);
    }
    return hash;
}

static void forget_tid(struct shm_lock *lock)
{
    uint32_t word = lock->word;

    lock->word = (word & ~PLAT_OWNER_MASK) | ((word & PLAT_OWNER_MASK) != 0);
}

uint64_t conn_state(void)
{
    struct shm_pipe copy;
    size_t pending = 0;
    uint64_t hash = 0;

    memcpy(&copy, conn_stage.near->memory->shm, sizeof copy);
    for (int i = 0; i < 2; i++) {
        forget_tid(&copy.end[i].send_lock);
        forget_tid(&copy.end[i].recv_lock);
        copy.end[i].keeper = copy.end[i].keeper != 0;
        copy.end[i].keeper_birth = 0;
    }
    hash = hash_bytes(hash, &copy, sizeof copy);
    (void)io_pending(conn_stage.near->fd, &pending);
    hash = mix(hash ^ pending);
    (void)io_pending(conn_stage.far->fd, &pending);
    return mix(hash ^ pending);
}

void conn_stage_begin(void)
{
    conn_stage.scratch = shared_new(SCENE_LEN_MAX);
    half_buf = shared_new(2 * HALF_LEN);
}
