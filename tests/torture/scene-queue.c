/* scene-queue.c - one operation on one queue, cut short.
 *
 * Three take part. The victim is a child. The helper is a thread of ours; in
 * some scenes it is asleep in a put or a get when the victim comes, in others
 * it gives the sleeping victim what it waits for:
 *
 *     empty  put: a getter sleeps           get: fed once it sleeps
 *     one    one item is there
 *     full   put: one is taken once it      get: a putter sleeps
 *            sleeps
 *     wrap   the item wraps at its region's end
 *     edge   put: adds a region             get: leaves one
 *     large  get: empties a region of 8 MiB, and gives it back
 *     first  the process has not used chute before
 *     held   another holds the lock until the victim sleeps on it
 *     asleep get of many: a putter sleeps
 *     watched      another waits by a descriptor for what the victim puts
 *     watching     the victim has a descriptor, which its get has to silence
 *     waited       another waits for the block that the victim frees
 *     used, small, none, dead, lost   who has the blocks, see stage-loan.c
 *     rival  when the victim has come to where it is to die, another comes with
 *            the same operation (a put, if it is close), and sleeps on the lock
 *            if the victim has it
 *
 * The third is the main thread, which after the victim's death puts an item and
 * gets all there are. Every wait of a survivor is measured; first what the
 * helper can do without new help (a wake-up that died with the victim), then
 * what it can do with it.
 *
 * Where nobody helps, there can be a second victim: it does what the first did
 * (a put, if that was close), with what the first left.
 */
#define _GNU_SOURCE
#include "scene.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "chute/error.h"
#include "chute/pickle.h"
#include "chute/wait.h"
#include "helper.h"
#include "ipc/queue.h"
#include "plat/plat.h"
#include "shm/lock.h"
#include "shm/ring.h"
#include "stage-loan.h"
#include "stage-queue.h"
#include "torture.h"
#include "trace.h"

static char *victims_buf; /* what the victim puts */
static char *seconds_buf; /* and the second one */

/* -- the helper ------------------------------------------------------------- */

static struct helper helper;

/* The helper's item. */
static struct {
    uint64_t id;
    size_t len;
    char buf[LARGE_LEN + 64]; /* and a pickle's head */
} its;

static void helper_put(int64_t timeout_ns)
{
    char item[HELPERS_LEN];

    item_fill(item, sizeof item, its.id);
    helper.r =
        chute_queue_put_bytes(queue_stage.queue, item, sizeof item, timeout_ns);
}

static void helper_get(int64_t timeout_ns)
{
    helper.r = chute_queue_get_bytes(queue_stage.queue, its.buf, sizeof its.buf,
                                     &its.len, timeout_ns);
}

/* As one does who waits for other things as well. */
static void helper_watch(int64_t timeout_ns)
{
    int fd = chute_queue_wait_fd(queue_stage.queue);
    bool ready;

    helper.r = CHUTE_ETIMEDOUT;
    while (helper.r == CHUTE_ETIMEDOUT &&
           chute_wait(&fd, &ready, 1, timeout_ns) == 1)
        helper_get(CHUTE_NOWAIT);
}

static bool is_armed(struct shm_event *event)
{
    return atomic_load(&event->word) & 1;
}

/* Until the victim sleeps on the event. false: told to stop. */
static bool helper_awaits(struct shm_event *event)
{
    while (!is_armed(event)) {
        if (helper_is_stopped(&helper))
            return false;
        usleep(20);
    }
    helper_pause(queue_stage.slowly);
    return !helper_is_stopped(&helper);
}

/* The lock that the victim needs. */
static struct shm_lock *the_lock(void)
{
    struct shm_queue *shm = chain_of(queue_stage.queue)->shm;

    return queue_stage.plan->operation == GET ? &shm->get_lock : &shm->put_lock;
}

static uint32_t lock_word(void)
{
    return atomic_load(&the_lock()->word);
}

