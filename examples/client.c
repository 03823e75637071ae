/* client.c - sends three messages, and prints what is answered.
 *
 *     client PATH
 *
 * client.py is the same in Python. Either client may call either server.
 */
#include <stdio.h>
#include <stdlib.h>

#include <chute.h>
#include <chute/net.h>

static int complain(const char *what, int r)
{
    fprintf(stderr, "client: %s: %s\n", what, chute_strerror(r));
    return EXIT_FAILURE;
}

/* Consumes value, as a send does. */
static int ask(chute_conn *conn, chute_value *value)
{
    chute_value *answer;

    int r = chute_conn_send(conn, value, CHUTE_FOREVER);
    if (r < 0)
        return complain("send", r);
    r = chute_conn_recv(conn, &answer, CHUTE_SEC(10));
    if (r == 0) {
        chute_value_print(answer, stdout);
        printf("\n");
    }
    chute_value_free(answer);
    return r < 0 ? complain("recv", r) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    chute_conn *conn;
    char address[128];

    if (argc != 2 || argv[1][0] == '-') {
        fputs("usage: client PATH\n", stderr);
        return 2;
    }
    snprintf(address, sizeof address, "unix:%s", argv[1]);

    /* CHUTE_MD5 is for a server in a Python before 3.12. */
    int r = chute_connect(&conn, address,
                          CHUTE_OPTIONS(chute_net_options, .flags = CHUTE_MD5,
                                        .authkey = "a very secret key",
                                        .authkey_len = 17),
                          CHUTE_SEC(10));
    if (r < 0)
        return complain("connect", r);
    r = ask(conn, chute_str("hello"));
    if (r == EXIT_SUCCESS)
        r = ask(conn,
                chute_list(chute_int(42), chute_none(), chute_float(2.5)));
    if (r == EXIT_SUCCESS)
        r = ask(conn, chute_tuple(chute_bytes("bye", 3)));
    chute_conn_free(conn);
    return r;
}
