/* top.h - what the two parts of chute top share.
 *
 *     cmd-top.c     options, columns, sorting, --batch
 *     top-screen.c  the screen, and keys
 */
#ifndef TOP_H
#define TOP_H

#include "tool.h"

struct column {
    const char *title, *key; /* key: for --sort; NULL: not one to sort by */
    int width;               /* 0: what is left over */
    int from,
        below; /* not on screens narrower than that, nor as wide as that */
    bool left;
    void (*show)(const struct queue_view *view, char *buf, size_t cap);
    double (*weight)(const struct queue_view *view); /* NULL: by name */
};

extern const struct column top_columns[]; /* ended by one without a title */

struct top {
    int64_t delay_ns;
    uint64_t n_frames; /* 0: for ever */
    char filter[64];   /* "": none */
    int sort;          /* a place in top_columns */
    bool reverse;
    struct watch now, before;
    const struct queue_view **rows; /* filtered and sorted, of `now` */
    size_t n_rows;
};

/* Look again. DONE, or the status of a complaint. */
int top_look(struct top *top);

/* Filter and sort what was seen. */
void top_arrange(struct top *top);

/* The line of titles, or of a queue, for a screen of that width. */
void top_line(const struct queue_view *view, int width, char *buf, size_t cap);

/* "14:22:07  30 queues  100 members  shm 84.2M of 2.0G  2 need a look". */
void top_summary(const struct top *top, char *buf, size_t cap);

/* The same for members: titles if it is NULL. */
void top_member_line(const struct member_view *m, char *buf, size_t cap);

int top_screen(struct top *top);

#endif