static bool act(void)
{
    struct shm_queue *shm = chain_of(queue_stage.queue)->shm;

    switch (queue_stage.plan->help) {
    case SLEEPING_GETTER:
        helper_get(HANG_NS);
        break;
    case SLEEPING_PUTTER:
        helper_put(HANG_NS);
        break;
    case FEEDER:
        if (!helper_awaits(&shm->items))
            return false;
        helper_put(HANG_NS);
        break;
    case DRAINER:
        if (!helper_awaits(&shm->space))
            return false;
        helper_get(HANG_NS);
        break;
    case RIVAL:
        if (queue_stage.plan->operation == GET)
            helper_get(HANG_NS);
        else if (queue_stage.plan->operation == RESERVE)
            helper.r = loan_pass(HANG_NS);
        else
            helper_put(HANG_NS);
        break;
    case WATCHER:
        helper_watch(HANG_NS);
        break;
    case SLEEPING_RESERVER:
        helper.r = loan_pass(HANG_NS);
        break;
    case RELEASER:
        if (helper_awaits(&shm->released))
            loan_let_go_of_one();
        return false;
    case HOLDER:
        helper_hold(&helper, the_lock(), queue_stage.slowly);
        return false;
    case NOBODY:
    case VICTIM_WATCHES:
        return false;
    }
    return true;
}

static void send_helper(void)
{
    its.id = queue_stage.next_id++;
    helper_send(&helper);
}

/* What one sleeps on who does so before the victim comes; or NULL. */
static struct shm_event *sleeps_on(enum help help)
{
    struct shm_queue *shm = chain_of(queue_stage.queue)->shm;

    return help == SLEEPING_GETTER     ? &shm->items
           : help == SLEEPING_PUTTER   ? &shm->space
           : help == SLEEPING_RESERVER ? &shm->released
                                       : NULL;
}

/* Before the victim comes: sleepers are asleep on return. */
static void helper_comes(void)
{
    enum help help = queue_stage.plan->help;

    if (help == NOBODY || help == VICTIM_WATCHES || help == RIVAL)
        return;
    send_helper();
    if (help == HOLDER) {
        while (!lock_word())
            usleep(20);
    } else if (help == WATCHER) {
        while (!trace_sleeps_in(atomic_load(&helper.tid), SYS_ppoll))
            usleep(20);
    } else if (sleeps_on(help)) {
        while (!is_armed(sleeps_on(help)))
            usleep(20);
        usleep(100);
    }
}

static void crowd(void)
{
    if (queue_stage.plan->help != RIVAL)
        return;
    its.id = queue_stage.next_id++;
    helper_crowd(&helper, the_lock());
}

/* Whether its operation is a get; or neither that nor a put. */
static bool helper_gets(void)
{
    enum help help = queue_stage.plan->help;

    return help == SLEEPING_GETTER || help == WATCHER || help == DRAINER ||
           (help == RIVAL && queue_stage.plan->operation == GET);
}

static bool helper_reserves(void)
{
    enum help help = queue_stage.plan->help;

    return help == SLEEPING_RESERVER ||
           (help == RIVAL && queue_stage.plan->operation == RESERVE);
}

/* It can go on since `since`: let it, and note what it did. */
static void helper_finish(int64_t since)
{
    if (!helper_join(&helper))
        return;
    script_waited(helper.at - since);
    bool closed = helper.r == CHUTE_EOF || helper.r == CHUTE_ECLOSED;
    if (helper.r == 0) {
        if (helper_gets())
            script_take(its.buf, its.len);
        else if (!helper_reserves())
            script_add(its.id, HELPERS_LEN);
    } else if (!closed || queue_stage.plan->operation != CLOSE) {
        script_wrong(helper.r == CHUTE_ETIMEDOUT ? "a sleeper was stranded"
                                                 : "the helper was refused");
    }
}

/* Whether a sleeper that is still asleep has reason to wake. */
static bool helper_may_go(void)
{
    struct region_chain *chain = chain_of(queue_stage.queue);
    uint32_t count = ring_count(ring_look(chain));

    switch (queue_stage.plan->help) {
    case SLEEPING_GETTER:
    case WATCHER:
        return count > 0 || ring_is_closed(chain);
    case SLEEPING_PUTTER:
        return count < queue_stage.plan->maxsize || ring_is_closed(chain);
    case SLEEPING_RESERVER:
        return count == 0 || queue_stage.plan->operation == RELEASE;
    default:
        return true;
    }
}

