/* number.c - ints of any size, and numbers as text.
 *
 * An int of up to 64 bits lives as int64_t. A larger one is a string of bytes
 * that chute carries, compares and prints, but never computes with, so two
 * operations are all that is needed on them:
 *
 * To a double. The 64 highest bits of the magnitude, and whether any bit is set
 * beneath them, decide the nearest double. The double is put together from its
 * bits; this needs no floating-point arithmetic and so no rounding mode.
 *
 * To decimal. Division by 10^9, again and again, which is quadratic; Python has
 * the same algorithm and therefore refuses more than 4300 digits, and so do we.
 * The limit also means that all of it fits on the stack.
 *
 * The magnitude of a negative number in two's complement, ~x + 1, is had one
 * byte at a time without a copy: zero as long as the bytes are zero, the
 * negative of the first that is not, the complement of all that follow.
 *
 * Floats. Python writes the shortest decimal that reads back as the same
 * double. A normal double whose shortest form has at most 15 digits shows it,
 * padded with zeros, when 15 digits are asked for (DBL_DIG); so one tries 15,
 * 16, 17, and drops the zeros. Below DBL_MIN this does not hold, and one tries
 * from 1. printf and strtod use the locale's decimal point, so only the digits
 * and the exponent are taken from what printf wrote.
 *
 * At a power of two the doubles below lie twice as dense as those above, and
 * the p digits nearest to d may read back as its lower neighbour although the
 * next p digits up would read as d. Hence the second try in shortest().
 *
 * Proven by tests/unit/test-print.c, and against CPython, all powers of two
 * among the rest, by tests/conformance/pickle.py.
 */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/number.h"

/* -- bytes ----------------------------------------------------------------- */

size_t number_trim(const unsigned char *le, size_t len)
{
    while (len > 1) {
        unsigned char sign = le[len - 2] & 0x80 ? 0xff : 0;
        if (le[len - 1] != sign)
            break;
        len--;
    }
    return len;
}

int64_t number_int64(const unsigned char *le, size_t len)
{
    uint64_t u = le[len - 1] & 0x80 ? UINT64_MAX : 0;

    while (len-- > 0)
        u = u << 8 | le[len];
    return (int64_t)u;
}

size_t number_bytes(int64_t i, unsigned char le[8])
{
    uint64_t u = (uint64_t)i;

    for (int j = 0; j < 8; j++)
        le[j] = (unsigned char)(u >> 8 * j);
    return number_trim(le, 8);
}

/* -- magnitude ------------------------------------------------------------- */

struct magnitude {
    const unsigned char *le;
    size_t len;
    size_t n_zeros; /* bytes at the low end that are zero */
    bool negative;
};

static struct magnitude magnitude(const unsigned char *le, size_t len)
{
    struct magnitude m = {le, len, 0, le[len - 1] & 0x80};

    while (m.n_zeros < len && le[m.n_zeros] == 0)
        m.n_zeros++;
    return m;
}

/* Byte j of the magnitude; beyond the end, and before the beginning, zero. */
static unsigned char magnitude_byte(const struct magnitude *m, size_t j)
{
    if (j >= m->len)
        return 0;
    if (!m->negative)
        return m->le[j];
    if (j < m->n_zeros)
        return 0;
    return (unsigned char)(j == m->n_zeros ? -m->le[j] : ~m->le[j]);
}

/* -- to a double ----------------------------------------------------------- */

bool number_double(const unsigned char *le, size_t len, double *ret_d,
                   bool *ret_exact)
{
    struct magnitude m = magnitude(le, len);
    size_t n = len; /* bytes of the magnitude */

    while (magnitude_byte(&m, n - 1) == 0)
        n--; /* it ends: some byte is not zero */
    if (n > 128 + 1)
        return false;
    assert(n >= 8);

    /* The nine highest bytes hold the 64 highest bits. */
    uint64_t high = 0;
    for (size_t k = 0; k < 8; k++)
        high = high << 8 | magnitude_byte(&m, n - 1 - k);
    unsigned char ninth = n > 8 ? magnitude_byte(&m, n - 9) : 0;
    int n_bits = (int)n * 8; /* of the magnitude */
    while (!(high >> 63)) {
        high = high << 1 | ninth >> 7;
        ninth = (unsigned char)(ninth << 1);
        n_bits--;
    }
    bool rest = ninth != 0 || m.n_zeros + 9 < n;

    uint64_t kept = high >> 11, dropped = high & 0x7ff;
    bool exact = dropped == 0 && !rest;
    if (dropped > 0x400 || (dropped == 0x400 && (rest || (kept & 1))))
        kept++;
    if (kept >> 53) {
        kept >>= 1;
        n_bits++;
    }
    if (n_bits > 1024)
        return false;

    uint64_t bits = (uint64_t)m.negative << 63 |
                    (uint64_t)(n_bits + 1022) << 52 |
                    (kept & ((UINT64_C(1) << 52) - 1));
    memcpy(ret_d, &bits, sizeof bits);
    *ret_exact = exact;
    return true;
}

