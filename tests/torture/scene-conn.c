/* scene-conn.c - one operation on one end of a pipe, cut short.
 *
 * The victim sends or receives a message or a handle at the near end, or looks
 * whether there is one, or frees that end, which it shares with us; the far end is
 * ours. A helper, a thread of ours, is asleep there when the victim comes,
 * or acts once the victim sleeps:
 *
 *     first  the process has not used chute before
 *     empty  send: a receiver sleeps      recv: fed once it sleeps
 *     one    messages are there
 *     noted  their lengths are noted already (conn-look.c)
 *     full   send: drained once it sleeps recv: a sender sleeps
 *     held   another holds the lock until the victim sleeps on it
 *     rival  when the victim has come to where it is to die, another comes with
 *            the same operation
 *     half   recv: the beginning of a message is there, and no more comes
 *     kept   recv: the beginning is in our hands; the victim waits for us
 *     woken  the same, but we get the rest once it sleeps
 *     left   somebody died in the middle of a message; the victim finds it
 *     keeper   free: the victim has the beginning of a message in its hands
 *     awaited  the same, and another waits for the rest of it
 *
 * After the victim's death all messages come out in order, and both ends see the
 * end of the stream when the other is freed. Only if the victim may have died in
 * the middle of a message too long to go at once, both may be told that instead
 * (CHUTE_EPARTIAL; whoever sends to a lost receiver, CHUTE_EPIPE), and at once.
 * The other direction works whatever happened.
 *
 * All that goes out is in the script from the beginning, as something that may
 * miss until its sender has returned.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "chute/error.h"
#include "chute/pickle.h"
#include "helper.h"
#include "ipc/conn.h"
#include "plat/io.h"
#include "plat/plat.h"
#include "scene.h"
#include "shm/lock.h"
#include "stage-conn.h"
#include "torture.h"
#include "trace.h"

static char *victims_buf, *seconds_buf;

/* -- the helper ------------------------------------------------------------- */

static struct helper helper;

static _Atomic pid_t victim_pid;

/* The helper's messages: what it gets, what it sends. */
static struct {
    size_t len;
    char buf[SCENE_LEN_MAX];
    char item[SCENE_LEN_MAX];
} its;

static void helper_send_item(chute_conn *conn)
{
    struct entry *entry = conn_stage.helpers;

    item_fill(its.item, entry->len, entry->id);
    helper.r = chute_conn_send_bytes(conn, its.item, entry->len, HANG_NS);
}

static void helper_receive(chute_conn *conn)
{
    helper.r = conn_recv_any(conn, its.buf, sizeof its.buf, &its.len, HANG_NS);
}

/* Until the victim sleeps in that system call. false: told to stop. */
static bool helper_awaits(long call)
{
    while (!helper_is_stopped(&helper)) {
        pid_t victim = atomic_load(&victim_pid);
        if (victim && trace_sleeps_in(victim, call))
            return true;
        usleep(20);
    }
    return false;
}

static struct shm_lock *the_lock(void)
{
    struct shm_conn *own = conn_stage.near->own;

    return conn_victim_sends() ? &own->send_lock : &own->recv_lock;
}

static uint32_t lock_word(void)
{
    return atomic_load(&the_lock()->word);
}

/* The script is ours while the victim runs. All but one, so that the victim's
 * own is behind something. */
static void helper_drain(void)
{
    for (unsigned i = 1; i < script_len() - 2; i++) {
        helper_receive(conn_stage.far);
        if (helper.r != 0)
            return;
        script_take(its.buf, its.len);
    }
}

static bool helper_act(void)
{
    switch (conn_stage.plan->help) {
    case RECEIVER:
        helper_receive(conn_stage.far);
        break;
    case SENDER:
        helper_send_item(conn_stage.far);
        break;
    case FEEDER:
        if (!helper_awaits(SYS_ppoll))
            return false;
        helper_send_item(conn_stage.far);
        break;
    case DRAINER:
        if (helper_awaits(SYS_ppoll))
            helper_drain();
        return false;
    case RIVAL:
        if (conn_victim_sends())
            helper_send_item(conn_stage.near);
        else
            helper_receive(conn_stage.near);
        break;
    case KEEPER:
        if (!helper_awaits(SYS_futex))
            return false;
        conn_write_rest();
        helper_send_item(conn_stage.far);
        helper_receive(conn_stage.near);
        break;
    case HOLDER:
        helper_hold(&helper, the_lock(), conn_stage.slowly);
        return false;
    case NOBODY:
        return false;
    }
    return true;
}

