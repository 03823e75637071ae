/* literal.c - from the text of a Python literal to a value.
 *
 * What print.c writes is read here again, and all that a Python programmer may
 * write instead. The grammar is small: after a value comes a comma, a colon or
 * a closing bracket, and after these and after an opening bracket comes a value.
 * So there are two states, and a stack of what is open, each with the place where
 * its items begin on the stack of values:
 *
 *     {'k': [1, -2]}        open   TOP 0, DICT 0, LIST 1, MINUS 2
 *              ^            stack  'k' 1 | 2
 *
 * What is open may turn out to be something else: ( is a tuple when the first
 * comma comes, { a set or a dict; and so is the whole text, which is a tuple if
 * it has a comma. A sign is open until its number is complete. It takes a number
 * as it is written, or in parentheses, but no other sign: that is what
 * literal_eval takes.
 *
 * CPython is matched in what is accepted, but for frozenset, bytearray, nan and
 * inf, which repr() writes; for indentation around the literal; for depth, which
 * has no limit here; for "(set)()", which nobody writes; for names in letters
 * that only look like ASCII; and for what plain data has not, complex numbers.
 * The sum of a real and an imaginary number is refused as that.
 *
 * The text may be hostile, and what pickle-read.c says of its input holds: one
 * bracket is eight bytes on a stack, and its box what it is there.
 *
 * Proven by tests/unit/test-literal.c, tests/conformance/literal.py and
 * tests/fuzz/fuzz-literal.c.
 */
#include <math.h>
#include <string.h>

#include "base/fail.h"
#include "chute/error.h"
#include "codec/literal.h"
#include "codec/number.h"
#include "codec/utf8.h"

enum kind {
    TOP,
    TOP_TUPLE,
    PAREN, /* a value in parentheses, or nothing */
    TUPLE,
    LIST,
    BRACE, /* a set, a dict, or nothing */
    SET,
    DICT,
    FROZENSET, /* behind "frozenset(" */
    BYTEARRAY,
    PLUS,
    MINUS,
};

enum { KIND_BITS = 4 };

/* -- what is open ---------------------------------------------------------- */

static int open_kind(struct literal *l, enum kind kind)
{
    uintptr_t mark = l->r.stack.n << KIND_BITS | kind;

    return vec_push(&l->r.marks, (void *)mark);
}

static uintptr_t last_mark(const struct literal *l)
{
    return (uintptr_t)l->r.marks.at[l->r.marks.n - 1];
}

static enum kind last_kind(const struct literal *l)
{
    return last_mark(l) & ((1 << KIND_BITS) - 1);
}

static size_t last_from(const struct literal *l)
{
    return last_mark(l) >> KIND_BITS;
}

static bool is_sign(enum kind kind)
{
    return kind == PLUS || kind == MINUS;
}

static size_t n_items(const struct literal *l)
{
    return l->r.stack.n - last_from(l);
}

static void becomes(struct literal *l, enum kind kind)
{
    uintptr_t mark = last_from(l) << KIND_BITS | kind;

    l->r.marks.at[l->r.marks.n - 1] = (void *)mark;
}

static int open_bracket(struct literal *l, enum kind kind)
{
    l->r.at++;
    l->n_open++;
    return open_kind(l, kind);
}

/* -- space ----------------------------------------------------------------- */

static bool is_newline(int c)
{
    return c == '\n' || c == '\r';
}

/* A line that a backslash continues, and that is not the last. */
static int skip_continuation(struct literal *l)
{
    size_t n = literal_peek(l, 1) == '\r' && literal_peek(l, 2) == '\n' ? 3 : 2;

    if (!is_newline(literal_peek(l, 1)) || literal_peek(l, n) < 0)
        return fail(CHUTE_ESYNTAX);
    l->r.at += n;
    return 0;
}

static int skip(struct literal *l, bool newlines)
{
    for (;;) {
        int c = literal_peek(l, 0), result;
        if (c == ' ' || c == '\t' || c == '\f' || (newlines && is_newline(c))) {
            l->r.at++;
        } else if (c == '#') {
            while (literal_peek(l, 0) >= 0 && !is_newline(literal_peek(l, 0)))
                l->r.at++;
        } else if (c == '\\') {
            result = skip_continuation(l);
            if (result < 0)
                return result;
        } else {
            return 0;
        }
    }
}

