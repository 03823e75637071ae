/* auth.h - the handshake: bytes in, bytes out. See auth.c. */
#ifndef NET_AUTH_H
#define NET_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUTH_FRAME_MAX  256 /* CPython's own bound before authentication */
#define AUTH_NONCE      32
#define AUTH_NATIVE_KEY 16 /* a shorter key gets CPython's handshake only */
#define AUTH_CHALLENGE  48 /* {sha256}, marker, nonce */
#define AUTH_OUT_MAX    160

enum auth_state {
    AUTH_AWAITS_CHALLENGE,
    AUTH_AWAITS_ANSWER,
    AUTH_AWAITS_VERDICT,
    AUTH_AWAITS_PROOF, /* native client: the server's MAC */
    AUTH_OVER
};

struct auth {
    const unsigned char *key; /* borrowed */
    size_t key_len;
    uint64_t flags; /* CHUTE_MD5, CHUTE_NATIVE */
    bool server;
    bool native; /* after success: which handshake it was */
    enum auth_state state;
    size_t n_in;
    size_t n_out; /* bytes to be sent, in out */
    unsigned char nonce[AUTH_NONCE];
    unsigned char ours[AUTH_CHALLENGE]; /* what the peer has to answer */
    unsigned char transcript[AUTH_CHALLENGE + AUTH_NONCE];
    unsigned char in[4 + AUTH_FRAME_MAX];
    unsigned char out[AUTH_OUT_MAX];
};

/* Begin. nonce is random, and never used before. A server has something to send
 * at once. key has to live as long as *a. */
void auth_begin(struct auth *a, bool server, const void *key, size_t key_len,
                uint64_t flags, const unsigned char nonce[AUTH_NONCE]);

/* How many bytes it wants, exactly: what follows them is not the handshake's. 0
 * when it is over. */
size_t auth_wants(const struct auth *a);

/* Up to so many bytes have come. 0: go on; 1: both sides know the key;
 * CHUTE_EAUTH, CHUTE_EDIGEST, CHUTE_EPROTO, CHUTE_ENOMEM: over. In every case
 * out[0 .. n_out) is to be sent, and n_out to be set to 0. */
int auth_feed(struct auth *a, const void *data, size_t len);

/* Leave nothing of it in memory. */
void auth_wipe(struct auth *a);

#endif