/* -- set, play -------------------------------------------------------------- */

/* The number of an item that the victim puts, and where it lies. */
static uint64_t victims_id(size_t i)
{
    return i ? MANYS_ID + i : 0;
}

static char *victims_item(size_t i)
{
    return victims_buf + i * LARGE_LEN;
}

static void set(const struct scene *scene, bool slowly)
{
    queue_stage = (struct queue_stage){.scratch = queue_stage.scratch,
                                       .scene = scene,
                                       .plan = scene->plan,
                                       .slowly = slowly,
                                       .next_id = 1};
    MUST(chute_queue_new(&queue_stage.queue,
                         CHUTE_OPTIONS(chute_queue_options,
                                       .maxsize = queue_stage.plan->maxsize,
                                       .memory = queue_stage.plan->memory)));
    queue_stage.plan->prepare();
    helper_comes();
    for (size_t i = 0; i < (queue_stage.plan->many ? SCENE_MANY : 1); i++)
        item_fill(victims_item(i), scene->len, victims_id(i));
    item_fill(seconds_buf, scene->len + 1, SECONDS_ID);
}

static void get_a_value(struct scene_report *report, int64_t timeout_ns)
{
    chute_value *v;
    void *data;

    report->r = queue_stage.plan->peeks
                    ? chute_queue_peek(queue_stage.queue, &v, timeout_ns)
                    : chute_queue_get(queue_stage.queue, &v, timeout_ns);
    if (report->r == 0 && chute_dumps(v, &data, &report->len) == 0)
        memcpy(report->buf, data, report->len);
    /* Bytes that are no pickle come out as they are, beside the code. */
    if (report->r != 0 && v) {
        const void *bytes = chute_value_bytes(v, &report->len);
        memcpy(report->buf, bytes, report->len);
        report->r = 0;
    }
}

static int put_many(void)
{
    struct iovec items[SCENE_MANY];
    size_t n;

    for (size_t i = 0; i < SCENE_MANY; i++)
        items[i] = (struct iovec){.iov_base = victims_item(i),
                                  .iov_len = queue_stage.scene->len};
    return chute_queue_put_many_bytes(queue_stage.queue, items, SCENE_MANY, &n,
                                      HANG_NS);
}

static int take_many(struct scene_report *report, int64_t timeout_ns)
{
    struct iovec items[SCENE_MANY];
    int r = chute_queue_get_many_bytes(queue_stage.queue, report->buf,
                                       sizeof report->buf, items, SCENE_MANY,
                                       &report->n_items, timeout_ns);

    for (size_t i = 0; r == 0 && i < report->n_items; i++)
        report->item_len[i] = items[i].iov_len;
    return r;
}

static void put(struct scene_report *report, const char *buf, size_t len)
{
    if (queue_stage.plan->in_place)
        report->r = loan_put(buf, len, HANG_NS);
    else if (queue_stage.plan->values)
        report->r =
            chute_queue_put(queue_stage.queue, chute_bytes(buf, len), HANG_NS);
    else
        report->r = chute_queue_put_bytes(queue_stage.queue, buf, len, HANG_NS);
}

static void take(struct scene_report *report, int64_t timeout_ns)
{
    if (queue_stage.plan->lends)
        report->r = loan_take(report, timeout_ns);
    else if (queue_stage.plan->values)
        get_a_value(report, timeout_ns);
    else if (queue_stage.plan->many)
        report->r = take_many(report, timeout_ns);
    else
        report->r = (queue_stage.plan->peeks ? chute_queue_peek_bytes
                                             : chute_queue_get_bytes)(
            queue_stage.queue, report->buf, sizeof report->buf, &report->len,
            timeout_ns);
}

