/* tool.h - what the verbs of chute(1) share.
 *
 *     chute.c     the table of verbs, and help
 *     args.c      options, by one table a verb
 *     say.c       talk on stderr: complaints, notes, progress; colour
 *     units.c     numbers, sizes and times, read and written
 *     signals.c   Ctrl-C between two messages, never within one
 *     queues.c    queues by name, and what to do if that fails
 *     watch.c     what goes on in a queue, and how fast
 *     health.c    what that means
 *     holders.c   which processes hold a file
 *     message.c   messages as text: literals, lines, bytes, JSON
 *     json.c      values as JSON, and back
 *     cmd-X.c     a verb
 *
 * Everything goes through <chute.h>: a verb can do what any program can do.
 */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <chute.h>

/* Exit statuses; with a signal it is 128 and the signal's number. */
enum status {
    DONE = 0,
    FAILED = 1,
    MISUSED = 2,
    EMPTY = 3,   /* the time is up, and there was no message */
    FULL = 4,    /* the time is up, and there was no room */
    CLOSED = 5,  /* and, for who gets, drained */
    MISSING = 6, /* no queue has that name */
};

/* -- verbs and their options (args.c) --------------------------------------- */

struct option {
    char letter;      /* 0: it has none */
    const char *name; /* without the dashes */
    const char *arg;  /* what to call its argument in the help; NULL: none */
    const char *help;
};

#define MAX_OPTIONS 24

struct call;

struct verb {
    const char *name;
    const char *words; /* what follows the options, for the usage line */
    int min_words, max_words;
    const char *summary;          /* one line */
    const char *text;             /* what --help says besides; with examples */
    const struct option *options; /* ended by one without a name */
    int (*run)(const struct call *call);
};

/* A verb, as it was called. */
struct call {
    const struct verb *verb;
    const char *given[MAX_OPTIONS]; /* by place in verb->options: NULL, or the
                                       argument, "" if it takes none */
    char **words;
    int n_words;
};

extern const struct verb *const verbs[]; /* ended by NULL */

extern const struct verb verb_bench, verb_close, verb_create, verb_doctor,
    verb_drain, verb_get, verb_gc, verb_ls, verb_peek, verb_pickle, verb_put,
    verb_rm, verb_stat, verb_top;

/* Fill *ret_call. -1: go on and run it; otherwise the status to leave with. */
int args_parse(struct call *ret_call, const struct verb *verb, int argc,
               char **argv);

/* The usage line, the options and the text of a verb. */
void args_help(const struct verb *verb, FILE *to);

/* The one of n names that is nearest to a mistyped one; NULL if none is near. */
const char *args_nearest(const char *word, const char *const *names, int n);

/* -- talk (say.c) ----------------------------------------------------------- */

#define PRINTF(a, b) __attribute__((format(printf, a, b)))

/* Who talks, for the line's beginning: "chute put: ". */
void say_begin(const char *verb);
const char *say_verb(void);

/* What happened, and what to do about it. Gives FAILED. */
int complain(const char *format, ...) PRINTF(1, 2);

/* The same for a call that makes no sense; adds where to read. MISUSED. */
int misused(const char *format, ...) PRINTF(1, 2);

/* Worth knowing, but nothing went wrong; quiet with --quiet. */
void note(const char *format, ...) PRINTF(1, 2);
void say_quiet(void);

/* Whether to write that stream in colour. */
bool say_in_colour(FILE *to);

/* A line on a terminal that tells how far long work has come, at most five times
 * a second, and not in the first one. `total` 0: nobody knows. */
void progress(const char *what, uint64_t n, uint64_t total);
void progress_end(void);

/* Flush what was written. FAILED, with a complaint, if it did not arrive. */
int finish_output(int status);

/* -- units (units.c) --------------------------------------------------------- */

/* "250", "4K", "1.5M", "2GiB" in bytes; "1.5", "250ms", "2m" in ns; "1e6" as
 * a plain count. False: it is none, or outside min and max. */
bool units_count(const char *text, uint64_t min, uint64_t max, uint64_t *ret);
bool units_size(const char *text, uint64_t *ret_len);
bool units_time(const char *text, int64_t *ret_ns);

/* The same to read, in at most 7 letters: 31.2k, 1.1M; 29ms, 4m12s. */
#define UNITS_LEN 24
const char *units_show_count(char buf[UNITS_LEN], double n);
const char *units_show_size(char buf[UNITS_LEN], double len);
const char *units_show_time(char buf[UNITS_LEN], int64_t ns);

/* Now, monotonic, in ns. */
uint64_t units_now(void);

/* -- signals (signals.c) ------------------------------------------------------ */

/* From now on SIGINT, SIGTERM and SIGHUP end a wait, and the next look below
 * tells. The second one kills. A write goes on after it if the verb `writes`;
 * otherwise a read ends too. */
void signals_begin(bool writes);

/* 0, or 128 and the number of the signal that came. */
int signals_status(void);

/* -- queues (queues.c) -------------------------------------------------------- */

/* Where names are: CHUTE_DIR, or the user's own directory. */
const char *queues_dir(void);

/* What to do about a directory that is writable for all. */
struct stat;
const char *queues_narrow(const struct stat *st);

/* The queue of that name, interruptible. DONE, or the status of a complaint that
 * has been made. `options` as in chute_queue_open; NULL: it has to be there. */
