/* utf8.c - see utf8.h.
 *
 * Most text is ASCII, so eight bytes are looked at together as long as none of
 * them has its high bit set. Otherwise the first byte says how many follow, and
 * the second, whose range it narrows, keeps overlong forms and numbers above
 * U+10FFFF out. Proven against Python by tests/conformance/pickle.py.
 */
#include <string.h>

#include "codec/utf8.h"

static bool continues(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* The length of the character at p, which is not ASCII; 0 if it is none. */
static size_t char_len(const unsigned char *p, size_t left)
{
    unsigned char c = p[0];

    if (c < 0xc2 || c > 0xf4)
        return 0;
    if (c < 0xe0)
        return left >= 2 && continues(p[1]) ? 2 : 0;
    if (c < 0xf0) {
        if (left < 3 || !continues(p[1]) || !continues(p[2]))
            return 0;
        return c == 0xe0 && p[1] < 0xa0 ? 0 : 3;
    }
    if (left < 4 || !continues(p[1]) || !continues(p[2]) || !continues(p[3]))
        return 0;
    if ((c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f))
        return 0;
    return 4;
}

size_t utf8_span(const void *text, size_t len)
{
    const unsigned char *p = text, *end = p + len;

    while (p < end) {
        uint64_t eight;
        while (end - p >= 8) {
            memcpy(&eight, p, 8);
            if (eight & UINT64_C(0x8080808080808080))
                break;
            p += 8;
        }
        while (p < end && *p < 0x80)
            p++;
        if (p == end)
            break;
        size_t n = char_len(p, (size_t)(end - p));
        if (n == 0)
            break;
        p += n;
    }
    return (size_t)(p - (const unsigned char *)text);
}

bool utf8_valid(const void *text, size_t len)
{
    return utf8_span(text, len) == len;
}

uint32_t utf8_next(const unsigned char **p)
{
    const unsigned char *s = *p;
    uint32_t c = s[0];

    if (c < 0x80) {
        *p = s + 1;
        return c;
    }
    if (c < 0xe0) {
        *p = s + 2;
        return (c & 0x1f) << 6 | (s[1] & 0x3fu);
    }
    if (c < 0xf0) {
        *p = s + 3;
        return (c & 0xf) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);
    }
    *p = s + 4;
    return (c & 7) << 18 | (s[1] & 0x3fu) << 12 | (s[2] & 0x3fu) << 6 |
           (s[3] & 0x3fu);
}

size_t utf8_write(unsigned char to[4], uint32_t c)
{
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = len; i-- > 1; c >>= 6)
        to[i] = (unsigned char)(0x80 | (c & 0x3f));
    to[0] = (unsigned char)(first[len] | c);
    return len;
}
