/* scene.c - all kinds of scenes, behind one door.
 *
 * Of each victim there is a report in shared memory: whether its operation had
 * returned, and what with. The second victim's says nothing if there was none.
 */
#include "scene.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "torture.h"

const struct scene_kind *const scene_kinds[] = {
    &scenes_of_queue, &scenes_of_conn, &scenes_of_name, NULL};

static const struct scene *scene;

static struct scene_report *report; /* two */

const struct scene *scene_get(const struct scene_kind *kind, unsigned i)
{
    return kind->get(i);
}

void scene_set(const struct scene *wanted, bool slowly)
{
    scene = wanted;
    script_begin();
    for (int i = 0; i < 2; i++) {
        atomic_store(&report[i].returned, false);
        report[i].r = 1;
    }
    scene->kind->set(scene, slowly);
}

__attribute__((noinline)) void scene_operate(void)
{
    scene->kind->operate(&report[0]);
    atomic_store(&report[0].returned, true);
}

void scene_play(void *unused)
{
    (void)unused;
    scene->kind->warm();
    scene_operate();
}

void scene_watch(pid_t victim)
{
    scene->kind->watch(victim);
}

void scene_crowd(void)
{
    scene->kind->crowd();
}

__attribute__((noinline)) void scene_operate_again(void)
{
    scene->kind->again(&report[1]);
    atomic_store(&report[1].returned, true);
}

void scene_again(void *unused)
{
    (void)unused;
    /* For the judge to know that there was one. */
    report[1].r = 0;
    scene->kind->warm();
    scene_operate_again();
}

uint64_t scene_state(void)
{
    return scene->kind->state();
}

void scene_judge(int64_t death, struct verdict *ret_verdict)
{
    scene->kind->judge(death, report);
    script_end(ret_verdict);
}

void scene_begin(void)
{
    report = shared_new(2 * sizeof *report);
    /* Naps of 20 us that last as long, not four times. */
    MUST(prctl(PR_SET_TIMERSLACK, 1));
    for (const struct scene_kind *const *kind = scene_kinds; *kind; kind++)
        (*kind)->begin();
}