/* Before the victim comes: sleepers are asleep on return. */
static void helper_comes(void)
{
    enum help help = conn_stage.plan->help;

    if (help == NOBODY || help == RIVAL)
        return;
    helper_send(&helper);
    if (help == HOLDER) {
        while (!lock_word())
            usleep(20);
    } else if (help == RECEIVER || help == SENDER) {
        while (!trace_sleeps_in(atomic_load(&helper.tid), SYS_ppoll))
            usleep(20);
    }
}

static void crowd(void)
{
    if (conn_stage.plan->help != RIVAL)
        return;
    if (conn_stage.plan->operation != FREE) {
        helper_crowd(&helper, the_lock());
        return;
    }
    /* He waits for the victim, who has half a message, or is told at once. */
    helper_send(&helper);
    while (!helper_is_done(&helper) &&
           !trace_sleeps_in(atomic_load(&helper.tid), SYS_futex))
        usleep(20);
}

static bool helper_receives(void)
{
    enum help help = conn_stage.plan->help;

    return help == RECEIVER || help == KEEPER ||
           (help == RIVAL && !conn_victim_sends());
}

static void end_of_stream(const char *what)
{
    if (!conn_stage.may_end)
        script_wrong(what);
    conn_stage.ended = true;
    /* What a dead receiver leaves nobody can read. What was sent before a dead
     * sender's message, everybody can. */
    if (!conn_victim_sends())
        script_cut();
}

/* It can go on since `since`: let it, and note what it did. */
static void helper_finish(int64_t since)
{
    if (!helper_join(&helper))
        return;
    script_waited(helper.at - since);
    bool is_end = helper.r == CHUTE_EPARTIAL || helper.r == CHUTE_EPIPE;
    if (is_end)
        end_of_stream("the helper met an end");
    else if (helper.r == CHUTE_EOF && conn_stage.ended)
        ;
    else if (helper.r != 0)
        script_wrong(helper.r == CHUTE_ETIMEDOUT ? "a sleeper was stranded"
                                                 : "the helper was refused");
    else if (helper_receives())
        script_take(its.buf, its.len);
    if (conn_stage.helpers && helper.r == 0)
        conn_stage.helpers->may_miss = false;
}

/* -- set, play -------------------------------------------------------------- */

static bool helper_sends(void)
{
    enum help help = conn_stage.plan->help;

    return help == SENDER || help == FEEDER || help == KEEPER ||
           (help == RIVAL && conn_victim_sends());
}

static void set(const struct scene *scene, bool slowly)
{
    chute_conn *ends[2];

    conn_stage = (struct conn_stage){.scratch = conn_stage.scratch,
                                     .scene = scene,
                                     .plan = scene->plan,
                                     .slowly = slowly,
                                     .next_id = 1,
                                     .n_fds = count_fds()};
    MUST(chute_pipe(ends, NULL));
    conn_stage.near = ends[0];
    conn_stage.far = ends[1];
    conn_stage.plan->prepare();
    if (conn_victim_sends()) {
        conn_stage.victims = conn_announce(0, scene->len);
        conn_stage.victims->is_value = conn_stage.plan->values;
        conn_stage.seconds = conn_announce(SECONDS_ID, scene->len + 1);
        conn_stage.seconds->is_value = conn_stage.plan->values;
    }
    if (helper_sends())
        conn_stage.helpers = conn_announce(
            conn_stage.next_id++,
            conn_stage.plan->help == FEEDER ? scene->len : HELPERS_LEN);
    item_fill(victims_buf, scene->len, 0);
    item_fill(seconds_buf, scene->len + 1, SECONDS_ID);
    if (conn_stage.plan->parcel && conn_victim_sends()) {
        parcel_pack(&conn_stage.parcel, conn_stage.plan->parcel, victims_buf,
                    scene->len);
        parcel_pack(&conn_stage.seconds_parcel, conn_stage.plan->parcel,
                    seconds_buf, scene->len + 1);
    }
    atomic_store(&victim_pid, 0);
    helper_comes();
}

