/* hello.c - a child sends a list through a pipe, and prints what comes back.
 */
#include <stdio.h>
#include <stdlib.h>

#include <chute.h>

static int complain(const char *what, int r)
{
    fprintf(stderr, "hello: %s: %s\n", what, chute_strerror(r));
    return EXIT_FAILURE;
}

/* As Python's print(): a str as it is, anything else by its repr(). */
static void print(const chute_value *value)
{
    if (chute_value_type(value) == CHUTE_STR)
        printf("%s", chute_value_str(value));
    else
        chute_value_print(value, stdout);
    printf("\n");
}

static int child(void *conn)
{
    int r = chute_conn_send(
        conn, chute_list(chute_int(42), chute_none(), chute_str("hello")),
        CHUTE_FOREVER);
    if (r < 0)
        return complain("send", r);

    chute_value *value;
    while ((r = chute_conn_recv(conn, &value, CHUTE_FOREVER)) == 0) {
        print(value);
        chute_value_free(value);
    }
    chute_value_free(value); /* NULL, or a message that is no value */
    return r == CHUTE_EOF ? EXIT_SUCCESS : complain("recv", r);
}

int main(void)
{
    chute_conn *ends[2];
    chute_process *process;
    chute_value *value;

    setvbuf(stdout, NULL, _IOLBF, 0);

    int r = chute_pipe(ends, NULL);
    if (r < 0)
        return complain("pipe", r);
    chute_conn *parent_conn = ends[0], *child_conn = ends[1];

    /* A child sees the end of a pipe when nobody holds the other end; so it
     * must not hold it itself. */
    r = chute_process_start(
        &process, child, child_conn,
        CHUTE_OPTIONS(chute_process_options,
                      .drop = (chute_conn *[]){parent_conn, NULL}));
    if (r < 0)
        return complain("start", r);
    chute_conn_free(child_conn);

    r = chute_conn_recv(parent_conn, &value, CHUTE_FOREVER);
    if (r < 0)
        return complain("recv", r);
    print(value); /* [42, None, 'hello'] */
    chute_value_free(value);

    r = chute_conn_send(parent_conn, chute_str("666"), CHUTE_FOREVER);
    if (r < 0)
        return complain("send", r);
    chute_conn_free(parent_conn); /* the child prints what is left, and ends */

    if (chute_process_join(process, NULL, CHUTE_SEC(10)) == CHUTE_ETIMEDOUT)
        chute_process_terminate(process);
    chute_process_join(process, NULL, CHUTE_FOREVER);
    chute_process_free(process);
    return EXIT_SUCCESS;
}
