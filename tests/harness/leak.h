/* leak.h - what a process holds, to be compared with what it held before.
 *
 * Counted are
 *
 *   descriptors    every one, by number and target; one that has gone, or has
 *                  become another, is reported too: somebody closed what was
 *                  not his
 *   mappings       the shared ones, and those of a memfd
 *   threads        every one (not under TSan, which has its own)
 *   children       every one, running or not yet waited for; with the
 *                  subreaper that runner.c makes of the test, orphaned
 *                  grandchildren are among them
 *   memory         blocks that the executable, which includes the static
 *                  library, asked malloc for. What libc asks for on its own
 *                  account (stdio buffers, the stacks that it keeps for later
 *                  threads) or gives away (strdup) is not. Under ASan the leak
 *                  sanitizer does this, under TSan, valgrind and libcs other
 *                  than glibc nobody.
 *
 * Not counted: private mappings, for malloc and the sanitizers come and go with
 * them; files in /dev/shm or /tmp, for other tests run at the same time.
 */
#ifndef LEAK_H
#define LEAK_H

#include <stddef.h>
#include <sys/types.h>

/* Text in place, since code that looks for leaks had better not allocate. What
 * does not fit is cut off. */
struct text {
    size_t len;
    char s[16 << 10];
};

void text_add(struct text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What this process holds: a line for each thing, and for memory a number. */
struct leak_state {
    struct text things;
    long n_blocks;             /* that are live */
    unsigned long last_serial; /* of the last block that was allocated */
};

void leak_take(struct leak_state *ret_state);

/* Add to *out a line for each thing that only one of the two states has, and
 * for each block that is new since `before`. The number of lines. */
size_t leak_compare(const struct leak_state *before,
                    const struct leak_state *after, struct text *out);

/* How many blocks and descriptors this process holds: two cheap numbers. */
long leak_n_blocks(void);
long leak_n_descriptors(void);

/* Ask the leak sanitizer, where there is one: 1 if it found something; its
 * report is on stderr. */
int leak_sanitizer(void);

/* Add a line for each child of this process and, with `depth`, for theirs, and
 * where in the kernel it waits. */
void leak_describe_children(pid_t pid, int depth, struct text *out);

/* Kill and reap all children of this process. */
void leak_kill_children(void);

#endif