static void operate(struct scene_report *report)
{
    switch (queue_stage.plan->operation) {
    case PUT:
        if (queue_stage.plan->many)
            report->r = put_many();
        else if (queue_stage.plan->in_place)
            report->r = loan_commit(HANG_NS);
        else
            put(report, victims_buf, queue_stage.scene->len);
        break;
    case GET:
        take(report, HANG_NS);
        break;
    case CLOSE:
        report->r = chute_queue_close(queue_stage.queue);
        break;
    case WATCH:
        report->r = chute_queue_wait_fd(queue_stage.queue);
        break;
    case RESERVE:
        /* It asks for each owner whether he lives: many steps, each slow. */
        report->r = loan_reserve(20 * HANG_NS);
        break;
    case RELEASE:
        report->r = loan_release();
        break;
    }
}

/* The item of the second is a byte longer, so that empty ones can be told
 * apart. Where the first has got the only one, there is nothing left to get. */
static void again(struct scene_report *report)
{
    if (queue_stage.plan->operation == GET)
        take(report, IMPATIENT_NS);
    else if (queue_stage.plan->operation == RESERVE ||
             queue_stage.plan->operation == RELEASE)
        report->r = loan_reserve(HANG_NS);
    else
        put(report, seconds_buf, queue_stage.scene->len + 1);
}

static void warm(void)
{
    struct shm_member *member;

    if (!queue_stage.plan->cold)
        (void)queue_enter_member(queue_stage.queue, &member);
    if (queue_stage.plan->help == VICTIM_WATCHES)
        (void)chute_queue_wait_fd(queue_stage.queue);
    loan_warm(victims_buf, queue_stage.scene->len);
}

static void watch(pid_t victim)
{
    (void)victim;
}

/* -- judge ------------------------------------------------------------------ */

/* A victim is dead: what does the script know of its item? One that peeks may be
 * shown nothing but the oldest, which stays. */
static void note_getter(const struct scene_report *report)
{
    const struct plan *plan = queue_stage.plan;
    bool returned = atomic_load(&report->returned);

    if (!returned && !plan->peeks)
        script_allow(queue_stage.n_taken += plan->many ? SCENE_MANY : 1);
    if (!returned || report->r != 0)
        return;
    const char *at = report->buf;
    for (size_t i = 0; plan->many && i < report->n_items; i++) {
        script_take(at, report->item_len[i]);
        at += report->item_len[i];
    }
    if (plan->peeks)
        script_show(report->buf, report->len);
    else if (!plan->many)
        script_take(report->buf, report->len);
}

static void note_putter(const struct scene_report *report, uint64_t id,
                        size_t len)
{
    struct entry *entry = script_add(id, len);

    entry->may_miss = !atomic_load(&report->returned) || report->r != 0;
    entry->is_value = queue_stage.plan->values;
}

/* The first victim's: one item, or several, of which none is there alone, if they
 * fit one region. */
static void note_putters(const struct scene_report *report)
{
    size_t n = queue_stage.plan->many ? SCENE_MANY : 1;

    for (size_t i = 0; i < n; i++) {
        note_putter(report, victims_id(i), queue_stage.scene->len);
        script_entry(script_len() - 1)->with_next =
            i + 1 < n && queue_stage.scene->len < LARGE_LEN;
    }
}

static void note_first(const struct scene_report *report)
{
    if (atomic_load(&report->returned) && report->r < 0)
        script_wrong("the victim's operation failed");
    if (queue_stage.plan->operation == PUT)
        note_putters(report);
    else if (queue_stage.plan->operation == GET)
        note_getter(report);
}

static void note_second(const struct scene_report *report)
{
    int refusal = queue_stage.plan->operation == GET     ? CHUTE_ETIMEDOUT
                  : queue_stage.plan->operation == CLOSE ? CHUTE_ECLOSED
                                                         : 0;

    if (atomic_load(&report->returned) && report->r != 0 &&
        report->r != refusal)
        script_wrong("the second victim's operation failed");
    if (queue_stage.plan->operation == GET)
        note_getter(report);
    else if (queue_stage.plan->operation != RESERVE &&
             queue_stage.plan->operation != RELEASE)
        note_putter(report, SECONDS_ID, queue_stage.scene->len + 1);
}

static int our_get(void)
{
    size_t len;
    int64_t before = plat_now();
    int r = chute_queue_get_bytes(queue_stage.queue, queue_stage.scratch,
                                  HUGE_LEN, &len, CHUTE_NOWAIT);

    script_waited(plat_now() - before);
    if (r == 0)
        script_take(queue_stage.scratch, len);
    return r;
}

