/* mem.h - malloc and its family, with a place to fail in tests.
 *
 * All of chute allocates through these. NULL means out of memory. Sizes may be
 * zero: the result is then a pointer that can be freed.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdlib.h>

#include "base/fail.h"

static inline void *mem_alloc(size_t len)
{
    return fault("malloc") ? NULL : malloc(len ? len : 1);
}

static inline void *mem_zalloc(size_t len)
{
    return fault("calloc") ? NULL : calloc(1, len ? len : 1);
}

static inline void *mem_realloc(void *p, size_t len)
{
    return fault("realloc") ? NULL : realloc(p, len ? len : 1);
}

#endif