int queues_open(chute_queue **ret_queue, const char *name,
                const struct chute_queue_options *options);

/* What r means for that queue: a complaint, and the status. */
int queues_complain(const char *name, int r);

/* -- its name is taken away (removal.c) --------------------------------------- */

/* From now on a wait for a message of that queue ends, by CHUTE_EINTR, when none
 * can come any more; removal_seen() tells that from a signal. signals_begin()
 * comes first, and removal_end() before the queue is freed. */
void removal_watch(chute_queue *queue);
bool removal_seen(void);
void removal_end(void);

/* -- what goes on in a queue (watch.c) ------------------------------------------ */

/* A participant, and how much it does now; rates are negative if nobody knows. */
struct member_view {
    struct chute_queue_member is;
    char state; /* as in /proc/PID/stat: 'T' is stopped; '?' if it is gone */
    double put_rate, got_rate;
};

bool member_is_alive(const struct member_view *m);
bool member_is_stopped(const struct member_view *m);

/* A queue at one instant. */
struct queue_view {
    char name[204];
    int r; /* what opening it gave; if not 0, the rest is of no use */
    uint64_t taken_ns;
    struct chute_queue_stats stats;
    struct member_view *members;
    size_t n_members;
    size_t n_putters, n_getters;    /* living members that have, or try to */
    size_t n_putting, n_getting;    /* threads that are blocked now */
    int64_t putting_ns, getting_ns; /* and for how long, the longest */
    double put_rate, got_rate, byte_rate;
    const char *state; /* "ok", "FULL", "NO PUTTER": static */
    bool is_bad;       /* somebody should look */
    char hint[400];    /* what it means and what to do; "" if it is well */
};

struct watch {
    struct queue_view *list; /* by name */
    size_t n;
};

/* Look at the queue of that name, or at all; rates are those since `before`
 * (may be NULL). A negative code, or 0. */
int watch_take(struct watch *ret_watch, const char *name,
               const struct watch *before);
void watch_free(struct watch *watch);

/* One line of JSON about it, for stat and top. */
void watch_print_json(const struct queue_view *view);

/* Fill state, is_bad and hint (health.c); and from when on a wait is long, which
 * is a minute otherwise. */
void health_judge(struct queue_view *view);
void health_call_long(int64_t ns);

/* -- holders (holders.c) ------------------------------------------------------- */

/* A process has this file open or mapped. */
struct holding {
    uint64_t dev, ino;
    pid_t pid;
    bool removed; /* it was a file of that directory, and has lost its name */
};

struct holders {
    struct holding *list; /* by dev, ino, pid */
    size_t n;
    size_t n_unseen; /* processes of other users (but root) that do not let us
                        look */
};

/* Who holds files of the file system that the directory lies in; but not we.
 * False if /proc does not tell. Free with holders_free(). */
bool holders_find(const char *path, struct holders *ret_holders);
void holders_free(struct holders *holders);

/* The first of those that hold that file, and how many; NULL if nobody does. */
const struct holding *holders_of(const struct holders *holders, uint64_t dev,
                                 uint64_t ino, size_t *ret_n);

/* What the process runs, "?" if it is gone. */
const char *holders_program(pid_t pid, char buf[32]);

/* -- messages (message.c) ------------------------------------------------------ */

enum format { LITERAL, TEXT, BYTES, JSON };

struct style {
    enum format format;
    int end;    /* what ends a message on stdin and stdout; -1: nothing */
    bool whole; /* all of stdin is one message */
};

/* The options of it, for the tables of put, get, peek and drain; they stand
 * first. */
enum { STYLE_BYTES, STYLE_JSON, STYLE_TEXT, STYLE_NULL, STYLE_WHOLE, N_STYLES };
#define STYLE_OPTIONS                                                          \
    {'b', "bytes", NULL, "messages are bytes as they are, not values"},        \
        {'j', "json", NULL, "messages are JSON"},                              \
        {'t', "text", NULL, "messages are str, without quotes"},               \
        {'0', "null", NULL, "each ends with a NUL, not with a newline"},       \
    {                                                                          \
        'w', "whole", NULL, "nothing ends a message; stdin is a single one"    \
    }

/* DONE, or MISUSED with a complaint. */
int message_style(const struct call *call, struct style *ret_style);

/* Put one message, given as text. The library's result; or DONE + 1 if the text
 * is none, and a complaint that names `where` has been made. */
int message_put(chute_queue *queue, const struct style *style, const char *text,
                size_t len, const char *where, int64_t timeout_ns);

/* Take, or only look at, the oldest message and write it on stdout. */
int message_get(chute_queue *queue, const struct style *style, bool peek,
                int64_t timeout_ns);

/* A value from its Python literal. The library's result; *ret_pos is where it
 * goes wrong. */
int message_literal(const char *text, size_t len, chute_value **ret_value,
                    size_t *ret_pos);

/* -- JSON (json.c) --------------------------------------------------------------
 *
 * None, bool, int, float, str, list and dict are JSON's own, a tuple is an array.
 * What JSON cannot say is {"__python__": "a literal"}. */

/* 0, CHUTE_EINVAL with a reason, or CHUTE_ENOMEM. */
int json_read(const char *text, size_t len, chute_value **ret_value,
              char *ret_why, size_t why_cap);

/* One line without its end, to be freed. */
int json_show(const chute_value *v, char **ret_text);

#endif
