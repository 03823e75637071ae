/* cycle.c - values that contain themselves.
 *
 * A pickle can put a list into itself: `] MEMOIZE BINGET 0 APPEND`. Python
 * means it; we cannot, for who walks a value could not count on coming to an
 * end, and a value made of such parts would never be freed. Such pickles are
 * refused.
 *
 * The last edge of a cycle goes into a box that is changed: some list, dict or
 * set on the stack, to which something is added that already leads to it. For
 * that the box has to be in two places, on the stack and inside of what is
 * added; and the one way to be in two places is to have been fetched from the
 * memo. So a box that is changed after it has been fetched is a suspect, and
 *
 *     every cycle goes through a suspect.
 *
 * Pickles of values without cycles have none: there a box is complete before it
 * is fetched. At the end, with no suspects nothing is to be done. Otherwise a
 * walk from the suspects looks for a way back to where it is.
 *
 * A suspect alone is no crime; by hand one can write pickles that change a list
 * late, without a cycle, and they decode.
 */
#include "codec/reader.h"

int reader_suspect(struct reader *r, chute_value *box)
{
    if (box->flags & VALUE_SUSPECT)
        return 0;
    if (r->suspects.n == 0)
        r->suspect_op = r->op;
    box->flags |= VALUE_SUSPECT;
    return vec_push(&r->suspects, box);
}

/* Only boxes that hold something can be part of a cycle; the marks of the walk
 * are made on them alone, for they are ours, while small values are static. */
static bool can_lead_back(const chute_value *v)
{
    return value_is_box(v) && v->n > 0;
}

static int enter(struct walk *w, chute_value *v)
{
    v->flags |= VALUE_ONPATH;
    return walk_push(w, v);
}

static void leave(struct walk *w)
{
    chute_value *v = (chute_value *)(uintptr_t)w->at[--w->n].v;

    v->flags = (uint8_t)((v->flags & ~VALUE_ONPATH) | VALUE_CLEARED);
}

static int walk_from(struct walk *w, chute_value *suspect)
{
    int r = suspect->flags & VALUE_CLEARED || !can_lead_back(suspect)
                ? 0
                : enter(w, suspect);

    while (r == 0 && w->n > 0) {
        struct walk_frame *f = &w->at[w->n - 1];
        if (f->i == value_slots(f->v)) {
            leave(w);
            continue;
        }
        chute_value *item = value_items(f->v)[f->i++];
        if (!can_lead_back(item) || item->flags & VALUE_CLEARED)
            continue;
        r = item->flags & VALUE_ONPATH ? fail(CHUTE_ECYCLE) : enter(w, item);
    }
    return r;
}

int reader_find_cycle(const struct reader *r)
{
    struct walk w;
    int result = 0;

    walk_begin(&w);
    for (size_t i = 0; result == 0 && i < r->suspects.n; i++)
        result = walk_from(&w, r->suspects.at[i]);
    walk_end(&w);
    return result;
}
