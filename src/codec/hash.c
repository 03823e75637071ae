/* hash.c - hashes that a stranger cannot foresee.
 *
 * Whoever can choose the keys of a dict, and foresee their hashes, can make
 * them all collide and a million insertions take a million million steps. So
 * the hash is SipHash (1 round a word, 3 at the end, as in Python and Rust)
 * under a key that differs from process to process.
 *
 * The key needs no system call. The kernel hands every program 16 random bytes
 * (AT_RANDOM, from which libc takes its stack guard); these, and the addresses
 * at which the library and libc were placed, go through SipHash itself. On a
 * system without AT_RANDOM the addresses alone must do. All of it is the same
 * whenever it is asked for, so threads that make the key at the same time make
 * the same key, and no lock is needed.
 *
 * Python says that 1 == True == 1.0, so these have the hash of the int. A float
 * without a fraction and within 64 bits is hashed as that int; an int beyond 64
 * bits that is exactly a double, as that double; whatever is left has no equal
 * of the other type. A nan equals nothing, and a million of them must not share
 * one hash, so it is hashed by its address: its identity.
 *
 * Blobs, tuples and frozensets remember their hash. Thus tuples in tuples,
 * shared a thousand times over, are hashed in time linear in what they hold,
 * and without recursion: a walk that visits a tuple's items before the tuple
 * finds every hash it needs already made. Threads that do so at the same time
 * store the same number.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef __has_include
#if __has_include(<sys/auxv.h>)
#include <sys/auxv.h>
#endif
#endif

#include "codec/hash.h"
#include "codec/number.h"
#include "codec/stack.h"
#include "codec/value.h"

/* -- SipHash-1-3 ----------------------------------------------------------- */

struct sip {
    uint64_t a, b, c, d;
};

static inline uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
    s->a += s->b;
    s->c += s->d;
    s->b = rotate(s->b, 13) ^ s->a;
    s->d = rotate(s->d, 16) ^ s->c;
    s->a = rotate(s->a, 32);
    s->c += s->b;
    s->a += s->d;
    s->b = rotate(s->b, 17) ^ s->c;
    s->d = rotate(s->d, 21) ^ s->a;
    s->c = rotate(s->c, 32);
}

static inline struct sip sip_begin(uint64_t k0, uint64_t k1)
{
    return (struct sip){
        k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
        k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    s->a ^= word;
}

static inline uint64_t sip_end(struct sip *s)
{
    s->c ^= 0xff;
    sip_round(s);
    sip_round(s);
    sip_round(s);
    uint64_t hash = s->a ^ s->b ^ s->c ^ s->d;
    return hash ? hash : 1; /* 0 is "not yet made" */
}

/* -- the key --------------------------------------------------------------- */

/* Each is 0 until made, and then constant; relaxed, for each stands alone. */
static _Atomic uint64_t keys[2];

static uint64_t make_key(uint64_t which)
{
    struct sip s = sip_begin(which, 0);

#ifdef AT_RANDOM
    const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
    if (random) {
        uint64_t words[2];
        memcpy(words, random, sizeof words);
        sip_word(&s, words[0]);
        sip_word(&s, words[1]);
    }
#endif
    sip_word(&s, (uintptr_t)keys);
    sip_word(&s, (uintptr_t)&free);
    /* The words were few and the secret is precious: mix well. */
    for (int i = 0; i < 8; i++)
        sip_round(&s);
    uint64_t key = sip_end(&s) | 1;
    atomic_store_explicit(&keys[which], key, memory_order_relaxed);
    return key;
}

static inline uint64_t key(unsigned which)
{
    uint64_t k = atomic_load_explicit(&keys[which], memory_order_relaxed);
    return k ? k : make_key(which);
}

uint64_t hash_secret(void)
{
    /* Not the key itself: a product says much about its factors. */
    return hash_word(0) | 1;
}

/* -- words and bytes ------------------------------------------------------- */

uint64_t hash_word(uint64_t word)
{
    struct sip s = sip_begin(key(0), key(1));

    sip_word(&s, word);
    return sip_end(&s);
}

uint64_t hash_bytes(const void *data, size_t len)
{
    struct sip s = sip_begin(key(0), key(1));
    const unsigned char *p = data;
    size_t left = len;
    uint64_t word;

    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        sip_word(&s, word);
    }
    word = (uint64_t)len << 56;
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)p[i] << 8 * i;
    sip_word(&s, word);
    return sip_end(&s);
}

