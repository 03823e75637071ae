/* io-posix.c - sockets that neither block, nor signal, nor leak into an exec.
 *
 * Descriptors of ours are shared: with children, and with whoever the user
 * hands them to. O_NONBLOCK would be a property of all of them together, so no
 * socket is ever made non-blocking; each single call is (MSG_DONTWAIT). For the
 * same reason SIGPIPE is refused by the call (MSG_NOSIGNAL) and not by the
 * process.
 *
 * What one send takes whole. An AF_UNIX stream socket cuts what it is given
 * into buffers of the kernel, and queues each with a single step; between two
 * it may run out of room, and then says how far it came. So a send that needs
 * one buffer happens or does not, even if its caller is killed meanwhile. Linux
 * (unix_stream_sendmsg) makes a buffer no longer than half of SO_SNDBUF less
 * 64, and no longer than 32 KiB plus what fits into a page beside the kernel's
 * own header. We count on the 32 KiB. (Measured on 6.18 with 4 KiB pages: the
 * first message that is ever cut has 36,545 bytes, or SO_SNDBUF / 2 - 63.)
 * The receiver's side keeps the same rule: a buffer is taken off the queue when
 * all of it has been copied out.
 *
 * Proof: tests/unit/test-conn.c, which sends messages of all sizes into sockets
 * of all sizes and all degrees of fullness.
 */
#define _GNU_SOURCE /* ppoll, SOCK_CLOEXEC */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fail.h"
#include "plat/io.h"
#include "plat/plat.h"

/* What the kernel queues in one step, at most. */
#define ONE_STEP 32768

int io_pair(int ret_fds[2])
{
    int fds[2];

    if (fault("socketpair") ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return fail(-errno);
    ret_fds[0] = fds[0];
    ret_fds[1] = fds[1];
    return 0;
}

static int get_option(int fd, int name, int *ret_value)
{
    socklen_t len = sizeof *ret_value;

    return fault("getsockopt")
               ? -1
               : getsockopt(fd, SOL_SOCKET, name, ret_value, &len);
}

int io_stream(int fd, uint64_t *ret_id)
{
    struct sockaddr_storage peer;
    struct stat st;
    int type = 0;
    socklen_t peer_len = sizeof peer;

    if (get_option(fd, SO_TYPE, &type) < 0 || type != SOCK_STREAM ||
        fault("fstat") || fstat(fd, &st) < 0)
        return fail(-EINVAL);
    if (fault("getpeername") ||
        getpeername(fd, (struct sockaddr *)&peer, &peer_len) < 0)
        return fail(-errno);
    *ret_id = (uint64_t)st.st_ino;
    return 0;
}

/* SO_SNDBUF, and what goes in one step: 0 if it is not AF_UNIX. */
static int send_buffer(int fd, size_t *ret_size, size_t *ret_step)
{
    int domain = 0, size = 0;

    if (get_option(fd, SO_DOMAIN, &domain) < 0 ||
        get_option(fd, SO_SNDBUF, &size) < 0)
        return fail(-errno);
    size_t half = (size_t)size / 2;
    *ret_size = (size_t)size;
    *ret_step = domain != AF_UNIX || half < 64 ? 0
                : half - 64 < ONE_STEP         ? half - 64
                                               : ONE_STEP;
    return 0;
}

int io_atomic_len(int fd, size_t *ret_len)
{
    size_t size;

    return send_buffer(fd, &size, ret_len);
}

/* TCP: writable means that a third of the buffer is free, and what the kernel
 * adds for itself does not make eight times as much of anything but dribble. */
static bool stream_has_room(int fd, size_t size, size_t len)
{
    struct pollfd one = {.fd = fd, .events = POLLOUT};

    return len <= size / 8 && io_poll(&one, 1, 0) == 1 &&
           (one.revents & POLLOUT);
}

bool io_has_room(int fd, size_t len)
{
    size_t size = 0, step = 0;
    int queued;

    if (send_buffer(fd, &size, &step) < 0)
        return false;
    if (step == 0)
        return stream_has_room(fd, size, len);
    if (len > size || fault("ioctl") || ioctl(fd, TIOCOUTQ, &queued) < 0)
        return false;
    /* A step is taken as long as what lies there already, counted with the
     * kernel's own bookkeeping, is less than SO_SNDBUF. That is some hundred
     * bytes a step, and what is lost by rounding: less than a page. */
    return (size_t)queued + len + len / step * plat_page() < size;
}

/* A peer that went away without reading everything leaves ECONNRESET once, to
 * whoever calls first. Over TCP the network has words of its own for it, among
 * them an ETIMEDOUT that is not the caller's. */
static bool gone(int error)
{
    return error == ECONNRESET || error == ETIMEDOUT || error == EHOSTUNREACH ||
           error == ENETUNREACH || error == ENETDOWN;
}

/* Of a call that does not wait, EINTR says what EAGAIN does: nothing was done. */
static int no_wait_error(int error)
{
    return error == EINTR ? -EAGAIN : -error;
}

ssize_t io_send(int fd, struct iovec *parts, int n_parts)
{
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = (size_t)n_parts};
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL;

    ssize_t n = fault("sendmsg") ? -1
                : n_parts == 1
                    ? send(fd, parts->iov_base, parts->iov_len, flags)
                    : sendmsg(fd, &msg, flags);
    if (n >= 0)
        return n;
    return gone(errno) ? -EPIPE : no_wait_error(errno);
}

