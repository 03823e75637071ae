/* fuzz-handshake.c - the header of messages, and the handshake, against whatever
 * bytes there are.
 *
 * The first byte of an input chooses what is done with the rest:
 *
 *   bit 0     role: server or client
 *   bit 1     a short key: CPython's handshake only
 *   bit 2, 3  CHUTE_MD5, CHUTE_NATIVE
 *   bit 4     feed the bytes as they are; otherwise let two machines talk, and
 *             change what is carried: (how many bytes on, xor what), again and
 *             again
 *   bit 5     in pieces as large as wanted; otherwise single bytes
 *
 * Whatever comes: a machine never wants more than a message of 256 bytes, never
 * says more than it may, comes to an end, and agrees with nobody who does not
 * know the key. Two that talk over a changed line never agree both. The header
 * is read as message.c reads it, and written again.
 *
 *     clang -fsanitize=fuzzer,address,undefined -Iinclude -Isrc \
 *         tests/fuzz/fuzz-handshake.c src/net/auth.c src/ipc/frame.c \
 *         src/ipc/message.c -lcrypto
 *     ./a.out tests/fuzz/corpus/handshake
 *
 * With -DFUZZ_MAIN it has a main() of its own, which runs the files it is
 * given; a number instead of files runs so many inputs of its own making.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chute/error.h"
#include "chute/net.h"
#include "ipc/frame.h"
#include "ipc/message.h"
#include "net/auth.h"

#define FUZZ_RANDOM
#include "fuzz.h"

#define MAX_LENT 4096 /* of a caller's buffer, see fill_message() */

static const unsigned char nonces[2][AUTH_NONCE] = {"server", "client"};

static void begin(struct auth *a, bool server, uint8_t how)
{
    uint64_t flags =
        (how & 4 ? CHUTE_MD5 : 0) | (how & 8 && !(how & 2) ? CHUTE_NATIVE : 0);

    auth_begin(a, server, "a key of 16 byte", how & 2 ? 5 : 16, flags,
               nonces[!server]);
}

static int feed(struct auth *a, const uint8_t *data, size_t len, uint8_t how,
                size_t *ret_used)
{
    size_t n = auth_wants(a);

    REQUIRE(n > 0 && n <= AUTH_FRAME_MAX);
    if (!(how & 32))
        n = 1;
    if (n > len)
        n = len;
    *ret_used = n;
    int r = auth_feed(a, data, n);
    REQUIRE(a->n_out <= AUTH_OUT_MAX);
    REQUIRE(r == 0 || r == 1 || r == CHUTE_EAUTH || r == CHUTE_EDIGEST ||
            r == CHUTE_EPROTO);
    REQUIRE(r != CHUTE_EDIGEST || !(how & 4));
    REQUIRE((auth_wants(a) == 0) == (r != 0));
    return r;
}

/* -- a stranger ------------------------------------------------------------- */

static void meet_stranger(const uint8_t *data, size_t len, uint8_t how)
{
    struct auth a;
    size_t used;
    int r = 0;

    begin(&a, how & 1, how);
    a.n_out = 0;
    while (r == 0 && len > 0) {
        r = feed(&a, data, len, how, &used);
        a.n_out = 0;
        data += used;
        len -= used;
    }
    REQUIRE(r != 1);
    auth_wipe(&a);
}

/* -- a changed line --------------------------------------------------------- */

struct line {
    const uint8_t *changes;
    size_t n_changes;
    size_t until; /* the next change */
    bool changed;
};

static void next_change(struct line *line)
{
    line->until = SIZE_MAX;
    if (line->n_changes >= 2)
        line->until = line->changes[0];
}

static void spoil(struct line *line, uint8_t *bytes, size_t n)
{
    size_t at = 0;

    while (line->until < n - at) {
        at += line->until;
        bytes[at++] ^= line->changes[1];
        line->changed |= line->changes[1] != 0;
        line->changes += 2;
        line->n_changes -= 2;
        next_change(line);
    }
    if (line->until != SIZE_MAX)
        line->until -= n - at;
}

