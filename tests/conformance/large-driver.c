/* large-driver.c - chute at one end of large.py: messages that a 32-bit length
 * does not hold.
 *
 *     large-driver listen ADDRESS LEN     print the address; send back what
 *                                         comes, once it has been checked
 *     large-driver connect ADDRESS LEN    send LEN bytes, and expect them back
 *
 * The bytes are a block of prime length again and again, so that a piece in the
 * wrong place shows. The exit code is 0, or 3 with a word on stderr.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chute.h"
#include "chute/net.h"

#define BLOCK 1000003

static int check(int r, const char *what)
{
    if (r >= 0)
        return r;
    fprintf(stderr, "%s: %s\n", what, chute_errname(r));
    exit(3);
}

static void insist(int right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "%s\n", what);
    exit(3);
}

static void fill(unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < BLOCK && i < len; i++)
        bytes[i] = (unsigned char)(i * UINT64_C(2654435761) >> 13);
    for (size_t at = BLOCK; at < len; at += BLOCK)
        memcpy(bytes + at, bytes, len - at < BLOCK ? len - at : BLOCK);
}

/* Whether it is what fill() makes; the first block is made anew. */
static int is_filled(const unsigned char *bytes, size_t len)
{
    static unsigned char block[BLOCK];

    fill(block, BLOCK);
    for (size_t at = 0; at < len; at += BLOCK)
        if (memcmp(bytes + at, block, len - at < BLOCK ? len - at : BLOCK))
            return 0;
    return 1;
}

static void receive(chute_conn *conn, unsigned char *bytes, size_t len)
{
    size_t got;

    memset(bytes, 0, len);
    check(chute_conn_recv_bytes(conn, bytes, len, &got, CHUTE_SEC(300)),
          "recv");
    insist(got == len, "another length");
    insist(is_filled(bytes, len), "other bytes");
}

static void send_all(chute_conn *conn, const unsigned char *bytes, size_t len)
{
    check(chute_conn_send_bytes(conn, bytes, len, CHUTE_SEC(300)), "send");
}

static chute_conn *await_peer(const char *address,
                              const struct chute_net_options *options)
{
    chute_listener *l;
    chute_conn *conn;

    check(
        chute_listener_new(&l, strcmp(address, "-") ? address : NULL, options),
        "listen");
    printf("%s\n", chute_listener_address(l));
    fflush(stdout);
    check(chute_listener_accept(l, &conn, CHUTE_SEC(30)), "accept");
    chute_listener_free(l);
    return conn;
}

int main(int argc, char **argv)
{
    struct chute_net_options options = {.size = sizeof options};
    chute_conn *conn;

    if (argc != 4 ||
        (strcmp(argv[1], "listen") && strcmp(argv[1], "connect"))) {
        fputs("usage: large-driver listen|connect ADDRESS LEN\n", stderr);
        return 2;
    }
    size_t len = (size_t)strtoull(argv[3], NULL, 10);
    unsigned char *bytes = malloc(len);
    insist(bytes != NULL, "no memory");
    options.max_message = len;
    if (strcmp(argv[1], "listen") == 0) {
        conn = await_peer(argv[2], &options);
        receive(conn, bytes, len);
        send_all(conn, bytes, len);
    } else {
        check(chute_connect(&conn, argv[2], &options, CHUTE_SEC(30)),
              "connect");
        fill(bytes, len);
        send_all(conn, bytes, len);
        receive(conn, bytes, len);
    }
    chute_conn_free(conn);
    free(bytes);
    return 0;
}
