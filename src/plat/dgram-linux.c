/* dgram-linux.c - datagrams that make a socket readable, and say nothing.
 *
 * AF_UNIX sockets with names in the abstract space: no file, no directory, no
 * right is needed, and a name ends with its socket, however the owner dies. The
 * other side of it: who is in the same network namespace can send to any name,
 * and /proc/net/unix lists them. So a byte says nothing, and none is believed;
 * all that a stranger can do is to make a socket readable, and its owner drains
 * it when he finds nothing to do.
 *
 * What Linux (unix_dgram_sendmsg) says to a sender that does not wait:
 *
 *     EAGAIN        the other's queue is full (net.unix.max_dgram_qlen), or the
 *                   sender's own buffer is: it is charged with what it has sent
 *                   and nobody has received
 *     ECONNREFUSED  nobody has the name
 *     EPROTOTYPE    a socket of another kind has it by now
 *     EPIPE         the other has shut the direction; such a socket is readable
 *     ENOBUFS       no memory: nothing was sent
 *     EPERM, ...    it is connected elsewhere, or security rules forbid it
 *
 * Proof: tests/unit/test-queue-watch.c.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fail.h"
#include "plat/dgram.h"
#include "plat/plat.h"

/* An address in the abstract space begins with a 0. */
#define NAME_FORMAT "%cchute-bell-%016llx"

/* More than that is never there, but for a stranger's sake. */
#define MOST_DATAGRAMS 1024

static socklen_t address_of(uint64_t name, struct sockaddr_un *ret_address)
{
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int len = snprintf(ret_address->sun_path, sizeof ret_address->sun_path,
                       NAME_FORMAT, 0, (unsigned long long)name);

    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len);
}

static int new_socket(void)
{
    int fd =
        fault("socket") ? -1 : socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return fd >= 0 ? fd : fail(-errno);
}

int dgram_new_sender(int *ret_fd)
{
    int fd = new_socket();

    if (fd < 0)
        return fd;
    *ret_fd = fd;
    return 0;
}

static int bind_to(int fd, uint64_t name)
{
    struct sockaddr_un address;
    socklen_t len = address_of(name, &address);

    return fault("bind") || bind(fd, (const struct sockaddr *)&address, len) < 0
               ? fail(-errno)
               : 0;
}

int dgram_new(uint64_t *ret_name, int *ret_fd)
{
    uint64_t name;

    if (fault("getentropy") || getentropy(&name, sizeof name) < 0)
        return fail(-EIO);
    name |= 1; /* 0 is nobody's */
    int fd = new_socket();
    if (fd < 0)
        return fd;
    int r = bind_to(fd, name);
    if (r < 0) {
        plat_close(fd);
        return r;
    }
    *ret_name = name;
    *ret_fd = fd;
    return 0;
}

static int send_error(int error)
{
    switch (error) {
    case EPIPE:
        return 0;
    case EPROTOTYPE:
        return -ECONNREFUSED;
    case ENOBUFS:
        return fail(-ENOMEM);
    default:
        return -error;
    }
}

int dgram_ring(int sender, uint64_t name)
{
    struct sockaddr_un address;
    socklen_t len = address_of(name, &address);
    ssize_t n;

    do
        n = fault("sendmsg")
                ? -1
                : sendto(sender, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL,
                         (const struct sockaddr *)&address, len);
    while (n < 0 && errno == EINTR);
    return n >= 0 ? 0 : send_error(errno);
}

void dgram_drain(int fd)
{
    char byte;

    for (int i = 0; i < MOST_DATAGRAMS; i++)
        if ((fault("recvmsg") ||
             recv(fd, &byte, sizeof byte, MSG_DONTWAIT) < 0) &&
            errno != EINTR)
            return;
}

int dgram_namespace(uint64_t *ret_namespace)
{
    struct stat st;
    int r =
        fault("stat") || stat("/proc/thread-self/ns/net", &st) < 0 ? -errno : 0;

    if (r < 0 && r != -ENOENT)
        return fail(r);
    *ret_namespace = r == 0 ? (uint64_t)st.st_ino : 0;
    return 0;
}
