/* spin.h - whether to look again at once, or to sleep. See spin.c. */
#ifndef PLAT_SPIN_H
#define PLAT_SPIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Nobody spins longer than this in one wait. */
#define SPIN_NS INT64_C(100000)

/* What a handle remembers of its waits in one direction. All zero: nothing. */
struct spin {
    _Atomic int credit;  /* short waits in a row */
    _Atomic int dearer;  /* how many more than CREDIT_MIN it takes */
    _Atomic int n_spins; /* in a row, that paid */
};

/* One wait. All zero: it has not begun. */
struct spin_wait {
    int64_t begun;
    unsigned n_looks;
    bool tried; /* spinning, */
    bool spins; /* and is at it */
};

/* There was nothing: whether to look again without sleeping first. The first
 * such call begins the wait. */
bool spin_again(const struct spin *spin, struct spin_wait *wait,
                int64_t deadline);

/* The wait is over, however; nothing if there was none. Another may begin. */
void spin_learn(struct spin *spin, struct spin_wait *wait);

/* The same for a clock of one's own. */
bool spin_again_at(const struct spin *spin, struct spin_wait *wait,
                   int64_t deadline, int64_t now);
void spin_learn_at(struct spin *spin, struct spin_wait *wait, int64_t now);

#endif
