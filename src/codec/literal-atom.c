/* literal-atom.c - the numbers and strings of Python literals.
 *
 * Each is gathered in a buffer first: of a number the digits without their
 * underscores, of a string what the escapes stand for. Neither can be longer
 * than its text. No number is followed by a letter or another number, but that is
 * not for us to see: nothing in a literal begins where a number just ended.
 *
 * A float goes to strtod as an int with an exponent, 12.5 as 125e-1, for strtod
 * knows only the locale's own decimal point. It rounds correctly, as Python
 * does.
 *
 * A backslash and what follows it never end a string, in a raw one neither. An
 * escape that there is not stands for itself, backslash and all.
 *
 * Proven by tests/unit/test-literal.c, and against CPython by
 * tests/conformance/literal.py.
 */
#include <stdio.h>
#include <string.h>

#include "base/fail.h"
#include "chute/error.h"
#include "codec/literal.h"
#include "codec/number.h"
#include "codec/utf8.h"

/* -- numbers --------------------------------------------------------------- */

static bool is_digit(int c, int base)
{
    int digit = number_digit(c);

    return digit >= 0 && digit < base;
}

/* Add digits to the buffer, without the single underscores between them. */
static int take_digits(struct literal *l, int base)
{
    int result = 0;

    while (result == 0 && is_digit(literal_peek(l, 0), base)) {
        const unsigned char *from = l->r.at;
        while (is_digit(literal_peek(l, 0), base))
            l->r.at++;
        result = buf_add(&l->text, from, (size_t)(l->r.at - from));
        if (literal_peek(l, 0) == '_' && is_digit(literal_peek(l, 1), base))
            l->r.at++;
    }
    return result;
}

static bool is_imaginary(const struct literal *l)
{
    return literal_peek(l, 0) == 'j' || literal_peek(l, 0) == 'J';
}

/* Behind 0x, 0o or 0b. */
static int read_digits_of_bits(struct literal *l, unsigned n_bits)
{
    l->r.at += 2;
    if (literal_peek(l, 0) == '_')
        l->r.at++;
    int result = take_digits(l, 1 << n_bits);
    if (result < 0)
        return result;
    size_t n = l->text.len, len = NUMBER_DIGITS_LEN(n, n_bits);
    if (n == 0)
        return fail(CHUTE_ESYNTAX);
    result = buf_reserve(&l->text, len);
    if (result < 0)
        return result;
    unsigned char *le = l->text.data + n;
    number_from_digits((char *)l->text.data, n, n_bits, false, le);
    return reader_push(&l->r, value_int_of(&l->r.pool, le, len));
}

/* An int of the decimal digits in the buffer. Only 0 may begin with a 0. */
static int push_decimal(struct literal *l)
{
    unsigned char le[NUMBER_MAX_BYTES];
    const char *digits = (char *)l->text.data;
    size_t n = l->text.len, n_zeros = 0;

    while (n_zeros < n && digits[n_zeros] == '0')
        n_zeros++;
    if (n_zeros == n)
        return reader_push(&l->r, chute_int(0));
    if (n_zeros > 0)
        return fail(CHUTE_ESYNTAX);
    if (n > NUMBER_MAX_DIGITS)
        return fail(CHUTE_ELIMIT);
    size_t len = number_from_decimal(digits, n, false, le);
    return reader_push(&l->r, value_int_of(&l->r.pool, le, len));
}

/* The exponent behind an e, if there is one: false if not, and the e is none. */
static bool take_exponent(struct literal *l, int64_t *ret)
{
    /* More than any text has digits, and less than would overflow. */
    const int64_t most = INT64_C(1) << 56;
    int sign = literal_peek(l, 1);
    bool negative = sign == '-';
    size_t n_before = sign == '-' || sign == '+' ? 2 : 1;

    if ((literal_peek(l, 0) | 0x20) != 'e' ||
        !is_digit(literal_peek(l, n_before), 10))
        return false;
    l->r.at += n_before;
    int64_t exponent = 0;
    while (is_digit(literal_peek(l, 0), 10)) {
        exponent = exponent * 10 + (literal_peek(l, 0) - '0');
        if (exponent > most)
            exponent = most;
        l->r.at++;
        if (literal_peek(l, 0) == '_' && is_digit(literal_peek(l, 1), 10))
            l->r.at++;
    }
    *ret = negative ? -exponent : exponent;
    return true;
}

