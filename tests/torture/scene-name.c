/* scene-name.c - a queue is opened, attached to, freed or loses its name, and the
 * one who does it is cut short.
 *
 *     absent   there is no queue of that name
 *     left     there is one, with items, and nobody has it open
 *     held     there is one, with items, and we have it open
 *     rival    when the victim has come to where it is to die, we open the
 *              queue, or make it, and put an item
 *
 * After the victim's death a name stands for a whole queue or for nothing, as
 * the operation was to begin or to end with; what was in the queue is in it still,
 * and comes out of every handle; nothing else lies in the directory, and nobody
 * has to wait for a lock that the dead had on it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chute/error.h"
#include "plat/plat.h"
#include "scene.h"
#include "torture.h"

#define NAME "queue"

#define N_ITEMS  3
#define ITEM_LEN 24
#define HANG_NS  CHUTE_SEC(3)

enum operation { OPEN, EXCLUSIVE, UNLINK, SWEEP, ATTACH, FREE };

enum state { ABSENT, LEFT, HELD };

struct plan {
    enum operation operation;
    enum state state;
    bool rival;
};

static struct stage {
    const struct plan *plan;
    chute_queue *queue; /* ours, if held */
    chute_queue *rivals;
    uint64_t next_id;
    unsigned n_fds;
} stage;

static char dir_path[] = "/dev/shm/torture-XXXXXX";

/* -- the queue -------------------------------------------------------------- */

static int open_queue(chute_queue **ret_queue, uint64_t flags)
{
    return chute_queue_open(ret_queue, NAME,
                            CHUTE_OPTIONS(chute_queue_options, .flags = flags));
}

static void put_item(chute_queue *queue)
{
    char item[ITEM_LEN];
    uint64_t id = stage.next_id++;

    item_fill(item, sizeof item, id);
    if (chute_queue_put_bytes(queue, item, sizeof item, HANG_NS) == 0)
        script_add(id, sizeof item);
    else
        script_wrong("a survivor's put failed");
}

static void get_items(chute_queue *queue)
{
    char item[ITEM_LEN];
    size_t len;
    int r;

    while ((r = chute_queue_get_bytes(queue, item, sizeof item, &len,
                                      CHUTE_NOWAIT)) == 0)
        script_take(item, len);
    if (r != CHUTE_ETIMEDOUT)
        script_wrong("a survivor's get failed");
    if (!locks_are_free(queue))
        script_wrong("a lock is not free");
}

/* -- set, play -------------------------------------------------------------- */

static void set(const struct scene *scene, bool slowly)
{
    chute_queue *queue;

    (void)slowly;
    stage =
        (struct stage){.plan = scene->plan, .next_id = 1, .n_fds = count_fds()};
    if (stage.plan->state == ABSENT)
        return;
    if (stage.plan->operation == ATTACH)
        MUST(chute_queue_new(&queue, NULL)); /* one with a name is refused */
    else
        MUST(open_queue(&queue, CHUTE_CREATE));
    for (int i = 0; i < N_ITEMS; i++)
        put_item(queue);
    if (stage.plan->state == HELD)
        stage.queue = queue;
    else
        chute_queue_free(queue);
}

static void warm(void)
{
}

static void operate(struct scene_report *report)
{
    chute_queue *queue;

    switch (stage.plan->operation) {
    case OPEN:
        report->r = open_queue(&queue, CHUTE_CREATE);
        break;
    case EXCLUSIVE:
        report->r = open_queue(&queue, CHUTE_CREATE | CHUTE_EXCLUSIVE);
        break;
    case UNLINK:
        report->r = chute_queue_unlink(NAME);
        break;
    case SWEEP:
        report->r = chute_queue_unlink_unused(NAME, 1);
        break;
    case ATTACH:
        report->r =
            chute_queue_of_fd(&queue, dup(chute_queue_fd(stage.queue)), NULL);
        break;
    case FREE:
        stage.queue = chute_queue_free(stage.queue);
        report->r = 0;
        break;
    }
}

static void watch(pid_t victim)
{
    (void)victim;
}

static void crowd(void)
{
    if (!stage.plan->rival)
        return;
    MUST(open_queue(&stage.rivals, CHUTE_CREATE));
    put_item(stage.rivals);
}

static uint64_t state(void)
{
    return (uint64_t)access(dir_path, F_OK);
}

/* -- judge ------------------------------------------------------------------ */

/* What the operation may have given, if it has returned. */
static bool is_due(int r)
{
    const struct plan *plan = stage.plan;

    switch (plan->operation) {
    case EXCLUSIVE:
        return r == 0 || (plan->rival && r == CHUTE_EEXIST);
    case UNLINK:
        return r == 0;
    case SWEEP:
        return r == (plan->state == HELD ? CHUTE_EBUSY : 0);
    default:
        return r == 0;
    }
}

