/* script.h - what has to come out of a queue or a pipe, and what did. See
 * script.c. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What came of one kill. */
struct verdict {
    unsigned lost;    /* items that were acknowledged, and are gone */
    unsigned doubled; /* items got twice, or out of order */
    unsigned torn;    /* items that nobody has put */
    unsigned wrong;   /* anything else: see `what` */
    unsigned taken;   /* items that died with the victim that had got them */
    int64_t stall_ns; /* the longest that a survivor had to wait */
    const char *what; /* NULL, or the first thing that was wrong */
};

struct entry {
    uint64_t id;
    size_t len;
    bool is_value;  /* travels as the pickle of so many bytes */
    bool may_miss;  /* of a victim that had not returned */
    bool with_next; /* put in one step with the next: neither or both */
    bool gone;      /* got by a victim that had */
};

void script_begin(void);

/* One more item, behind all others. The entry stays where it is. */
struct entry *script_add(uint64_t id, size_t len);

/* How many there are; entry i, NULL if there are not so many. */
unsigned script_len(void);
struct entry *script_entry(unsigned i);

/* Whether these bytes are the entry's item. */
bool script_is(const struct entry *entry, const void *buf, size_t len);

/* An item has come out. */
void script_take(const void *buf, size_t len);

/* An item was shown that is to come out next. */
void script_show(const void *buf, size_t len);

/* So many of the oldest items may have died with those that had them. */
void script_allow(unsigned n_taken);

/* From here on items may miss: who had them has lost the stream. */
void script_cut(void);

/* Nothing more comes out; the verdict. */
void script_end(struct verdict *ret_verdict);

void script_wrong(const char *what);
void script_waited(int64_t ns);

#endif
