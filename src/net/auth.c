/* auth.c - two peers prove to each other that they know a key.
 *
 * Pure: bytes in, bytes out; no socket, no clock, no randomness but the nonce
 * that it is given. So the same machine runs in accept, in connect, under the
 * fuzzer and against vectors. Messages have frame.c's header, and before the
 * proof none is longer than 256 bytes.
 *
 * CPython's handshake. M is what is challenged with, the MAC covers all of M:
 *
 *                    <= 3.11                       >= 3.12
 *     S -> C   #CHALLENGE# M, M = 20 bytes     M = {sha256} 40 bytes
 *     C -> S   HMAC-MD5(key, M)                {sha256} HMAC-SHA256(key, M)
 *     S -> C   #WELCOME# or #FAILURE#          the same
 *     and the same three once more with the roles exchanged
 *
 * A peer before 3.12 takes the longer M for its M and answers with 16 bytes.
 * The answering side chooses the digest (md5, sha256, sha384, sha3_256,
 * sha3_384), the challenger whether it likes it.
 *
 * Ours. The server's challenge is one that CPython accepts, but 8 of its 40
 * bytes are a marker, which names the side that says it:
 *
 *     S -> C   #CHALLENGE# M, M = {sha256} chute/1S Ns
 *     C -> S   {chute1} Nc  HMAC("chute/1 client", M, Nc)
 *     S -> C   {chute1}     HMAC("chute/1 server", M, Nc)   or #FAILURE#
 *
 * HMAC is HMAC-SHA256 under the key; a label ends with a NUL and all else has a
 * fixed length, so what is covered is one string in one way only. CPython just
 * answers M as it answers anything.
 *
 * What somebody without the key may try, and what comes of it:
 *
 *   Replay      Both nonces are fresh and in both MACs.
 *   Reflection  A MAC says who made it: what a client sends no client takes.
 *               In CPython's handshake, which lacks this, our own challenges
 *               carry the marker of our side. A client that is given a client's
 *               challenge, or a server a server's, sees a mirror and leaves.
 *   Between     An answer in CPython's form is a MAC of a string that begins
 *   handshakes  with '{', ours of one that begins with 'c' (HMAC-MD5, which
 *               answers anything, is another function). So nothing that a
 *               CPython peer can be made to compute passes for ours. The other
 *               way: a chute client never answers a marked M in CPython's form.
 *   Downgrade   Changing the marker on the way makes a chute client answer in
 *               CPython's form, but over the M it saw, and the server compares
 *               with the M it sent: the marker is under the MAC. A server whose
 *               client answers in CPython's form finds out in the second half
 *               if that client is one of ours: its challenge has a client's
 *               marker, which no chute client would send to a server that it
 *               had recognized.
 *               Digests: M begins with its {digest}, and MD5 is refused unless
 *               CHUTE_MD5 was asked for.
 *   Oracles     A CPython peer answers any challenge of anybody. Somebody whom
 *               it calls can have it answer the challenge of a server of ours,
 *               and pass there for it. That is in CPython's handshake, and who
 *               admits CPython admits that: CHUTE_NATIVE does not.
 *   Relay       Who passes all bytes on unchanged is not noticed, and once the
 *               handshake is over may say what he likes: nothing is encrypted.
 *               Over AF_UNIX the peer's user is checked for it (socket.c); on a
 *               network use a tunnel.
 *   Guessing    Each attempt costs a connection, but one handshake heard is
 *               enough to try keys at home. Hence keys of 16 bytes and more.
 *   Timing      MACs are compared by CRYPTO_memcmp.
 *   Exhaustion  256 bytes a message and four messages at most; deadline and
 *               number of peers are listener.c's.
 *
 * Proof: tests/unit/test-auth.c (vectors, both roles, every byte changed),
 * tests/fuzz/fuzz-handshake.c, tests/conformance/net.py (CPython itself).
 */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/fail.h"
#include "chute/error.h"
#include "chute/net.h"
#include "ipc/frame.h"
#include "net/auth.h"

#define CHALLENGE "#CHALLENGE#"
#define WELCOME   "#WELCOME#"
#define FAILURE   "#FAILURE#"
#define SHA256    "{sha256}"
#define NATIVE    "{chute1}"
#define MARKER    "chute/1"
#define LEN(text) (sizeof text - 1)