bool number_same(double d, int64_t i)
{
    /* 2^63 as a double; the comparison is false for nan. */
    return d >= -0x1p63 && d < 0x1p63 && (int64_t)d == i &&
           (double)(int64_t)d == d;
}

/* -- to decimal ------------------------------------------------------------ */

/* 10^4300 has 14285 bits. */
enum { MAX_LIMBS = (14285 + 31) / 32, MAX_BYTES = MAX_LIMBS * 4 };

/* limbs /= 10^9; what is left over. */
static uint32_t divide(uint32_t *limbs, size_t n)
{
    uint64_t left = 0;

    while (n-- > 0) {
        left = left << 32 | limbs[n];
        limbs[n] = (uint32_t)(left / 1000000000);
        left %= 1000000000;
    }
    return (uint32_t)left;
}

size_t number_decimal(const unsigned char *le, size_t len,
                      char text[NUMBER_MAX_TEXT])
{
    struct magnitude m = magnitude(le, len);
    uint32_t limbs[MAX_LIMBS] = {0};

    if (len > MAX_BYTES + 1 || magnitude_byte(&m, MAX_BYTES) != 0)
        return 0;
    for (size_t j = 0; j < len && j < MAX_BYTES; j++)
        limbs[j / 4] |= (uint32_t)magnitude_byte(&m, j) << j % 4 * 8;

    /* From the end, nine digits at a time. */
    char digits[MAX_LIMBS * 10], *end = digits + sizeof digits, *p = end;
    size_t n = (len + 3) / 4;
    if (n > MAX_LIMBS)
        n = MAX_LIMBS;
    do {
        while (n > 0 && limbs[n - 1] == 0)
            n--;
        uint32_t nine = divide(limbs, n);
        for (int k = 0; k < 9; k++, nine /= 10)
            *--p = (char)('0' + nine % 10);
    } while (n > 0);
    while (p < end - 1 && *p == '0')
        p++;

    size_t n_digits = (size_t)(end - p), n_sign = m.negative ? 1 : 0;
    if (n_digits > NUMBER_MAX_DIGITS)
        return 0;
    text[0] = '-';
    memcpy(text + n_sign, p, n_digits);
    return n_sign + n_digits;
}

size_t number_hex(const unsigned char *le, size_t len, char *text)
{
    struct magnitude m = magnitude(le, len);
    size_t n = 2 * len;

    while (n > 1 && !(magnitude_byte(&m, (n - 1) / 2) >> 4 * ((n - 1) % 2)))
        n--; /* of the highest byte that is not 0, a 0 in its upper half too */
    if (text && m.negative)
        *text++ = '-';
    for (size_t i = n; text && i-- > 0;)
        *text++ =
            "0123456789abcdef"[magnitude_byte(&m, i / 2) >> 4 * (i % 2) & 15];
    return n + m.negative;
}

/* -- from text ------------------------------------------------------------- */

void number_negate(unsigned char *le, size_t len)
{
    bool carry = true;

    for (size_t i = 0; i < len; i++) {
        le[i] = (unsigned char)(~le[i] + carry);
        carry = carry && le[i] == 0;
    }
}

size_t number_from_decimal(const char *digits, size_t n, bool negative,
                           unsigned char le[NUMBER_MAX_BYTES])
{
    uint32_t words[NUMBER_MAX_BYTES / 4] = {0};
    size_t n_words = 0;

    for (size_t i = 0; i < n;) {
        uint64_t carry = 0;
        uint32_t factor = 1;
        /* Nine digits at a time, and at first what is beyond the nines. */
        do {
            carry = 10 * carry + (uint64_t)(digits[i++] - '0');
            factor *= 10;
        } while ((n - i) % 9 != 0);
        for (size_t j = 0; j < n_words; j++) {
            carry += (uint64_t)words[j] * factor;
            words[j] = (uint32_t)carry;
            carry >>= 32;
        }
        if (carry)
            words[n_words++] = (uint32_t)carry;
    }
    words[n_words++] = 0; /* the sign */
    for (size_t i = 0; i < 4 * n_words; i++)
        le[i] = (unsigned char)(words[i / 4] >> 8 * (i % 4));
    if (negative)
        number_negate(le, 4 * n_words);
    return 4 * n_words;
}

