/* chute.c - the command-line tool: named queues, from the shell.
 *
 *     chute VERB [OPTION...] [WORD...]
 *
 * This file has the table of verbs and the help that leads to them. A verb is a
 * struct in a file of its own, with its options, its help and its function; the
 * rest of it is tables, so that help, usage errors and completions cannot
 * disagree with what is parsed.
 *
 * Data goes to stdout, talk to stderr. The statuses are those of enum status.
 *
 * Proof: tests/tool/.
 */
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

const struct verb *const verbs[] = {
    &verb_ls,   &verb_create, &verb_put,    &verb_get,   &verb_peek,
    &verb_stat, &verb_top,    &verb_drain,  &verb_close, &verb_rm,
    &verb_gc,   &verb_doctor, &verb_pickle, &verb_bench, NULL};

static const char text[] =
    "Queues that programs in C and Python share, by name.\n"
    "\n"
    "Try this:\n"
    "  chute create jobs --maxsize 100\n"
    "  chute put jobs \"[42, None, 'hello']\" \"{'n': 1}\"\n"
    "  chute ls -l\n"
    "  chute get jobs                    prints [42, None, 'hello']\n"
    "  chute get jobs --json             prints {\"n\": 1}\n"
    "  seq 1000 | chute put jobs --timeout 5\n"
    "  chute top                         who puts, who gets, who waits\n"
    "\n"
    "Exit status: 0 done, 1 an error, 2 wrong use, 3 empty, 4 full, 5 closed,\n"
    "6 no such queue, 130 interrupted.\n"
    "\n"
    "CHUTE_DIR names the directory of queues; otherwise it is your own,\n"
    "/dev/shm/chute-UID. 'chute VERB --help' tells more, with examples.\n";

static void help(FILE *to)
{
    fprintf(to, "usage: chute VERB [OPTION...] [WORD...]\n\n");
    for (int i = 0; verbs[i]; i++)
        fprintf(to, "  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
    fprintf(to, "\n%s", text);
}

static const struct verb *find(const char *name)
{
    for (int i = 0; verbs[i]; i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

static int no_such_verb(const char *word)
{
    const char *names[64];
    int n = 0;

    for (; verbs[n]; n++)
        names[n] = verbs[n]->name;
    const char *near = args_nearest(word, names, n);
    if (near)
        return misused("there is no verb '%s'; did you mean '%s'?", word, near);
    return misused("there is no verb '%s'", word);
}

/* For completions, and not in the help: verbs, and the options of one, a line
 * each, with tabs between the columns. */
static int list_verbs(void)
{
    for (int i = 0; verbs[i]; i++)
        printf("%s\t%s\n", verbs[i]->name, verbs[i]->summary);
    return finish_output(DONE);
}

static int list_options(const char *name)
{
    const struct verb *verb = find(name);

    if (!verb)
        return MISUSED;
    for (const struct option *o = verb->options; o->name; o++)
        printf("--%s\t%s%c\t%s\t%s\n", o->name, o->letter ? "-" : " ",
               o->letter ? o->letter : ' ', o->arg ? o->arg : "", o->help);
    printf("--quiet\t-q\t\tsay nothing but errors\n"
           "--help\t-h\t\tshow help\n");
    return finish_output(DONE);
}

int main(int argc, char **argv)
{
    struct call call;

    setlocale(LC_CTYPE, "");
    /* Whoever has it ignored (Python does) would make us write for nobody. */
    signal(SIGPIPE, SIG_DFL);
    say_begin(NULL);
    if (argc < 2) {
        help(stderr);
        return MISUSED;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
        (strcmp(word, "help") == 0 && argc == 2)) {
        help(stdout);
        return finish_output(DONE);
    }
    if (strcmp(word, "--version") == 0) {
        printf("chute %s\n", chute_version());
        return finish_output(DONE);
    }
    if (strcmp(word, "--verbs") == 0)
        return list_verbs();
    if (strcmp(word, "--options") == 0 && argc == 3)
        return list_options(argv[2]);
    bool helping = strcmp(word, "help") == 0;
    if (helping)
        word = argv[2];
    if (word[0] == '-')
        return misused("there is no option '%s' in front of a verb", word);
    const struct verb *verb = find(word);
    if (!verb)
        return no_such_verb(word);
    say_begin(verb->name);
    if (helping) {
        args_help(verb, stdout);
        return finish_output(DONE);
    }
    int status = args_parse(&call, verb, argc - 2, argv + 2);
    if (status < 0) {
        status = verb->run(&call);
        progress_end();
        status = finish_output(status);
    }
    return status;
}