static void receive_a_value(struct scene_report *report, int64_t timeout_ns)
{
    chute_value *v;
    void *data;

    report->r = chute_conn_recv(conn_stage.near, &v, timeout_ns);
    if (report->r == 0 && chute_dumps(v, &data, &report->len) == 0)
        memcpy(report->buf, data, report->len);
    /* Bytes that are no pickle come out as they are, beside the code. */
    if (report->r != 0 && v) {
        const void *bytes = chute_value_bytes(v, &report->len);
        memcpy(report->buf, bytes, report->len);
        report->r = 0;
    }
}

static void send_it(struct scene_report *report, const struct parcel *parcel,
                    const char *buf, size_t len, int64_t timeout_ns)
{
    if (conn_stage.plan->parcel)
        report->r = parcel_send(parcel, conn_stage.near, timeout_ns);
    else if (conn_stage.plan->values)
        report->r =
            chute_conn_send(conn_stage.near, chute_bytes(buf, len), timeout_ns);
    else
        report->r =
            chute_conn_send_bytes(conn_stage.near, buf, len, timeout_ns);
}

/* A handle is left wrapped up: it is known which one it is. */
static void receive_it(struct scene_report *report, int64_t timeout_ns)
{
    struct parcel parcel;

    if (conn_stage.plan->parcel)
        report->r = parcel_receive(&parcel, conn_stage.plan->parcel,
                                   conn_stage.near, timeout_ns);
    else if (conn_stage.plan->values)
        receive_a_value(report, timeout_ns);
    else
        report->r =
            chute_conn_recv_bytes(conn_stage.near, report->buf,
                                  sizeof report->buf, &report->len, timeout_ns);
}

static void do_it(struct scene_report *report, bool first, int64_t timeout_ns)
{
    size_t len = conn_stage.scene->len;
    int r;

    switch (conn_stage.plan->operation) {
    case SEND:
        if (first)
            send_it(report, &conn_stage.parcel, victims_buf, len, timeout_ns);
        else
            send_it(report, &conn_stage.seconds_parcel, seconds_buf, len + 1,
                    timeout_ns);
        break;
    case RECV:
        receive_it(report, timeout_ns);
        break;
    case POLL:
        r = chute_conn_poll(conn_stage.near, timeout_ns);
        report->r = r == 1 ? 0 : r == 0 ? CHUTE_ETIMEDOUT : r;
        break;
    case FREE:
        conn_stage.near = chute_conn_free(conn_stage.near);
        report->r = 0;
        break;
    }
}

static void operate(struct scene_report *report)
{
    do_it(report, true, conn_stage.plan->impatient ? IMPATIENT_NS : HANG_NS);
}

static void again(struct scene_report *report)
{
    do_it(report, false, IMPATIENT_NS);
}

/* Before its operation the victim takes the beginning of a message; the second
 * one finds that nobody can go on after the first. */
static void take_half(void)
{
    size_t len;
    int r = chute_conn_recv_bytes(conn_stage.near, conn_stage.scratch, VAST_LEN,
                                  &len, CHUTE_NOWAIT);

    if (r != CHUTE_ETIMEDOUT && r != CHUTE_EPARTIAL)
        trouble("the victim's half");
}

static void warm(void)
{
    if (conn_stage.plan->operation == FREE && conn_stage.half_left)
        take_half();
    else if (!conn_stage.plan->cold)
        (void)chute_conn_poll(conn_stage.near, CHUTE_NOWAIT);
}

static void watch(pid_t victim)
{
    atomic_store(&victim_pid, victim);
}

/* -- judge ------------------------------------------------------------------ */