int number_digit(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool number_from_digits(const char *digits, size_t n, unsigned n_bits,
                        bool negative, unsigned char *le)
{
    size_t len = NUMBER_DIGITS_LEN(n, n_bits);

    memset(le, 0, len);
    for (size_t i = 0; i < n; i++) {
        int digit = number_digit(digits[n - 1 - i]);
        if (digit < 0)
            return false;
        assert(digit >> n_bits == 0);
        /* Eight digits are so many bytes; one of them may lie in two. */
        size_t bit = i % 8 * n_bits, at = i / 8 * n_bits + bit / 8;
        unsigned two = (unsigned)digit << bit % 8;
        le[at] = (unsigned char)(le[at] | two);
        le[at + 1] = (unsigned char)(le[at + 1] | two >> 8);
    }
    if (negative)
        number_negate(le, len);
    return true;
}

/* -- float to text --------------------------------------------------------- */

/* A positive finite double as 0.DIGITS * 10^point. */
struct decimal {
    char digits[24];
    int n_digits;
    int point;
};

/* Take printf's "d?ddde+xx" apart, whatever the locale's decimal point. */
static void parse(const char *text, struct decimal *ret)
{
    const char *p = text;

    ret->n_digits = 0;
    for (; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            ret->digits[ret->n_digits++] = *p;
    ret->point = atoi(p + 1) + 1;
    while (ret->n_digits > 1 && ret->digits[ret->n_digits - 1] == '0')
        ret->n_digits--;
}

/* The decimal of the same length that comes next, in printf's own text. */
static bool next_up(char *text)
{
    char *p = strchr(text, 'e');

    while (p > text) {
        p--;
        if (*p >= '0' && *p <= '8') {
            ++*p;
            return true;
        }
        if (*p == '9')
            *p = '0';
    }
    return false;
}

static void shortest(double d, struct decimal *ret)
{
    char text[48];

    for (int p = d < DBL_MIN ? 1 : 15;; p++) {
        snprintf(text, sizeof text, "%.*e", p - 1, d);
        if (strtod(text, NULL) == d || p == 17)
            break;
        if (next_up(text) && strtod(text, NULL) == d)
            break;
    }
    parse(text, ret);
}

/* Exponents are written with two digits at least: 1e-07, 1e+16. */
static char *write_exponent(char *p, int e)
{
    *p++ = 'e';
    *p++ = e < 0 ? '-' : '+';
    e = abs(e);
    if (e >= 100)
        *p++ = (char)('0' + e / 100);
    *p++ = (char)('0' + e / 10 % 10);
    *p++ = (char)('0' + e % 10);
    return p;
}

static char *write_run(char *p, const char *from, int n)
{
    memcpy(p, from, (size_t)n);
    return p + n;
}

/* Python's rule: an exponent for 1e16 and above, and below 1e-4. */
static char *write_decimal(char *p, const struct decimal *d)
{
    static const char zeros[] = "0000000000000000";
    int n = d->n_digits, point = d->point;

    if (point > 16 || point < -3) {
        *p++ = d->digits[0];
        if (n > 1) {
            *p++ = '.';
            p = write_run(p, d->digits + 1, n - 1);
        }
        return write_exponent(p, point - 1);
    }
    if (point <= 0) {
        p = write_run(p, "0.", 2);
        p = write_run(p, zeros, -point);
        return write_run(p, d->digits, n);
    }
    if (point >= n) {
        p = write_run(p, d->digits, n);
        p = write_run(p, zeros, point - n);
        return write_run(p, ".0", 2);
    }
    p = write_run(p, d->digits, point);
    *p++ = '.';
    return write_run(p, d->digits + point, n - point);
}

size_t number_repr(double d, char text[NUMBER_FLOAT_TEXT])
{
    char *p = text;

    if (isnan(d)) {
        p = write_run(p, "nan", 3);
    } else {
        if (signbit(d))
            *p++ = '-';
        d = fabs(d);
        if (isinf(d)) {
            p = write_run(p, "inf", 3);
        } else if (d == 0) {
            p = write_run(p, "0.0", 3);
        } else {
            struct decimal decimal;
            shortest(d, &decimal);
            p = write_decimal(p, &decimal);
        }
    }
    *p = 0;
    return (size_t)(p - text);
}
