/* letters.c - one process puts letters into a queue, another gets them.
 *
 * The parent waits for the writer, then ends the reader, which is inside get()
 * and would stay there for ever. drain.c shows how to do without that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <chute.h>

static int complain(const char *what, int r)
{
    fprintf(stderr, "letters: %s: %s\n", what, chute_strerror(r));
    return EXIT_FAILURE;
}

static void sleep_a_random_fraction_of_a_second(void)
{
    struct timespec t = {.tv_nsec = rand() % 1000 * 1000000L};

    nanosleep(&t, NULL);
}

static int writer(void *queue)
{
    static const char *letters[] = {"A", "B", "C"};

    printf("Process to write: %d\n", getpid());
    for (int i = 0; i < 3; i++) {
        printf("Put %s to queue...\n", letters[i]);
        int r = chute_queue_put(queue, chute_str(letters[i]), CHUTE_FOREVER);
        if (r < 0)
            return complain("put", r);
        sleep_a_random_fraction_of_a_second();
    }
    return EXIT_SUCCESS;
}

static int reader(void *queue)
{
    printf("Process to read: %d\n", getpid());
    for (;;) {
        chute_value *value;
        int r = chute_queue_get(queue, &value, CHUTE_FOREVER);
        if (r < 0)
            return complain("get", r);
        printf("Get %s from queue.\n", chute_value_str(value));
        chute_value_free(value);
    }
}

int main(void)
{
    chute_queue *queue;
    chute_process *write_process, *read_process;

    setvbuf(stdout, NULL, _IOLBF,
            0); /* a terminated child keeps no line back */
    srand((unsigned)time(NULL));

    int r = chute_queue_new(&queue, NULL);
    if (r < 0)
        return complain("queue", r);
    r = chute_process_start(&write_process, writer, queue, NULL);
    if (r < 0)
        return complain("start", r);
    r = chute_process_start(&read_process, reader, queue, NULL);
    if (r < 0)
        return complain("start", r);

    chute_process_join(write_process, NULL, CHUTE_FOREVER);
    chute_process_terminate(read_process);
    chute_process_join(read_process, NULL, CHUTE_FOREVER);

    chute_process_free(write_process);
    chute_process_free(read_process);
    chute_queue_free(queue);
    return EXIT_SUCCESS;
}