static void our_put(void)
{
    char item[OUR_LEN];
    uint64_t id = queue_stage.next_id++;

    item_fill(item, sizeof item, id);
    int64_t before = plat_now();
    int r =
        chute_queue_put_bytes(queue_stage.queue, item, sizeof item, HANG_NS);
    script_waited(plat_now() - before);
    if (queue_stage.plan->operation == CLOSE) {
        if (r != CHUTE_ECLOSED)
            script_wrong("a put into the closed queue");
    } else if (r == 0) {
        script_add(id, sizeof item);
    } else {
        script_wrong("a survivor's put failed");
    }
}

static void our_close(void)
{
    if (queue_stage.closed && !ring_is_closed(chain_of(queue_stage.queue)))
        script_wrong("the queue was closed, and is open");
    int64_t before = plat_now();
    if (chute_queue_close(queue_stage.queue) < 0)
        script_wrong("a survivor's close failed");
    script_waited(plat_now() - before);
}

static void make_room(void)
{
    if (chute_queue_full(queue_stage.queue) == 1 && our_get() != 0)
        script_wrong("a survivor's get failed");
}

/* All survivors' operations, up to the last item. */
static void go_on(int64_t death)
{
    if (queue_stage.plan->operation == CLOSE) {
        if (helper_may_go())
            helper_finish(death);
        our_close();
        helper_finish(plat_now());
    }
    if (queue_stage.plan->help == SLEEPING_PUTTER && helper.busy) {
        if (!helper_may_go()) {
            make_room();
            death = plat_now();
        }
        helper_finish(death);
    }
    if (helper.busy && helper_may_go())
        helper_finish(death);
    if (queue_stage.plan->operation != CLOSE)
        make_room();
    our_put();
    if (queue_stage.plan->help != SLEEPING_RESERVER)
        helper_finish(plat_now());
    if (!memory_is_exact(queue_stage.queue))
        script_wrong("memory that no region names");
    size_t n = 0, n_got = 0;
    if (chute_queue_qsize(queue_stage.queue, &n) < 0)
        script_wrong("qsize failed");
    int r;
    while ((r = our_get()) == 0)
        n_got++;
    if (r !=
        (queue_stage.plan->operation == CLOSE ? CHUTE_EOF : CHUTE_ETIMEDOUT))
        script_wrong("the last get");
    if (n != n_got)
        script_wrong("qsize was not the number of items");
    helper_finish(plat_now());
}

static void judge(int64_t death, const struct scene_report report[2])
{
    /* The feeder's item, if any, is what the victim was to get, and came
     * before; what the drainer took was in front of all others. */
    helper_stop(&helper);
    if (queue_stage.plan->help == FEEDER) {
        helper_finish(death);
    }
    queue_stage.closed = atomic_load(&report[0].returned);
    note_first(&report[0]);
    if (report[1].r != 1)
        note_second(&report[1]);
    go_on(death);
    if (!locks_are_free(queue_stage.queue))
        script_wrong("a lock is not free");
    if (chute_queue_empty(queue_stage.queue) != 1)
        script_wrong("the drained queue is not empty");
    if (loan_is_played())
        loan_judge();
    if (held_when_empty(queue_stage.queue) >
        (loan_is_played() ? HELD_WITH_BLOCKS : HELD_WHEN_EMPTY))
        script_wrong("the empty queue holds memory");
    queue_stage.queue = chute_queue_free(queue_stage.queue);
}

static void begin(void)
{
    queue_stage_begin();
    victims_buf = shared_new(SCENE_MANY * LARGE_LEN);
    seconds_buf = shared_new(LARGE_LEN + 1);
    helper.act = act;
    helper_begin(&helper);
}

const struct scene_kind scenes_of_queue = {
    .name = "queue",
    .get = queue_scene,
    .begin = begin,
    .set = set,
    .warm = warm,
    .operate = operate,
    .watch = watch,
    .crowd = crowd,
    .again = again,
    .state = queue_state,
    .judge = judge,
};