static bool is_long(void)
{
    return conn_stage.scene->len > SHORT_LEN;
}

/* What the script is to know of a victim. */
static void note_victim(const struct scene_report *report, struct entry *entry,
                        bool second)
{
    bool returned = atomic_load(&report->returned), timely = true;
    bool takes = conn_stage.plan->operation == RECV;
    bool impatient = second || conn_stage.plan->impatient;

    if (!returned && is_long() && (takes || conn_victim_sends()))
        conn_stage.may_end = true;
    if (returned && report->r == CHUTE_EPARTIAL && conn_stage.may_end)
        timely = false;
    else if (returned && report->r == CHUTE_ETIMEDOUT && impatient)
        timely = false;
    else if (returned && report->r == CHUTE_EKIND && second)
        timely = false; /* the first has received the handle */
    else if (returned && report->r != 0)
        script_wrong("the victim's operation failed");
    if (conn_victim_sends())
        entry->may_miss = !returned || !timely;
    else if (!takes)
        return;
    else if (returned && report->r == 0 && conn_stage.plan->parcel)
        entry->gone = true;
    else if (returned && report->r == 0)
        script_take(report->buf, report->len);
    else if (!returned)
        script_allow(++conn_stage.n_taken);
}

static int our_recv(int64_t timeout_ns)
{
    size_t len;
    int64_t before = plat_now();
    int r = conn_recv_any(conn_to(), conn_stage.scratch, SCENE_LEN_MAX, &len,
                          timeout_ns);

    if (r != CHUTE_ETIMEDOUT || timeout_ns != BRIEFLY_NS)
        script_waited(plat_now() - before);
    if (r == 0)
        script_take(conn_stage.scratch, len);
    else if (r == CHUTE_EPARTIAL || r == CHUTE_EOF)
        end_of_stream("the stream ended");
    else if (r != CHUTE_ETIMEDOUT)
        script_wrong("a survivor's recv failed");
    return r;
}

/* All that is there; and what a helper who sends has still to send. */
static void drain(void)
{
    int r;

    do {
        bool more = helper.busy && helper_sends() && !helper_is_done(&helper);
        r = our_recv(more ? BRIEFLY_NS : CHUTE_NOWAIT);
    } while (r == 0 || (r == CHUTE_ETIMEDOUT && helper.busy && helper_sends() &&
                        !helper_is_done(&helper)));
}

static void our_send(void)
{
    char item[OUR_LEN];
    uint64_t id = conn_stage.next_id++;

    item_fill(item, sizeof item, id);
    int64_t before = plat_now();
    int r = chute_conn_send_bytes(conn_from(), item, sizeof item, HANG_NS);
    script_waited(plat_now() - before);
    if (r == 0)
        (void)script_add(id, sizeof item);
    else if (r == CHUTE_EPARTIAL || r == CHUTE_EPIPE)
        end_of_stream("a survivor's send met an end");
    else
        script_wrong("a survivor's send failed");
}

/* Whether a receiver at the far end has something to wake for. */
static bool has_arrived(void)
{
    size_t pending = 0;

    (void)io_pending(conn_stage.far->fd, &pending);
    return pending > 0 ||
           atomic_load(&conn_stage.far->own->receiving) != SHM_WHOLE;
}

static void check_the_other_way(void)
{
    char buf[8];
    size_t len;

    if (chute_conn_send_bytes(conn_to(), "back", 4, HANG_NS) != 0 ||
        chute_conn_recv_bytes(conn_from(), buf, sizeof buf, &len, HANG_NS) !=
            0 ||
        len != 4 || memcmp(buf, "back", 4) != 0)
        script_wrong("the other direction was harmed");
}

static bool locks_of(const struct shm_conn *end)
{
    return end->send_lock.word == 0 && end->recv_lock.word == 0;
}

