/* mover.c - moves numbers through a named queue, for kill.py.
 *
 *     mover put NAME ID N JOURNAL    put (ID, 0) .. (ID, N - 1), and be done
 *     mover get NAME                 print what is there, a line each, till the
 *                                    close
 *
 * JOURNAL is a file of 8 bytes: how many puts have returned 0. It is memory that
 * is shared with who reads it, so a kill leaves it as it is.
 *
 * A line is written by one system call before the next message is taken; so who
 * kills it has lost one message at most.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chute.h>

static int complain(const char *what, int r)
{
    fprintf(stderr, "mover: %s: %s\n", what, chute_strerror(r));
    return EXIT_FAILURE;
}

static _Atomic uint64_t *journal_open(const char *path)
{
    int fd = open(path, O_RDWR);
    void *at =
        mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    close(fd);
    return at;
}

static int put(chute_queue *queue, int64_t id, int64_t n,
               _Atomic uint64_t *n_acknowledged)
{
    for (int64_t i = 0; i < n; i++) {
        int r = chute_queue_put(queue, chute_tuple(chute_int(id), chute_int(i)),
                                CHUTE_FOREVER);
        if (r < 0)
            return complain("put", r);
        atomic_store(n_acknowledged, (uint64_t)i + 1);
    }
    return EXIT_SUCCESS;
}

static int get(chute_queue *queue)
{
    chute_value *value;
    int r;

    while ((r = chute_queue_get(queue, &value, CHUTE_FOREVER)) == 0) {
        chute_value_print(value, stdout);
        printf("\n");
        fflush(stdout);
        chute_value_free(value);
    }
    return r == CHUTE_EOF ? EXIT_SUCCESS : complain("get", r);
}

int main(int argc, char **argv)
{
    chute_queue *queue;

    if (argc != 3 && argc != 6)
        return complain("usage: mover put|get NAME [ID N JOURNAL]",
                        CHUTE_EINVAL);
    int r = chute_queue_open(&queue, argv[2], NULL);
    if (r < 0)
        return complain(argv[2], r);
    r = argc == 6
            ? put(queue, atoll(argv[3]), atoll(argv[4]), journal_open(argv[5]))
            : get(queue);
    chute_queue_free(queue);
    return r;
}