/* -- values ---------------------------------------------------------------- */

static uint64_t remembered(const chute_value *v)
{
    return atomic_load_explicit(&v->hash, memory_order_relaxed);
}

static uint64_t remember(const chute_value *v, uint64_t hash)
{
    atomic_store_explicit(&((chute_value *)(uintptr_t)v)->hash, hash,
                          memory_order_relaxed);
    return hash;
}

static uint64_t hash_double(double d)
{
    uint64_t bits;

    memcpy(&bits, &d, sizeof bits);
    /* Not the hash of the int with these bits. */
    return rotate(hash_word(bits), 1);
}

static uint64_t hash_float(const chute_value *v)
{
    if (isnan(v->d))
        return hash_word((uintptr_t)v);
    if (v->d >= -0x1p63 && v->d < 0x1p63 && (double)(int64_t)v->d == v->d)
        return hash_word((uint64_t)(int64_t)v->d);
    return hash_double(v->d);
}

static uint64_t hash_blob(const chute_value *v)
{
    uint64_t hash = remembered(v);
    double d;
    bool exact;

    if (hash)
        return hash;
    if (v->type == CHUTE_INT &&
        number_double(value_data(v), v->n, &d, &exact) && exact)
        return remember(v, hash_double(d));
    return remember(v, hash_bytes(value_data(v), v->n));
}

static bool is_nest(const chute_value *v)
{
    return v->type == CHUTE_TUPLE || v->type == CHUTE_FROZENSET;
}

/* Of a value whose hash needs no walk: no tuple, no frozenset, or one that
 * remembers. */
static uint64_t hash_here(const chute_value *v)
{
    switch (v->type) {
    case CHUTE_NONE:
        return hash_word(UINT64_C(0x6e6f6e65));
    case CHUTE_FLOAT:
        return hash_float(v);
    case CHUTE_TUPLE:
    case CHUTE_FROZENSET:
        return remembered(v);
    default:
        return value_is_blob(v) ? hash_blob(v) : hash_word((uint64_t)v->i);
    }
}

/* Of a tuple or frozenset whose items are all ready. A frozenset's items have
 * no order, so theirs are added up. */
static uint64_t hash_nest(const chute_value *v)
{
    struct sip s = sip_begin(key(0), key(1));
    uint64_t sum = v->type;

    for (size_t i = 0; i < v->n; i++) {
        uint64_t item = hash_here(value_items(v)[i]);
        if (v->type == CHUTE_TUPLE)
            sip_word(&s, item);
        else
            sum += hash_word(item);
    }
    sip_word(&s, sum);
    return remember(v, sip_end(&s));
}

/* Make the hashes of all tuples and frozensets in v, from the bottom up. */
static int hash_walk(const chute_value *v)
{
    struct walk w;

    walk_begin(&w);
    int r = walk_push(&w, v);
    while (r == 0 && w.n > 0) {
        struct walk_frame *f = &w.at[w.n - 1];
        const chute_value *item = NULL;
        while (f->i < f->v->n) {
            item = value_items(f->v)[f->i++];
            if (is_nest(item) && !remembered(item))
                break;
            item = NULL;
        }
        if (item) {
            r = walk_push(&w, item);
        } else {
            hash_nest(f->v);
            w.n--;
        }
    }
    walk_end(&w);
    return r;
}

int hash_value(const chute_value *v, uint64_t *ret_hash)
{
    if (is_nest(v) && !remembered(v)) {
        int r = hash_walk(v);
        if (r < 0)
            return r;
    }
    *ret_hash = hash_here(v);
    return 0;
}