#define MAC_LEN         32 /* of SHA-256 */
#define MD5_LEN         16
#define MD5_CHALLENGE   20 /* CPython <= 3.11 */
#define MARKER_AT       LEN(SHA256)
#define NONCE_AT        (MARKER_AT + LEN(MARKER) + 1)
#define ANSWER_LEN      (LEN(NATIVE) + AUTH_NONCE + MAC_LEN)
#define PROOF_LEN       (LEN(NATIVE) + MAC_LEN)
#define DIGEST_NAME_MAX 16

_Static_assert(NONCE_AT + AUTH_NONCE == AUTH_CHALLENGE, "CPython's length");
_Static_assert(sizeof MARKER == LEN(SHA256), "marker and side are 8 bytes");

/* -- out -------------------------------------------------------------------- */

/* Add a message of up to two parts to what is to be sent. */
static void say(struct auth *a, const void *one, size_t one_len,
                const void *two, size_t two_len)
{
    unsigned char head[FRAME_MAX];
    size_t head_len = frame_write(head, one_len + two_len);
    unsigned char *to = a->out + a->n_out;

    /* WELCOME and a challenge are the most that is said at once. */
    if (a->n_out + head_len + one_len + two_len > sizeof a->out)
        return;
    memcpy(to, head, head_len);
    memcpy(to + head_len, one, one_len);
    if (two_len)
        memcpy(to + head_len + one_len, two, two_len);
    a->n_out += head_len + one_len + two_len;
}

#define SAY(a, text) say(a, text, LEN(text), NULL, 0)

/* -- digests ---------------------------------------------------------------- */

/* What a challenge or an answer of CPython's says about its digest. */
struct digest {
    const EVP_MD *md;
    size_t prefix_len; /* of {name}; 0: raw HMAC-MD5 */
};

static const struct {
    const char *prefix;
    const EVP_MD *(*md)(void);
} digests[] = {
    {"{md5}", EVP_md5},           {"{sha256}", EVP_sha256},
    {"{sha384}", EVP_sha384},     {"{sha3_256}", EVP_sha3_256},
    {"{sha3_384}", EVP_sha3_384},
};

static bool begins_with(const unsigned char *data, size_t len, const char *text)
{
    size_t text_len = strlen(text);

    return len >= text_len && memcmp(data, text, text_len) == 0;
}

/* 0; CHUTE_EDIGEST: it is MD5, and that is not allowed; CHUTE_EPROTO. */
static int find_digest(const struct auth *a, const unsigned char *data,
                       size_t len, size_t legacy_len, struct digest *ret_digest)
{
    struct digest digest = {NULL, 0};

    if (len == legacy_len)
        digest.md = EVP_md5();
    for (size_t i = 0; !digest.md && i < sizeof digests / sizeof digests[0];
         i++)
        if (begins_with(data, len, digests[i].prefix)) {
            digest.md = digests[i].md();
            digest.prefix_len = strlen(digests[i].prefix);
        }
    if (!digest.md)
        return fail(CHUTE_EPROTO);
    if (digest.md == EVP_md5() && !(a->flags & CHUTE_MD5))
        return fail(CHUTE_EDIGEST);
    *ret_digest = digest;
    return 0;
}

static int mac(const struct auth *a, const EVP_MD *md, const void *data,
               size_t len, unsigned char ret_mac[EVP_MAX_MD_SIZE],
               size_t *ret_mac_len)
{
    unsigned mac_len;

    if (fault("HMAC") ||
        !HMAC(md, a->key, (int)a->key_len, data, len, ret_mac, &mac_len))
        return fail(CHUTE_ENOMEM);
    *ret_mac_len = mac_len;
    return 0;
}

/* -- our own handshake ------------------------------------------------------ */

/* The MAC of one side over what both have said, kept in transcript. */
static int native_mac(const struct auth *a, bool of_server,
                      unsigned char ret_mac[EVP_MAX_MD_SIZE])
{
    static const char labels[2][15] = {"chute/1 client", "chute/1 server"};
    unsigned char all[sizeof labels[0] + sizeof a->transcript];
    size_t mac_len;

    memcpy(all, labels[of_server], sizeof labels[0]);
    memcpy(all + sizeof labels[0], a->transcript, sizeof a->transcript);
    return mac(a, EVP_sha256(), all, sizeof all, ret_mac, &mac_len);
}

