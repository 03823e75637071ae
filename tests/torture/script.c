/* script.c - what has to come out of a queue or a pipe, and what did.
 *
 * The script is the list of items in the order in which they must come out. An
 * item that does not is lost, with two exceptions: one that a victim was to put
 * may miss as long as the victim had not returned, and a victim that was to get
 * one may have taken it along. Getters take from the front; so of the items
 * that were taken, each is the oldest of those that are left.
 */
#include "script.h"

#include <errno.h>

#include "chute/pickle.h"
#include "torture.h"

#define N_ENTRIES 32

static struct {
    struct entry entry[N_ENTRIES];
    unsigned n, next;
    unsigned allowed; /* to be taken along still */
    bool cut;
    bool came_with_next; /* the last one that has come is half of a step */
    struct verdict verdict;
} script;

void script_begin(void)
{
    script.n = script.next = script.allowed = 0;
    script.cut = false;
    script.verdict = (struct verdict){0};
}

void script_wrong(const char *what)
{
    script.verdict.wrong++;
    if (!script.verdict.what)
        script.verdict.what = what;
}

void script_waited(int64_t ns)
{
    if (ns > script.verdict.stall_ns)
        script.verdict.stall_ns = ns;
}

struct entry *script_add(uint64_t id, size_t len)
{
    if (script.n == N_ENTRIES) {
        errno = E2BIG;
        trouble("the script");
    }
    struct entry *entry = &script.entry[script.n++];
    *entry = (struct entry){.id = id, .len = len};
    return entry;
}

unsigned script_len(void)
{
    return script.n;
}

struct entry *script_entry(unsigned i)
{
    return i < script.n ? &script.entry[i] : NULL;
}

void script_allow(unsigned n_taken)
{
    script.allowed = n_taken;
}

static bool is_item(const struct entry *entry, const void *buf, size_t len)
{
    return len == entry->len && item_is(buf, len, entry->id);
}

bool script_is(const struct entry *entry, const void *buf, size_t len)
{
    chute_value *v;
    size_t n;

    if (!entry->is_value)
        return is_item(entry, buf, len);
    if (chute_loads(buf, len, &v, NULL) < 0)
        return false;
    const void *bytes = chute_value_bytes(v, &n);
    bool same = bytes && is_item(entry, bytes, n);
    chute_value_free(v);
    return same;
}

static void skip(const struct entry *entry)
{
    if (script.came_with_next && entry->may_miss && !script.allowed)
        script.verdict.torn++;
    script.came_with_next = false;
    if (entry->gone || entry->may_miss || script.cut)
        return;
    if (script.allowed > 0) {
        script.allowed--;
        script.verdict.taken++;
    } else {
        script.verdict.lost++;
    }
}

/* All in front of entry i should have come out by now. */
static void skip_to(unsigned i)
{
    for (; script.next < i; script.next++) {
        struct entry *entry = &script.entry[script.next];
        /* The next has come, or was taken along. */
        bool half = script.next + 1 == i && entry->with_next;
        if (half && entry->may_miss)
            script.verdict.torn++;
        else
            skip(entry);
    }
}

void script_take(const void *buf, size_t len)
{
    for (unsigned i = script.next; i < script.n; i++) {
        if (script.entry[i].gone || !script_is(&script.entry[i], buf, len))
            continue;
        skip_to(i);
        script.came_with_next = script.entry[i].with_next;
        script.next++;
        /* Who takes after us, takes what lies behind; the dead took before. */
        script.allowed = 0;
        return;
    }
    for (unsigned i = 0; i < script.n; i++) {
        if (script_is(&script.entry[i], buf, len)) {
            script.verdict.doubled++;
            return;
        }
    }
    script.verdict.torn++;
}

void script_show(const void *buf, size_t len)
{
    if (script.next == script.n ||
        !script_is(&script.entry[script.next], buf, len))
        script.verdict.torn++;
}

void script_cut(void)
{
    script.cut = true;
}

void script_end(struct verdict *ret_verdict)
{
    skip_to(script.n);
    *ret_verdict = script.verdict;
}
