/* chute/value.h - plain data: what a pickle can carry without code.
 *
 * SPDX-License-Identifier: MIT
 *
 * A value is immutable and reference-counted; a container holds references to
 * its items, so values form a tree in which parts may be shared. What was
 * decoded from one message lives as long as there is a reference to any part of
 * it: who keeps a small part of large messages for long should make a copy of it,
 * chute_str_of(chute_value_str(v), chute_value_len(v)).
 *
 * A constructor gives NULL if memory is short or if any child is NULL; it then
 * frees the other children. So nested ones need one check, and a call that
 * takes a value does even that one: it answers NULL with CHUTE_ENOMEM.
 *
 *     chute_queue_put(q, chute_list(chute_int(42), chute_none(),
 *                                   chute_str("hello")), CHUTE_FOREVER);
 *
 * Threads. References may be taken and freed by any thread at once.
 */
#ifndef CHUTE_VALUE_H
#define CHUTE_VALUE_H

#include "chute/common.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct chute_value chute_value;

/* The types, by Python's names. */
enum {
    CHUTE_NONE = 1,
    CHUTE_BOOL,
    CHUTE_INT,
    CHUTE_FLOAT,
    CHUTE_STR,
    CHUTE_BYTES,
    CHUTE_BYTEARRAY,
    CHUTE_LIST,
    CHUTE_TUPLE,
    CHUTE_DICT,
    CHUTE_SET,
    CHUTE_FROZENSET
};

/* -- making ---------------------------------------------------------------- */

CHUTE_API chute_value *chute_none(void);
CHUTE_API chute_value *chute_bool(bool b);
CHUTE_API chute_value *chute_int(int64_t i);
CHUTE_API chute_value *chute_float(double d);

/* An int of any size, from its two's complement, little-endian; data_len 0 is
 * zero. */
CHUTE_API chute_value *chute_int_of(const void *data, size_t data_len);

/* An int of any size, from its digits to the base 10 or 16, with or without a
 * sign before them: "-12345678901234567890", "ff". Anything else, and more
 * than 4300 decimal digits, which is Python's own limit, gives NULL. */
CHUTE_API chute_value *chute_int_text(const char *text, int base);

/* A str, from UTF-8, which is copied; the first ends at a NUL, the second has
 * text_len bytes. Surrogates are let through, as Python has them in str; any
 * other text that is not UTF-8 gives NULL. */
CHUTE_API chute_value *chute_str(const char *text);
CHUTE_API chute_value *chute_str_of(const char *text, size_t text_len);

/* Bytes, which are copied. */
CHUTE_API chute_value *chute_bytes(const void *data, size_t data_len);
CHUTE_API chute_value *chute_bytearray(const void *data, size_t data_len);

/* Containers of n items, which are consumed. A dict has n pairs, 2 n items: key,
 * value, key, value. As in Python, equal keys are one (1, True and 1.0 are
 * equal): the first key stays, with the last value; and a key, or an item of a
 * set, has to be hashable: a list, dict, set or bytearray in it gives NULL. */
CHUTE_API chute_value *chute_list_of(size_t n, chute_value *const *items);
CHUTE_API chute_value *chute_tuple_of(size_t n, chute_value *const *items);
CHUTE_API chute_value *chute_set_of(size_t n, chute_value *const *items);
CHUTE_API chute_value *chute_frozenset_of(size_t n, chute_value *const *items);
CHUTE_API chute_value *chute_dict_of(size_t n, chute_value *const *pairs);

/* The same with the items as arguments, one at least:
 * chute_list(chute_int(1), chute_int(2)). Each is evaluated once (sizeof
 * evaluates nothing). C only. */
#define CHUTE_N_(...)                                                          \
    (sizeof((chute_value *[]){__VA_ARGS__}) / sizeof(chute_value *))
#define CHUTE_ITEMS_(...) ((chute_value *[]){__VA_ARGS__})
/* Half of n; an odd n does not compile. */
#define CHUTE_PAIRS_(n) ((n) / 2 + 0 * sizeof(char[(n) % 2 ? -1 : 1]))
#define chute_list(...)                                                        \
    chute_list_of(CHUTE_N_(__VA_ARGS__), CHUTE_ITEMS_(__VA_ARGS__))