/* A server is answered in our form. */
static int check_native_answer(struct auth *a, const unsigned char *data)
{
    const unsigned char *nonce = data + LEN(NATIVE);
    unsigned char expected[EVP_MAX_MD_SIZE];

    memcpy(a->transcript, a->ours, AUTH_CHALLENGE);
    memcpy(a->transcript + AUTH_CHALLENGE, nonce, AUTH_NONCE);
    int r = native_mac(a, false, expected);
    if (r < 0)
        return r;
    if (CRYPTO_memcmp(expected, nonce + AUTH_NONCE, MAC_LEN) != 0) {
        SAY(a, FAILURE);
        return fail(CHUTE_EAUTH);
    }
    r = native_mac(a, true, expected);
    if (r < 0)
        return r;
    say(a, NATIVE, LEN(NATIVE), expected, MAC_LEN);
    a->native = true;
    return 1;
}

/* A client has met a server of ours. */
static int answer_natively(struct auth *a, const unsigned char *challenge)
{
    unsigned char answer[AUTH_NONCE + EVP_MAX_MD_SIZE];

    memcpy(a->transcript, challenge, AUTH_CHALLENGE);
    memcpy(a->transcript + AUTH_CHALLENGE, a->nonce, AUTH_NONCE);
    memcpy(answer, a->nonce, AUTH_NONCE);
    int r = native_mac(a, false, answer + AUTH_NONCE);
    if (r < 0)
        return r;
    say(a, NATIVE, LEN(NATIVE), answer, AUTH_NONCE + MAC_LEN);
    a->state = AUTH_AWAITS_PROOF;
    return 0;
}

static int check_proof(struct auth *a, const unsigned char *data, size_t len)
{
    unsigned char expected[EVP_MAX_MD_SIZE];

    if (len != PROOF_LEN || !begins_with(data, len, NATIVE))
        return fail(begins_with(data, len, FAILURE) ? CHUTE_EAUTH
                                                    : CHUTE_EPROTO);
    int r = native_mac(a, true, expected);
    if (r < 0)
        return r;
    if (CRYPTO_memcmp(expected, data + LEN(NATIVE), MAC_LEN) != 0)
        return fail(CHUTE_EAUTH);
    a->native = true;
    return 1;
}

/* -- CPython's handshake ---------------------------------------------------- */

static void challenge(struct auth *a)
{
    unsigned char *ours = a->ours;

    memcpy(ours, SHA256, LEN(SHA256));
    /* With a short key we are CPython, to everybody. */
    if (a->key_len >= AUTH_NATIVE_KEY) {
        memcpy(ours + MARKER_AT, MARKER, LEN(MARKER));
        ours[NONCE_AT - 1] = a->server ? 'S' : 'C';
    } else {
        memset(ours + MARKER_AT, '-', NONCE_AT - MARKER_AT);
    }
    memcpy(ours + NONCE_AT, a->nonce, AUTH_NONCE);
    say(a, CHALLENGE, LEN(CHALLENGE), ours, AUTH_CHALLENGE);
    a->state = AUTH_AWAITS_ANSWER;
}

/* The side whose marker is in a challenge, 'S' or 'C'; 0: there is none. */
static int marked(const unsigned char *data, size_t len)
{
    if (len != AUTH_CHALLENGE || memcmp(data, SHA256, LEN(SHA256)) != 0 ||
        memcmp(data + MARKER_AT, MARKER, LEN(MARKER)) != 0)
        return 0;
    return data[NONCE_AT - 1] == 'S' ? 'S' : 'C';
}

static int answer(struct auth *a, const unsigned char *data, size_t len)
{
    unsigned char code[EVP_MAX_MD_SIZE];
    struct digest digest;
    size_t code_len = 0;
    int r;

    if (!begins_with(data, len, CHALLENGE))
        return fail(CHUTE_EPROTO);
    data += LEN(CHALLENGE);
    len -= LEN(CHALLENGE);
    if (len < MD5_CHALLENGE)
        return fail(CHUTE_EPROTO);

    int side = marked(data, len);
    if (side == 'S' && !a->server && a->key_len >= AUTH_NATIVE_KEY)
        return answer_natively(a, data);
    /* A mirror, or somebody who took the marker off the server's challenge; or
     * a CPython where we want none; or the keys differ even in length. */
    if (side || (a->flags & CHUTE_NATIVE))
        return fail(CHUTE_EAUTH);

    r = find_digest(a, data, len, MD5_CHALLENGE, &digest);
    if (r == 0)
        r = mac(a, digest.md, data, len, code, &code_len);
    if (r < 0)
        return r;
    say(a, data, digest.prefix_len, code, code_len);
    a->state = AUTH_AWAITS_VERDICT;
    return 0;
}