int literal_skip(struct literal *l)
{
    return skip(l, l->n_open > 0);
}

/* -- boxes ----------------------------------------------------------------- */

static int push_list(struct literal *l, size_t from, size_t n)
{
    chute_value *list = value_box_new(&l->r.pool, CHUTE_LIST, n);

    if (!list)
        return fail(CHUTE_ENOMEM);
    if (n > 0)
        memcpy(value_items(list), l->r.stack.at + from, n * sizeof(void *));
    list->n = n;
    l->r.stack.n = from;
    return reader_push(&l->r, list);
}

static int push_table(struct literal *l, int type, size_t from, size_t n)
{
    size_t width = type == CHUTE_DICT ? 2 : 1;

    if (n % width != 0)
        return fail(CHUTE_ESYNTAX);
    return reader_make_set(&l->r, type, from, n / width);
}

/* Keys are looked at one by one, where they end. */
static int check_hashable(const struct literal *l)
{
    return reader_top(&l->r, 0)->flags & VALUE_HASHABLE ? 0
                                                        : fail(CHUTE_ESYNTAX);
}

/* What repr() writes around a set, or around bytes, changes its type. Nobody
 * else has seen it yet. */
static int convert(struct literal *l, int from_type, int type)
{
    chute_value *v = reader_top(&l->r, 0);
    bool hashable = type == CHUTE_FROZENSET;

    if (n_items(l) != 1 || v->type != from_type)
        return fail(CHUTE_ESYNTAX);
    v->type = (uint8_t)type;
    v->flags = (uint8_t)((v->flags & ~VALUE_HASHABLE) |
                         (hashable ? VALUE_HASHABLE : 0));
    v->hash = 0;
    return 0;
}

static int push_empty(struct literal *l, int type)
{
    void *to;

    return reader_push(&l->r, type == CHUTE_BYTEARRAY
                                  ? value_blob_new(&l->r.pool, type, 0, &to)
                                  : value_box_new(&l->r.pool, type, 0));
}

/* The last bracket's items become its value. */
static int make(struct literal *l)
{
    size_t from = last_from(l), n = n_items(l);
    int result = 0;

    switch (last_kind(l)) {
    case TOP:
        return 0;
    case PAREN:
        return n == 0 ? reader_make_tuple(&l->r, from, 0) : 0;
    case TOP_TUPLE:
    case TUPLE:
        return reader_make_tuple(&l->r, from, n);
    case LIST:
        return push_list(l, from, n);
    case BRACE:
    case SET:
        if (n > 0 && l->has_value)
            result = check_hashable(l);
        return result < 0
                   ? result
                   : push_table(l, n > 0 ? CHUTE_SET : CHUTE_DICT, from, n);
    case DICT:
        return push_table(l, CHUTE_DICT, from, n);
    case FROZENSET:
        return n == 0 ? push_empty(l, CHUTE_FROZENSET)
                      : convert(l, CHUTE_SET, CHUTE_FROZENSET);
    case BYTEARRAY:
        return n == 0 ? push_empty(l, CHUTE_BYTEARRAY)
                      : convert(l, CHUTE_BYTES, CHUTE_BYTEARRAY);
    default:
        return fail(CHUTE_ESYNTAX); /* a sign without a number */
    }
}

static int closing(enum kind kind)
{
    switch (kind) {
    case LIST:
        return ']';
    case BRACE:
    case SET:
    case DICT:
        return '}';
    case TOP:
    case TOP_TUPLE:
    case PLUS:
    case MINUS:
        return 0;
    default:
        return ')';
    }
}

static int close_bracket(struct literal *l, int c)
{
    bool group = last_kind(l) == PAREN && n_items(l) == 1;
    int result = closing(last_kind(l)) == c ? make(l) : fail(CHUTE_ESYNTAX);

    if (result < 0)
        return result;
    l->is_signed = group && l->is_signed;
    l->has_value = true;
    l->r.marks.n--;
    l->n_open--;
    l->r.at++;
    return 0;
}

/* -- where a value is expected --------------------------------------------- */

static int open_sign(struct literal *l, enum kind kind)
{
    if (is_sign(last_kind(l)))
        return fail(CHUTE_ESYNTAX);
    l->r.at++;
    return open_kind(l, kind);
}

