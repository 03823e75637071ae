/* drain.c - end a consumer by closing the queue instead of killing it.
 *
 * After close no put succeeds, anywhere; gets take what is left and then give
 * CHUTE_EOF. So the reader ends by itself, and has missed nothing.
 */
#include <stdio.h>
#include <stdlib.h>

#include <chute.h>

static int complain(const char *what, int r)
{
    fprintf(stderr, "drain: %s: %s\n", what, chute_strerror(r));
    return EXIT_FAILURE;
}

static int reader(void *queue)
{
    chute_value *value;
    int64_t i, sum = 0;
    int r;

    while ((r = chute_queue_get(queue, &value, CHUTE_FOREVER)) == 0) {
        if (chute_value_int(value, &i) == 0)
            sum += i;
        chute_value_free(value);
    }
    if (r != CHUTE_EOF)
        return complain("get", r);
    printf("The reader has seen everything: the sum is %lld.\n",
           (long long)sum);
    return EXIT_SUCCESS;
}

int main(void)
{
    chute_queue *queue;
    chute_process *process;
    int exitcode = EXIT_FAILURE;

    int r = chute_queue_new(&queue,
                            CHUTE_OPTIONS(chute_queue_options, .maxsize = 100));
    if (r < 0)
        return complain("queue", r);
    r = chute_process_start(&process, reader, queue, NULL);
    if (r < 0)
        return complain("start", r);

    for (int64_t i = 1; i <= 1000; i++) {
        r = chute_queue_put(queue, chute_int(i), CHUTE_FOREVER);
        if (r < 0)
            return complain("put", r);
    }
    chute_queue_close(queue);
    chute_process_join(process, &exitcode, CHUTE_FOREVER);
    chute_process_free(process);

    r = chute_queue_put(queue, chute_int(1001), CHUTE_NOWAIT);
    printf("A put after close: %s.\n", chute_strerror(r));
    chute_queue_free(queue);
    return exitcode;
}