#define chute_tuple(...)                                                       \
    chute_tuple_of(CHUTE_N_(__VA_ARGS__), CHUTE_ITEMS_(__VA_ARGS__))
#define chute_set(...)                                                         \
    chute_set_of(CHUTE_N_(__VA_ARGS__), CHUTE_ITEMS_(__VA_ARGS__))
#define chute_frozenset(...)                                                   \
    chute_frozenset_of(CHUTE_N_(__VA_ARGS__), CHUTE_ITEMS_(__VA_ARGS__))
#define chute_dict(...)                                                        \
    chute_dict_of(CHUTE_PAIRS_(CHUTE_N_(__VA_ARGS__)),                         \
                  CHUTE_ITEMS_(__VA_ARGS__))

/* Another reference to v, to be freed like the first; NULL gives NULL. */
CHUTE_API chute_value *chute_value_ref(chute_value *v);

/* Give up a reference; the last one frees the value. Always NULL. */
CHUTE_API chute_value *chute_value_free(chute_value *v);

/* -- reading ---------------------------------------------------------------
 *
 * Readers borrow: what they give lives as long as v. A value of another type,
 * and NULL, give CHUTE_EINVAL, or NULL, or 0.
 */

/* The type, CHUTE_NONE .. CHUTE_FROZENSET; and its name, "list", static. */
CHUTE_API int chute_value_type(const chute_value *v);
CHUTE_API const char *chute_value_typename(const chute_value *v);

/* The items of a list, tuple, set or frozenset, the pairs of a dict, or the
 * bytes of a str (as UTF-8), bytes or bytearray; otherwise 0. */
CHUTE_API size_t chute_value_len(const chute_value *v);

/* A bool, and nothing else. */
CHUTE_API int chute_value_bool(const chute_value *v, bool *ret_b);

/* An int, or a bool, which is 0 or 1 as in Python; CHUTE_ELIMIT if it does not
 * fit. */
CHUTE_API int chute_value_int(const chute_value *v, int64_t *ret_i);

/* A float, or an int or bool as the nearest one; CHUTE_ELIMIT if there is
 * none. */
CHUTE_API int chute_value_float(const chute_value *v, double *ret_d);

/* An int of any size as the shortest two's complement, little-endian, in buf of
 * cap bytes; *ret_len is its length, at least 1. CHUTE_EMSGSIZE if cap is too
 * small; *ret_len is then set all the same. */
CHUTE_API int chute_value_int_bytes(const chute_value *v, void *buf, size_t cap,
                                    size_t *ret_len);

/* An int of any size as its digits to the base 10 or 16, ended by a NUL, in buf
 * of cap bytes; *ret_len (may be NULL) is their number, the sign counted.
 * CHUTE_EMSGSIZE if cap is not larger; *ret_len is then set all the same.
 * CHUTE_ELIMIT: more than 4300 decimal digits. */
CHUTE_API int chute_value_int_text(const chute_value *v, int base, char *buf,
                                   size_t cap, size_t *ret_len);

/* The text of a str, in UTF-8, ended by a NUL that chute_value_len does not
 * count; and the contents of bytes or a bytearray. ret_len may be NULL. */
CHUTE_API const char *chute_value_str(const chute_value *v);
CHUTE_API const void *chute_value_bytes(const chute_value *v, size_t *ret_len);

/* at: item i of a list, tuple, set or frozenset, or the value of pair i of a
 * dict; key_at: the key of that pair. Pairs stand in order of insertion. Out of
 * range gives NULL. */
CHUTE_API chute_value *chute_value_at(const chute_value *v, size_t i);
CHUTE_API chute_value *chute_value_key_at(const chute_value *v, size_t i);

/* The value of a dict under a str key, or under any key; NULL if there is
 * none. */
CHUTE_API chute_value *chute_value_get(const chute_value *v, const char *key);
CHUTE_API chute_value *chute_value_get_item(const chute_value *v,
                                            const chute_value *key);

