/* layout.c - layout.h as a number.
 *
 * Two programs may hold the same queue and have been built with different
 * versions of chute, or by compilers that disagree. So every field of layout.h
 * stands in the table below, and layout_id() folds all offsets and sizes, and
 * the version, into one number that lies in the memory itself: who finds
 * another one there gets CHUTE_ELAYOUT, and not garbage.
 *
 * Where a field keeps its place but changes its meaning, LAYOUT_VERSION is what
 * has to change.
 *
 * Proof: tests/layout/check-layout, which compares the table with layout.h, and
 * with the layout that has been published (tests/layout/layout.txt).
 */
#include "shm/label.h"

#define LAYOUT_VERSION 1

#define WHOLE(s)                                                               \
    {                                                                          \
#s, 0, sizeof(struct s)                                                \
    }
#define FIELD(s, f)                                                            \
    {                                                                          \
#s "." #f, offsetof(struct s, f), sizeof(((struct s *)0)->f)           \
    }

const struct layout_field layout_fields[] = {
    WHOLE(shm_label),
    FIELD(shm_label, magic),
    FIELD(shm_label, layout),
    FIELD(shm_label, pid_namespace),
    WHOLE(shm_lock),
    FIELD(shm_lock, word),
    FIELD(shm_lock, n_rescues),
    FIELD(shm_lock, n_deaths),
    FIELD(shm_lock, unused),
    WHOLE(shm_event),
    FIELD(shm_event, word),
    FIELD(shm_event, n_rescues),
    FIELD(shm_event, n_waits),
    WHOLE(shm_totals),
    FIELD(shm_totals, n_items),
    FIELD(shm_totals, n_units),
    FIELD(shm_totals, most),
    FIELD(shm_totals, unused),
    WHOLE(shm_blocked),
    FIELD(shm_blocked, n_threads),
    FIELD(shm_blocked, unused),
    FIELD(shm_blocked, since),
    WHOLE(shm_member),
    FIELD(shm_member, who),
    FIELD(shm_member, attached_at),
    FIELD(shm_member, program),
    FIELD(shm_member, n_put),
    FIELD(shm_member, n_got),
    FIELD(shm_member, putting),
    FIELD(shm_member, getting),
    WHOLE(shm_bell),
    FIELD(shm_bell, name),
    FIELD(shm_bell, who),
    FIELD(shm_bell, net_namespace),
    WHOLE(shm_block),
    FIELD(shm_block, owner),
    FIELD(shm_block, offset),
    FIELD(shm_block, len),
    FIELD(shm_block, seq),
    FIELD(shm_block, unused),
    WHOLE(shm_region),
    FIELD(shm_region, start),
    FIELD(shm_region, n_units),
    FIELD(shm_region, offset),
    WHOLE(shm_queue),
    FIELD(shm_queue, label),
    FIELD(shm_queue, maxsize),
    FIELD(shm_queue, max_units),
    FIELD(shm_queue, put_lock),
    FIELD(shm_queue, put),
    FIELD(shm_queue, silent),
    FIELD(shm_queue, tail),
    FIELD(shm_queue, get_lock),
    FIELD(shm_queue, got),
    FIELD(shm_queue, head),
    FIELD(shm_queue, items),
    FIELD(shm_queue, space),
    FIELD(shm_queue, closed),
    FIELD(shm_queue, last),
    FIELD(shm_queue, shrunk_at),
    FIELD(shm_queue, block_len),
    FIELD(shm_queue, first),
    FIELD(shm_queue, region),
    FIELD(shm_queue, n_gone),
    FIELD(shm_queue, bell),
    FIELD(shm_queue, member),
    FIELD(shm_queue, free_hint),
    FIELD(shm_queue, n_released),
    FIELD(shm_queue, released),
    FIELD(shm_queue, block),
    WHOLE(shm_conn),
    FIELD(shm_conn, send_lock),
    FIELD(shm_conn, sending),
    FIELD(shm_conn, recv_lock),
    FIELD(shm_conn, receiving),
    FIELD(shm_conn, keeper),
    FIELD(shm_conn, keeper_birth),
    FIELD(shm_conn, n_known),
    FIELD(shm_conn, n_taken),
    FIELD(shm_conn, known),
    WHOLE(shm_pipe),
    FIELD(shm_pipe, label),
    FIELD(shm_pipe, socket),
    FIELD(shm_pipe, oneway),
    FIELD(shm_pipe, end),
};

const size_t layout_n_fields = sizeof layout_fields / sizeof layout_fields[0];

/* FNV-1a's step, a whole number at a time. */
static uint64_t fold(uint64_t id, uint64_t n)
{
    return (id ^ n) * UINT64_C(0x100000001b3);
}

uint64_t layout_id(void)
{
    uint64_t id = fold(UINT64_C(0xcbf29ce484222325), LAYOUT_VERSION);

    for (size_t i = 0; i < layout_n_fields; i++) {
        id = fold(id, layout_fields[i].offset);
        id = fold(id, layout_fields[i].size);
    }
    return id;
}