/* The error of an end comes after all that had been sent to us: the end. */
static ssize_t received(ssize_t n)
{
    return n >= 0 ? n : gone(errno) ? 0 : no_wait_error(errno);
}

/* recvmsg(2) that does not wait. */
static ssize_t receive(int fd, struct msghdr *msg, int flags)
{
    flags |= MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
    return received(fault("recvmsg") ? -1 : recvmsg(fd, msg, flags));
}

/* recv(2) that does not wait. For short messages it costs a third less. */
static ssize_t receive_one(int fd, void *buf, size_t cap, int flags)
{
    flags |= MSG_DONTWAIT;
    return received(fault("recvmsg") ? -1 : recv(fd, buf, cap, flags));
}

ssize_t io_recv(int fd, struct iovec *parts, int n_parts)
{
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = (size_t)n_parts};

    return n_parts == 1 ? receive_one(fd, parts->iov_base, parts->iov_len, 0)
                        : receive(fd, &msg, 0);
}

ssize_t io_peek(int fd, void *buf, size_t cap, bool *ret_carries)
{
    struct iovec part = {.iov_base = buf, .iov_len = 1};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n = receive_one(fd, buf, cap, MSG_PEEK);

    *ret_carries = false;
    if (n == 1) {
        /* Whether there is something beside it: then it finds no place. */
        n = receive(fd, &msg, MSG_PEEK);
        *ret_carries = n > 0 && (msg.msg_flags & MSG_CTRUNC);
    }
    return n;
}

/* -- descriptors that travel ------------------------------------------------ */

/* Room for the descriptors of one message, aligned as it has to be. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(IO_MAX_FDS * sizeof(int))];
};

ssize_t io_send_fds(int fd, const int *fds, int n_fds)
{
    unsigned char byte = (unsigned char)n_fds;
    struct iovec part = {.iov_base = &byte, .iov_len = 1};
    size_t fds_len = (size_t)n_fds * sizeof(int);
    union control control = {.bytes = {0}};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = CMSG_SPACE(fds_len)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(fds_len);
    memcpy(CMSG_DATA(head), fds, fds_len);
    ssize_t n =
        fault("sendmsg") ? -1 : sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    return errno == ECONNRESET ? -EPIPE
           : errno == EBADF    ? fail(-EINVAL)
                               : no_wait_error(errno);
}

/* The descriptors that a control message has brought; more than IO_MAX_FDS can
 * come where the room is rounded up. The number of all, kept and closed. */
static int take_fds(struct msghdr *msg, int fds[IO_MAX_FDS])
{
    int n = 0, fd;

    for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head;
         head = CMSG_NXTHDR(msg, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = 0; CMSG_LEN(at + sizeof fd) <= head->cmsg_len;
             at += sizeof fd) {
            memcpy(&fd, CMSG_DATA(head) + at, sizeof fd);
            if (n < IO_MAX_FDS)
                fds[n] = fd;
            else
                plat_close(fd);
            n++;
        }
    }
    return n;
}

int io_peek_fds(int fd, int fds[IO_MAX_FDS])
{
    unsigned char bytes[2];
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    union control control = {.bytes = {0}};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof control.bytes};
    int r;

    ssize_t len = receive(fd, &msg, MSG_PEEK);
    if (len < 0)
        return (int)len;
    int n = take_fds(&msg, fds);
    bool cut = msg.msg_flags & MSG_CTRUNC;
    if (len != 1 || (n == 0 && !cut))
        r = 0;
    else if (cut && n < IO_MAX_FDS && bytes[0] > n)
        r = fail(-EMFILE); /* there was room, so it is we who have none */
    else if (cut || n > IO_MAX_FDS || bytes[0] != n)
        r = fail(-EPROTO);
    else
        return n;
    for (int i = 0; i < n && i < IO_MAX_FDS; i++)
        plat_close(fds[i]);
    return r;
}

int io_pending(int fd, size_t *ret_len)
{
    int n;

    if (fault("ioctl") || ioctl(fd, FIONREAD, &n) < 0)
        return fail(-errno);
    *ret_len = n > 0 ? (size_t)n : 0;
    return 0;
}

void io_shut_sending(int fd)
{
    (void)shutdown(fd, SHUT_WR);
}

void io_shut_receiving(int fd)
{
    (void)shutdown(fd, SHUT_RD);
}

int io_poll(struct pollfd *fds, size_t n, int64_t deadline)
{
    struct timespec left = {0, 0};

    if (deadline > 0 && deadline != PLAT_NEVER) {
        int64_t left_ns = deadline - plat_now();
        if (left_ns > 0) {
            left.tv_sec = (time_t)(left_ns / 1000000000);
            left.tv_nsec = (long)(left_ns % 1000000000);
        }
    }
    int r = fault("poll") ? -1
                          : ppoll(fds, (nfds_t)n,
                                  deadline == PLAT_NEVER ? NULL : &left, NULL);
    return r < 0 ? -errno : r;
}

int io_wait(int fd, short events, int64_t deadline)
{
    struct pollfd one = {.fd = fd, .events = events};
    int r = io_poll(&one, 1, deadline);

    if (r < 0)
        return r;
    if (r == 0)
        return -ETIMEDOUT;
    return one.revents & POLLNVAL ? fail(-EINVAL) : 0;
}