/* Behind the name: "(", and for a set, which can only be empty here, ")". */
static int read_call(struct literal *l, enum kind kind)
{
    int result = literal_skip(l);

    if (result == 0)
        result = literal_peek(l, 0) == '(' ? open_bracket(l, kind)
                                           : fail(CHUTE_ESYNTAX);
    if (result < 0 || kind != SET)
        return result;
    result = literal_skip(l);
    if (result < 0)
        return result;
    if (literal_peek(l, 0) != ')')
        return fail(CHUTE_ESYNTAX);
    l->r.marks.n--;
    l->n_open--;
    l->r.at++;
    l->has_value = true;
    return push_empty(l, CHUTE_SET);
}

static int push_word(struct literal *l, chute_value *v)
{
    l->has_value = true;
    return reader_push(&l->r, v);
}

static bool is_word(const unsigned char *at, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(at, word, len) == 0;
}

static int read_word(struct literal *l)
{
    const unsigned char *at = l->r.at;
    size_t len = 0;

    while ((literal_peek(l, len) | 0x20) >= 'a' &&
           (literal_peek(l, len) | 0x20) <= 'z')
        len++;
    l->r.at += len;
    if (is_word(at, len, "None"))
        return push_word(l, chute_none());
    if (is_word(at, len, "True") || is_word(at, len, "False"))
        return push_word(l, chute_bool(*at == 'T'));
    if (is_word(at, len, "nan"))
        return push_word(l, value_float_new(&l->r.pool, NAN));
    if (is_word(at, len, "inf"))
        return push_word(l, value_float_new(&l->r.pool, INFINITY));
    if (is_word(at, len, "set"))
        return read_call(l, SET);
    if (is_word(at, len, "frozenset"))
        return read_call(l, FROZENSET);
    if (is_word(at, len, "bytearray"))
        return read_call(l, BYTEARRAY);
    l->r.at = at;
    return fail(CHUTE_ESYNTAX);
}

static int expect_value(struct literal *l)
{
    int c = literal_peek(l, 0);

    l->is_signed = false;
    switch (c) {
    case '(':
        return open_bracket(l, PAREN);
    case '[':
        return open_bracket(l, LIST);
    case '{':
        return open_bracket(l, BRACE);
    case ')':
    case ']':
    case '}':
        return close_bracket(l, c); /* empty, or behind a comma */
    case '+':
        return open_sign(l, PLUS);
    case '-':
        return open_sign(l, MINUS);
    }
    if (literal_is_number(l) || literal_is_string(l)) {
        l->has_value = true;
        return literal_is_number(l) ? literal_number(l) : literal_string(l);
    }
    return read_word(l);
}

/* -- behind a value -------------------------------------------------------- */

static chute_value *negative(struct literal *l, const chute_value *v)
{
    if (v->type == CHUTE_FLOAT)
        return value_float_new(&l->r.pool, -v->d);
    if (!(v->flags & VALUE_BIG))
        return value_int_new(&l->r.pool, -v->i); /* v->i is not negative */

    /* One byte more, for the sign of its own. */
    buf_clear(&l->text);
    if (buf_add(&l->text, value_data(v), v->n) < 0 ||
        buf_add(&l->text, "", 1) < 0)
        return NULL;
    number_negate(l->text.data, l->text.len);
    return value_int_of(&l->r.pool, l->text.data, l->text.len);
}

/* The value on top is what a sign was waiting for. */
static int apply_sign(struct literal *l)
{
    chute_value *v = reader_top(&l->r, 0);

    if ((v->type != CHUTE_INT && v->type != CHUTE_FLOAT) || l->is_signed)
        return fail(CHUTE_ESYNTAX);
    if (last_kind(l) == MINUS) {
        chute_value *minus = negative(l, v);
        if (!minus)
            return fail(CHUTE_ENOMEM);
        l->r.stack.at[l->r.stack.n - 1] = minus;
    }
    l->r.marks.n--;
    l->is_signed = true;
    return 0;
}

