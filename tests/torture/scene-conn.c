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
#include "ipc/frame.h"
#include "parcel.h"
#include "plat/io.h"
#include "plat/plat.h"
#include "scene.h"
#include "shm/lock.h"
#include "torture.h"
#include "trace.h"

#define LONG_LEN ((size_t)40000)  /* does not go in one step */
#define VAST_LEN ((size_t)400000) /* is more than the socket holds */

/* Lengths that tell who has sent a message. */
#define FILLER_LEN  16
#define OUR_LEN     24
#define HELPERS_LEN 32

/* A message of which this much is there, and no more. */
#define HALF_LEN     ((size_t)2000)
#define FULL_LEN     ((size_t)30000)
#define SECONDS_ID   0x7fffffff
#define SHORT_LEN    ((size_t)32764) /* goes at once, with its header */
#define HANG_NS      CHUTE_SEC(3)
#define IMPATIENT_NS CHUTE_MS(3)
#define BRIEFLY_NS   CHUTE_MS(2)

enum operation { SEND, RECV, POLL, FREE };

enum help { NOBODY, RECEIVER, SENDER, FEEDER, DRAINER, HOLDER, RIVAL, KEEPER };

struct plan {
    enum operation operation;
    enum help help;
    bool cold;
    bool values;
    bool partial;   /* the stream may end whatever the length */
    bool impatient; /* the victim's time may run out */
    void (*prepare)(void);
    enum parcel_kind parcel; /* what travels is a handle */
};

static struct stage {
    const struct scene *scene;
    const struct plan *plan;
    chute_conn *near, *far;
    bool slowly;
    struct entry *victims, *seconds, *helpers;
    struct parcel parcel, seconds_parcel;
    unsigned n_fds; /* before there was anything */
    uint64_t next_id;
    unsigned n_taken; /* messages that dead receivers may have had */
    size_t half_left; /* of a message whose beginning was written */
    bool may_end;     /* the stream may be lost, */
    bool ended;       /* and is */
} stage;

static char *scratch, *victims_buf, *seconds_buf, *half_buf;

static bool victim_sends(void)
{
    return stage.plan->operation == SEND;
}

/* What flows comes from one end and goes to the other. */
static chute_conn *from(void)
{
    return victim_sends() ? stage.near : stage.far;
}

static chute_conn *to(void)
{
    return victim_sends() ? stage.far : stage.near;
}

/* Whatever comes next, a message or a handle: its item. */
static int recv_any(chute_conn *conn, char *buf, size_t cap, size_t *ret_len,
                    int64_t timeout_ns)
{
    struct parcel parcel;
    int r = chute_conn_recv_bytes(conn, buf, cap, ret_len, timeout_ns);

    if (r != CHUTE_EKIND || !stage.plan->parcel)
        return r;
    r = parcel_receive(&parcel, stage.plan->parcel, conn, timeout_ns);
    if (r == 0)
        *ret_len = parcel_unpack(&parcel, buf, cap);
    parcel_free(&parcel);
    return r;
}

/* -- preparing -------------------------------------------------------------- */

static struct entry *announce(uint64_t id, size_t len)
{
    struct entry *entry = script_add(id, len);

    entry->may_miss = true;
    return entry;
}

static void send_item(size_t len)
{
    uint64_t id = stage.next_id++;

    item_fill(scratch, len, id);
    MUST(chute_conn_send_bytes(from(), scratch, len, CHUTE_NOWAIT));
    script_add(id, len);
}

static void send_victims_item(void)
{
    size_t len = stage.scene->len;
    uint64_t id = stage.next_id++;

    item_fill(scratch, len, id);
    if (stage.plan->parcel) {
        parcel_pack(&stage.parcel, stage.plan->parcel, scratch, len);
        MUST(parcel_send(&stage.parcel, from(), CHUTE_SEC(1)));
    } else if (stage.plan->values)
        MUST(chute_conn_send(from(), chute_bytes(scratch, len), CHUTE_SEC(1)));
    else
        MUST(chute_conn_send_bytes(from(), scratch, len, CHUTE_SEC(1)));
    stage.victims = script_add(id, len);
    stage.victims->is_value = stage.plan->values;
}

static void prepare_nothing(void)
{
}

static void prepare_one(void)
{
    if (!victim_sends()) {
        send_victims_item();
        send_item(FILLER_LEN);
    }
    send_item(FILLER_LEN);
}

