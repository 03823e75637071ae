/* scene.h - one operation on one queue, cut short, and what must hold after.
 *
 *     scene_set()      a fresh queue in the scene's state, sleepers asleep
 *     scene_play()     in the victim: the operation
 *     scene_crowd()    the victim has stopped; a rival comes along
 *     (the victim dies)
 *     scene_judge()    the survivors go on; everything is checked and freed
 */
#ifndef SCENE_H
#define SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scene {
    const char *operation; /* put, get, close */
    const char *state;
    size_t len; /* of the item that is put, or got, by the victim */
    const struct scene_plan *plan;
};

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

/* All scenes, in order; NULL behind the last. */
const struct scene *scene_get(unsigned i);

/* One at a time. With `slowly` others give the victim time to be stepped. */
void scene_set(const struct scene *scene, bool slowly);

/* What the victim runs; the operation proper begins at scene_operate. */
void scene_play(void *unused);
void scene_operate(void);

/* The victim stands where it is to die: in some scenes another comes now, and
 * finds the lock taken or not. */
void scene_crowd(void);

/* The victim was killed at time `death`, and is gone. */
void scene_judge(int64_t death, struct verdict *ret_verdict);

/* Once: make the helper, warm up the program. */
void scene_begin(void);

#endif
