/* test-auth.c - the handshake, as bytes: CPython's vectors, every pairing of
 * roles, every byte changed, and what somebody without the key may try.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "chute/error.h"
#include "chute/net.h"
#include "net/auth.h"
#include "test.h"

#define KEY "a key of 16 byte"

static const unsigned char nonces[2][AUTH_NONCE] = {"server's nonce",
                                                    "client's nonce"};

/* libcrypto keeps what it needs for the first HMAC; not a leak of the test's. */
__attribute__((constructor)) static void warm_up(void)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len;

    HMAC(EVP_sha256(), "k", 1, mac, 0, mac, &len);
    HMAC(EVP_md5(), "k", 1, mac, 0, mac, &len);
}

static void begin(struct auth *a, bool server, const char *key, uint64_t flags)
{
    auth_begin(a, server, key, strlen(key), flags, nonces[!server]);
}

/* Feed a message of up to 255 bytes with its header. */
static int feed(struct auth *a, const void *data, size_t len)
{
    const unsigned char head[4] = {0, 0, 0, (unsigned char)len};

    CHECK_EQ(auth_wants(a), 4);
    int r = auth_feed(a, head, 4);
    if (r == 0 && len) {
        CHECK_EQ(auth_wants(a), len);
        r = auth_feed(a, data, len);
    }
    return r;
}

/* What it wants to send is just this message. */
static void check_says(struct auth *a, const void *data, size_t len)
{
    CHECK_EQ(a->n_out, 4 + len);
    CHECK_EQ(a->out[3], len);
    CHECK_MEM(a->out + 4, data, len);
    a->n_out = 0;
}

static size_t from_hex(const char *hex, unsigned char *to)
{
    size_t n = 0;

    for (; hex[0]; hex += 2) {
        const char two[3] = {hex[0], hex[1], 0};
        to[n++] = (unsigned char)strtoul(two, NULL, 16);
    }
    return n;
}

/* #CHALLENGE#, a prefix, and bytes 0 .. n - 1. */
static size_t challenge_of(unsigned char *to, const char *prefix, size_t n)
{
    size_t len = (size_t)sprintf((char *)to, "#CHALLENGE#%s", prefix);

    for (size_t i = 0; i < n; i++)
        to[len++] = (unsigned char)i;
    return len;
}

/* -- vectors ---------------------------------------------------------------- */

TEST(the_old_challenge_is_answered_as_cpython_does)
{
    unsigned char message[256], expected[64];
    struct auth a;

    begin(&a, false, "key", CHUTE_MD5);
    CHECK_OK(feed(&a, message, challenge_of(message, "", 20)));
    check_says(&a, expected,
               from_hex("5b2709aec5bcecbd08bd1f92d77ecea1", expected));
}

TEST(the_new_challenge_is_answered_as_cpython_does)
{
    unsigned char message[256], expected[64];
    struct auth a;

    begin(&a, false, "key", 0);
    CHECK_OK(feed(&a, message, challenge_of(message, "{sha256}", 40)));
    check_says(&a, expected,
               from_hex("7b7368613235367d05b37335205f51ff483146e965fdf576943e0e"
                        "64675a64ceccba80b6704d76b8",
                        expected));
}

TEST(every_digest_of_cpython_is_known)
{
    static const struct {
        const char *prefix;
        size_t len;
    } digests[] = {{"{md5}", 16},
                   {"{sha256}", 32},
                   {"{sha384}", 48},
                   {"{sha3_256}", 32},
                   {"{sha3_384}", 48}};

    for (size_t i = 0; i < 5; i++) {
        unsigned char message[256];
        struct auth a;
        begin(&a, false, KEY, CHUTE_MD5);
        CHECK_OK(
            feed(&a, message, challenge_of(message, digests[i].prefix, 40)));
        CHECK_EQ(a.n_out, 4 + strlen(digests[i].prefix) + digests[i].len);
    }
}

