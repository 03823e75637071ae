/* stage-queue.c - a queue, brought into the state in which a scene begins.
 *
 * scene-queue.c says which states there are. What was put on the way is in the
 * script afterwards, and what came out already has been taken from it.
 */
#define _GNU_SOURCE
#include "stage-queue.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "chute/error.h"
#include "chute/pickle.h"
#include "plat/plat.h"
#include "shm/ring.h"
#include "stage-loan.h"
#include "torture.h"

struct queue_stage queue_stage;

static void put_item(size_t len)
{
    uint64_t id = queue_stage.next_id++;

    item_fill(queue_stage.scratch, len, id);
    MUST(chute_queue_put_bytes(queue_stage.queue, queue_stage.scratch, len,
                               CHUTE_NOWAIT));
    script_add(id, len);
}

static void put_value(size_t len)
{
    uint64_t id = queue_stage.next_id++;

    item_fill(queue_stage.scratch, len, id);
    MUST(chute_queue_put(queue_stage.queue,
                         chute_bytes(queue_stage.scratch, len), CHUTE_NOWAIT));
    script_add(id, len)->is_value = true;
}

static void put_in_place(size_t len, bool is_value)
{
    uint64_t id = queue_stage.next_id++;
    void *data = queue_stage.scratch, *pickle = NULL;
    size_t data_len = len;

    item_fill(data, len, id);
    if (is_value) {
        chute_value *v = chute_bytes(data, len);
        MUST(chute_dumps(v, &pickle, &data_len));
        chute_value_free(v);
        data = pickle;
    }
    MUST(loan_put(data, data_len, CHUTE_NOWAIT));
    free(pickle);
    script_add(id, len)->is_value = is_value;
}

static void put_and_get(size_t len)
{
    MUST(chute_queue_put_bytes(queue_stage.queue, queue_stage.scratch, len,
                               CHUTE_NOWAIT));
    MUST(chute_queue_get_bytes(queue_stage.queue, queue_stage.scratch, HUGE_LEN,
                               &len, CHUTE_NOWAIT));
}

static void get_item(void)
{
    size_t len;

    MUST(chute_queue_get_bytes(queue_stage.queue, queue_stage.scratch, HUGE_LEN,
                               &len, CHUTE_NOWAIT));
    script_take(queue_stage.scratch, len);
}

/* Whether the victim takes an item, in its operation or before. */
static bool victim_takes(void)
{
    const struct plan *plan = queue_stage.plan;

    return plan->operation == GET ||
           (plan->operation == RELEASE && plan->lends);
}

/* What the victim gets lies in front, what it puts will lie behind. */
static void put_victims_item(void)
{
    const struct plan *plan = queue_stage.plan;
    size_t len = queue_stage.scene->len;

    if (!victim_takes())
        return;
    if (plan->in_place)
        put_in_place(len, plan->values);
    else if (plan->values)
        put_value(len);
    else
        put_item(len);
}

void queue_prepare_nothing(void)
{
}

void queue_prepare_one(void)
{
    put_victims_item();
    if (!victim_takes())
        put_item(FILLER_LEN);
}

void queue_prepare_full(void)
{
    put_victims_item();
    while (!chute_queue_full(queue_stage.queue))
        put_item(FILLER_LEN);
}

static size_t len_of_units(uint32_t n_units)
{
    return (size_t)(n_units - SHM_ITEM_UNITS) * SHM_UNIT;
}

/* Let the queue's positions run to `units` before its region's end. */
static void run_to_end(uint32_t n_units, uint32_t units)
{
    uint32_t pos = (uint32_t)ring_look(chain_of(queue_stage.queue)).tail;
    uint32_t left = (n_units - units - pos) & (n_units - 1);

    if (left < SHM_ITEM_UNITS)
        left += n_units; /* less than any item takes */
    while (left > 0) {
        uint32_t n = left < 1024 + SHM_ITEM_UNITS ? left : 1024;
        put_and_get(len_of_units(n));
        left -= n;
    }
}

