/* copy.h - a few bytes, without the call of memcpy that would take as long. */
#ifndef CODEC_COPY_H
#define CODEC_COPY_H

#include <stdint.h>
#include <string.h>

/* So few. */
enum { COPY_SHORT = 16 };

/* Copy len bytes, at most COPY_SHORT. The high bits of all of them, together. */
static inline uint64_t copy_short(unsigned char *to, const unsigned char *from,
                                  size_t len)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t first, last;
    uint32_t half[2];
    uint16_t quarter[2];

    if (len >= 8) { /* two words, which may overlap */
        memcpy(&first, from, 8);
        memcpy(&last, from + len - 8, 8);
        memcpy(to, &first, 8);
        memcpy(to + len - 8, &last, 8);
        return (first | last) & high;
    }
    if (len >= 4) {
        memcpy(half, from, 4);
        memcpy(half + 1, from + len - 4, 4);
        memcpy(to, half, 4);
        memcpy(to + len - 4, half + 1, 4);
        return (half[0] | half[1]) & high;
    }
    if (len >= 2) {
        memcpy(quarter, from, 2);
        memcpy(quarter + 1, from + len - 2, 2);
        memcpy(to, quarter, 2);
        memcpy(to + len - 2, quarter + 1, 2);
        return (uint64_t)(quarter[0] | quarter[1]) & high;
    }
    if (len == 0)
        return 0;
    to[0] = from[0];
    return from[0] & high;
}

#endif