TEST(md5_is_refused_unless_it_is_asked_for)
{
    unsigned char message[256];
    struct auth a;

    begin(&a, false, KEY, 0);
    CHECK_ERR(feed(&a, message, challenge_of(message, "", 20)), CHUTE_EDIGEST);
    CHECK_EQ(a.n_out, 0);
    begin(&a, false, KEY, 0);
    CHECK_ERR(feed(&a, message, challenge_of(message, "{md5}", 40)),
              CHUTE_EDIGEST);
    begin(&a, true, KEY, 0);
    a.n_out = 0;
    CHECK_ERR(feed(&a, message, 16), CHUTE_EDIGEST);
    check_says(&a, "#FAILURE#", 9);
}

/* -- two machines ----------------------------------------------------------- */

/* Change one byte on the way: the at-th of what `from` says. SIZE_MAX: none. */
static size_t change_at = SIZE_MAX;
static size_t n_carried;

/* Carry what `from` says to `to`, until it is over for it. */
static int carry(struct auth *from, struct auth *to, int r)
{
    unsigned char bytes[AUTH_OUT_MAX];
    size_t n = from->n_out, at = 0;

    memcpy(bytes, from->out, n);
    from->n_out = 0;
    for (size_t i = 0; i < n; i++)
        if (n_carried++ == change_at)
            bytes[i] ^= 1;
    while (r == 0 && at < n) {
        size_t wants = auth_wants(to);
        if (wants > n - at)
            wants = n - at;
        r = auth_feed(to, bytes + at, wants);
        at += wants;
    }
    return r;
}

struct outcome {
    int server, client; /* 0: it waits for more */
    bool native;
};

static struct outcome converse(const char *server_key, uint64_t server_flags,
                               const char *client_key, uint64_t client_flags)
{
    struct auth s, c;
    struct outcome end = {0, 0, false};

    n_carried = 0;
    begin(&s, true, server_key, server_flags);
    begin(&c, false, client_key, client_flags);
    while (s.n_out || c.n_out) {
        end.client = carry(&s, &c, end.client);
        end.server = carry(&c, &s, end.server);
    }
    end.native = s.native && c.native;
    return end;
}

TEST(two_with_one_key_authenticate_natively)
{
    change_at = SIZE_MAX;
    struct outcome end = converse(KEY, 0, KEY, 0);

    CHECK_EQ(end.server, 1);
    CHECK_EQ(end.client, 1);
    CHECK(end.native);
}

TEST(two_with_a_short_key_do_as_cpython_does)
{
    change_at = SIZE_MAX;
    struct outcome end = converse("short", 0, "short", 0);

    CHECK_EQ(end.server, 1);
    CHECK_EQ(end.client, 1);
    CHECK(!end.native);
}

static void check_no_agreement(const char *server_key, uint64_t server_flags,
                               const char *client_key, uint64_t client_flags)
{
    change_at = SIZE_MAX;
    struct outcome end =
        converse(server_key, server_flags, client_key, client_flags);

    CHECK(end.server != 1);
    CHECK(end.client != 1);
    CHECK(end.server == CHUTE_EAUTH || end.client == CHUTE_EAUTH);
}

TEST(two_keys_are_no_agreement)
{
    check_no_agreement(KEY, 0, "another of 16 by", 0);
    check_no_agreement("short", 0, "other", 0);
    check_no_agreement(KEY, 0, "short", 0);
    check_no_agreement("short", 0, KEY, 0);
    check_no_agreement("short", 0, KEY, CHUTE_NATIVE);
}

/* A byte of the client's last WELCOME does not change what the server is sure
 * of; everything else does: nobody believes in success who has been lied to. */
static void change_every_byte(const char *key)
{
    change_at = SIZE_MAX;
    (void)converse(key, CHUTE_MD5, key, CHUTE_MD5);
    size_t n = n_carried;

    CHECK(n > 100);
    for (change_at = 0; change_at < n; change_at++) {
        struct outcome end = converse(key, CHUTE_MD5, key, CHUTE_MD5);
        CHECK(end.server != 1 || end.client != 1);
    }
}

TEST(every_changed_byte_is_noticed)
{
    change_every_byte(KEY);
    change_every_byte("short");
}

/* -- without the key -------------------------------------------------------- */

