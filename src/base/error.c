/* error.c - the text and the name of every code, from the one list in
 * chute/error.h; what is not in it is errno's, and glibc has words for that.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <string.h>

#include "chute/error.h"

#define STRING_(x) #x
#define STRING(x)  STRING_(x)

const char *chute_version(void)
{
    return STRING(CHUTE_VERSION_MAJOR) "." STRING(
        CHUTE_VERSION_MINOR) "." STRING(CHUTE_VERSION_PATCH);
}

const char *chute_strerror(int code)
{
    switch (code) {
#define CASE(name, value, text)                                                \
    case value:                                                                \
        return text;
        CHUTE_ERRORS(CASE)
#undef CASE
    }
    if (code >= 0)
        return "success";
    const char *text = code > INT_MIN ? strerrordesc_np(-code) : NULL;
    return text ? text : "unknown error";
}

const char *chute_errname(int code)
{
    switch (code) {
#define CASE(name, value, text)                                                \
    case value:                                                                \
        return "CHUTE_" #name;
        CHUTE_ERRORS(CASE)
#undef CASE
    }
    if (code >= 0)
        return "0";
    const char *name = code > INT_MIN ? strerrorname_np(-code) : NULL;
    return name ? name : "unknown";
}
