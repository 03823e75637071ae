/* message.h - messages that show whether they arrived, once, and whole. */
#ifndef BENCH_MESSAGE_H
#define BENCH_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_PUTTERS 8

/* What has been put, or got, of one putter's messages. */
struct tally {
    uint64_t n;
    uint64_t sum; /* of their numbers, and of the squares of these */
    uint64_t squares;
};

/* What one process knows of its messages; lies in shared memory. */
struct account {
    struct tally tallies[MAX_PUTTERS];
    uint64_t next[MAX_PUTTERS]; /* no number smaller may follow */
    uint64_t n_torn;
    uint64_t n_late; /* came after a later one of the same putter */
};

/* Write the number into a message of len bytes, 8 or more: at its beginning and
 * its end, and, unless only the ends are wanted, in each page of it. */
void message_mark(char *data, size_t len, int putter, uint64_t number,
                  bool only_ends);

/* Count what was put, what was got. */
void message_put(struct account *mine, int putter, uint64_t number);
void message_got(struct account *mine, const char *data, size_t len,
                 bool only_ends);

/* NULL if what n accounts have got is what one putter has put; otherwise what
 * is wrong. Static. */
const char *message_compare(const struct account *put,
                            const struct account *const *got, size_t n,
                            int putter);

#endif /* BENCH_MESSAGE_H */