/* -- taking apart and putting together -------------------------------------
 *
 * A format says what a value looks like, in Python's own brackets:
 *
 *     chute_value_parse(v, place, "[i n s]", &number, &text);
 *     chute_value_parse(v, place, "{'size': (l l), ?'name': s}", &w, &h, &name);
 *     v = chute_value_build("{'size': (l l), 'name': s}", w, h, "box");
 *
 *     format     value                  parse takes            build takes
 *     n          None
 *     b          bool                   bool *                 bool
 *     i          int                    int *                  int
 *     l          int                    int64_t *              int64_t
 *     u          int, not negative      uint64_t *             uint64_t
 *     d          float (parse: or int)  double *               double
 *     s          str without a NUL      const char **          const char *
 *     s#         str                    const char **,         const char *,
 *                                       size_t *               size_t
 *     y#         bytes (parse: or       const void **,         const void *,
 *                bytearray)             size_t *               size_t
 *     v          any                    chute_value **         chute_value *
 *     [ ... ]    list of these items; parse: * before the ] lets more follow
 *     ( ... )    tuple of these items; the same
 *     { 'k': x } dict with these str keys, 'k' or "k"; parse: and any others
 *     ?x         parse: x, or None, and then nothing is written for x
 *     ?'k': x    parse: the key may be missing, and then the same
 *
 * Spaces, commas and colons may stand between any two. Brackets may stand 16
 * deep in each other. The types of the arguments have to be those of the table:
 * a literal for l or u is INT64_C(42).
 */

#define CHUTE_PLACE_LEN 128

/* Take v apart. All is written or nothing. What is given is borrowed: it lives
 * as long as v. If v has another shape, ret_place (may be NULL) says where, and
 * what: "[2]: str expected, not int", "['size']: missing".
 * Conditions: CHUTE_ESHAPE. Errors: CHUTE_EINVAL, the format makes no sense. */
CHUTE_API int chute_value_parse(const chute_value *v,
                                char ret_place[CHUTE_PLACE_LEN],
                                const char *format, ...);

/* Make a value, as the constructors would: NULL if memory is short, if a text is
 * not UTF-8, if an argument is NULL, or if the format makes no sense. Ownership:
 * arguments for v are consumed, on failure too; only of a format that makes no
 * sense not those after the place. */
CHUTE_API chute_value *chute_value_build(const char *format, ...);

/* -- comparing and writing -------------------------------------------------- */

/* 1 if a == b in Python, otherwise 0: 1 == True == 1.0, nan is equal to
 * nothing but itself as the same item of a container, sets have no order.
 * Conditions: CHUTE_ELIMIT (parts that the values hold more than once would be
 * gone through for more than 2^24 items, or 64 frozensets lie in each other). */
CHUTE_API int chute_value_equal(const chute_value *a, const chute_value *b);

/* Write v as Python's repr() would: [42, None, 'hello']. No newline. What to
 * cannot take is its errno value, negative.
 * Conditions: CHUTE_ELIMIT (an int of more than 4300 digits, which is Python's
 * own limit; or repeated parts, as in chute_value_equal), after a part of the
 * text. */
CHUTE_API int chute_value_print(const chute_value *v, FILE *to);

/* The same as a text, ended by a NUL that *ret_len (may be NULL) does not
 * count. Free *ret_text with free(3). */
CHUTE_API int chute_value_repr(const chute_value *v, char **ret_text,
                               size_t *ret_len);

/* The value of a Python literal, "{'size': (3, 4), 'name': r'C:\tmp'}", as
 * Python's ast.literal_eval() reads it: numbers in each of their forms, str and
 * bytes with their prefixes and escapes, brackets, comments. Read as well is
 * what chute_value_print writes and literal_eval refuses: nan, inf,
 * frozenset(...), bytearray(...); and around the literal lines may be indented.
 * Like chute_loads it does not recurse, and memory and time are in proportion to
 * the text. On failure only, *ret_pos (may be NULL) is the offset of the byte
 * that was refused; of a string that does not end, of its beginning.
 * Conditions: CHUTE_ESYNTAX (no literal; or an unhashable key), CHUTE_ENOTPLAIN
 * (a complex number, or \N{name}), CHUTE_ELIMIT (an int of more than 4300 decimal
 * digits; or keys made to be slow, as in chute_loads). */
CHUTE_API int chute_literal_eval(const char *text, size_t text_len,
                                 chute_value **ret_value, size_t *ret_pos);

#ifdef __cplusplus
}
#endif
#endif /* CHUTE_VALUE_H */