void queue_prepare_wrap(void)
{
    size_t len = queue_stage.scene->len;

    if (len == LARGE_LEN) {
        put_and_get(LARGE_LEN); /* a region where it can wrap */
        run_to_end(4 * REGION_BASE_UNITS, 100);
    } else {
        run_to_end(REGION_BASE_UNITS, len == 4096 ? 256 : 1);
    }
    put_victims_item();
    if (queue_stage.plan->operation == GET)
        put_item(FILLER_LEN);
}

/* The first region full to the last unit. */
void queue_prepare_edge(void)
{
    for (int i = 0; i < 8; i++)
        put_item(len_of_units(REGION_BASE_UNITS / 8));
    if (queue_stage.plan->operation == GET) {
        put_victims_item();
        put_item(FILLER_LEN);
        for (int i = 0; i < 8; i++)
            get_item();
    }
}

void queue_prepare_large(void)
{
    size_t len;

    MUST(chute_queue_put_bytes(queue_stage.queue, queue_stage.scratch, HUGE_LEN,
                               CHUTE_NOWAIT));
    put_victims_item();
    MUST(chute_queue_get_bytes(queue_stage.queue, queue_stage.scratch, HUGE_LEN,
                               &len, CHUTE_NOWAIT));
}

/* -- what can be seen of it ------------------------------------------------ */

static void word_without_tid(struct shm_lock *lock)
{
    uint32_t word = lock->word;

    lock->word = (word & ~PLAT_OWNER_MASK) | ((word & PLAT_OWNER_MASK) != 0);
}

/* Who uses the queue, but not since when. No scene has more than a few. */
#define N_MEMBERS 8

static uint64_t state_of_members(const struct shm_member *member)
{
    uint64_t hash = 0;

    for (int i = 0; i < N_MEMBERS; i++, member++) {
        hash = mix(hash ^ (member->who != 0));
        hash = mix(hash ^ member->n_put);
        hash = mix(hash ^ member->n_got);
        hash = mix(hash ^ member->putting.n_threads);
        hash = mix(hash ^ member->getting.n_threads);
    }
    return hash;
}

static void bells_without_names(struct shm_bell *bell)
{
    for (int i = 0; i < SHM_N_BELLS; i++, bell++) {
        bell->name = bell->name != 0;
        bell->who = bell->who != 0;
    }
}

/* Who has the blocks, and what they have; a hint says little. */
static uint64_t state_of_blocks(const struct shm_queue *shm)
{
    uint64_t hash = shm->free_hint != 0;

    for (const struct shm_block *block = shm->block;
         block < shm->block + SHM_N_BLOCKS; block++) {
        hash = mix(hash ^ (block->owner < 2 ? block->owner : 2));
        hash = mix(hash ^ block->offset);
        hash = mix(hash ^ block->len);
        hash = mix(hash ^ block->seq);
    }
    hash = mix(hash ^ shm->n_released);
    hash = mix(hash ^ shm->released.word);
    return mix(hash ^ shm->block_len);
}

/* The header page. Numbers that differ from run to run, tids and times, count
 * only as far as they are there. */
uint64_t queue_state(void)
{
    const struct shm_queue *shm = chain_of(queue_stage.queue)->shm;
    static struct shm_queue copy;
    uint64_t word, hash = state_of_members(shm->member);

    memcpy(&copy, shm, offsetof(struct shm_queue, member));
    word_without_tid(&copy.put_lock);
    word_without_tid(&copy.get_lock);
    bells_without_names(copy.bell);
    copy.shrunk_at = copy.shrunk_at != 0;
    for (size_t i = 0; i + 8 <= offsetof(struct shm_queue, member); i += 8) {
        memcpy(&word, (const char *)&copy + i, 8);
        hash = mix(hash ^ word);
    }
    hash = mix(hash ^ state_of_blocks(shm));
    return mix(hash ^ held(queue_stage.queue));
}

void queue_stage_begin(void)
{
    queue_stage.scratch = shared_new(HUGE_LEN);
}
