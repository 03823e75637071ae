/* format.h - what chute_value_parse and chute_value_build share. */
#ifndef CODEC_FORMAT_H
#define CODEC_FORMAT_H

#include <string.h>

/* How deep brackets may stand in each other. */
enum { FORMAT_MAX_DEPTH = 16 };

static inline const char *format_skip(const char *at)
{
    return at + strspn(at, " ,:");
}

/* A key at *at, in quotes of either kind, and behind it; NULL if there is
 * none. */
static inline const char *format_key(const char **at, size_t *ret_len)
{
    char quote = **at;

    if (quote != '\'' && quote != '"')
        return NULL;
    const char *key = *at + 1, *end = strchr(key, quote);
    if (!end)
        return NULL;
    *ret_len = (size_t)(end - key);
    *at = end + 1;
    return key;
}

#endif