/* Whether an answer in CPython's form is right. */
static int check_code(const struct auth *a, const unsigned char *data,
                      size_t len)
{
    unsigned char expected[EVP_MAX_MD_SIZE];
    struct digest digest;
    size_t expected_len = 0;

    if (a->flags & CHUTE_NATIVE)
        return fail(CHUTE_EAUTH);
    int r = find_digest(a, data, len, MD5_LEN, &digest);
    if (r == 0)
        r = mac(a, digest.md, a->ours, AUTH_CHALLENGE, expected, &expected_len);
    if (r < 0)
        return r;
    if (len - digest.prefix_len != expected_len ||
        CRYPTO_memcmp(expected, data + digest.prefix_len, expected_len) != 0)
        return fail(CHUTE_EAUTH);
    return 0;
}

/* Our challenge is answered. */
static int check_answer(struct auth *a, const unsigned char *data, size_t len)
{
    if (a->server && a->key_len >= AUTH_NATIVE_KEY && len == ANSWER_LEN &&
        begins_with(data, len, NATIVE))
        return check_native_answer(a, data);
    int r = check_code(a, data, len);
    if (r < 0) {
        SAY(a, FAILURE);
        return r;
    }
    SAY(a, WELCOME);
    if (!a->server)
        return 1;
    a->state = AUTH_AWAITS_CHALLENGE;
    return 0;
}

static int take_verdict(struct auth *a, const unsigned char *data, size_t len)
{
    if (len != LEN(WELCOME) || !begins_with(data, len, WELCOME))
        return fail(begins_with(data, len, FAILURE) ? CHUTE_EAUTH
                                                    : CHUTE_EPROTO);
    if (a->server)
        return 1;
    challenge(a);
    return 0;
}

/* -- in --------------------------------------------------------------------- */

void auth_begin(struct auth *a, bool server, const void *key, size_t key_len,
                uint64_t flags, const unsigned char nonce[AUTH_NONCE])
{
    memset(a, 0, sizeof *a);
    a->key = key;
    a->key_len = key_len;
    a->flags = flags;
    a->server = server;
    memcpy(a->nonce, nonce, AUTH_NONCE);
    a->state = AUTH_AWAITS_CHALLENGE;
    if (server)
        challenge(a);
}

/* The header of the message that is coming: what is missing of it; 0 with the
 * two lengths; CHUTE_EPROTO also for a length that is too much. */
static int header(const struct auth *a, size_t *ret_head_len, size_t *ret_len)
{
    uint64_t len;
    int missing = frame_read(a->in, a->n_in, ret_head_len, &len);

    if (missing)
        return missing;
    /* CPython uses the long form for long messages only. */
    if (*ret_head_len != 4 || len > AUTH_FRAME_MAX)
        return fail(CHUTE_EPROTO);
    *ret_len = (size_t)len;
    return 0;
}

size_t auth_wants(const struct auth *a)
{
    size_t head_len, len;

    if (a->state == AUTH_OVER)
        return 0;
    int missing = header(a, &head_len, &len);
    return missing ? (size_t)missing : head_len + len - a->n_in;
}

static int take_message(struct auth *a, const unsigned char *data, size_t len)
{
    switch (a->state) {
    case AUTH_AWAITS_CHALLENGE:
        return answer(a, data, len);
    case AUTH_AWAITS_ANSWER:
        return check_answer(a, data, len);
    case AUTH_AWAITS_VERDICT:
        return take_verdict(a, data, len);
    case AUTH_AWAITS_PROOF:
        return check_proof(a, data, len);
    default:
        return fail(CHUTE_EPROTO);
    }
}

/* One piece: the header, or the rest of the body. */
static int take_piece(struct auth *a, const unsigned char *data, size_t n)
{
    size_t head_len, len;

    memcpy(a->in + a->n_in, data, n);
    a->n_in += n;
    int missing = header(a, &head_len, &len);
    if (missing > 0)
        return 0;
    if (missing < 0)
        return missing;
    if (a->n_in < head_len + len)
        return 0;
    a->n_in = 0;
    return take_message(a, a->in + head_len, len);
}

int auth_feed(struct auth *a, const void *data, size_t len)
{
    if (len > auth_wants(a))
        return fail(CHUTE_EINVAL);
    int r = take_piece(a, data, len);
    if (r != 0)
        a->state = AUTH_OVER;
    return r;
}

void auth_wipe(struct auth *a)
{
    OPENSSL_cleanse(a, sizeof *a);
}