/* All who send have gone: so many as are there, and the end. */
static void drain_to_the_end(void)
{
    chute_conn *sender = conn_from();
    int r;

    if (sender == conn_stage.near)
        conn_stage.near = chute_conn_free(conn_stage.near);
    else
        conn_stage.far = chute_conn_free(conn_stage.far);
    do {
        size_t len;
        chute_conn *receiver =
            conn_stage.near ? conn_stage.near : conn_stage.far;
        int64_t before = plat_now();
        r = conn_recv_any(receiver, conn_stage.scratch, SCENE_LEN_MAX, &len,
                          HANG_NS);
        script_waited(plat_now() - before);
        if (r == 0)
            script_take(conn_stage.scratch, len);
    } while (r == 0);
    if (r == CHUTE_EPARTIAL)
        end_of_stream("the stream ended within a message");
    else if (r != CHUTE_EOF)
        script_wrong("no end of the stream");
    conn_stage.near = chute_conn_free(conn_stage.near);
    conn_stage.far = chute_conn_free(conn_stage.far);
}

static void go_on(int64_t death)
{
    enum help help = conn_stage.plan->help;

    if (help == HOLDER || help == DRAINER ||
        (help == RECEIVER && has_arrived()))
        helper_finish(death);
    drain();
    if (conn_stage.half_left && !conn_stage.ended) {
        conn_write_rest();
        drain();
    }
    if (help == RIVAL || help == FEEDER || help == SENDER || help == KEEPER)
        helper_finish(plat_now());
    our_send();
    helper_finish(plat_now());
    check_the_other_way();
    drain();
    if (!locks_of(conn_stage.near->own) || !locks_of(conn_stage.far->own))
        script_wrong("a lock is not free");
    drain_to_the_end();
}

static void judge(int64_t death, const struct scene_report report[2])
{
    helper_stop(&helper);
    conn_stage.may_end = conn_stage.plan->partial;
    /* What the keeper got lies before what the victim gets. */
    if (conn_stage.plan->help == KEEPER)
        helper_finish(death);
    if (conn_stage.plan->help == FEEDER && !conn_victim_sends() &&
        atomic_load(&report[0].returned))
        helper_finish(plat_now());
    note_victim(&report[0], conn_stage.victims, false);
    if (report[1].r != 1)
        note_victim(&report[1],
                    conn_victim_sends() ? conn_stage.seconds
                                        : conn_stage.victims,
                    true);
    /* A rival that was in front of the lock has gone on by itself. */
    if (conn_stage.plan->help == RIVAL)
        helper_finish(death);
    go_on(death);
    parcel_free(&conn_stage.parcel);
    parcel_free(&conn_stage.seconds_parcel);
    if (count_fds() != conn_stage.n_fds)
        script_wrong("a descriptor was left open");
}

/* -- the list --------------------------------------------------------------- */

static const size_t lens[] = {8, 0, 1, 7, 4096, LONG_LEN, VAST_LEN};

