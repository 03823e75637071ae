/* stack.h - memory for walks that do not recurse.
 *
 * A value may be a million levels deep, and a recursive walk would need as many
 * frames of a thread's stack. So every walk here keeps its own frames, in an
 * array. The array begins as a few places inside the walk's own struct, which
 * is all that ordinary values need; a deep one moves to the heap.
 *
 *     struct walk w;                        the frames: where we are in what
 *     walk_begin(&w);
 *     r = walk_push(&w, v);
 *     while (w.n > 0) {
 *         struct walk_frame *f = &w.at[w.n - 1];
 *         ... f->v, f->i ...                any push may move f
 *     }
 *     walk_end(&w);
 *
 * struct vec is the same for bare pointers.
 */
#ifndef CODEC_STACK_H
#define CODEC_STACK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/mem.h"
#include "chute/error.h"
#include "chute/value.h"

/* A larger array in the place of `at`, which holds *cap items and may be `room`
 * inside its owner; NULL, and nothing has changed, if memory is short. Out of
 * line: it is rare. */
static __attribute__((noinline, unused)) void *
stack_grow(void *at, const void *room, size_t *cap, size_t item_len)
{
    size_t more = *cap * 2;

    if (more > PTRDIFF_MAX / item_len)
        return NULL;
    void *grown = mem_realloc(at == room ? NULL : at, more * item_len);
    if (!grown)
        return NULL;
    if (at == room)
        memcpy(grown, room, *cap * item_len);
    *cap = more;
    return grown;
}

/* -- a walk over a value --------------------------------------------------- */

enum { WALK_ROOM = 16 };

struct walk_frame {
    const struct chute_value *v;
    size_t i; /* the next of its items */
    union {
        bool repeat;       /* print: we have been here before (see repeat.h) */
        struct part *part; /* pickle-write: what is known of it, or NULL */
    };
};

struct walk {
    struct walk_frame *at;
    size_t n, cap;
    struct walk_frame room[WALK_ROOM];
};

static inline void walk_begin(struct walk *w)
{
    w->at = w->room;
    w->n = 0;
    w->cap = WALK_ROOM;
}

static inline void walk_end(struct walk *w)
{
    if (w->at != w->room)
        free(w->at);
}

static inline int walk_push_frame(struct walk *w, const struct walk_frame *f)
{
    if (w->n == w->cap) {
        void *at = stack_grow(w->at, w->room, &w->cap, sizeof *w->at);
        if (!at)
            return fail(CHUTE_ENOMEM);
        w->at = at;
    }
    w->at[w->n++] = *f;
    return 0;
}

static inline int walk_push(struct walk *w, const struct chute_value *v)
{
    struct walk_frame f = {.v = v};

    return walk_push_frame(w, &f);
}

/* -- a vector of pointers -------------------------------------------------- */

enum { VEC_ROOM = 32 };

struct vec {
    void **at;
    size_t n, cap;
    void *room[VEC_ROOM];
};

static inline void vec_begin(struct vec *v)
{
    v->at = v->room;
    v->n = 0;
    v->cap = VEC_ROOM;
}

static inline void vec_end(struct vec *v)
{
    if (v->at != v->room)
        free(v->at);
}

static inline int vec_push(struct vec *v, void *p)
{
    if (v->n == v->cap) {
        void *at = stack_grow(v->at, v->room, &v->cap, sizeof *v->at);
        if (!at)
            return fail(CHUTE_ENOMEM);
        v->at = at;
    }
    v->at[v->n++] = p;
    return 0;
}

#endif
