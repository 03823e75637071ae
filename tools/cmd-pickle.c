/* cmd-pickle.c - pickles, without Python.
 *
 * For who looks into a message with another program: what is in a pickle, at
 * which byte it is refused, which class it needs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum { JSON_OUT };

static const struct option options[] = {
    {'j', "json", NULL, "values are JSON, not Python literals"},
    {0},
};

static const char text[] =
    "dumps writes the pickle (protocol 4) of a VALUE, or of all of stdin, to\n"
    "stdout. loads reads one pickle (protocol 2 to 5) from FILE, or stdin, "
    "and\n"
    "prints its value. No code of the pickle runs: one that needs a class is\n"
    "refused, and the class is named.\n"
    "\n"
    "Examples:\n"
    "  chute pickle dumps \"[42, None, 'hello']\" | chute pickle loads\n"
    "  chute pickle loads --json < state.pickle | jq .\n"
    "  chute peek jobs --bytes --whole | chute pickle loads\n"
    "\n"
    "Exit status: 0, or 1 if it is no pickle, or no plain one.\n";

/* All of a file, to be freed; NULL after a complaint. */
static char *slurp(FILE *from, const char *name, size_t *ret_len)
{
    char *data = NULL;
    size_t len = 0, cap = 0, n;

    do {
        if (len == cap) {
            cap = cap ? 2 * cap : 65536;
            char *more = realloc(data, cap);
            if (!more) {
                complain("%s: out of memory", name);
                free(data);
                return NULL;
            }
            data = more;
        }
        n = fread(data + len, 1, cap - len, from);
        len += n;
    } while (n > 0);
    if (ferror(from)) {
        complain("%s: %s", name, strerror(errno));
        free(data);
        return NULL;
    }
    *ret_len = len;
    return data;
}

static int dumps(const char *source, size_t len, bool json)
{
    chute_value *v = NULL;
    char why[200];
    size_t pos = 0;
    void *data;

    int r = json ? json_read(source, len, &v, why, sizeof why)
                 : message_literal(source, len, &v, &pos);
    if (r < 0 && json)
        return complain("not JSON: %s", why);
    if (r < 0)
        return complain("byte %zu: %s", pos, chute_strerror(r));
    r = chute_dumps(v, &data, &len);
    if (r == 0) {
        fwrite(data, 1, len, stdout);
        free(data);
    }
    chute_value_free(v);
    return r < 0 ? complain("%s", chute_strerror(r)) : DONE;
}

static int loads(const void *data, size_t len, bool json)
{
    struct chute_loads_report report = {.size = sizeof report};
    chute_value *v;
    char *shown = NULL;

    int r = chute_loads_with(data, len, NULL, &v, &report);
    if (r < 0)
        return complain("byte %llu: %s%s%s", (unsigned long long)report.pos,
                        chute_strerror(r), *report.name ? ": " : "",
                        report.name);
    r = json ? json_show(v, &shown) : chute_value_repr(v, &shown, NULL);
    if (r == 0)
        puts(shown);
    free(shown);
    chute_value_free(v);
    return r < 0 ? complain("%s", chute_strerror(r)) : DONE;
}

static int run(const struct call *call)
{
    bool json = call->given[JSON_OUT] != NULL;
    bool is_dumps = strcmp(call->words[0], "dumps") == 0;
    const char *word = call->n_words > 1 ? call->words[1] : NULL;
    size_t len;

    if (!is_dumps && strcmp(call->words[0], "loads") != 0)
        return misused("'%s' is neither dumps nor loads", call->words[0]);
    if (is_dumps && word)
        return dumps(word, strlen(word), json);
    FILE *from = word && strcmp(word, "-") != 0 ? fopen(word, "re") : stdin;
    if (!from)
        return complain("%s: %s", word, strerror(errno));
    char *data = slurp(from, word ? word : "stdin", &len);
    if (!data)
        return FAILED;
    int status = is_dumps ? dumps(data, len, json) : loads(data, len, json);
    free(data);
    return status;
}

const struct verb verb_pickle = {
    .name = "pickle",
    .words = "dumps|loads [VALUE|FILE]",
    .min_words = 1,
    .max_words = 2,
    .summary = "write and read pickles",
    .text = text,
    .options = options,
    .run = run,
};
