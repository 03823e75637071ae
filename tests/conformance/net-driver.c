/* net-driver.c - chute at the other end of net.py.
 *
 *     net-driver listen ADDRESS [OPTION]...     "-": a default address
 *     net-driver connect ADDRESS [OPTION]...
 *
 *     key=TEXT        authenticate
 *     flag=N          bit N of chute_net_options.flags
 *     max=N           max_message
 *     timeout=MS      of the handshake
 *     drive=N         send N messages, and expect each to come back; otherwise
 *                     send back whatever comes, until the end
 *
 * A listener prints its address, serves one peer, and ends. The exit code is 0,
 * or 3 with the name of a code on stderr.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chute.h"
#include "chute/net.h"

static struct chute_net_options options = {.size = sizeof options};
static unsigned long n_drive;

static int check(int r, const char *what)
{
    if (r >= 0)
        return r;
    fprintf(stderr, "%s: %s\n", what, chute_errname(r));
    exit(3);
}

static void take_option(const char *text)
{
    const char *value = strchr(text, '=');

    if (!value)
        exit(2);
    value++;
    unsigned long long n = strtoull(value, NULL, 10);
    if (strncmp(text, "key=", 4) == 0) {
        options.authkey = value;
        options.authkey_len = strlen(value);
    } else if (strncmp(text, "flag=", 5) == 0) {
        options.flags |= UINT64_C(1) << n;
    } else if (strncmp(text, "max=", 4) == 0) {
        options.max_message = n;
    } else if (strncmp(text, "timeout=", 8) == 0) {
        options.handshake_timeout_ns = CHUTE_MS((int64_t)n);
    } else if (strncmp(text, "drive=", 6) == 0) {
        n_drive = (unsigned long)n;
    } else {
        exit(2);
    }
}

static void echo(chute_conn *conn)
{
    chute_value *v;
    size_t len;
    int r;

    while ((r = chute_conn_recv(conn, &v, CHUTE_FOREVER)) != CHUTE_EOF) {
        if (r < 0 && v) {
            const void *data = chute_value_bytes(v, &len);
            r = chute_conn_send_bytes(conn, data, len, CHUTE_FOREVER);
            chute_value_free(v);
        } else if (r == 0) {
            r = chute_conn_send(conn, v, CHUTE_FOREVER);
        }
        check(r, "echo");
    }
}

static void drive(chute_conn *conn)
{
    chute_value *back;

    for (unsigned long i = 0; i < n_drive; i++) {
        chute_value *v = chute_list(chute_int((int64_t)i), chute_str("there"));
        check(chute_conn_send(conn, chute_value_ref(v), CHUTE_FOREVER), "send");
        check(chute_conn_recv(conn, &back, CHUTE_SEC(20)), "recv");
        if (chute_value_equal(v, back) != 1)
            check(CHUTE_EPROTO, "compare");
        chute_value_free(v);
        chute_value_free(back);
    }
}

static chute_conn *meet(const char *how, const char *address)
{
    chute_conn *conn = NULL;
    chute_listener *l;

    if (strcmp(how, "connect") == 0) {
        check(chute_connect(&conn, address, &options, CHUTE_SEC(20)),
              "connect");
        return conn;
    }
    check(
        chute_listener_new(&l, strcmp(address, "-") ? address : NULL, &options),
        "listen");
    puts(chute_listener_address(l));
    fflush(stdout);
    int r = chute_listener_accept(l, &conn, CHUTE_SEC(20));
    struct chute_listener_stats stats = {.size = sizeof stats};
    chute_listener_stat(l, &stats);
    if (stats.n_refused)
        fprintf(stderr, "refused: %s\n",
                chute_errname((int)stats.last_refusal));
    chute_listener_free(l);
    check(r, "accept");
    return conn;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    for (int i = 3; i < argc; i++)
        take_option(argv[i]);
    chute_conn *conn = meet(argv[1], argv[2]);
    if (n_drive)
        drive(conn);
    else
        echo(conn);
    chute_conn_free(conn);
    return 0;
}
