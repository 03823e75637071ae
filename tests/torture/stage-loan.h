/* stage-loan.h - messages in their place, on the stage of a queue. See
 * stage-loan.c. */
#ifndef STAGE_LOAN_H
#define STAGE_LOAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scene.h"

/* Of the queues whose memory is to be short: so many blocks are all of it. */
#define SHORT_MEMORY ((uint64_t)1 << 20)

/* Whether the scene has to do with them. */
bool loan_is_played(void);

/* Put an item in its place. */
int loan_put(const void *data, size_t len, int64_t timeout_ns);

/* Take the oldest item by borrowing it, which goes on. */
int loan_take(struct scene_report *report, int64_t timeout_ns);

/* The victim: has on loan what its operation ends, and operates. */
void loan_warm(const void *data, size_t len);
int loan_reserve(int64_t timeout_ns);
int loan_commit(int64_t timeout_ns);
int loan_release(void);

/* A helper: wait for a block, and give it back; let a victim have one. */
int loan_pass(int64_t timeout_ns);
void loan_let_go_of_one(void);

/* All that was on loan is there for the survivors, with its memory. */
void loan_judge(void);

/* The states. */
void loan_prepare_used(void);
void loan_prepare_small(void);
void loan_prepare_large(void);
void loan_prepare_none(void);
void loan_prepare_lent(void);
void loan_prepare_dead(void);
void loan_prepare_lost(void);

#endif
