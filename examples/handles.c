/* handles.c - hand queues to a program, as it is started and while it runs.
 *
 * The worker is a program of its own (here the same file, started with an
 * argument). It finds the queue of words and a connection by their names; the
 * queue that it answers into comes later, over the connection.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <chute.h>

static int complain(const char *what, int r)
{
    fprintf(stderr, "handles: %s: %s\n", what, chute_strerror(r));
    return EXIT_FAILURE;
}

static int work(void)
{
    chute_queue *words, *lengths;
    chute_conn *boss;
    chute_value *word;
    int r;

    if ((r = chute_handle_queue(&words, "words", NULL)) < 0 ||
        (r = chute_handle_conn(&boss, "boss", NULL)) < 0 ||
        (r = chute_conn_recv_queue(boss, &lengths, CHUTE_FOREVER)) < 0)
        return complain("worker", r);
    while ((r = chute_queue_get(words, &word, CHUTE_FOREVER)) == 0) {
        int64_t len = (int64_t)chute_value_len(word);
        r = chute_queue_put(lengths, chute_tuple(word, chute_int(len)),
                            CHUTE_FOREVER);
        if (r < 0)
            break;
    }
    chute_queue_close(lengths);
    chute_conn_free(boss);
    chute_queue_free(words);
    chute_queue_free(lengths);
    return r == CHUTE_EOF || r == 0 ? EXIT_SUCCESS : complain("worker", r);
}

static int start_worker(chute_process **ret_worker, chute_queue *words,
                        chute_conn *boss)
{
    char *argv[] = {"handles", "work", NULL};
    const struct chute_pass pass[] = {
        {.name = "words", .queue = words},
        {.name = "boss", .conn = boss},
        {.name = NULL},
    };

    /* NULL: the program that we are ourselves. */
    return chute_process_spawn(
        ret_worker, NULL, argv,
        CHUTE_OPTIONS(chute_spawn_options, .pass = pass));
}

int main(int argc, char **argv)
{
    static const char *const text[] = {"a", "queue", "travels"};
    chute_queue *words, *lengths;
    chute_conn *ends[2];
    chute_process *worker;
    chute_value *answer;
    int r, code;

    if (argc == 2 && strcmp(argv[1], "work") == 0)
        return work();
    if (argc > 1) {
        fputs("usage: handles\n", stderr);
        return 2;
    }
    if ((r = chute_queue_new(&words, NULL)) < 0 ||
        (r = chute_pipe(ends, NULL)) < 0 ||
        (r = start_worker(&worker, words, ends[1])) < 0)
        return complain("start", r);
    ends[1] = chute_conn_free(ends[1]);

    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
        if ((r = chute_queue_put(words, chute_str(text[i]), CHUTE_FOREVER)) < 0)
            return complain("put", r);
    chute_queue_close(words);

    if ((r = chute_queue_new(&lengths, NULL)) < 0 ||
        (r = chute_conn_send_queue(ends[0], lengths, CHUTE_FOREVER)) < 0)
        return complain("send", r);
    while ((r = chute_queue_get(lengths, &answer, CHUTE_FOREVER)) == 0) {
        chute_value_print(answer, stdout);
        printf("\n");
        chute_value_free(answer);
    }
    if (r != CHUTE_EOF)
        return complain("get", r);
    r = chute_process_join(worker, &code, CHUTE_FOREVER);
    chute_process_free(worker);
    chute_queue_free(lengths);
    chute_queue_free(words);
    chute_conn_free(ends[0]);
    return r == 0 ? code : complain("join", r);
}
