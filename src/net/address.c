/* address.c - "unix:/path", "unix:@name", "tcp:host:port", "tcp:[::1]:port".
 *
 * A text says by itself what it is, so that one string in a configuration is
 * enough. IPv4 goes before IPv6 where a name has both, for CPython's AF_INET is
 * IPv4.
 *
 * Proof: tests/unit/test-net.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/fail.h"
#include "chute/error.h"
#include "net/address.h"

#define PATH_AT offsetof(struct sockaddr_un, sun_path)

static int parse_unix(const char *path, struct address *ret_address)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    bool abstract = path[0] == '@';

    if (len == 0 || (abstract && len == 1))
        return fail(CHUTE_EINVAL);
    if (len >= sizeof un.sun_path)
        return fail(-ENAMETOOLONG);
    memcpy(un.sun_path, path, len);
    if (abstract)
        un.sun_path[0] = '\0';
    memset(ret_address, 0, sizeof *ret_address);
    memcpy(&ret_address->where, &un, sizeof un);
    /* A path counts with its NUL, a name without. */
    ret_address->len = (socklen_t)(PATH_AT + len + !abstract);
    return 1;
}

/* Split host:port, in which an IPv6 host stands in brackets. */
static int split(const char *text, char host[256], char port[8])
{
    const char *colon = strrchr(text, ':');
    char *end;

    if (!colon || colon == text || strlen(colon + 1) > 5 || colon[1] < '0' ||
        colon[1] > '9')
        return fail(CHUTE_EINVAL);
    if (strtoul(colon + 1, &end, 10) > 65535 || *end)
        return fail(CHUTE_EINVAL);
    strcpy(port, colon + 1);

    size_t len = (size_t)(colon - text);
    bool brackets = text[0] == '[' && text[len - 1] == ']';
    if (brackets) {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= 256 || (!brackets && memchr(text, ':', len)))
        return fail(CHUTE_EINVAL);
    memcpy(host, text, len);
    host[len] = '\0';
    return 0;
}

static int look_up_error(int error)
{
    switch (error) {
    case EAI_SYSTEM:
        return fail(-errno);
    case EAI_MEMORY:
        return fail(CHUTE_ENOMEM);
    case EAI_AGAIN:
        return fail(CHUTE_EAGAIN);
    default:
        return fail(-EADDRNOTAVAIL);
    }
}

static int take_family(const struct addrinfo *found, int family,
                       struct address *to, int n)
{
    for (; found && n < ADDRESSES_MAX; found = found->ai_next)
        if (found->ai_family == family) {
            memset(&to[n], 0, sizeof to[n]);
            memcpy(&to[n].where, found->ai_addr, found->ai_addrlen);
            to[n++].len = found->ai_addrlen;
        }
    return n;
}

static int parse_tcp(const char *text,
                     struct address ret_addresses[ADDRESSES_MAX])
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    char host[256], port[8];

    int r = split(text, host, port);
    if (r < 0)
        return r;
    r = fault("getaddrinfo") ? EAI_SYSTEM
                             : getaddrinfo(host, port, &hints, &found);
    if (r != 0)
        return look_up_error(r);
    r = take_family(found, AF_INET, ret_addresses, 0);
    r = take_family(found, AF_INET6, ret_addresses, r);
    freeaddrinfo(found);
    return r > 0 ? r : fail(-EADDRNOTAVAIL);
}

int address_parse(const char *text, struct address ret_addresses[ADDRESSES_MAX])
{
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(text + 5, ret_addresses);
    if (strncmp(text, "tcp:", 4) == 0)
        return parse_tcp(text + 4, ret_addresses);
    return fail(CHUTE_EINVAL);
}

static void print_unix(const struct address *address, char *to)
{
    struct sockaddr_un un;

    memcpy(&un, &address->where, sizeof un);
    int len = address->len > PATH_AT ? (int)(address->len - PATH_AT) : 0;
    if (len == 0)
        to[0] = '\0';
    else if (un.sun_path[0] == '\0')
        snprintf(to, ADDRESS_TEXT_MAX, "unix:@%.*s", len - 1, un.sun_path + 1);
    else
        snprintf(to, ADDRESS_TEXT_MAX, "unix:%.*s", len, un.sun_path);
}

void address_print(const struct address *address,
                   char ret_text[ADDRESS_TEXT_MAX])
{
    char host[72], port[8];
    int family = address->where.ss_family;

    ret_text[0] = '\0';
    if (family == AF_UNIX)
        print_unix(address, ret_text);
    else if (getnameinfo((const struct sockaddr *)&address->where, address->len,
                         host, sizeof host, port, sizeof port,
                         NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        snprintf(ret_text, ADDRESS_TEXT_MAX,
                 family == AF_INET6 ? "tcp:[%s]:%s" : "tcp:%s:%s", host, port);
}

const char *address_path(const struct address *address)
{
    const char *path = (const char *)&address->where + PATH_AT;

    return address->where.ss_family == AF_UNIX && path[0] ? path : NULL;
}
