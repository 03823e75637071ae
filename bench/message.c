/* message.c - messages that show whether they arrived, once, and whole.
 *
 * A mark is 8 bytes: who put the message, and its number among his. A message
 * bears the same mark at its beginning, in each page and at its end; one that
 * differs was torn. That costs a copying peer nothing beside the copy, and shows
 * a message that is made of two.
 *
 * Each getter counts what it got of each putter, and adds up the numbers and
 * their squares. If afterwards the sums of all getters are those of the putter,
 * nothing was lost and nothing came twice: it would take three messages that
 * make up for each other in count, sum and squares to hide. Besides, the numbers
 * of one putter must grow at each getter.
 */
#include <string.h>

#include "message.h"

#define PAGE        4096
#define NUMBER_BITS 48

static uint64_t mark_of(int putter, uint64_t number)
{
    /* No mark is 0, as memory that nobody has written is. */
    return (uint64_t)(putter + 1) << NUMBER_BITS | number;
}

void message_mark(char *data, size_t len, int putter, uint64_t number,
                  bool only_ends)
{
    uint64_t mark = mark_of(putter, number);

    memcpy(data, &mark, sizeof mark);
    if (!only_ends)
        for (size_t at = PAGE; at + sizeof mark < len; at += PAGE)
            memcpy(data + at, &mark, sizeof mark);
    memcpy(data + len - sizeof mark, &mark, sizeof mark);
}

static bool bears(const char *data, uint64_t mark)
{
    return memcmp(data, &mark, sizeof mark) == 0;
}

static bool is_whole(const char *data, size_t len, uint64_t mark,
                     bool only_ends)
{
    if (!only_ends)
        for (size_t at = PAGE; at + sizeof mark < len; at += PAGE)
            if (!bears(data + at, mark))
                return false;
    return bears(data + len - sizeof mark, mark);
}

static void count(struct tally *tally, uint64_t number)
{
    tally->sum += number;
    tally->squares += number * number;
    tally->n++;
}

void message_put(struct account *mine, int putter, uint64_t number)
{
    count(&mine->tallies[putter], number);
}

void message_got(struct account *mine, const char *data, size_t len,
                 bool only_ends)
{
    uint64_t mark;

    memcpy(&mark, data, sizeof mark);
    uint64_t putter = (mark >> NUMBER_BITS) - 1;
    uint64_t number = mark & ((UINT64_C(1) << NUMBER_BITS) - 1);
    if (putter >= MAX_PUTTERS || !is_whole(data, len, mark, only_ends)) {
        mine->n_torn++;
        return;
    }
    mine->n_late += number < mine->next[putter];
    mine->next[putter] = number + 1;
    count(&mine->tallies[putter], number);
}

const char *message_compare(const struct account *put,
                            const struct account *const *got, size_t n,
                            int putter)
{
    struct tally sent = put->tallies[putter], come = {0};

    for (size_t i = 0; i < n; i++) {
        if (got[i]->n_torn > 0)
            return "messages were torn";
        if (got[i]->n_late > 0)
            return "messages came out of order";
        come.n += got[i]->tallies[putter].n;
        come.sum += got[i]->tallies[putter].sum;
        come.squares += got[i]->tallies[putter].squares;
    }
    if (come.n < sent.n)
        return "messages were lost";
    if (come.n > sent.n)
        return "messages came twice";
    return come.sum == sent.sum && come.squares == sent.squares
               ? NULL
               : "messages were lost, and others came twice";
}
