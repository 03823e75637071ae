/* server.c - answers each message with its number and itself.
 *
 *     server PATH
 *
 * server.py is the same in Python. Either client may call either server.
 */
#include <stdio.h>
#include <stdlib.h>

#include <chute.h>
#include <chute/net.h>

static int complain(const char *what, int r)
{
    fprintf(stderr, "server: %s: %s\n", what, chute_strerror(r));
    return EXIT_FAILURE;
}

static int serve(chute_conn *conn)
{
    chute_value *value;
    int r;

    for (int64_t n = 1;; n++) {
        r = chute_conn_recv(conn, &value, CHUTE_FOREVER);
        if (r < 0)
            break;
        chute_value_print(value, stdout);
        printf("\n");
        r = chute_conn_send(conn, chute_tuple(chute_int(n), value),
                            CHUTE_FOREVER);
        if (r < 0)
            break;
    }
    if (r == CHUTE_EOF)
        return EXIT_SUCCESS;
    chute_value_free(value); /* a message that is no value */
    return complain("serve", r);
}

int main(int argc, char **argv)
{
    chute_listener *listener;
    chute_conn *conn;
    char address[128];

    if (argc != 2 || argv[1][0] == '-') {
        fputs("usage: server PATH\n", stderr);
        return 2;
    }
    snprintf(address, sizeof address, "unix:%s", argv[1]);

    /* CHUTE_MD5 is for clients in a Python before 3.12. */
    int r = chute_listener_new(
        &listener, address,
        CHUTE_OPTIONS(chute_net_options, .flags = CHUTE_MD5,
                      .authkey = "a very secret key", .authkey_len = 17));
    if (r < 0)
        return complain("listen", r);
    r = chute_listener_accept(listener, &conn, CHUTE_FOREVER);
    chute_listener_free(listener);
    if (r < 0)
        return complain("accept", r);
    r = serve(conn);
    chute_conn_free(conn);
    return r;
}