static void prepare_noted(void)
{
    size_t len;

    send_item(FILLER_LEN);
    prepare_one();
    MUST(chute_conn_recv_bytes(to(), scratch, VAST_LEN, &len, CHUTE_NOWAIT));
    script_take(scratch, len);
}

static void prepare_full(void)
{
    int r;

    if (!victim_sends())
        send_victims_item();
    do {
        item_fill(scratch, FULL_LEN, stage.next_id);
        r = chute_conn_send_bytes(from(), scratch, FULL_LEN, CHUTE_NOWAIT);
        if (r == 0)
            script_add(stage.next_id++, FULL_LEN);
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
static void prepare_half(void)
{
    unsigned char head[FRAME_MAX];
    size_t n_head = frame_write(head, 2 * HALF_LEN);
    uint64_t id = stage.next_id++;

    item_fill(half_buf, 2 * HALF_LEN, id);
    write_raw(from(), (const char *)head, n_head);
    write_raw(from(), half_buf, HALF_LEN);
    stage.half_left = HALF_LEN;
    script_add(id, 2 * HALF_LEN);
}

/* It is in our hands. */
static void prepare_kept(void)
{
    size_t len;

    prepare_half();
    if (chute_conn_recv_bytes(stage.near, scratch, VAST_LEN, &len,
                              CHUTE_NOWAIT) != CHUTE_ETIMEDOUT)
        trouble("keeping half a message");
}

/* A process died in the middle of a message, as the state says that it wrote
 * down. */
static void prepare_left(void)
{
    if (!victim_sends()) {
        send_item(FILLER_LEN);
    } else {
        prepare_half();
        script_entry(0)->may_miss = true;
    }
    stage.half_left = 0;
    if (!victim_sends())
        atomic_store(&stage.near->own->receiving, SHM_BUSY);
    else
        atomic_store(&stage.near->own->sending, SHM_BUSY);
}

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
    struct entry *entry = stage.helpers;

    item_fill(its.item, entry->len, entry->id);
    helper.r = chute_conn_send_bytes(conn, its.item, entry->len, HANG_NS);
}

static void helper_receive(chute_conn *conn)
{
    helper.r = recv_any(conn, its.buf, sizeof its.buf, &its.len, HANG_NS);
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
    struct shm_conn *own = stage.near->own;

    return victim_sends() ? &own->send_lock : &own->recv_lock;
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
        helper_receive(stage.far);
        if (helper.r != 0)
            return;
        script_take(its.buf, its.len);
    }
}

static void write_rest(void)
{
    write_raw(from(), half_buf + HALF_LEN, stage.half_left);
    stage.half_left = 0;
}

static bool helper_act(void)
{
    switch (stage.plan->help) {
    case RECEIVER:
        helper_receive(stage.far);
        break;
    case SENDER:
        helper_send_item(stage.far);
        break;
    case FEEDER:
        if (!helper_awaits(SYS_ppoll))
            return false;
        helper_send_item(stage.far);
        break;
    case DRAINER:
        if (helper_awaits(SYS_ppoll))
            helper_drain();
        return false;
    case RIVAL:
        if (victim_sends())
            helper_send_item(stage.near);
        else
            helper_receive(stage.near);
        break;
    case KEEPER:
        if (!helper_awaits(SYS_futex))
            return false;
        write_rest();
        helper_send_item(stage.far);
        helper_receive(stage.near);
        break;
    case HOLDER:
        helper_hold(&helper, the_lock(), stage.slowly);
        return false;
    case NOBODY:
        return false;
    }
    return true;
}

