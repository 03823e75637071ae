/* message.c - messages as text, one a line.
 *
 *     LITERAL  as Python's source has it: [42, None, 'hello']
 *     TEXT     a str as it is
 *     BYTES    the message itself, not pickled
 *     JSON     see json.c
 *
 * A message is written whole or not at all: it is made up in memory first. What
 * was taken and cannot be written as asked is written all the same, as a bytes
 * literal, with a note: it exists nowhere else any more.
 *
 * Proof: tests/tool/verbs.py.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

int message_style(const struct call *call, struct style *ret_style)
{
    const char *const *given = call->given;
    int n = !!given[STYLE_BYTES] + !!given[STYLE_JSON] + !!given[STYLE_TEXT];

    if (n > 1)
        return misused("--bytes, --json and --text exclude each other");
    if (given[STYLE_NULL] && given[STYLE_WHOLE])
        return misused("--null and --whole exclude each other");
    *ret_style = (struct style){.format = given[STYLE_BYTES]  ? BYTES
                                          : given[STYLE_JSON] ? JSON
                                          : given[STYLE_TEXT] ? TEXT
                                                              : LITERAL,
                                .end = given[STYLE_NULL]    ? '\0'
                                       : given[STYLE_WHOLE] ? -1
                                                            : '\n',
                                .whole = given[STYLE_WHOLE] != NULL};
    return DONE;
}

/* -- in ----------------------------------------------------------------------- */

int message_literal(const char *text, size_t len, chute_value **ret_value,
                    size_t *ret_pos)
{
    return chute_literal_eval(text, len, ret_value, ret_pos);
}

/* As much of the text as a complaint can hold. */
static int shown_len(const char *text, size_t len)
{
    const char *end = memchr(text, '\n', len);

    if (end)
        len = (size_t)(end - text);
    return len > 60 ? 60 : (int)len;
}

static int no_literal(const char *text, size_t len, size_t pos, int r,
                      const char *where)
{
    if (r == CHUTE_ENOMEM || r == CHUTE_ELIMIT)
        complain("%s: %s", where, chute_strerror(r));
    else
        complain("%s, column %zu: not a Python literal: %.*s\n"
                 "  (a str is written with quotes, 'hello'; --text takes it "
                 "without)",
                 where, pos + 1, shown_len(text, len), text);
    return DONE + 1;
}

int message_put(chute_queue *queue, const struct style *style, const char *text,
                size_t len, const char *where, int64_t timeout_ns)
{
    chute_value *v = NULL;
    size_t pos = 0;
    char why[200];
    int r;

    switch (style->format) {
    case BYTES:
        return chute_queue_put_bytes(queue, text, len, timeout_ns);
    case LITERAL:
        r = message_literal(text, len, &v, &pos);
        if (r < 0)
            return no_literal(text, len, pos, r, where);
        break;
    case JSON:
        r = json_read(text, len, &v, why, sizeof why);
        if (r < 0) {
            complain("%s: not JSON: %s", where, why);
            return DONE + 1;
        }
        break;
    case TEXT:
        v = chute_str_of(text, len);
        if (!v) {
            complain("%s: not UTF-8; --bytes takes anything", where);
            return DONE + 1;
        }
        break;
    }
    return chute_queue_put(queue, v, timeout_ns);
}

/* -- out ------------------------------------------------------------------------ */

static void write_out(const struct style *style, const void *data, size_t len)
{
    fwrite(data, 1, len, stdout);
    if (style->end >= 0)
        putchar(style->end);
}

/* As the bytes literal that stands for a message that is no value, or for one
 * that cannot be printed. */
static int write_raw(const struct style *style, const void *data, size_t len)
{
    char *text = NULL;
    size_t text_len;
    chute_value *v = chute_bytes(data, len);

    int r = v ? 0 : CHUTE_ENOMEM;
    if (r == 0 && style->format == JSON) {
        r = json_show(v, &text);
        text_len = text ? strlen(text) : 0;
    } else if (r == 0) {
        r = chute_value_repr(v, &text, &text_len);
    }
    if (r == 0)
        write_out(style, text, text_len);
    free(text);
    chute_value_free(v);
    return r;
}

static int write_value(const struct style *style, const chute_value *v)
{
    char *text = NULL;
    size_t len = 0;
    void *data;
    int r;

    if (style->format == TEXT && chute_value_type(v) == CHUTE_STR) {
        write_out(style, chute_value_str(v), chute_value_len(v));
        return 0;
    }
    if (style->format == JSON) {
        r = json_show(v, &text);
        len = text ? strlen(text) : 0;
    } else {
        r = chute_value_repr(v, &text, &len);
    }
    if (r == 0)
        write_out(style, text, len);
    free(text);
    if (r != CHUTE_ELIMIT)
        return r;
    note("a value is too large to be printed: here is its pickle");
    r = chute_dumps(v, &data, &len);
    if (r == 0) {
        r = write_raw(style, data, len);
        free(data);
    }
    return r;
}

static void say_undecoded(int r, const void *data, size_t len)
{
    struct chute_loads_report report = {.size = sizeof report};
    chute_value *v = NULL;

    if (r == CHUTE_ENOTPLAIN &&
        chute_loads_with(data, len, NULL, &v, &report) < 0 && report.name[0])
        note("a message needs the class %s: here is its pickle", report.name);
    else if (r == CHUTE_EPICKLE)
        note("a message is bytes, not a value; --bytes shows it as it is");
    else
        note("a message: %s; here it is as bytes", chute_strerror(r));
    chute_value_free(v);
}

static int get_value(chute_queue *queue, const struct style *style, bool peek,
                     int64_t timeout_ns)
{
    chute_value *v;
    size_t len;

    int r = peek ? chute_queue_peek(queue, &v, timeout_ns)
                 : chute_queue_get(queue, &v, timeout_ns);
    if (r == 0) {
        r = write_value(style, v);
    } else if (v) {
        const void *data = chute_value_bytes(v, &len);
        say_undecoded(r, data, len);
        r = write_raw(style, data, len);
    }
    chute_value_free(v);
    return r;
}

static int get_bytes(chute_queue *queue, const struct style *style, bool peek,
                     int64_t timeout_ns)
{
    static char *buf;
    static size_t cap;
    size_t len;

    for (;;) {
        int r = peek ? chute_queue_peek_bytes(queue, buf, cap, &len, timeout_ns)
                     : chute_queue_get_bytes(queue, buf, cap, &len, timeout_ns);
        if (r == 0)
            write_out(style, buf, len);
        if (r != CHUTE_EMSGSIZE)
            return r;
        /* It waits at the head, so the time that is over is no matter. */
        char *more = realloc(buf, len);
        if (!more)
            return CHUTE_ENOMEM;
        buf = more;
        cap = len;
    }
}

int message_get(chute_queue *queue, const struct style *style, bool peek,
                int64_t timeout_ns)
{
    return style->format == BYTES ? get_bytes(queue, style, peek, timeout_ns)
                                  : get_value(queue, style, peek, timeout_ns);
}
