/* stage-loan.c - messages in their place, on the stage of a queue.
 *
 * scene-queue.c says which states there are; here is what they are made of, what
 * victims and helpers do, and what must hold of the blocks in the end: when the
 * queue has been drained, a survivor gets as many as there ever are, at once, and
 * the file holds their memory and the regions', and no more.
 *
 * The blocks that nobody is to have, or one only, are held by us.
 */
#define _GNU_SOURCE
#include "stage-loan.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chute/error.h"
#include "plat/plat.h"
#include "shm/block.h"
#include "shm/ring.h"
#include "stage-queue.h"
#include "torture.h"

static struct chute_loan ours[SHM_N_BLOCKS];
static unsigned n_ours;

static struct chute_loan victims; /* in its process */

bool loan_is_played(void)
{
    const struct plan *plan = queue_stage.plan;

    return plan->in_place || plan->lends || plan->operation == RESERVE ||
           plan->operation == RELEASE;
}

/* -- operations ------------------------------------------------------------- */

int loan_put(const void *data, size_t len, int64_t timeout_ns)
{
    struct chute_loan loan;
    int r = chute_queue_reserve(queue_stage.queue, &loan, len, timeout_ns);

    if (r < 0)
        return r;
    memcpy(loan.data, data, len);
    return chute_queue_commit(queue_stage.queue, &loan, timeout_ns);
}

int loan_take(struct scene_report *report, int64_t timeout_ns)
{
    struct chute_loan loan;
    int r = chute_queue_borrow(queue_stage.queue, &loan, timeout_ns);

    if (r == 0 && loan.len <= sizeof report->buf) {
        report->len = loan.len;
        memcpy(report->buf, loan.data, loan.len);
    }
    return r;
}

/* The second victim may find nothing to borrow. */
void loan_warm(const void *data, size_t len)
{
    const struct plan *plan = queue_stage.plan;

    if (plan->operation == RELEASE && plan->lends) {
        (void)chute_queue_borrow(queue_stage.queue, &victims, IMPATIENT_NS);
    } else if (plan->operation == RELEASE ||
               (plan->operation == PUT && plan->in_place)) {
        MUST(chute_queue_reserve(queue_stage.queue, &victims, len, HANG_NS));
        memcpy(victims.data, data, len);
    }
}

int loan_reserve(int64_t timeout_ns)
{
    return chute_queue_reserve(queue_stage.queue, &victims,
                               queue_stage.scene->len, timeout_ns);
}

int loan_commit(int64_t timeout_ns)
{
    return chute_queue_commit(queue_stage.queue, &victims, timeout_ns);
}

int loan_release(void)
{
    return chute_queue_release(queue_stage.queue, &victims);
}

int loan_pass(int64_t timeout_ns)
{
    struct chute_loan loan;
    int r = chute_queue_reserve(queue_stage.queue, &loan,
                                queue_stage.scene->len, timeout_ns);

    return r < 0 ? r : chute_queue_release(queue_stage.queue, &loan);
}

void loan_let_go_of_one(void)
{
    MUST(chute_queue_release(queue_stage.queue, &ours[--n_ours]));
}

/* -- judge ------------------------------------------------------------------ */

/* As many as the memory is enough for. */
static unsigned n_blocks(void)
{
    uint64_t memory =
        (uint64_t)chain_of(queue_stage.queue)->max_units * SHM_UNIT;

    return memory < (uint64_t)SHM_N_BLOCKS * SHM_GRAIN
               ? (unsigned)(memory / SHM_GRAIN)
               : SHM_N_BLOCKS;
}

static int take_one(size_t len)
{
    struct chute_loan *loan = &ours[n_ours];
    int r = chute_queue_reserve(queue_stage.queue, loan, len, CHUTE_NOWAIT);

    if (r == 0)
        memset(ours[n_ours++].data, 'o', len);
    return r;
}

/* All that are left. */
static void take_all(void)
{
    while (n_ours < SHM_N_BLOCKS && take_one(1) == 0)
        ;
}

static void let_go_of_all(void)
{
    while (n_ours > 0)
        loan_let_go_of_one();
}

void loan_judge(void)
{
    let_go_of_all();
    for (unsigned i = 0; i < n_blocks(); i++) {
        int64_t before = plat_now();
        if (take_one(1) < 0)
            script_wrong("a block was lost");
        script_waited(plat_now() - before);
    }
    if (!memory_is_as_said(queue_stage.queue))
        script_wrong("the file does not hold what the tables say");
    let_go_of_all();
}

/* -- the states ------------------------------------------------------------- */

/* One block has been used, and has its memory still. */
void loan_prepare_used(void)
{
    (void)take_one(queue_stage.scene->len);
    let_go_of_all();
}

/* The memory of a small queue is with free blocks, which are small. */
void loan_prepare_small(void)
{
    take_all();
    let_go_of_all();
}

/* A free one has more than an empty queue keeps. */
void loan_prepare_large(void)
{
    queue_prepare_one();
    (void)take_one(HUGE_LEN);
    let_go_of_all();
}

/* All are ours. */
void loan_prepare_none(void)
{
    take_all();
}

/* All are ours but the victim's, who borrows it before he operates or gets it. */
void loan_prepare_lent(void)
{
    queue_prepare_one();
    if (queue_stage.plan->operation == RELEASE)
        script_entry(0)->gone = true;
    if (queue_stage.plan->help == SLEEPING_RESERVER)
        loan_prepare_none();
}

/* All are somebody's who is dead. */
void loan_prepare_dead(void)
{
    int status;
    pid_t pid = fork();

    MUST(pid);
    if (pid == 0) {
        loan_prepare_none();
        _exit(0);
    }
    MUST(waitpid(pid, &status, 0));
}

/* All are queued as items that are not there: yet to come, or been taken. */
void loan_prepare_lost(void)
{
    struct shm_queue *shm = chain_of(queue_stage.queue)->shm;

    for (uint32_t i = 0; i < SHM_N_BLOCKS; i++) {
        uint64_t word = atomic_load(i % 2 ? &shm->tail : &shm->head);
        atomic_store(&shm->block[i].seq, (uint32_t)(word >> 32) - (i % 2 == 0));
        atomic_store(&shm->block[i].owner, 1);
    }
    atomic_store(&shm->free_hint, 0);
}