static int carry(struct line *line, struct auth *from, struct auth *to, int r,
                 uint8_t how)
{
    uint8_t bytes[AUTH_OUT_MAX];
    size_t n = from->n_out, used;

    memcpy(bytes, from->out, n);
    from->n_out = 0;
    spoil(line, bytes, n);
    for (size_t at = 0; r == 0 && at < n; at += used)
        r = feed(to, bytes + at, n - at, how, &used);
    return r;
}

static void talk(const uint8_t *data, size_t len, uint8_t how)
{
    struct line line = {data, len, 0, false};
    struct auth s, c;
    int at_server = 0, at_client = 0;

    next_change(&line);
    begin(&s, true, how);
    begin(&c, false, how);
    while (s.n_out || c.n_out) {
        at_client = carry(&line, &s, &c, at_client, how);
        at_server = carry(&line, &c, &s, at_server, how);
    }
    if (line.changed)
        REQUIRE(at_server != 1 || at_client != 1);
    else
        REQUIRE(at_server == 1 && at_client == 1);
    auth_wipe(&s);
    auth_wipe(&c);
}

/* -- the header ------------------------------------------------------------- */

static void read_header(const uint8_t *data, size_t len)
{
    uint64_t body_len = 0;
    size_t head_len = 0;
    unsigned char again[FRAME_MAX];
    int missing = frame_read(data, len, &head_len, &body_len);

    REQUIRE(missing >= 0 || missing == CHUTE_EPROTO);
    REQUIRE(missing <= FRAME_MAX);
    if (missing != 0)
        return;
    REQUIRE(head_len <= len && body_len <= INT64_MAX);
    size_t n = frame_write(again, body_len);
    REQUIRE(n <= head_len && (n != head_len || !memcmp(again, data, n)));
}

/* As conn-take.c fills a message, with what max_message allows, and what a
 * caller's buffer has room for. It may be lent from the beginning, and taken
 * back in the middle. */
static void fill_message(const uint8_t *data, size_t len, uint8_t how)
{
    static unsigned char buf[MAX_LENT];
    struct message *m = message_new(0, 1);
    size_t until = how & 1 ? len / 2 : 0; /* taken back when this is left */
    const uint8_t *body = NULL;
    struct iovec to;
    int r;

    REQUIRE(m != NULL);
    m->max_len = how & 2 ? UINT64_C(64) << 20 : MAX_LENT;
    for (;;) {
        bool begins = message_missing(m) == 0 && !body;
        if (begins)
            body = data;
        if (begins && (how & 4) && m->len <= sizeof buf)
            REQUIRE(message_lend(&m, buf));
        r = message_want(&m, &to);
        if (r <= 0 || len == 0)
            break;
        size_t n = to.iov_len < len ? to.iov_len : len;
        REQUIRE(n > 0 && (message_lent(m) || m->cap <= 65536 + 2 * m->have));
        memcpy(to.iov_base, data, n);
        message_got(m, n);
        data += n;
        len -= n;
        if (message_lent(m) && len <= until)
            message_unlend(m);
    }
    REQUIRE(r >= 0 || r == CHUTE_EPROTO || r == CHUTE_EOVERSIZE);
    if (body && m->have)
        REQUIRE(!memcmp(message_lent(m) ? buf : m->data, body, m->have));
    message_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    uint8_t how = data[0];
    if (how & 16) {
        read_header(data + 1, len - 1);
        fill_message(data + 1, len - 1, how);
        meet_stranger(data + 1, len - 1, how);
    } else {
        talk(data + 1, len - 1, how);
    }
    return 0;
}

#ifdef FUZZ_MAIN
/* A few changes on a line, at random places. */
static void run_random(unsigned long n)
{
    uint64_t x = 88172645463325252;

    for (unsigned long i = 0; i < n; i++) {
        uint8_t data[9];
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(data + 1, &x, 8);
        data[0] = (uint8_t)(i & 47);
        LLVMFuzzerTestOneInput(data, 1 + 2 * (i / 48 % 4));
    }
}
#endif
