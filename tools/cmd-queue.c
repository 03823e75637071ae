/* cmd-queue.c - create, close and rm: a queue as a whole.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tool.h"

/* -- create ------------------------------------------------------------------------ */

enum { MAXSIZE, MEMORY, MODE, EXIST_OK };

static const struct option create_options[] = {
    {'m', "maxsize", "N", "hold N messages at most; default: any number"},
    {'M', "memory", "SIZE", "hold SIZE bytes at most: 64K, 1M; default 8G"},
    {0, "mode", "MODE", "who may use it: 0600 (default), 0660"},
    {'e', "exist-ok", NULL, "no error if it is there; it keeps its limits"},
    {0},
};

static const char create_text[] =
    "A queue takes memory as it fills, and gives it back as it is emptied. It\n"
    "stays, with what is in it, till 'chute rm', or till the machine "
    "restarts.\n"
    "A NAME has 1 to 200 of A-Z a-z 0-9 . _ - and no dot in front.\n"
    "\n"
    "Examples:\n"
    "  chute create jobs\n"
    "  chute create jobs --maxsize 100 --memory 64M\n"
    "  CHUTE_DIR=/dev/shm/ours chute create jobs --mode 0660\n"
    "\n"
    "Exit status: 0 made (or there, with --exist-ok), 1 it is there already.\n";

static bool mode_of(const char *text, uint64_t *ret_mode)
{
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    *ret_mode = strtoul(text, &end, 8);
    return !*end && *ret_mode && !(*ret_mode & ~UINT64_C(0666));
}

static int run_create(const struct call *call)
{
    struct chute_queue_options o = {.size = sizeof o, .flags = CHUTE_CREATE};
    const char *const *given = call->given;
    chute_queue *queue;

    if (given[MAXSIZE] &&
        !units_count(given[MAXSIZE], 1, UINT64_C(1) << 30, &o.maxsize))
        return misused("'%s' is no number of messages: 1 to 2^30",
                       given[MAXSIZE]);
    if (given[MEMORY] && (!units_size(given[MEMORY], &o.memory) ||
                          o.memory < 4096 || o.memory > UINT64_C(8) << 30))
        return misused("'%s' is no size of memory: 4K to 8G", given[MEMORY]);
    if (given[MODE] && !mode_of(given[MODE], &o.mode))
        return misused("'%s' is no mode: 0600, 0660, 0666", given[MODE]);
    if (!given[EXIST_OK])
        o.flags |= CHUTE_EXCLUSIVE;
    int status = queues_open(&queue, call->words[0], &o);
    if (status == DONE)
        chute_queue_free(queue);
    return status;
}

const struct verb verb_create = {
    .name = "create",
    .words = "NAME",
    .min_words = 1,
    .max_words = 1,
    .summary = "make a queue",
    .text = create_text,
    .options = create_options,
    .run = run_create,
};

/* -- close ------------------------------------------------------------------------- */

static const struct option no_options[] = {{0}};

static const char close_text[] =
    "A closed queue takes no more messages; who waits to put is woken, and "
    "gets\n"
    "an error. What is in it can be taken; then whoever gets is told that it "
    "is\n"
    "closed. There is no way to open it again; 'chute rm' and 'chute create'.\n"
    "\n"
    "Example:\n"
    "  chute close jobs\n"
    "\n"
    "Exit status: 0 closed (it may have been before), 6 no such queue.\n";

static int run_close(const struct call *call)
{
    int worst = DONE;

    for (int i = 0; i < call->n_words; i++) {
        chute_queue *queue;
        int status = queues_open(&queue, call->words[i], NULL);
        if (status == DONE) {
            int r = chute_queue_close(queue);
            if (r < 0)
                status = queues_complain(call->words[i], r);
            chute_queue_free(queue);
        }
        if (status != DONE)
            worst = status;
    }
    return worst;
}

const struct verb verb_close = {
    .name = "close",
    .words = "NAME...",
    .min_words = 1,
    .max_words = 1 << 30,
    .summary = "refuse further messages, and wake who waits",
    .text = close_text,
    .options = no_options,
    .run = run_close,
};

/* -- rm ---------------------------------------------------------------------------- */

enum { FORCE };

static const struct option rm_options[] = {
    {'f', "force", NULL, "no error if there is none"},
    {0},
};

static const char rm_text[] =
    "Takes the name away. Whoever has the queue open goes on with it; its "
    "memory,\n"
    "and the messages in it, go with the last of them. To tell them, close it\n"
    "first. What nobody holds any more is found by 'chute gc'.\n"
    "\n"
    "Examples:\n"
    "  chute rm jobs\n"
    "  chute close jobs && chute rm jobs\n"
    "\n"
    "Exit status: 0 removed, 6 no such queue.\n";

static int run_rm(const struct call *call)
{
    int worst = DONE;

    for (int i = 0; i < call->n_words; i++) {
        int r = chute_queue_unlink(call->words[i]);
        if (r < 0 && !(r == CHUTE_ENOENT && call->given[FORCE]))
            worst = queues_complain(call->words[i], r);
    }
    return worst;
}

const struct verb verb_rm = {
    .name = "rm",
    .words = "NAME...",
    .min_words = 1,
    .max_words = 1 << 30,
    .summary = "remove a queue's name, and with the last user the queue",
    .text = rm_text,
    .options = rm_options,
    .run = run_rm,
};