static int push_float(struct literal *l, int64_t exponent)
{
    char text[32];
    int len = snprintf(text, sizeof text, "e%lld", (long long)exponent);
    int result = buf_add(&l->text, text, (size_t)len + 1);

    if (result < 0)
        return result;
    double d = strtod((char *)l->text.data, NULL);
    return reader_push(&l->r, value_float_new(&l->r.pool, d));
}

bool literal_is_number(const struct literal *l)
{
    return is_digit(literal_peek(l, literal_peek(l, 0) == '.'), 10);
}

int literal_number(struct literal *l)
{
    int64_t exponent = 0, n_fraction = 0;

    buf_clear(&l->text);
    if (literal_peek(l, 0) == '0') {
        switch (literal_peek(l, 1) | 0x20) {
        case 'x':
            return read_digits_of_bits(l, 4);
        case 'o':
            return read_digits_of_bits(l, 3);
        case 'b':
            return read_digits_of_bits(l, 1);
        }
    }
    int result = take_digits(l, 10);
    bool has_point = literal_peek(l, 0) == '.';
    if (result == 0 && has_point) {
        size_t n_before = l->text.len;
        l->r.at++;
        result = take_digits(l, 10);
        n_fraction = (int64_t)(l->text.len - n_before);
    }
    if (result < 0)
        return result;
    bool has_exponent = take_exponent(l, &exponent);
    if (is_imaginary(l))
        return fail(CHUTE_ENOTPLAIN);
    return has_point || has_exponent ? push_float(l, exponent - n_fraction)
                                     : push_decimal(l);
}

/* -- strings --------------------------------------------------------------- */

struct string {
    const unsigned char *begin;
    bool raw, bytes;
    size_t prefix_len; /* and a quote behind it */
    /* once it is open: */
    unsigned char quote;
    size_t n_quotes; /* 1 or 3 */
};

/* r, b, u, rb, br in either case, or nothing. */
static bool find_string(const struct literal *l, struct string *s)
{
    bool is_u = false;

    *s = (struct string){.begin = l->r.at};
    for (;; s->prefix_len++) {
        int c = literal_peek(l, s->prefix_len);
        if (c == '\'' || c == '"')
            return true;
        c |= 0x20;
        if (c == 'r' && !s->raw && !is_u)
            s->raw = true;
        else if (c == 'b' && !s->bytes && !is_u)
            s->bytes = true;
        else if (c == 'u' && s->prefix_len == 0)
            is_u = true;
        else
            return false;
    }
}

static void open_string(struct literal *l, struct string *s)
{
    l->r.at += s->prefix_len;
    s->quote = *l->r.at;
    bool three =
        literal_peek(l, 1) == s->quote && literal_peek(l, 2) == s->quote;
    s->n_quotes = three ? 3 : 1;
    l->r.at += s->n_quotes;
}

static int add_byte(struct literal *l, unsigned c)
{
    unsigned char byte = (unsigned char)c;

    return buf_add(&l->text, &byte, 1);
}

/* A character that an escape stands for, in bytes a byte. */
static int add_char(struct literal *l, const struct string *s, uint32_t c)
{
    unsigned char text[4];

    if (s->bytes)
        return add_byte(l, c & 0xff);
    return buf_add(&l->text, text, utf8_write(text, c));
}

/* A newline of any kind is one, whatever it looks like. */
static bool take_newline(struct literal *l)
{
    int c = literal_peek(l, 0);

    if (c != '\n' && c != '\r')
        return false;
    l->r.at += c == '\r' && literal_peek(l, 1) == '\n' ? 2 : 1;
    return true;
}

/* \x, \u, \U: a character in n hex digits, no more and no fewer. */
static int read_hex(struct literal *l, const struct string *s, size_t n)
{
    uint32_t c = 0;

    for (l->r.at++; n > 0; n--, l->r.at++) {
        if (!is_digit(literal_peek(l, 0), 16))
            return fail(CHUTE_ESYNTAX);
        c = c << 4 | (uint32_t)number_digit(*l->r.at);
    }
    return c > 0x10ffff ? fail(CHUTE_ESYNTAX) : add_char(l, s, c);
}

