/* scene.h - one operation on one queue or pipe, cut short, and what must hold
 * after.
 *
 *     scene_set()      a fresh one in the scene's state, sleepers asleep
 *     scene_play()     in the victim: the operation
 *     scene_watch()    the victim's pid
 *     scene_crowd()    the victim has stopped; a rival comes along
 *     (the victim dies)
 *     scene_again()    in a second victim, if any: what a survivor would do
 *     (the second victim dies)
 *     scene_judge()    the survivors go on; everything is checked and freed
 *
 * scene-queue.c, scene-conn.c and scene-name.c tell which scenes there are.
 */
#ifndef SCENE_H
#define SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "script.h"

struct scene_kind;

struct scene {
    const char *operation; /* put, get, close, send, recv */
    const char *state;
    size_t len; /* of the item that the victim puts or gets */
    bool twice; /* a second victim can play in it */
    const struct scene_kind *kind;
    const void *plan;
};

/* What the victims say, in shared memory. */
#define SCENE_LEN_MAX ((size_t)400064)
#define SCENE_MANY    3

struct scene_report {
    _Atomic bool returned;
    int r;
    size_t len;
    size_t n_items, item_len[SCENE_MANY]; /* if it got several */
    char buf[SCENE_LEN_MAX];
};

struct scene_kind {
    const char *name; /* of its row */
    const struct scene *(*get)(unsigned i);
    void (*begin)(void);
    void (*set)(const struct scene *scene, bool slowly);
    void (*warm)(void);
    void (*operate)(struct scene_report *report);
    void (*watch)(pid_t victim);
    void (*crowd)(void);
    void (*again)(struct scene_report *report);
    uint64_t (*state)(void);
    void (*judge)(int64_t death, const struct scene_report *report);
};

extern const struct scene_kind scenes_of_queue, scenes_of_conn, scenes_of_name;

/* All kinds; NULL behind the last. */
extern const struct scene_kind *const scene_kinds[];

/* All scenes of a kind, in order; NULL behind the last. */
const struct scene *scene_get(const struct scene_kind *kind, unsigned i);

/* One at a time. With `slowly` others give the victim time to be stepped. */
void scene_set(const struct scene *scene, bool slowly);

/* What the victim runs; the operation proper begins at scene_operate. */
void scene_play(void *unused);
void scene_operate(void);

/* The victim runs. */
void scene_watch(pid_t victim);

/* The victim stands where it is to die: in some scenes another comes now, and
 * finds the lock taken or not. */
void scene_crowd(void);

/* What the second victim runs; the operation begins at scene_operate_again. */
void scene_again(void *unused);
void scene_operate_again(void);

/* A number made from all that is shared, but for the items themselves. */
uint64_t scene_state(void);

/* The victims were killed, the last at time `death`, and are gone. */
void scene_judge(int64_t death, struct verdict *ret_verdict);

/* Once: make the helpers, warm up the program. */
void scene_begin(void);

#endif