static int read_comma(struct literal *l)
{
    int result = 0;

    switch (last_kind(l)) {
    case TOP:
        becomes(l, TOP_TUPLE);
        break;
    case PAREN:
        becomes(l, TUPLE);
        break;
    case BRACE:
        becomes(l, SET);
        result = check_hashable(l);
        break;
    case SET:
        result = check_hashable(l);
        break;
    case DICT:
        result = n_items(l) % 2 == 0 ? 0 : fail(CHUTE_ESYNTAX);
        break;
    case FROZENSET:
    case BYTEARRAY:
        result = n_items(l) == 1 ? 0 : fail(CHUTE_ESYNTAX);
        break;
    default:
        break;
    }
    return result;
}

static int read_colon(struct literal *l)
{
    if (last_kind(l) == BRACE)
        becomes(l, DICT);
    if (last_kind(l) != DICT || n_items(l) % 2 == 0)
        return fail(CHUTE_ESYNTAX);
    return check_hashable(l);
}

/* No arithmetic; but 1+2j is said to be complex, and not wrong. */
static int read_operator(struct literal *l)
{
    const unsigned char *at = l->r.at++;
    int result = literal_skip(l);

    if (result == 0 && literal_is_number(l))
        result = literal_number(l);
    l->r.at = at;
    return result < 0 ? result : fail(CHUTE_ESYNTAX);
}

static int expect_more(struct literal *l)
{
    int c = literal_peek(l, 0), result;

    switch (c) {
    case ',':
    case ':':
        result = c == ',' ? read_comma(l) : read_colon(l);
        if (result < 0)
            return result;
        l->has_value = false;
        l->r.at++;
        return 0;
    case ')':
    case ']':
    case '}':
        return close_bracket(l, c);
    case '+':
    case '-':
        return read_operator(l);
    default:
        return fail(CHUTE_ESYNTAX);
    }
}

/* -- the whole text -------------------------------------------------------- */

/* UTF-8, without NUL and surrogates, as Python wants its source. */
static int check_text(struct literal *l)
{
    const unsigned char *begin = l->r.at, *p;
    size_t n = (size_t)(l->r.end - begin), span = utf8_span(begin, n);

    p = memchr(begin, 0, span);
    if (p)
        span = (size_t)(p - begin);
    for (p = begin; (p = memchr(p, 0xed, span - (size_t)(p - begin))); p++)
        if (p[1] >= 0xa0) {
            span = (size_t)(p - begin);
            break;
        }
    if (span == n)
        return 0;
    l->r.at += span;
    return fail(CHUTE_ESYNTAX);
}

/* The value is complete, if the text is: of a tuple without parentheses behind a
 * comma, too. */
static int finish(struct literal *l)
{
    const unsigned char *at = l->r.at;
    int result = skip(l, true);

    if (result == 0 && literal_peek(l, 0) >= 0)
        return fail(CHUTE_ESYNTAX); /* another line */
    if (result == 0 && closing(last_kind(l)) == 0 &&
        (l->has_value || last_kind(l) == TOP_TUPLE))
        return make(l);
    if (result == 0)
        l->r.at = at;
    return result < 0 ? result : fail(CHUTE_ESYNTAX);
}

static int read_all(struct literal *l)
{
    int result = check_text(l);

    if (result == 0)
        result = skip(l, true);
    if (result == 0)
        result = open_kind(l, TOP);
    while (result == 0) {
        if (l->has_value && is_sign(last_kind(l)))
            result = apply_sign(l);
        if (result == 0)
            result = literal_skip(l);
        int c = literal_peek(l, 0);
        if (result == 0 && (c < 0 || is_newline(c)))
            return finish(l);
        if (result == 0)
            result = l->has_value ? expect_more(l) : expect_value(l);
    }
    return result;
}

int chute_literal_eval(const char *text, size_t text_len,
                       chute_value **ret_value, size_t *ret_pos)
{
    struct literal l = {0};

    if (!ret_value || (!text && text_len > 0))
        return fail(CHUTE_EINVAL);
    reader_begin(&l.r, text ? text : "", text_len);
    int result = read_all(&l);
    chute_value *v = result == 0 ? l.r.stack.at[0] : NULL;
    if (v)
        *ret_value = v;
    else if (ret_pos)
        *ret_pos = (size_t)(l.r.at - l.r.data);
    reader_end(&l.r, v);
    buf_done(&l.text);
    return result;
}