/* One to three digits. */
static int read_octal(struct literal *l, const struct string *s)
{
    uint32_t c = 0;

    for (int n = 0; n < 3 && is_digit(literal_peek(l, 0), 8); n++)
        c = c << 3 | (uint32_t)number_digit(*l->r.at++);
    return add_char(l, s, c);
}

/* Behind the backslash, in a string that is not raw. */
static int read_escape(struct literal *l, const struct string *s)
{
    static const char letters[] = "\\'\"abfnrtv",
                      means[] = "\\'\"\a\b\f\n\r\t\v";
    int c = literal_peek(l, 0);

    if (take_newline(l))
        return 0;
    const char *letter = c > 0 ? strchr(letters, c) : NULL;
    if (letter) {
        l->r.at++;
        return add_byte(l, (unsigned char)means[letter - letters]);
    }
    if (is_digit(c, 8))
        return read_octal(l, s);
    if (c == 'x')
        return read_hex(l, s, 2);
    if (!s->bytes && (c == 'u' || c == 'U'))
        return read_hex(l, s, c == 'u' ? 4 : 8);
    if (!s->bytes && c == 'N')
        return fail(CHUTE_ENOTPLAIN);
    return add_byte(l, '\\');
}

/* Behind the backslash of a raw one. */
static int read_raw_escape(struct literal *l)
{
    int result = add_byte(l, '\\'), c = literal_peek(l, 0);

    if (result < 0)
        return result;
    if (take_newline(l))
        return add_byte(l, '\n');
    if (c != '\\' && c != '\'' && c != '"')
        return 0;
    l->r.at++;
    return add_byte(l, (unsigned)c);
}

/* What stands for itself, up to the first that may not. */
static int read_plain(struct literal *l, const struct string *s)
{
    const unsigned char *from = l->r.at, *p = from;

    while (p < l->r.end && *p != s->quote && *p != '\\' && *p != '\n' &&
           *p != '\r' && !(s->bytes && *p >= 0x80))
        p++;
    l->r.at = p;
    return buf_add(&l->text, from, (size_t)(p - from));
}

static bool take_quotes(struct literal *l, const struct string *s)
{
    for (size_t i = 0; i < s->n_quotes; i++)
        if (literal_peek(l, i) != s->quote)
            return false;
    l->r.at += s->n_quotes;
    return true;
}

/* One that does not end is refused where it begins. */
static int unterminated(struct literal *l, const struct string *s)
{
    l->r.at = s->begin;
    return fail(CHUTE_ESYNTAX);
}

/* From behind the opening quotes to behind the closing ones. */
static int read_string(struct literal *l, const struct string *s)
{
    for (;;) {
        int result = read_plain(l, s), c = literal_peek(l, 0);
        if (result < 0)
            return result;
        if (take_quotes(l, s))
            return 0;
        if (c < 0 ||
            (c != s->quote && c != '\\' && s->n_quotes == 1 && c < 0x80))
            return unterminated(l, s);
        if (c >= 0x80)
            return fail(CHUTE_ESYNTAX); /* in bytes */
        if (c == '\\') {
            l->r.at++;
            result = s->raw ? read_raw_escape(l) : read_escape(l, s);
        } else if (take_newline(l)) {
            result = add_byte(l, '\n');
        } else {
            l->r.at++; /* a quote, where it takes three */
            result = add_byte(l, s->quote);
        }
        if (result < 0)
            return result;
    }
}

bool literal_is_string(const struct literal *l)
{
    struct string s;

    return find_string(l, &s);
}

int literal_string(struct literal *l)
{
    struct string s;
    void *to;
    int result = 0;

    buf_clear(&l->text);
    find_string(l, &s);
    bool bytes = s.bytes;
    do {
        if (s.bytes != bytes)
            return fail(CHUTE_ESYNTAX);
        open_string(l, &s);
        result = read_string(l, &s);
        if (result == 0)
            result = literal_skip(l);
    } while (result == 0 && find_string(l, &s));
    if (result < 0)
        return result;

    chute_value *v = value_blob_new(&l->r.pool, bytes ? CHUTE_BYTES : CHUTE_STR,
                                    l->text.len, &to);
    if (v && l->text.len > 0)
        memcpy(to, l->text.data, l->text.len);
    return reader_push(&l->r, v);
}
