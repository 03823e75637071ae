/* mover.c - moves numbers through a named queue, for kill.py.
 *
 *     mover put NAME ID N    put (ID, 0) .. (ID, N - 1), and be done
 *     mover get NAME         print what is there, a line each, till the close
 *
 * A line is written by one system call before the next message is taken; so who
 * kills it has lost one message at most.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <chute.h>

static int complain(const char *what, int r)
{
    fprintf(stderr, "mover: %s: %s\n", what, chute_strerror(r));
    return EXIT_FAILURE;
}

static int put(chute_queue *queue, int64_t id, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int r = chute_queue_put(queue, chute_tuple(chute_int(id), chute_int(i)),
                                CHUTE_FOREVER);
        if (r < 0)
            return complain("put", r);
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

    if (argc < 3)
        return complain("usage: mover put|get NAME [ID N]", CHUTE_EINVAL);
    int r = chute_queue_open(&queue, argv[2], NULL);
    if (r < 0)
        return complain(argv[2], r);
    r = argc == 5 ? put(queue, atoll(argv[3]), atoll(argv[4])) : get(queue);
    chute_queue_free(queue);
    return r;
}