/* Before the victim comes: sleepers are asleep on return. */
static void helper_comes(void)
{
    enum help help = stage.plan->help;

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
    if (stage.plan->help != RIVAL)
        return;
    if (stage.plan->operation != FREE) {
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
    enum help help = stage.plan->help;

    return help == RECEIVER || help == KEEPER ||
           (help == RIVAL && !victim_sends());
}

static void end_of_stream(const char *what)
{
    if (!stage.may_end)
        script_wrong(what);
    stage.ended = true;
    /* What a dead receiver leaves nobody can read. What was sent before a dead
     * sender's message, everybody can. */
    if (!victim_sends())
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
    else if (helper.r == CHUTE_EOF && stage.ended)
        ;
    else if (helper.r != 0)
        script_wrong(helper.r == CHUTE_ETIMEDOUT ? "a sleeper was stranded"
                                                 : "the helper was refused");
    else if (helper_receives())
        script_take(its.buf, its.len);
    if (stage.helpers && helper.r == 0)
        stage.helpers->may_miss = false;
}

/* -- set, play -------------------------------------------------------------- */

static bool helper_sends(void)
{
    enum help help = stage.plan->help;

    return help == SENDER || help == FEEDER || help == KEEPER ||
           (help == RIVAL && victim_sends());
}

static void set(const struct scene *scene, bool slowly)
{
    chute_conn *ends[2];

    stage = (struct stage){.scene = scene,
                           .plan = scene->plan,
                           .slowly = slowly,
                           .next_id = 1,
                           .n_fds = count_fds()};
    MUST(chute_pipe(ends, NULL));
    stage.near = ends[0];
    stage.far = ends[1];
    stage.plan->prepare();
    if (victim_sends()) {
        stage.victims = announce(0, scene->len);
        stage.victims->is_value = stage.plan->values;
        stage.seconds = announce(SECONDS_ID, scene->len + 1);
        stage.seconds->is_value = stage.plan->values;
    }
    if (helper_sends())
        stage.helpers =
            announce(stage.next_id++,
                     stage.plan->help == FEEDER ? scene->len : HELPERS_LEN);
    item_fill(victims_buf, scene->len, 0);
    item_fill(seconds_buf, scene->len + 1, SECONDS_ID);
    if (stage.plan->parcel && victim_sends()) {
        parcel_pack(&stage.parcel, stage.plan->parcel, victims_buf, scene->len);
        parcel_pack(&stage.seconds_parcel, stage.plan->parcel, seconds_buf,
                    scene->len + 1);
    }
    atomic_store(&victim_pid, 0);
    helper_comes();
}

static void receive_a_value(struct scene_report *report, int64_t timeout_ns)
{
    chute_value *v;
    void *data;

    report->r = chute_conn_recv(stage.near, &v, timeout_ns);
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
    if (stage.plan->parcel)
        report->r = parcel_send(parcel, stage.near, timeout_ns);
    else if (stage.plan->values)
        report->r =
            chute_conn_send(stage.near, chute_bytes(buf, len), timeout_ns);
    else
        report->r = chute_conn_send_bytes(stage.near, buf, len, timeout_ns);
}

/* A handle is left wrapped up: it is known which one it is. */
static void receive_it(struct scene_report *report, int64_t timeout_ns)
{
    struct parcel parcel;

    if (stage.plan->parcel)
        report->r =
            parcel_receive(&parcel, stage.plan->parcel, stage.near, timeout_ns);
    else if (stage.plan->values)
        receive_a_value(report, timeout_ns);
    else
        report->r =
            chute_conn_recv_bytes(stage.near, report->buf, sizeof report->buf,
                                  &report->len, timeout_ns);
}

static void do_it(struct scene_report *report, bool first, int64_t timeout_ns)
{
    size_t len = stage.scene->len;
    int r;

    switch (stage.plan->operation) {
    case SEND:
        if (first)
            send_it(report, &stage.parcel, victims_buf, len, timeout_ns);
        else
            send_it(report, &stage.seconds_parcel, seconds_buf, len + 1,
                    timeout_ns);
        break;
    case RECV:
        receive_it(report, timeout_ns);
        break;
    case POLL:
        r = chute_conn_poll(stage.near, timeout_ns);
        report->r = r == 1 ? 0 : r == 0 ? CHUTE_ETIMEDOUT : r;
        break;
    case FREE:
        stage.near = chute_conn_free(stage.near);
        report->r = 0;
        break;
    }
}

static void operate(struct scene_report *report)
{
    do_it(report, true, stage.plan->impatient ? IMPATIENT_NS : HANG_NS);
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
    int r = chute_conn_recv_bytes(stage.near, scratch, VAST_LEN, &len,
                                  CHUTE_NOWAIT);

    if (r != CHUTE_ETIMEDOUT && r != CHUTE_EPARTIAL)
        trouble("the victim's half");
}

static void warm(void)
{
    if (stage.plan->operation == FREE && stage.half_left)
        take_half();
    else if (!stage.plan->cold)
        (void)chute_conn_poll(stage.near, CHUTE_NOWAIT);
}

static void watch(pid_t victim)
{
    atomic_store(&victim_pid, victim);
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

static uint64_t state(void)
{
    struct shm_pipe copy;
    size_t pending = 0;
    uint64_t hash = 0;

    memcpy(&copy, stage.near->memory->shm, sizeof copy);
    for (int i = 0; i < 2; i++) {
        forget_tid(&copy.end[i].send_lock);
        forget_tid(&copy.end[i].recv_lock);
        copy.end[i].keeper = copy.end[i].keeper != 0;
        copy.end[i].keeper_birth = 0;
    }
    hash = hash_bytes(hash, &copy, sizeof copy);
    (void)io_pending(stage.near->fd, &pending);
    hash = mix(hash ^ pending);
    (void)io_pending(stage.far->fd, &pending);
    return mix(hash ^ pending);
}

/* -- judge ------------------------------------------------------------------ */

static bool is_long(void)
{
    return stage.scene->len > SHORT_LEN;
}

/* What the script is to know of a victim. */
static void note_victim(const struct scene_report *report, struct entry *entry,
                        bool second)
{
    bool returned = atomic_load(&report->returned), timely = true;
    bool takes = stage.plan->operation == RECV;
    bool impatient = second || stage.plan->impatient;

    if (!returned && is_long() && (takes || victim_sends()))
        stage.may_end = true;
    if (returned && report->r == CHUTE_EPARTIAL && stage.may_end)
        timely = false;
    else if (returned && report->r == CHUTE_ETIMEDOUT && impatient)
        timely = false;
    else if (returned && report->r == CHUTE_EKIND && second)
        timely = false; /* the first has received the handle */
    else if (returned && report->r != 0)
        script_wrong("the victim's operation failed");
    if (victim_sends())
        entry->may_miss = !returned || !timely;
    else if (!takes)
        return;
    else if (returned && report->r == 0 && stage.plan->parcel)
        entry->gone = true;
    else if (returned && report->r == 0)
        script_take(report->buf, report->len);
    else if (!returned)
        script_allow(++stage.n_taken);
}

static int our_recv(int64_t timeout_ns)
{
    size_t len;
    int64_t before = plat_now();
    int r = recv_any(to(), scratch, SCENE_LEN_MAX, &len, timeout_ns);

    if (r != CHUTE_ETIMEDOUT || timeout_ns != BRIEFLY_NS)
        script_waited(plat_now() - before);
    if (r == 0)
        script_take(scratch, len);
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
    uint64_t id = stage.next_id++;

    item_fill(item, sizeof item, id);
    int64_t before = plat_now();
    int r = chute_conn_send_bytes(from(), item, sizeof item, HANG_NS);
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

    (void)io_pending(stage.far->fd, &pending);
    return pending > 0 || atomic_load(&stage.far->own->receiving) != SHM_WHOLE;
}

static void check_the_other_way(void)
{
    char buf[8];
    size_t len;

    if (chute_conn_send_bytes(to(), "back", 4, HANG_NS) != 0 ||
        chute_conn_recv_bytes(from(), buf, sizeof buf, &len, HANG_NS) != 0 ||
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
    chute_conn *sender = from();
    int r;

    if (sender == stage.near)
        stage.near = chute_conn_free(stage.near);
    else
        stage.far = chute_conn_free(stage.far);
    do {
        size_t len;
        chute_conn *receiver = stage.near ? stage.near : stage.far;
        int64_t before = plat_now();
        r = recv_any(receiver, scratch, SCENE_LEN_MAX, &len, HANG_NS);
        script_waited(plat_now() - before);
        if (r == 0)
            script_take(scratch, len);
    } while (r == 0);
    if (r == CHUTE_EPARTIAL)
        end_of_stream("the stream ended within a message");
    else if (r != CHUTE_EOF)
        script_wrong("no end of the stream");
    stage.near = chute_conn_free(stage.near);
    stage.far = chute_conn_free(stage.far);
}

static void go_on(int64_t death)
{
    enum help help = stage.plan->help;

    if (help == HOLDER || help == DRAINER ||
        (help == RECEIVER && has_arrived()))
        helper_finish(death);
    drain();
    if (stage.half_left && !stage.ended) {
        write_rest();
        drain();
    }
    if (help == RIVAL || help == FEEDER || help == SENDER || help == KEEPER)
        helper_finish(plat_now());
    our_send();
    helper_finish(plat_now());
    check_the_other_way();
    drain();
    if (!locks_of(stage.near->own) || !locks_of(stage.far->own))
        script_wrong("a lock is not free");
    drain_to_the_end();
}

static void judge(int64_t death, const struct scene_report report[2])
{
    helper_stop(&helper);
    stage.may_end = stage.plan->partial;
    /* What the keeper got lies before what the victim gets. */
    if (stage.plan->help == KEEPER)
        helper_finish(death);
    if (stage.plan->help == FEEDER && !victim_sends() &&
        atomic_load(&report[0].returned))
        helper_finish(plat_now());
    note_victim(&report[0], stage.victims, false);
    if (report[1].r != 1)
        note_victim(&report[1], victim_sends() ? stage.seconds : stage.victims,
                    true);
    /* A rival that was in front of the lock has gone on by itself. */
    if (stage.plan->help == RIVAL)
        helper_finish(death);
    go_on(death);
    parcel_free(&stage.parcel);
    parcel_free(&stage.seconds_parcel);
    if (count_fds() != stage.n_fds)
        script_wrong("a descriptor was left open");
}

/* -- the list --------------------------------------------------------------- */

static const size_t lens[] = {8, 0, 1, 7, 4096, LONG_LEN, VAST_LEN};

static const struct row {
    const char *operation, *state;
    unsigned n_lens; /* the first so many of them */
    struct plan plan;
} rows[] = {
    {"send", "first", 1, {SEND, NOBODY, 1, 0, 0, 0, prepare_nothing, 0}},
    {"send", "empty", 7, {SEND, RECEIVER, 0, 0, 0, 0, prepare_nothing, 0}},
    {"send", "one", 6, {SEND, NOBODY, 0, 0, 0, 0, prepare_one, 0}},
    {"send", "full", 6, {SEND, DRAINER, 0, 0, 0, 0, prepare_full, 0}},
    {"send", "held", 1, {SEND, HOLDER, 0, 0, 0, 0, prepare_one, 0}},
    {"send", "rival", 6, {SEND, RIVAL, 0, 0, 0, 0, prepare_one, 0}},
    {"send", "left", 6, {SEND, NOBODY, 0, 0, 1, 0, prepare_left, 0}},
    {"send-value", "first", 1, {SEND, NOBODY, 1, 1, 0, 0, prepare_nothing, 0}},
    {"send-value",
     "empty",
     7,
     {SEND, RECEIVER, 0, 1, 0, 0, prepare_nothing, 0}},
    {"send-value", "one", 6, {SEND, NOBODY, 0, 1, 0, 0, prepare_one, 0}},
    {"recv", "first", 1, {RECV, NOBODY, 1, 0, 0, 0, prepare_one, 0}},
    {"recv", "empty", 7, {RECV, FEEDER, 0, 0, 0, 0, prepare_nothing, 0}},
    {"recv", "one", 6, {RECV, NOBODY, 0, 0, 0, 0, prepare_one, 0}},
    {"recv", "noted", 6, {RECV, NOBODY, 0, 0, 0, 0, prepare_noted, 0}},
    {"recv", "full", 6, {RECV, SENDER, 0, 0, 0, 0, prepare_full, 0}},
    {"recv", "held", 1, {RECV, HOLDER, 0, 0, 0, 0, prepare_one, 0}},
    {"recv", "rival", 6, {RECV, RIVAL, 0, 0, 0, 0, prepare_one, 0}},
    {"recv", "half", 1, {RECV, NOBODY, 0, 0, 1, 1, prepare_half, 0}},
    {"recv", "kept", 1, {RECV, NOBODY, 0, 0, 0, 1, prepare_kept, 0}},
    {"recv", "woken", 1, {RECV, KEEPER, 0, 0, 0, 0, prepare_kept, 0}},
    {"recv", "left", 1, {RECV, NOBODY, 0, 0, 1, 0, prepare_left, 0}},
    {"recv-value", "first", 1, {RECV, NOBODY, 1, 1, 0, 0, prepare_one, 0}},
    {"recv-value", "one", 6, {RECV, NOBODY, 0, 1, 0, 0, prepare_one, 0}},
    {"recv-value", "noted", 6, {RECV, NOBODY, 0, 1, 0, 0, prepare_noted, 0}},
    {"recv-value", "rival", 1, {RECV, RIVAL, 0, 1, 0, 0, prepare_one, 0}},
    {"poll", "first", 1, {POLL, NOBODY, 1, 0, 0, 0, prepare_one, 0}},
    {"poll", "empty", 1, {POLL, FEEDER, 0, 0, 0, 0, prepare_nothing, 0}},
    {"poll", "one", 1, {POLL, NOBODY, 0, 0, 0, 0, prepare_one, 0}},
    {"poll", "noted", 1, {POLL, NOBODY, 0, 0, 0, 0, prepare_noted, 0}},
    {"poll", "rival", 1, {POLL, RIVAL, 0, 0, 0, 0, prepare_one, 0}},
    {"poll", "half", 1, {POLL, NOBODY, 0, 0, 0, 0, prepare_half, 0}},
    {"poll", "kept", 1, {POLL, NOBODY, 0, 0, 0, 1, prepare_kept, 0}},
    {"poll", "left", 1, {POLL, NOBODY, 0, 0, 1, 0, prepare_left, 0}},
    {"free", "first", 1, {FREE, NOBODY, 1, 0, 0, 0, prepare_one, 0}},
    {"free", "one", 1, {FREE, NOBODY, 0, 0, 0, 0, prepare_one, 0}},
    {"free", "keeper", 1, {FREE, NOBODY, 0, 0, 1, 0, prepare_half, 0}},
    {"free", "awaited", 1, {FREE, RIVAL, 0, 0, 1, 0, prepare_half, 0}},
    {"send-fd",
     "first",
     1,
     {SEND, NOBODY, 1, 0, 0, 0, prepare_nothing, PARCEL_FD}},
    {"send-fd", "one", 1, {SEND, NOBODY, 0, 0, 0, 0, prepare_one, PARCEL_FD}},
    {"send-fd",
     "empty",
     1,
     {SEND, RECEIVER, 0, 0, 0, 0, prepare_nothing, PARCEL_FD}},
    {"send-fd", "left", 1, {SEND, NOBODY, 0, 0, 1, 0, prepare_left, PARCEL_FD}},
    {"recv-fd", "first", 1, {RECV, NOBODY, 1, 0, 0, 0, prepare_one, PARCEL_FD}},
    {"recv-fd", "one", 1, {RECV, NOBODY, 0, 0, 0, 0, prepare_one, PARCEL_FD}},
    {"recv-fd",
     "noted",
     1,
     {RECV, NOBODY, 0, 0, 0, 0, prepare_noted, PARCEL_FD}},
    {"send-queue",
     "first",
     1,
     {SEND, NOBODY, 1, 0, 0, 0, prepare_nothing, PARCEL_QUEUE}},
    {"send-queue",
     "one",
     1,
     {SEND, NOBODY, 0, 0, 0, 0, prepare_one, PARCEL_QUEUE}},
    {"send-queue",
     "empty",
     1,
     {SEND, RECEIVER, 0, 0, 0, 0, prepare_nothing, PARCEL_QUEUE}},
    {"send-queue",
     "left",
     1,
     {SEND, NOBODY, 0, 0, 1, 0, prepare_left, PARCEL_QUEUE}},
    {"recv-queue",
     "first",
     1,
     {RECV, NOBODY, 1, 0, 0, 0, prepare_one, PARCEL_QUEUE}},
    {"recv-queue",
     "one",
     1,
     {RECV, NOBODY, 0, 0, 0, 0, prepare_one, PARCEL_QUEUE}},
    {"recv-queue",
     "noted",
     1,
     {RECV, NOBODY, 0, 0, 0, 0, prepare_noted, PARCEL_QUEUE}},
    {"send-conn",
     "first",
     1,
     {SEND, NOBODY, 1, 0, 0, 0, prepare_nothing, PARCEL_CONN}},
    {"send-conn",
     "one",
     1,
     {SEND, NOBODY, 0, 0, 0, 0, prepare_one, PARCEL_CONN}},
    {"send-conn",
     "empty",
     1,
     {SEND, RECEIVER, 0, 0, 0, 0, prepare_nothing, PARCEL_CONN}},
    {"send-conn",
     "left",
     1,
     {SEND, NOBODY, 0, 0, 1, 0, prepare_left, PARCEL_CONN}},
    {"recv-conn",
     "first",
     1,
     {RECV, NOBODY, 1, 0, 0, 0, prepare_one, PARCEL_CONN}},
    {"recv-conn",
     "one",
     1,
     {RECV, NOBODY, 0, 0, 0, 0, prepare_one, PARCEL_CONN}},
    {"recv-conn",
     "noted",
     1,
     {RECV, NOBODY, 0, 0, 0, 0, prepare_noted, PARCEL_CONN}},
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
    scratch = shared_new(SCENE_LEN_MAX);
    victims_buf = shared_new(SCENE_LEN_MAX);
    seconds_buf = shared_new(SCENE_LEN_MAX);
    half_buf = shared_new(2 * HALF_LEN);
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
    .state = state,
    .judge = judge,
};