static const struct row {
    const char *operation, *state;
    unsigned n_lens; /* the first so many of them */
    struct plan plan;
} rows[] = {
    {"send", "first", 1, {SEND, NOBODY, 1, 0, 0, 0, conn_prepare_nothing, 0}},
    {"send", "empty", 7, {SEND, RECEIVER, 0, 0, 0, 0, conn_prepare_nothing, 0}},
    {"send", "one", 6, {SEND, NOBODY, 0, 0, 0, 0, conn_prepare_one, 0}},
    {"send", "full", 6, {SEND, DRAINER, 0, 0, 0, 0, conn_prepare_full, 0}},
    {"send", "held", 1, {SEND, HOLDER, 0, 0, 0, 0, conn_prepare_one, 0}},
    {"send", "rival", 6, {SEND, RIVAL, 0, 0, 0, 0, conn_prepare_one, 0}},
    {"send", "left", 6, {SEND, NOBODY, 0, 0, 1, 0, conn_prepare_left, 0}},
    {"send-value",
     "first",
     1,
     {SEND, NOBODY, 1, 1, 0, 0, conn_prepare_nothing, 0}},
    {"send-value",
     "empty",
     7,
     {SEND, RECEIVER, 0, 1, 0, 0, conn_prepare_nothing, 0}},
    {"send-value", "one", 6, {SEND, NOBODY, 0, 1, 0, 0, conn_prepare_one, 0}},
    {"recv", "first", 1, {RECV, NOBODY, 1, 0, 0, 0, conn_prepare_one, 0}},
    {"recv", "empty", 7, {RECV, FEEDER, 0, 0, 0, 0, conn_prepare_nothing, 0}},
    {"recv", "one", 6, {RECV, NOBODY, 0, 0, 0, 0, conn_prepare_one, 0}},
    {"recv", "noted", 6, {RECV, NOBODY, 0, 0, 0, 0, conn_prepare_noted, 0}},
    {"recv", "full", 6, {RECV, SENDER, 0, 0, 0, 0, conn_prepare_full, 0}},
    {"recv", "held", 1, {RECV, HOLDER, 0, 0, 0, 0, conn_prepare_one, 0}},
    {"recv", "rival", 6, {RECV, RIVAL, 0, 0, 0, 0, conn_prepare_one, 0}},
    {"recv", "half", 1, {RECV, NOBODY, 0, 0, 1, 1, conn_prepare_half, 0}},
    {"recv", "kept", 1, {RECV, NOBODY, 0, 0, 0, 1, conn_prepare_kept, 0}},
    {"recv", "woken", 1, {RECV, KEEPER, 0, 0, 0, 0, conn_prepare_kept, 0}},
    {"recv", "left", 1, {RECV, NOBODY, 0, 0, 1, 0, conn_prepare_left, 0}},
    {"recv-value", "first", 1, {RECV, NOBODY, 1, 1, 0, 0, conn_prepare_one, 0}},
    {"recv-value", "one", 6, {RECV, NOBODY, 0, 1, 0, 0, conn_prepare_one, 0}},
    {"recv-value",
     "noted",
     6,
     {RECV, NOBODY, 0, 1, 0, 0, conn_prepare_noted, 0}},
    {"recv-value", "rival", 1, {RECV, RIVAL, 0, 1, 0, 0, conn_prepare_one, 0}},
    {"poll", "first", 1, {POLL, NOBODY, 1, 0, 0, 0, conn_prepare_one, 0}},
    {"poll", "empty", 1, {POLL, FEEDER, 0, 0, 0, 0, conn_prepare_nothing, 0}},
    {"poll", "one", 1, {POLL, NOBODY, 0, 0, 0, 0, conn_prepare_one, 0}},
    {"poll", "noted", 1, {POLL, NOBODY, 0, 0, 0, 0, conn_prepare_noted, 0}},
    {"poll", "rival", 1, {POLL, RIVAL, 0, 0, 0, 0, conn_prepare_one, 0}},
    {"poll", "half", 1, {POLL, NOBODY, 0, 0, 0, 0, conn_prepare_half, 0}},
    {"poll", "kept", 1, {POLL, NOBODY, 0, 0, 0, 1, conn_prepare_kept, 0}},
    {"poll", "left", 1, {POLL, NOBODY, 0, 0, 1, 0, conn_prepare_left, 0}},
    {"free", "first", 1, {FREE, NOBODY, 1, 0, 0, 0, conn_prepare_one, 0}},
    {"free", "one", 1, {FREE, NOBODY, 0, 0, 0, 0, conn_prepare_one, 0}},
    {"free", "keeper", 1, {FREE, NOBODY, 0, 0, 1, 0, conn_prepare_half, 0}},
    {"free", "awaited", 1, {FREE, RIVAL, 0, 0, 1, 0, conn_prepare_half, 0}},
    {"send-fd",
     "first",
     1,
     {SEND, NOBODY, 1, 0, 0, 0, conn_prepare_nothing, PARCEL_FD}},
    {"send-fd",
     "one",
     1,
     {SEND, NOBODY, 0, 0, 0, 0, conn_prepare_one, PARCEL_FD}},
    {"send-fd",
     "empty",
     1,
     {SEND, RECEIVER, 0, 0, 0, 0, conn_prepare_nothing, PARCEL_FD}},
    {"send-fd",
     "left",
     1,
     {SEND, NOBODY, 0, 0, 1, 0, conn_prepare_left, PARCEL_FD}},
    {"recv-fd",
     "first",
     1,
     {RECV, NOBODY, 1, 0, 0, 0, conn_prepare_one, PARCEL_FD}},
    {"recv-fd",
     "one",
     1,
     {RECV, NOBODY, 0, 0, 0, 0, conn_prepare_one, PARCEL_FD}},
    {"recv-fd",
     "noted",
     1,
     {RECV, NOBODY, 0, 0, 0, 0, conn_prepare_noted, PARCEL_FD}},
    {"send-queue",
     "first",
     1,
     {SEND, NOBODY, 1, 0, 0, 0, conn_prepare_nothing, PARCEL_QUEUE}},
    {"send-queue",
     "one",
     1,
     {SEND, NOBODY, 0, 0, 0, 0, conn_prepare_one, PARCEL_QUEUE}},
    {"send-queue",
     "empty",
     1,
     {SEND, RECEIVER, 0, 0, 0, 0, conn_prepare_nothing, PARCEL_QUEUE}},
    {"send-queue",
     "left",
     1,
     {SEND, NOBODY, 0, 0, 1, 0, conn_prepare_left, PARCEL_QUEUE}},
    {"recv-queue",
     "first",
     1,
     {RECV, NOBODY, 1, 0, 0, 0, conn_prepare_one, PARCEL_QUEUE}},
    {"recv-queue",
     "one",
     1,
     {RECV, NOBODY, 0, 0, 0, 0, conn_prepare_one, PARCEL_QUEUE}},
    {"recv-queue",
     "noted",
     1,
     {RECV, NOBODY, 0, 0, 0, 0, conn_prepare_noted, PARCEL_QUEUE}},
    {"send-conn",
     "first",
     1,
     {SEND, NOBODY, 1, 0, 0, 0, conn_prepare_nothing, PARCEL_CONN}},
    {"send-conn",
     "one",
     1,
     {SEND, NOBODY, 0, 0, 0, 0, conn_prepare_one, PARCEL_CONN}},
    {"send-conn",
     "empty",
     1,
     {SEND, RECEIVER, 0, 0, 0, 0, conn_prepare_nothing, PARCEL_CONN}},
    {"send-conn",
     "left",
     1,
     {SEND, NOBODY, 0, 0, 1, 0, conn_prepare_left, PARCEL_CONN}},
    {"recv-conn",
     "first",
     1,
     {RECV, NOBODY, 1, 0, 0, 0, conn_prepare_one, PARCEL_CONN}},
    {"recv-conn",
     "one",
     1,
     {RECV, NOBODY, 0, 0, 0, 0, conn_prepare_one, PARCEL_CONN}},
    {"recv-conn",
     "noted",
     1,
     {RECV, NOBODY, 0, 0, 0, 0, conn_prepare_noted, PARCEL_CONN}},
};

#define N_ROWS (sizeof rows / sizeof rows[0])

static const struct scene *get(unsigned wanted)
{
    static struct scene scene;
    unsigned i = 0;

    for (const struct row *row = rows; row < rows + N_ROWS; row++) {
        if (wanted - i < row->n_lens) {
            scene = (struct scene){.operation = row->operation,
                                   .state = row->state,
                                   .len = lens[wanted - i],
                                   .twice = row->plan.help == NOBODY,
                                   .kind = &scenes_of_conn,
                                   .plan = &row->plan};
            return &scene;
        }
        i += row->n_lens;
    }
    return NULL;
}

static void begin(void)
{
    conn_stage_begin();
    victims_buf = shared_new(SCENE_LEN_MAX);
    seconds_buf = shared_new(SCENE_LEN_MAX);
    helper.act = helper_act;
    helper_begin(&helper);
}

const struct scene_kind scenes_of_conn = {
    .name = "conn",
    .get = get,
    .begin = begin,
    .set = set,
    .warm = warm,
    .operate = operate,
    .watch = watch,
    .crowd = crowd,
    .again = again,
    .state = conn_state,
    .judge = judge,
};
