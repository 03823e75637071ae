/* socket.c - sockets that are listened at and connected to.
 *
 * Accepted and connected sockets are left blocking, as all of chute's: each
 * call says by itself that it does not want to wait. The one that listens does
 * not block, so that several processes may accept from it.
 *
 * connect(2) has no such flag. Over TCP the socket is non-blocking for as long;
 * an AF_UNIX connect that meets a full backlog cannot be waited for by poll, but
 * SO_SNDTIMEO bounds it.
 *
 * TCP_NODELAY, for a message leaves by one call and is often a question.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "chute/error.h"
#include "net/socket.h"

#define SECOND INT64_C(1000000000)

/* -- time ------------------------------------------------------------------- */

int64_t socket_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND + now.tv_nsec;
}

int socket_deadline(int64_t timeout_ns, int64_t *ret_deadline)
{
    if (timeout_ns < -1)
        return fail(CHUTE_EINVAL);
    int64_t now = socket_now();
    *ret_deadline = timeout_ns == -1 || timeout_ns > SOCKET_NEVER - now
                        ? SOCKET_NEVER
                        : now + timeout_ns;
    return 0;
}

/* For poll and epoll: milliseconds, rounded up, so that nobody spins. */
static int left_ms(int64_t deadline)
{
    if (deadline == SOCKET_NEVER)
        return -1;
    int64_t left = deadline - socket_now();
    if (left <= 0)
        return 0;
    return left > 3600 * SECOND ? 3600000 : (int)((left + 999999) / 1000000);
}

static int call_poll(struct pollfd *one, int64_t deadline)
{
    return fault("poll") ? -1 : poll(one, 1, left_ms(deadline));
}

/* -- listening -------------------------------------------------------------- */

static int get_option(int fd, int name, void *value, socklen_t len)
{
    return fault("getsockopt") ? -1
                               : getsockopt(fd, SOL_SOCKET, name, value, &len);
}

static void set_option(int fd, int level, int name)
{
    int yes = 1;

    if (!fault("setsockopt"))
        (void)setsockopt(fd, level, name, &yes, sizeof yes);
}

static bool is_tcp(const struct address *address)
{
    return address->where.ss_family != AF_UNIX;
}

static int new_socket(const struct address *address, int flags)
{
    int fd = fault("socket") ? -1
                             : socket(address->where.ss_family,
                                      SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        return fail(-errno);
    if (is_tcp(address))
        set_option(fd, IPPROTO_TCP, TCP_NODELAY);
    return fd;
}

/* Bind and listen; what cannot be listened at does not keep its path. */
static int listen_at(int fd, const struct address *at, int backlog,
                     struct address *ret_address)
{
    struct address got = {.len = sizeof got.where};
    const char *path = address_path(at);

    if (fault("bind") ||
        bind(fd, (const struct sockaddr *)&at->where, at->len) < 0)
        return fail(-errno);
    if (fault("listen") || listen(fd, backlog) < 0 || fault("getsockname") ||
        getsockname(fd, (struct sockaddr *)&got.where, &got.len) < 0) {
        int r = fail(-errno);
        if (path && !fault("unlink"))
            (void)unlink(path);
        return r;
    }
    *ret_address = got;
    return 0;
}

int socket_listen(const struct address *at, int backlog, int *ret_fd,
                  struct address *ret_address)
{
    int fd = new_socket(at, SOCK_NONBLOCK);

    if (fd < 0)
        return fd;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR);
    if (at->where.ss_family == AF_INET6)
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    int r = listen_at(fd, at, backlog, ret_address);
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

int socket_accept(int fd, int *ret_fd, struct address *ret_peer)
{
    struct address peer = {.len = sizeof peer.where};

    int got = fault("accept4") ? -1
                               : accept4(fd, (struct sockaddr *)&peer.where,
                                         &peer.len, SOCK_CLOEXEC);
    if (got < 0)
        return -errno;
    if (is_tcp(&peer))
        set_option(got, IPPROTO_TCP, TCP_NODELAY);
    *ret_fd = got;
    *ret_peer = peer;
    return 0;
}

/* -- connecting ------------------------------------------------------------- */

/* How long a blocking call may take, in SO_SNDTIMEO's terms: 0 is for ever. */
static void limit_sending(int fd, int64_t deadline)
{
    struct timeval left = {0, 0};

    if (deadline != SOCKET_NEVER) {
        int64_t left_ns = deadline - socket_now();
        if (left_ns < 1000)
            left_ns = 1000;
        left.tv_sec = (time_t)(left_ns / SECOND);
        left.tv_usec = (suseconds_t)(left_ns % SECOND / 1000);
    }
    if (!fault("setsockopt"))
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof left);
}

static int call_connect(int fd, const struct address *to)
{
    return fault("connect")
               ? -1
               : connect(fd, (const struct sockaddr *)&to->where, to->len);
}

