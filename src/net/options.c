/* options.c - what a listener and a client are told, checked. */
#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "net/auth.h"
#include "net/options.h"

#define FLAGS                                                                  \
    (CHUTE_INTERRUPTIBLE | CHUTE_MD5 | CHUTE_NATIVE | CHUTE_SHORT_KEY |        \
     CHUTE_ANY_USER)

#define MAX_MESSAGE       (UINT64_C(64) << 20)
#define HANDSHAKE_TIMEOUT CHUTE_SEC(5)
#define BACKLOG           128
#define MAX_PENDING       256
#define KEY_MAX           65536

static int check(const struct chute_net_options *options)
{
    uint64_t len = options->authkey_len;
    bool is_short = (options->flags & CHUTE_SHORT_KEY) != 0;

    if (options->handshake_timeout_ns < 0 || options->backlog > INT_MAX)
        return fail(CHUTE_EINVAL);
    if (!options->authkey)
        return len || (options->flags & CHUTE_NATIVE) ? fail(CHUTE_EINVAL) : 0;
    if (len == 0 || len > KEY_MAX || (len < AUTH_NATIVE_KEY && !is_short))
        return fail(CHUTE_EINVAL);
    if (len < AUTH_NATIVE_KEY && (options->flags & CHUTE_NATIVE))
        return fail(CHUTE_EINVAL);
    return 0;
}

int net_options_take(struct chute_net_options *ret_options,
                     const struct chute_net_options *given)
{
    struct chute_net_options options;
    void *key = NULL;

    int r = options_take(&options, sizeof options, given, sizeof options);
    if (r == 0)
        r = options_flags(options.flags, FLAGS);
    if (r == 0)
        r = check(&options);
    if (r < 0)
        return r;
    if (options.authkey) {
        key = mem_alloc(options.authkey_len);
        if (!key)
            return fail(CHUTE_ENOMEM);
        memcpy(key, options.authkey, options.authkey_len);
    }
    options.authkey = key;
    if (!options.max_message)
        options.max_message = MAX_MESSAGE;
    if (!options.handshake_timeout_ns)
        options.handshake_timeout_ns = HANDSHAKE_TIMEOUT;
    if (!options.backlog)
        options.backlog = BACKLOG;
    if (!options.max_pending)
        options.max_pending = MAX_PENDING;
    *ret_options = options;
    return 0;
}

void net_options_done(struct chute_net_options *options)
{
    void *key = (void *)(uintptr_t)options->authkey; /* ours, see above */

    if (key)
        OPENSSL_cleanse(key, options->authkey_len);
    free(key);
    options->authkey = NULL;
}

struct chute_conn_options
net_conn_options(const struct chute_net_options *options)
{
    return (struct chute_conn_options){
        .size = sizeof(struct chute_conn_options),
        .flags = options->flags & CHUTE_INTERRUPTIBLE,
        .max_message = options->max_message,
    };
}