/* Whether the name has to be there, or must not be. */
static bool must_be_there(bool returned)
{
    const struct plan *plan = stage.plan;

    switch (plan->operation) {
    case OPEN:
    case EXCLUSIVE:
        return plan->state != ABSENT || plan->rival || returned;
    case UNLINK:
    case ATTACH:
        return false;
    case SWEEP:
        return plan->state == HELD;
    case FREE:
        break;
    }
    return true;
}

static bool must_be_gone(bool returned)
{
    const struct plan *plan = stage.plan;

    return returned && !plan->rival &&
           (plan->operation == UNLINK ||
            (plan->operation == SWEEP && plan->state == LEFT));
}

/* What the name stands for now; NULL: nothing. */
static chute_queue *look_up(bool returned)
{
    chute_queue *queue = NULL;
    int64_t before = plat_now();
    int r = open_queue(&queue, 0);

    script_waited(plat_now() - before);
    if (r != 0 && r != CHUTE_ENOENT)
        script_wrong("the name stands for no whole queue");
    if (r != 0 && must_be_there(returned))
        script_wrong("the name is gone");
    if (r == 0 && must_be_gone(returned))
        script_wrong("the name is there");
    return r == 0 ? queue : NULL;
}

/* No more than one name, and that not if nobody is to have it. */
static void check_dir(bool empty)
{
    DIR *dir = opendir(dir_path);
    struct dirent *entry;

    if (!dir)
        trouble("the directory");
    while ((entry = readdir(dir)) != NULL) {
        bool is_name = !strcmp(entry->d_name, NAME);
        if (entry->d_name[0] != '.' && (empty || !is_name))
            script_wrong("something lies in the directory");
    }
    closedir(dir);
}

/* Make it anew, or go on with it; then clear it away. */
static void go_on(void)
{
    chute_queue *queue;
    int64_t before = plat_now();

    if (open_queue(&queue, CHUTE_CREATE) < 0) {
        script_wrong("a survivor's open failed");
        return;
    }
    put_item(queue);
    get_items(queue);
    check_dir(false);
    chute_queue_free(queue);
    if (chute_queue_unlink_unused(NAME, 0) < 0)
        script_wrong("a survivor's unlink failed");
    script_waited(plat_now() - before);
    check_dir(true);
}

static void judge(int64_t death, const struct scene_report report[2])
{
    bool returned = atomic_load(&report[0].returned);

    (void)death;
    if (returned && !is_due(report[0].r))
        script_wrong("the victim's operation failed");
    chute_queue *queue = look_up(returned && report[0].r == 0);
    /* With the last name and the last handle went what was in it. */
    if (!queue && !stage.queue && !stage.rivals)
        script_cut();
    /* The queue of that name first: the oldest items are in it, if it is the
     * same as the others. */
    if (stage.queue)
        get_items(stage.queue);
    if (queue)
        get_items(queue);
    if (stage.rivals)
        get_items(stage.rivals);
    stage.queue = chute_queue_free(stage.queue);
    stage.rivals = chute_queue_free(stage.rivals);
    chute_queue_free(queue);
    go_on();
    if (count_fds() != stage.n_fds)
        script_wrong("a descriptor was left open");
}

/* -- the list --------------------------------------------------------------- */

static const struct row {
    const char *operation, *state;
    struct plan plan;
} rows[] = {
    {"open", "absent", {OPEN, ABSENT, false}},
    {"open", "left", {OPEN, LEFT, false}},
    {"open", "held", {OPEN, HELD, false}},
    {"open", "rival", {OPEN, ABSENT, true}},
    {"open-new", "absent", {EXCLUSIVE, ABSENT, false}},
    {"open-new", "rival", {EXCLUSIVE, ABSENT, true}},
    {"unlink", "left", {UNLINK, LEFT, false}},
    {"unlink", "held", {UNLINK, HELD, false}},
    {"unlink-unused", "left", {SWEEP, LEFT, false}},
    {"unlink-unused", "held", {SWEEP, HELD, false}},
    {"attach", "held", {ATTACH, HELD, false}},
    {"free", "held", {FREE, HELD, false}},
};

#define N_ROWS (sizeof rows / sizeof rows[0])

static const struct scene *get(unsigned i)
{
    static struct scene scene;

    if (i >= N_ROWS)
        return NULL;
    scene = (struct scene){.operation = rows[i].operation,
                           .state = rows[i].state,
                           .len = ITEM_LEN,
                           .kind = &scenes_of_name,
                           .plan = &rows[i].plan};
    return &scene;
}

static void remove_dir(void)
{
    (void)chute_queue_unlink(NAME);
    rmdir(dir_path);
}

static void begin(void)
{
    if (!mkdtemp(dir_path))
        trouble(dir_path);
    MUST(setenv("CHUTE_DIR", dir_path, 1));
    atexit(remove_dir);
}

const struct scene_kind scenes_of_name = {
    .name = "name",
    .get = get,
    .begin = begin,
    .set = set,
    .warm = warm,
    .operate = operate,
    .watch = watch,
    .crowd = crowd,
    .again = operate,
    .state = state,
    .judge = judge,
};