TEST(a_mirror_is_no_server)
{
    unsigned char message[256];
    struct auth a;

    /* CPython's handshake; the client's own challenge comes back to it. */
    begin(&a, false, KEY, 0);
    CHECK_OK(feed(&a, message, challenge_of(message, "{sha256}", 40)));
    a.n_out = 0;
    CHECK_OK(feed(&a, "#WELCOME#", 9));
    size_t len = a.n_out - 4;
    CHECK_EQ(len, 11 + AUTH_CHALLENGE);
    memcpy(message, a.out + 4, len);

    begin(&a, false, KEY, 0);
    CHECK_ERR(feed(&a, message, len), CHUTE_EAUTH);
    CHECK_EQ(a.n_out, 0);
}

TEST(a_mirror_is_no_client)
{
    struct auth s, c;
    unsigned char answer[AUTH_OUT_MAX];

    /* A client's answer is not a server's proof, nor the other way. */
    begin(&s, true, KEY, 0);
    begin(&c, false, KEY, 0);
    CHECK_OK(carry(&s, &c, 0));
    size_t len = c.n_out - 4;
    memcpy(answer, c.out + 4, len);
    c.n_out = 0;
    memmove(answer + 8, answer + 8 + AUTH_NONCE, len - 8 - AUTH_NONCE);
    CHECK_ERR(feed(&c, answer, len - AUTH_NONCE), CHUTE_EAUTH);
}

/* Somebody takes the marker off the server's challenge and puts it back into
 * what he tells the server: that needs the key. */
TEST(a_stripped_marker_is_noticed)
{
    struct auth s, c;

    begin(&s, true, KEY, 0);
    begin(&c, false, KEY, 0);
    s.out[4 + 11 + 8] ^= 1;
    CHECK_OK(carry(&s, &c, 0));
    CHECK_EQ(c.state, AUTH_AWAITS_VERDICT);
    CHECK_ERR(carry(&c, &s, 0), CHUTE_EAUTH);
}

/* With a CPython client as oracle he gets so far; then the server sees from the
 * client's challenge that a chute client was led to believe in a CPython. */
TEST(a_marked_challenge_of_a_client_ends_it)
{
    unsigned char message[256], mac[EVP_MAX_MD_SIZE + 8];
    struct auth s, c;
    unsigned mac_len;

    begin(&s, true, KEY, 0);
    memcpy(mac, "{sha256}", 8);
    HMAC(EVP_sha256(), KEY, strlen(KEY), s.ours, AUTH_CHALLENGE, mac + 8,
         &mac_len);
    s.n_out = 0;
    CHECK_OK(feed(&s, mac, 8 + mac_len));
    check_says(&s, "#WELCOME#", 9);

    begin(&c, false, KEY, 0);
    CHECK_OK(feed(&c, message, challenge_of(message, "{sha256}", 40)));
    c.n_out = 0;
    CHECK_OK(feed(&c, "#WELCOME#", 9));
    CHECK_ERR(carry(&c, &s, 0), CHUTE_EAUTH);
    CHECK_EQ(s.n_out, 0);
}

TEST(native_only_wants_no_cpython)
{
    unsigned char message[256];
    struct auth a;

    begin(&a, false, KEY, CHUTE_NATIVE);
    CHECK_ERR(feed(&a, message, challenge_of(message, "{sha256}", 40)),
              CHUTE_EAUTH);
    begin(&a, true, KEY, CHUTE_NATIVE);
    a.n_out = 0;
    memcpy(message, "{sha256}", 8);
    CHECK_ERR(feed(&a, message, 40), CHUTE_EAUTH);
}

TEST(what_is_no_handshake_is_refused)
{
    static const char *const headers[] = {"\0\0\1\1", "\377\377\377\376",
                                          "\200\0\0\0", "HTTP"};
    struct auth a;

    for (size_t i = 0; i < 4; i++) {
        begin(&a, false, KEY, 0);
        CHECK_ERR(auth_feed(&a, headers[i], 4), CHUTE_EPROTO);
        CHECK_EQ(auth_wants(&a), 0);
    }
    begin(&a, false, KEY, 0);
    CHECK_ERR(feed(&a, "", 0), CHUTE_EPROTO);
    begin(&a, false, KEY, 0);
    CHECK_ERR(feed(&a, "#CHALLENGE#0123456789012345678", 30), CHUTE_EPROTO);
    begin(&a, true, KEY, 0);
    a.n_out = 0;
    CHECK_ERR(feed(&a, "#CHALLENGE#", 11), CHUTE_EPROTO);
}
