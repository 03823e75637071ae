/* net-scene.h - what the tests of listeners and clients share. */
#ifndef NET_SCENE_H
#define NET_SCENE_H

#include <sys/socket.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "chute/net.h"
#include "net/address.h"
#include "test.h"

#define KEY "a key of 16 byte"

static const struct chute_net_options with_key = {
    .size = sizeof with_key, .authkey = KEY, .authkey_len = 16};

/* libcrypto keeps what it needs for the first HMAC; not a leak of the test's. */
__attribute__((constructor)) static void warm_up(void)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len;

    HMAC(EVP_sha256(), "k", 1, mac, 0, mac, &len);
}

/* A socket that is connected, and says nothing. */
static inline int connect_raw(chute_listener *l)
{
    struct address addresses[ADDRESSES_MAX];

    CHECK_EQ(address_parse(chute_listener_address(l), addresses), 1);
    int fd = socket(addresses[0].where.ss_family, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_OK(
        connect(fd, (struct sockaddr *)&addresses[0].where, addresses[0].len));
    return fd;
}

static inline struct chute_listener_stats stats_of(chute_listener *l)
{
    struct chute_listener_stats stats = {.size = sizeof stats};

    CHECK_OK(chute_listener_stat(l, &stats));
    return stats;
}

#endif
