/* table.h - the keys of a dict, the items of a set.
 *
 * An entry is a key, in a dict with a value beside it. Entries lie in the box's
 * `items` in order of insertion; the table leads from a key to the number of
 * its entry. Keys are hashable values, or the functions answer with
 * CHUTE_EPICKLE.
 */
#ifndef CODEC_TABLE_H
#define CODEC_TABLE_H

#include "codec/compare.h"
#include "codec/value.h"

/* So few entries are looked through one by one. */
enum { TABLE_MIN = 8 };

/* Make the table fit for n_entries, with memory of the box's pool, which may be
 * NULL. The box's own items are reserved apart. */
int table_reserve(struct pool *pool, chute_value *v, size_t n_entries);

/* Find the entry of a key: 1 and its number, or 0. */
int table_find(const chute_value *v, const chute_value *key, struct compare *c,
               size_t *ret_at);

/* The same for the str `text`; cannot fail. */
bool table_find_str(const chute_value *v, const char *text, size_t len,
                    size_t *ret_at);

/* Find the entry of a key (0), or append one with this key, which is then
 * consumed, and with nothing beside it (1): the caller has reserved place for
 * it. *ret_at is its number. */
int table_place(chute_value *v, chute_value *key, struct compare *c,
                size_t *ret_at);

#endif
