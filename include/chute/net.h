/* chute/net.h - connections between processes that are no relatives.
 *
 * SPDX-License-Identifier: MIT
 *
 * A library of its own, libchute-net (pkg-config chute-net), because it needs
 * libcrypto. It is what multiprocessing.connection's Listener and Client are,
 * and speaks with them, in any of the four pairings. The conventions are
 * chute.h's.
 *
 * Addresses are text:
 *
 *     unix:/run/me/socket     a path, at most 107 bytes of it
 *     unix:@name              Linux's abstract names; anybody can take one
 *     tcp:host:port           a name or an IPv4 address; port 0: any that is free
 *     tcp:[::1]:port          IPv6
 *
 * Keys. With an authkey both sides prove that they know it, within
 * handshake_timeout_ns. Between two users of this library that is a handshake
 * of its own; with CPython it is CPython's. Nothing is encrypted, and nobody
 * who can change bytes on the way is kept from doing so afterwards.
 */
#ifndef CHUTE_NET_H
#define CHUTE_NET_H

#include "chute/common.h"
#include "chute/conn.h"
#include "chute/error.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct chute_listener chute_listener;

/* Flags, besides CHUTE_INTERRUPTIBLE, which the connections have then too. */
#define CHUTE_MD5       (UINT64_C(1) << 32) /* allow HMAC-MD5: CPython <= 3.11 */
#define CHUTE_NATIVE    (UINT64_C(1) << 33) /* no CPython: chute's handshake */
#define CHUTE_SHORT_KEY (UINT64_C(1) << 34) /* a key under 16 bytes is meant */
#define CHUTE_ANY_USER  (UINT64_C(1) << 35) /* AF_UNIX: other users may, too */

struct chute_net_options {
    uint64_t size;                /* sizeof(struct chute_net_options) */
    uint64_t flags;               /* those above, CHUTE_INTERRUPTIBLE */
    const void *authkey;          /* copied; NULL: no proof is asked for */
    uint64_t authkey_len;         /* 16 or more, see CHUTE_SHORT_KEY */
    uint64_t max_message;         /* longest to receive; 0: 64 MiB */
    int64_t handshake_timeout_ns; /* 0: 5 seconds */
    uint64_t backlog;             /* listen(2)'s; 0: 128 */
    uint64_t max_pending;         /* peers in a handshake; 0: 256 */
};

/* Listen at an address; NULL is a socket in a new directory that only this user
 * can enter, below $TMPDIR or /tmp, as CPython makes it. -EADDRINUSE: somebody
 * is there. CHUTE_EINVAL: no such form of address, an empty key, or a key under
 * 16 bytes without CHUTE_SHORT_KEY. With a short key the handshake is CPython's
 * also between two users of this library. */
CHUTE_API int chute_listener_new(chute_listener **ret_listener,
                                 const char *address,
                                 const struct chute_net_options *options);

/* The next peer that has proved itself. A peer that fails is shut out and
 * counted, and never makes accept fail: whoever can connect could end the
 * service that way. Handshakes go on only during accept, all pending ones at
 * once, so a silent peer keeps nobody waiting. With max_pending of them, or no
 * descriptors left, the one that has been at it longest has to go.
 * Over AF_UNIX the peer has to be of the same user or root.
 * Blocks: until there is one.
 * Conditions: CHUTE_ETIMEDOUT.
 * Fork: a child may accept as well; handshakes that its parent began are the
 * parent's. */
CHUTE_API int chute_listener_accept(chute_listener *listener,
                                    chute_conn **ret_conn, int64_t timeout_ns);

/* Where it listens, with the port that the system chose: what chute_connect
 * takes. Borrowed from the listener. */
CHUTE_API const char *chute_listener_address(const chute_listener *listener);

/* The address of the peer that this handle's last accept gave, a string with
 * its NUL; "" before the first and over AF_UNIX, where peers have none.
 * Errors: CHUTE_EMSGSIZE, cap is too small; 64 is enough. */
CHUTE_API int chute_listener_last_accepted(chute_listener *listener, char *buf,
                                           size_t cap);

/* For poll(2) and its like: readable when accept has something to do, which may
 * be a step of a handshake only, or to shut out a peer whose time is up; so
 * follow it with CHUTE_NOWAIT. Borrowed.
 * Fork: another one in each process: ask again in a child. */
CHUTE_API int chute_listener_fd(chute_listener *listener);

struct chute_listener_stats {
    uint64_t size;        /* set by the caller */
    uint64_t n_accepted;  /* peers that accept has given */
    uint64_t n_refused;   /* peers that failed, were silent, or had to go */
    uint64_t n_pending;   /* peers in a handshake now */
    int64_t last_refusal; /* why the last one was: a code, CHUTE_EDIGEST say */
};

/* Fill *ret_stats as far as its size goes: this process's figures. */
CHUTE_API int chute_listener_stat(chute_listener *listener,
                                  struct chute_listener_stats *ret_stats);

/* Listen no more, in this process; pending peers are shut out. The process that
 * made it removes the socket's path, if it is still the one it made, and the
 * directory. Connections stay. Always NULL. */
CHUTE_API chute_listener *chute_listener_free(chute_listener *listener);

/* Connect to a listener, chute's or CPython's. CHUTE_EAUTH: the keys differ, or
 * the peer does not want to prove that it knows ours. CHUTE_EDIGEST: it is a
 * CPython before 3.12, see CHUTE_MD5. CHUTE_EACCES: over AF_UNIX, the listener
 * is another user's. CHUTE_EPROTO: it speaks something else. CHUTE_EOF: it has
 * closed without a word, as one does that cannot bear more peers. A CPython listener
 * without a key says nothing to a client with one: CHUTE_ETIMEDOUT, after
 * handshake_timeout_ns at the latest. backlog and max_pending mean nothing here.
 * Blocks: until the listener's process accepts, if there are keys; and a host's
 * name is looked up without regard to the time.
 * Conditions: CHUTE_ETIMEDOUT, -ECONNREFUSED, -ENOENT. */
CHUTE_API int chute_connect(chute_conn **ret_conn, const char *address,
                            const struct chute_net_options *options,
                            int64_t timeout_ns);

#ifdef __cplusplus
}
#endif
#endif /* CHUTE_NET_H */
