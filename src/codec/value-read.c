/* value-read.c - what a value holds.
 *
 * Readers take any value, and NULL, and answer with CHUTE_EINVAL, NULL or 0 if
 * it is not of their type: a program can then ask for what it expects, as in
 * d["x"][3], and look once at the end.
 */
#include <string.h>

#include "base/fail.h"
#include "chute/error.h"
#include "codec/compare.h"
#include "codec/number.h"
#include "codec/table.h"
#include "codec/value.h"

int chute_value_type(const chute_value *v)
{
    return v ? v->type : fail(CHUTE_EINVAL);
}

const char *chute_value_typename(const chute_value *v)
{
    static const char names[][12] = {
        [CHUTE_NONE] = "NoneType",
        [CHUTE_BOOL] = "bool",
        [CHUTE_INT] = "int",
        [CHUTE_FLOAT] = "float",
        [CHUTE_STR] = "str",
        [CHUTE_BYTES] = "bytes",
        [CHUTE_BYTEARRAY] = "bytearray",
        [CHUTE_LIST] = "list",
        [CHUTE_TUPLE] = "tuple",
        [CHUTE_DICT] = "dict",
        [CHUTE_SET] = "set",
        [CHUTE_FROZENSET] = "frozenset",
    };
    return v ? names[v->type] : NULL;
}

size_t chute_value_len(const chute_value *v)
{
    return v && v->type != CHUTE_INT ? v->n : 0;
}

/* -- numbers --------------------------------------------------------------- */

int chute_value_bool(const chute_value *v, bool *ret_b)
{
    if (!v || !ret_b || v->type != CHUTE_BOOL)
        return fail(CHUTE_EINVAL);
    *ret_b = v->i != 0;
    return 0;
}

static bool is_int(const chute_value *v)
{
    return v && (v->type == CHUTE_INT || v->type == CHUTE_BOOL);
}

int chute_value_int(const chute_value *v, int64_t *ret_i)
{
    if (!is_int(v) || !ret_i)
        return fail(CHUTE_EINVAL);
    if (v->flags & VALUE_BIG)
        return fail(CHUTE_ELIMIT);
    *ret_i = v->i;
    return 0;
}

int chute_value_float(const chute_value *v, double *ret_d)
{
    bool exact;

    if (!v || !ret_d)
        return fail(CHUTE_EINVAL);
    if (v->type == CHUTE_FLOAT)
        *ret_d = v->d;
    else if (!is_int(v))
        return fail(CHUTE_EINVAL);
    else if (!(v->flags & VALUE_BIG))
        *ret_d = (double)v->i;
    else if (!number_double(value_data(v), v->n, ret_d, &exact))
        return fail(CHUTE_ELIMIT);
    return 0;
}

/* The bytes of an int, which may have to be laid out in small. */
static const unsigned char *int_bytes(const chute_value *v,
                                      unsigned char small[8], size_t *ret_len)
{
    if (v->flags & VALUE_BIG) {
        *ret_len = v->n;
        return value_data(v);
    }
    *ret_len = number_bytes(v->i, small);
    return small;
}

int chute_value_int_bytes(const chute_value *v, void *buf, size_t cap,
                          size_t *ret_len)
{
    unsigned char small[8];
    size_t len;

    if (!is_int(v) || !ret_len || (!buf && cap > 0))
        return fail(CHUTE_EINVAL);
    const unsigned char *from = int_bytes(v, small, &len);
    *ret_len = len;
    if (len > cap)
        return fail(CHUTE_EMSGSIZE);
    memcpy(buf, from, len);
    return 0;
}

int chute_value_int_text(const chute_value *v, int base, char *buf, size_t cap,
                         size_t *ret_len)
{
    unsigned char small[8];
    char decimal[NUMBER_MAX_TEXT];
    size_t len;

    if (!is_int(v) || (base != 10 && base != 16) || (!buf && cap > 0))
        return fail(CHUTE_EINVAL);
    const unsigned char *from = int_bytes(v, small, &len);
    size_t n = base == 10 ? number_decimal(from, len, decimal)
                          : number_hex(from, len, NULL);
    if (n == 0)
        return fail(CHUTE_ELIMIT);
    if (ret_len)
        *ret_len = n;
    if (n >= cap)
        return fail(CHUTE_EMSGSIZE);
    if (base == 10)
        memcpy(buf, decimal, n);
    else
        number_hex(from, len, buf);
    buf[n] = 0;
    return 0;
}

/* -- blobs ----------------------------------------------------------------- */

const char *chute_value_str(const chute_value *v)
{
    return v && v->type == CHUTE_STR ? (const char *)value_data(v) : NULL;
}

const void *chute_value_bytes(const chute_value *v, size_t *ret_len)
{
    if (!v || (v->type != CHUTE_BYTES && v->type != CHUTE_BYTEARRAY))
        return NULL;
    if (ret_len)
        *ret_len = v->n;
    return value_data(v);
}

/* -- boxes ----------------------------------------------------------------- */

chute_value *chute_value_at(const chute_value *v, size_t i)
{
    if (!v || !value_is_box(v) || i >= v->n)
        return NULL;
    return value_items(v)[v->type == CHUTE_DICT ? 2 * i + 1 : i];
}

chute_value *chute_value_key_at(const chute_value *v, size_t i)
{
    if (!v || v->type != CHUTE_DICT || i >= v->n)
        return NULL;
    return value_items(v)[2 * i];
}

chute_value *chute_value_get(const chute_value *v, const char *key)
{
    size_t at;

    if (!v || v->type != CHUTE_DICT || !key)
        return NULL;
    if (!table_find_str(v, key, strlen(key), &at))
        return NULL;
    return value_items(v)[2 * at + 1];
}

chute_value *chute_value_get_item(const chute_value *v, const chute_value *key)
{
    struct compare c = compare_begin();
    size_t at;

    if (!v || v->type != CHUTE_DICT || !key)
        return NULL;
    int r = table_find(v, key, &c, &at);
    compare_end(&c);
    return r == 1 ? value_items(v)[2 * at + 1] : NULL;
}