static int connect_unix(int fd, const struct address *to, int64_t deadline,
                        bool interruptible)
{
    bool again;
    int r;

    /* The kernel's clock ticks more coarsely than signals may come: by its own the
     * time would never be up. */
    do {
        limit_sending(fd, deadline);
        r = call_connect(fd, to);
        again = r < 0 && errno == EINTR && !interruptible;
    } while (again && socket_now() < deadline);
    if (r < 0)
        return again || errno == EAGAIN ? -ETIMEDOUT : -errno;
    limit_sending(fd, SOCKET_NEVER);
    return 0;
}

static int connect_tcp(int fd, const struct address *to, int64_t deadline,
                       bool interruptible)
{
    struct pollfd one = {.fd = fd, .events = POLLOUT};
    int error = 0, r;

    if (call_connect(fd, to) < 0) {
        if (errno != EINPROGRESS && errno != EINTR)
            return -errno;
        do
            r = call_poll(&one, deadline);
        while (r < 0 && errno == EINTR && !interruptible);
        if (r <= 0)
            return r < 0 ? -errno : -ETIMEDOUT;
        if (get_option(fd, SO_ERROR, &error, sizeof error) < 0)
            return -errno;
        if (error)
            return -error;
    }
    int flags = fault("fcntl") ? -1 : fcntl(fd, F_GETFL);
    return flags < 0 || fault("fcntl") ||
                   fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0
               ? -errno
               : 0;
}

int socket_connect(const struct address *to, int64_t deadline,
                   bool interruptible, int *ret_fd)
{
    bool tcp = is_tcp(to);
    int fd = new_socket(to, tcp ? SOCK_NONBLOCK : 0);

    if (fd < 0)
        return fd;
    int r = (tcp ? connect_tcp : connect_unix)(fd, to, deadline, interruptible);
    if (r < 0) {
        close(fd);
        return fail(r);
    }
    *ret_fd = fd;
    return 0;
}

/* -- one socket ------------------------------------------------------------- */

int socket_check_user(int fd)
{
    struct ucred peer;
    int domain = 0;

    if (get_option(fd, SO_DOMAIN, &domain, sizeof domain) < 0)
        return fail(-errno);
    if (domain != AF_UNIX)
        return 0;
    if (get_option(fd, SO_PEERCRED, &peer, sizeof peer) < 0)
        return fail(-errno);
    return peer.uid == geteuid() || peer.uid == 0 ? 0 : fail(CHUTE_EACCES);
}

int socket_send_all(int fd, const void *data, size_t len)
{
    if (len == 0)
        return 0;
    ssize_t n = fault("sendmsg")
                    ? -1
                    : send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n == (ssize_t)len)
        return 0;
    return fail(n < 0 && errno != EAGAIN && errno != EINTR ? -errno : -EPIPE);
}

int socket_recv(int fd, void *buf, size_t len)
{
    ssize_t n = fault("recvmsg") ? -1 : recv(fd, buf, len, MSG_DONTWAIT);
    /* It does not wait: where it was interrupted, nothing was there. */
    return n >= 0 ? (int)n : errno == EINTR ? -EAGAIN : -errno;
}

int socket_wait(int fd, int64_t deadline)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    int r = call_poll(&one, deadline);

    return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

int socket_random(void *buf, size_t len)
{
    return fault("getentropy") || getentropy(buf, len) < 0 ? fail(-EIO) : 0;
}

void socket_shut(int fd)
{
    (void)shutdown(fd, SHUT_RDWR);
}

void socket_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* -- a set ------------------------------------------------------------------ */

int set_new(int *ret_set)
{
    int set = fault("epoll_create") ? -1 : epoll_create1(EPOLL_CLOEXEC);

    if (set < 0)
        return fail(-errno);
    *ret_set = set;
    return 0;
}

int set_add(int set, int fd, void *what)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};

    return fault("epoll_ctl") || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) < 0
               ? fail(-errno)
               : 0;
}

int set_remove(int set, int fd)
{
    return fault("epoll_ctl") || epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL) < 0
               ? fail(-errno)
               : 0;
}

int set_timer_new(int *ret_timer)
{
    int timer =
        fault("timerfd_create")
            ? -1
            : timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    if (timer < 0)
        return fail(-errno);
    *ret_timer = timer;
    return 0;
}

void set_timer(int timer, int64_t deadline)
{
    struct itimerspec at = {.it_value = {0, 0}};

    if (deadline != SOCKET_NEVER) {
        at.it_value.tv_sec = (time_t)(deadline / SECOND);
        at.it_value.tv_nsec = (long)(deadline % SECOND);
    }
    if (!fault("timerfd_settime"))
        (void)timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

int set_wait(int set, void *ret_what[SOCKET_EVENTS], int64_t deadline)
{
    struct epoll_event events[SOCKET_EVENTS];
    int n = fault("epoll_wait")
                ? -1
                : epoll_wait(set, events, SOCKET_EVENTS, left_ms(deadline));

    for (int i = 0; i < n; i++)
        ret_what[i] = events[i].data.ptr;
    return n < 0 ? -errno : n;
}
