/* torture.c - what the torture programs share.
 *
 * Items are known by a number, from which their bytes are made; so an item that
 * was mixed from two, or cut, is seen at once. The word at offset i of item id
 * is mix(id + i): no two items have a stretch of 8 bytes in common.
 *
 * The rest looks at what a queue must look like when all is quiet.
 */
#define _GNU_SOURCE
#include "torture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "plat/plat.h"

_Noreturn void trouble(const char *what)
{
    perror(what);
    exit(EXIT_TROUBLE);
}

void torture_row(const char *name, unsigned long points, unsigned long lost,
                 unsigned long doubled, unsigned long torn, int64_t stall_ns)
{
    printf("row: %s %lu %lu %lu %lu %.1f\n", name, points, lost, doubled, torn,
           ms_of(stall_ns));
    fflush(stdout);
}

uint64_t mix(uint64_t x)
{
    /* splitmix64 */
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t word_at(uint64_t id, size_t i)
{
    return mix(id << 32 | i);
}

void item_fill(void *buf, size_t len, uint64_t id)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = word_at(id, i);
        memcpy((char *)buf + i, &word, len - i < 8 ? len - i : 8);
    }
}

bool item_is(const void *buf, size_t len, uint64_t id)
{
    const char *at = buf;
    uint64_t word, wanted;
    size_t i = 0;

    for (; i + 8 <= len; i += 8) {
        memcpy(&word, at + i, 8);
        if (word != word_at(id, i))
            return false;
    }
    wanted = word_at(id, i);
    return i == len || memcmp(at + i, &wanted, len - i) == 0;
}

void *shared_new(size_t len)
{
    void *mem;

    if (plat_map(-1, 0, len, &mem) < 0)
        trouble("shared memory");
    return mem;
}

unsigned count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

bool locks_are_free(chute_queue *queue)
{
    struct shm_queue *shm = chain_of(queue)->shm;

    return atomic_load(&shm->put_lock.word) == 0 &&
           atomic_load(&shm->get_lock.word) == 0;
}

uint64_t held(chute_queue *queue)
{
    uint64_t len, bytes;

    if (plat_shm_size(chain_of(queue)->fd, &len, &bytes) < 0)
        trouble("the size of the queue's file");
    return bytes;
}

/* By the tables. What is written down as the sum of all blocks may be behind. */
static uint64_t said_to_be_held(chute_queue *queue)
{
    struct shm_queue *shm = chain_of(queue)->shm;
    uint64_t page = plat_page();
    uint64_t sum = (sizeof *shm + page - 1) / page * page;

    sum += region_reserved(chain_of(queue)) - atomic_load(&shm->block_len);
    for (int i = 0; i < SHM_N_BLOCKS; i++)
        sum += atomic_load(&shm->block[i].len);
    return sum;
}

bool memory_is_exact(chute_queue *queue)
{
    return held(queue) <= said_to_be_held(queue);
}

bool memory_is_as_said(chute_queue *queue)
{
    return held(queue) == said_to_be_held(queue);
}

uint64_t held_when_empty(chute_queue *queue)
{
    size_t len;

    atomic_store(&chain_of(queue)->shm->shrunk_at, 0);
    (void)chute_queue_get_bytes(queue, NULL, 0, &len, CHUTE_NOWAIT);
    return held(queue);
}
