/* args.c - options, by one table a verb.
 *
 * As getopt_long(3) has it: options may stand anywhere, "--" ends them, "-n3",
 * "-n 3", "--n=3" and "--n 3" are the same. Two things differ, and are why this
 * is not getopt: "-5" is a word where no option has that letter, for it is a
 * literal that one puts; and a mistyped option is answered with the one that was
 * meant.
 *
 * Every verb has --help and --quiet besides its own.
 *
 * Proof: tests/tool/wrong.py.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <string.h>

#include "tool.h"

#define INDENT 24

static const struct option common[] = {
    {'q', "quiet", NULL, "say nothing but errors"},
    {'h', "help", NULL, "show this"},
    {0},
};

/* -- help -------------------------------------------------------------------- */

static void show_options(const struct option *options, FILE *to)
{
    for (const struct option *o = options; o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "%c%c%s--%s%s%s", o->letter ? '-' : ' ',
                 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
                 o->arg ? " " : "", o->arg ? o->arg : "");
        fprintf(to, "  %-*s %s\n", INDENT, left, o->help);
    }
}

void args_help(const struct verb *verb, FILE *to)
{
    fprintf(to, "usage: chute %s [OPTION...]%s%s\n\n%c%s.\n\n", verb->name,
            *verb->words ? " " : "", verb->words,
            toupper((unsigned char)verb->summary[0]), verb->summary + 1);
    show_options(verb->options, to);
    show_options(common, to);
    fprintf(to, "\n%s", verb->text);
}

/* -- what was meant ----------------------------------------------------------- */

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* How many letters to change, add or drop; long words are cut. */
static int distance(const char *a, const char *b)
{
    int row[33], n = (int)strnlen(b, 32);

    for (int j = 0; j <= n; j++)
        row[j] = j;
    for (int i = 1; a[i - 1] && i <= 32; i++) {
        int diagonal = row[0];
        row[0] = i;
        for (int j = 1; j <= n; j++) {
            int above = row[j];
            row[j] = least(least(above, row[j - 1]) + 1,
                           diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[n];
}

const char *args_nearest(const char *word, const char *const *names, int n)
{
    const char *nearest = NULL;
    int best = 3;

    for (int i = 0; i < n; i++) {
        int d = distance(word, names[i]);
        if (strlen(word) >= 3 && strncmp(word, names[i], strlen(word)) == 0)
            d = 1; /* it was cut short */
        if (d < best && d < (int)strlen(names[i])) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}

static int no_such_option(const struct verb *verb, const char *name)
{
    const char *names[MAX_OPTIONS + 2];
    int n = 0;

    for (const struct option *o = verb->options; o->name; o++)
        names[n++] = o->name;
    for (const struct option *o = common; o->name; o++)
        names[n++] = o->name;
    const char *near = args_nearest(name, names, n);
    if (near)
        return misused("there is no option '--%s'; did you mean '--%s'?", name,
                       near);
    return misused("there is no option '--%s'", name);
}

/* -- parsing ------------------------------------------------------------------- */

/* What is being parsed: argv, and where in it. */
struct parser {
    struct call *call;
    char **argv;
    int argc, i;
};

static int take_common(struct parser *p, const struct option *o)
{
    if (o == &common[0]) {
        say_quiet();
        return -1;
    }
    args_help(p->call->verb, stdout);
    return finish_output(DONE);
}

/* `value` is what stands behind = or the letter, NULL if nothing does. */
static int take(struct parser *p, const struct option *o, const char *value)
{
    const struct option *own = p->call->verb->options;

    if (o >= common && o < common + sizeof common / sizeof common[0])
        return take_common(p, o);
    if (o->arg && !value) {
        if (p->i >= p->argc)
            return misused("--%s needs a %s", o->name, o->arg);
        value = p->argv[p->i++];
    }
    p->call->given[o - own] = value ? value : "";
    return -1;
}

static const struct option *find_letter(const struct verb *verb, char letter)
{
    const struct option *tables[] = {verb->options, common};

    for (int i = 0; i < 2; i++)
        for (const struct option *o = tables[i]; o->name; o++)
            if (o->letter == letter)
                return o;
    return NULL;
}

static const struct option *find_name(const struct verb *verb, const char *name,
                                      size_t len)
{
    const struct option *tables[] = {verb->options, common};

    for (int i = 0; i < 2; i++)
        for (const struct option *o = tables[i]; o->name; o++)
            if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
                return o;
    return NULL;
}

static int take_long(struct parser *p, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);
    const struct option *o = find_name(p->call->verb, word, len);

    if (!o) {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)(len < 60 ? len : 60), word);
        return no_such_option(p->call->verb, name);
    }
    if (equals && !o->arg)
        return misused("--%s takes no argument", o->name);
    return take(p, o, equals ? equals + 1 : NULL);
}

static int take_letters(struct parser *p, const char *word)
{
    int status = -1;

    for (; *word && status < 0; word++) {
        const struct option *o = find_letter(p->call->verb, *word);
        if (!o)
            return misused("there is no option '-%c'", *word);
        if (o->arg)
            return take(p, o, word[1] ? word + 1 : NULL);
        status = take(p, o, NULL);
    }
    return status;
}

static bool is_negative_number(const struct verb *verb, const char *word)
{
    return (isdigit((unsigned char)word[1]) || word[1] == '.') &&
           !find_letter(verb, word[1]);
}

static int check_words(const struct call *call)
{
    const struct verb *verb = call->verb;

    if (call->n_words < verb->min_words)
        return misused("%s missing; usage: chute %s [OPTION...] %s",
                       verb->min_words - call->n_words > 1 ? "words are"
                                                           : "a word is",
                       verb->name, verb->words);
    if (call->n_words > verb->max_words)
        return misused("'%s' is a word too many; usage: chute %s [OPTION...] "
                       "%s",
                       call->words[verb->max_words], verb->name, verb->words);
    return -1;
}

int args_parse(struct call *call, const struct verb *verb, int argc,
               char **argv)
{
    struct parser p = {.call = call, .argv = argv, .argc = argc};
    bool ended = false;

    *call = (struct call){.verb = verb, .words = argv};
    while (p.i < argc) {
        char *word = argv[p.i++];
        int status = -1;
        if (!ended && strcmp(word, "--") == 0)
            ended = true;
        else if (ended || word[0] != '-' || !word[1] ||
                 is_negative_number(verb, word))
            argv[call->n_words++] = word; /* words move to the front */
        else if (word[1] == '-')
            status = take_long(&p, word + 2);
        else
            status = take_letters(&p, word + 1);
        if (status >= 0)
            return status;
    }
    return check_words(call);
}
