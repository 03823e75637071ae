/* cmd-gc.c - remove the queues that nobody holds.
 *
 * A queue with a name outlives its users; that is what names are for, and what
 * leaves queues behind when users crash. Nobody may lose one that he has open,
 * nor a message. So a queue goes only if
 *
 *     no process has it open: the library knows, and removes it in one step
 *     it is empty (or --with-messages)
 *     nothing has happened to its file for a while (--age): it was perhaps made
 *     for somebody who is about to come
 *
 * A file that the library cannot read goes with --broken only, and if no process
 * has it open as far as /proc tells, or the library, which takes its name away in
 * one step: a queue that is made meanwhile in its place stays.
 *
 * Proof: tests/tool/collect.py.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

enum { AGE, WITH_MESSAGES, BROKEN, DRY_RUN, VERBOSE };

#define DEFAULT_AGE "10m"

static const struct option options[] = {
    {'a', "age", "TIME",
     "leave what changed its size since; default " DEFAULT_AGE},
    {'m', "with-messages", NULL, "remove queues with messages in them, too"},
    {'b', "broken", NULL, "remove files that this chute cannot read, too"},
    {'n', "dry-run", NULL, "only say what would be removed"},
    {'v', "verbose", NULL, "say what is kept, and why"},
    {0},
};

static const char text[] =
    "Prints the names of the queues that it removes. One that a process has "
    "open\n"
    "stays, whoever that is.\n"
    "\n"
    "Examples:\n"
    "  chute gc --dry-run --verbose\n"
    "  chute gc --age 0 --with-messages     after a test run that crashed\n"
    "\n"
    "Exit status: 0, whether or not there was something to remove.\n";

struct gc {
    const struct call *call;
    struct holders holders;
    int64_t age_ns;
    size_t n_young, n_full, n_broken;
};

static bool wants(const struct gc *gc, int option)
{
    return gc->call->given[option] != NULL;
}

static int kept(const struct gc *gc, const char *name, const char *why)
{
    if (wants(gc, VERBOSE))
        note("kept %s: %s", name, why);
    return DONE;
}

static int kept_for_holder(const struct gc *gc, const char *name,
                           const struct stat *st)
{
    char why[96] = "somebody has it open", program[32];
    size_t n;

    const struct holding *first =
        holders_of(&gc->holders, st->st_dev, st->st_ino, &n);
    if (first)
        snprintf(why, sizeof why, "%d (%s)%s", (int)first->pid,
                 holders_program(first->pid, program),
                 n > 1 ? " and others have it open" : " has it open");
    return kept(gc, name, why);
}

static int64_t age_of(const struct stat *st)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (now.tv_sec - st->st_mtim.tv_sec) * INT64_C(1000000000) +
           (now.tv_nsec - st->st_mtim.tv_nsec);
}

/* What unlink_unused would say, as far as one can see. */
static int try_to_unlink(const struct gc *gc, const char *name,
                         const struct stat *st)
{
    chute_queue *queue;
    size_t n_items = 0, n;

    if (!wants(gc, DRY_RUN))
        return chute_queue_unlink_unused(name, wants(gc, WITH_MESSAGES));
    if (holders_of(&gc->holders, st->st_dev, st->st_ino, &n))
        return CHUTE_EBUSY;
    int r = chute_queue_open(&queue, name, NULL);
    if (r < 0)
        return r;
    r = chute_queue_qsize(queue, &n_items);
    chute_queue_free(queue);
    return r == 0 && n_items && !wants(gc, WITH_MESSAGES) ? CHUTE_ENOTEMPTY : r;
}

static int remove_broken(struct gc *gc, const char *name, const struct stat *st)
{
    size_t n;

    if (!wants(gc, BROKEN)) {
        gc->n_broken++;
        return kept(gc, name, "it is no queue that this chute can read");
    }
    if (holders_of(&gc->holders, st->st_dev, st->st_ino, &n))
        return kept_for_holder(gc, name, st);
    if (gc->holders.n_unseen && (st->st_mode & 077))
        return kept(gc, name, "other users may have it open: be root");
    int r = wants(gc, DRY_RUN) ? 0 : chute_queue_unlink_broken(name);
    switch (r) {
    case 0:
        printf("%s\n", name);
        return DONE;
    case CHUTE_ENOENT:
        return DONE;
    case CHUTE_EEXIST:
        return kept(gc, name, "it has just been made anew");
    case CHUTE_EBUSY:
        return kept_for_holder(gc, name, st);
    default:
        return queues_complain(name, r);
    }
}

static int look_at(struct gc *gc, int dir, const char *name)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return DONE;
    if (!S_ISREG(st.st_mode))
        return kept(gc, name, "it is not a file");
    if (age_of(&st) < gc->age_ns) {
        gc->n_young++;
        return kept(gc, name, "it is younger than --age");
    }
    int r = try_to_unlink(gc, name, &st);
    switch (r) {
    case 0:
        printf("%s\n", name);
        return DONE;
    case CHUTE_ENOENT:
        return DONE;
    case CHUTE_EBUSY:
        return kept_for_holder(gc, name, &st);
    case CHUTE_ENOTEMPTY:
        gc->n_full++;
        return kept(gc, name, "there are messages in it");
    case CHUTE_ECORRUPT:
    case CHUTE_ELAYOUT:
        return remove_broken(gc, name, &st);
    default:
        return kept(gc, name, chute_strerror(r));
    }
}

static void summarize(const struct gc *gc)
{
    if (gc->n_young)
        note("%zu kept: made or resized in the last %s; --age 0 takes them too",
             gc->n_young, wants(gc, AGE) ? gc->call->given[AGE] : DEFAULT_AGE);
    if (gc->n_full)
        note("%zu kept: there are messages in them; --with-messages takes them "
             "too",
             gc->n_full);
    if (gc->n_broken)
        note("%zu kept: this chute cannot read them; --broken takes them too",
             gc->n_broken);
}

static int collect(struct gc *gc, int dir)
{
    chute_value *names;
    int worst = DONE;

    int r = chute_queue_list(&names);
    if (r < 0)
        return queues_complain("", r);
    if (!holders_find(queues_dir(), &gc->holders)) {
        chute_value_free(names);
        return complain("/proc does not tell who has what open, so nothing is "
                        "removed: is it mounted?");
    }
    for (size_t i = 0; i < chute_value_len(names); i++) {
        int status =
            look_at(gc, dir, chute_value_str(chute_value_at(names, i)));
        if (status != DONE)
            worst = status;
    }
    holders_free(&gc->holders);
    chute_value_free(names);
    summarize(gc);
    return worst;
}

static int run(const struct call *call)
{
    const char *age = call->given[AGE] ? call->given[AGE] : DEFAULT_AGE;
    struct gc gc = {.call = call};

    if (!units_time(age, &gc.age_ns))
        return misused("'%s' is no time: 0, 90s, 10m, 2d", age);
    if (gc.age_ns < 0)
        gc.age_ns = INT64_MAX;
    int dir = open(queues_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 && errno == ENOENT)
        return DONE;
    if (dir < 0)
        return complain("%s: %s", queues_dir(), strerror(errno));
    int status = collect(&gc, dir);
    close(dir);
    return status;
}

const struct verb verb_gc = {
    .name = "gc",
    .words = "",
    .min_words = 0,
    .max_words = 0,
    .summary = "remove the queues that nobody holds",
    .text = text,
    .options = options,
    .run = run,
};
