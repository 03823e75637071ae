/* test-handle.c - handles that travel: they arrive whole, or not at all, and
 * leave nothing behind.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alarms.h"
#include "chute.h"
#include "conn-scene.h"
#include "ipc/conn.h"
#include "leak.h"
#include "plat/plat.h"
#include "shm/label.h"
#include "test.h"

#define SOON CHUTE_SEC(20)

static chute_queue *new_queue(void)
{
    chute_queue *queue;

    CHECK_OK(chute_queue_new(&queue, NULL));
    return queue;
}

static void check_put(chute_queue *queue, const char *text)
{
    CHECK_OK(chute_queue_put(queue, chute_str(text), SOON));
}

static void check_get(chute_queue *queue, const char *text)
{
    chute_value *v;

    CHECK_OK(chute_queue_get(queue, &v, SOON));
    CHECK_STR(chute_value_str(v), text);
    chute_value_free(v);
}

static bool same_file(int a, int b)
{
    struct stat of_a, of_b;

    CHECK_OK(fstat(a, &of_a));
    CHECK_OK(fstat(b, &of_b));
    return of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

/* -- they arrive ------------------------------------------------------------- */

TEST(a_descriptor_arrives_as_another_for_the_same_file)
{
    struct ends p = new_pipe(0);
    int fds[2], fd;

    CHECK_OK(pipe2(fds, O_CLOEXEC));
    CHECK_OK(chute_conn_send_fd(p.a, fds[1], SOON));
    CHECK_OK(chute_conn_recv_fd(p.b, &fd, SOON));
    CHECK(fd != fds[1] && same_file(fd, fds[1]));
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(write(fd, "x", 1), 1);
    close(fd);
    close(fds[0]);
    close(fds[1]);
    free_pipe(p);
}

/* A process that was there before the queue. */
static int answer(void *conn)
{
    chute_queue *queue;

    CHECK_OK(chute_conn_recv_queue(conn, &queue, SOON));
    check_get(queue, "question");
    check_put(queue, "answer");
    CHECK_OK(chute_queue_close(queue));
    chute_queue_free(queue);
    return 0;
}

TEST(a_queue_goes_to_a_process_that_runs_already)
{
    struct ends p = new_pipe(0);
    chute_process *process = start(answer, p.b);
    chute_queue *queue = new_queue();
    chute_value *v;

    check_put(queue, "question");
    CHECK_OK(chute_conn_send_queue(p.a, queue, SOON));
    join(process);
    check_get(queue, "answer");
    CHECK_ERR(chute_queue_get(queue, &v, SOON), CHUTE_EOF);
    chute_queue_free(queue);
    free_pipe(p);
}

TEST(a_queue_lives_on_while_it_is_under_way)
{
    struct ends p = new_pipe(0);
    chute_queue *queue = new_queue();

    check_put(queue, "first");
    CHECK_OK(chute_conn_send_queue(p.a, queue, SOON));
    chute_queue_free(queue);
    CHECK_OK(chute_conn_recv_queue(p.b, &queue, SOON));
    check_get(queue, "first");
    chute_queue_free(queue);
    free_pipe(p);
}

TEST(what_comes_over_a_connection_may_be_interrupted_as_it_may)
{
    for (int yes = 0; yes < 2; yes++) {
        struct ends p = new_pipe(yes ? CHUTE_INTERRUPTIBLE : 0);
        chute_queue *queue = new_queue(), *come;
        chute_value *v;

        CHECK_OK(chute_conn_send_queue(p.a, queue, SOON));
        CHECK_OK(chute_conn_recv_queue(p.b, &come, SOON));
        alarm_often(true);
        CHECK_ERR(chute_queue_get(come, &v, yes ? CHUTE_FOREVER : CHUTE_MS(30)),
                  yes ? CHUTE_EINTR : CHUTE_ETIMEDOUT);
        alarm_often(false);
        chute_queue_free(come);
        chute_queue_free(queue);
        free_pipe(p);
    }
}

/* The same queue by a second handle. */
static chute_queue *attached(chute_queue *queue)
{
    chute_queue *other;
    int fd;

    CHECK_OK(plat_dup(chute_queue_fd(queue), &fd));
    CHECK_OK(chute_queue_of_fd(&other, fd, NULL));
    return other;
}

TEST(limits_come_with_the_queue)
{
    chute_queue *queue, *other;

    CHECK_OK(
        chute_queue_new(&queue, CHUTE_OPTIONS(chute_queue_options, .maxsize = 2,
                                              .memory = 4096)));
    other = attached(queue);
    check_put(queue, "one");
    check_put(other, "two");
    CHECK_EQ(chute_queue_full(other), 1);
    CHECK_ERR(chute_queue_put(other, chute_int(3), 0), CHUTE_ETIMEDOUT);
    check_get(other, "one");
    check_get(other, "two");
    CHECK_ERR(chute_queue_put(other, chute_bytes(NULL, 0), -2), CHUTE_EINVAL);
    char large[4096] = {0};
    CHECK_ERR(chute_queue_put_bytes(other, large, sizeof large, 0),
              CHUTE_EMSGSIZE);
    chute_queue_free(queue);
    chute_queue_free(other);
    queue = new_queue();
    other = attached(queue);
    CHECK_EQ(chute_queue_full(other), 0);
    chute_queue_free(other);
    chute_queue_free(queue);
}

TEST(a_queue_of_many_regions_is_met_anywhere)
{
    chute_queue *queue = new_queue();
    uint32_t n_put = 0, n_got = 0, n;
    static char item[10000];
    size_t len;

    /* Up to 16 MB and down again, a new handle for every step. */
    for (int round = 0; round < 60; round++) {
        chute_queue *other = attached(queue);
        for (int i = 0; round < 30 && i < 80; i++, n_put++) {
            memcpy(item, &n_put, sizeof n_put);
            CHECK_OK(chute_queue_put_bytes(i % 2 ? other : queue, item,
                                           100 + n_put % 9000, 0));
        }
        for (int i = 0; i < (round < 30 ? 20 : 60); i++, n_got++) {
            CHECK_OK(chute_queue_get_bytes(i % 2 ? other : queue, item,
                                           sizeof item, &len, 0));
            memcpy(&n, item, sizeof n);
            CHECK_EQ(n, n_got);
            CHECK_EQ(len, 100 + n % 9000);
        }
        chute_queue_free(queue);
        queue = other;
    }
    CHECK_EQ(n_put, n_got);
    CHECK_EQ(chute_queue_empty(queue), 1);
    chute_queue_free(queue);
}

TEST(an_end_of_a_pipe_arrives)
{
    struct ends p = new_pipe(0), q = new_pipe(CHUTE_ONEWAY);
    chute_conn *got;

    CHECK_OK(chute_conn_send_conn(p.a, q.a, SOON));
    CHECK_OK(chute_conn_send_conn(p.a, q.b, SOON));
    CHECK_OK(chute_conn_recv_conn(p.b, &got, SOON));
    CHECK_ERR(chute_conn_send_bytes(got, "x", 1, 0), CHUTE_EINVAL);
    send_text(q.b, "to the new one");
    check_text(got, "to the new one");
    CHECK(got->own != q.a->own);
    chute_conn_free(got);
    CHECK_OK(chute_conn_recv_conn(p.b, &got, SOON));
    CHECK_ERR(try_recv(got, 0), CHUTE_EINVAL);
    send_text(got, "from the new one");
    check_text(q.a, "from the new one");
    chute_conn_free(got);
    free_pipe(q);
    free_pipe(p);
}

/* Share an end that came over `conn`: take what one gets, and say how many. */
static int share(void *conn)
{
    chute_conn *got;
    uint32_t n = 0;

    CHECK_OK(chute_conn_recv_conn(conn, &got, SOON));
    while (recv_message(got, CHUTE_FOREVER) == 0)
        n++;
    CHECK_OK(chute_conn_send_bytes(conn, &n, sizeof n, SOON));
    chute_conn_free(got);
    return 0;
}

TEST_TIMEOUT(receivers_who_share_an_end_get_each_message_once, 120)
{
    enum { N = 3000, N_SHARERS = 3 };
    chute_process *process[N_SHARERS];
    struct ends p[N_SHARERS];
    uint32_t n, sum = 0;
    size_t len;

    for (int i = 0; i < N_SHARERS; i++) {
        p[i] = new_pipe(0);
        process[i] = start(share, p[i].b);
    }
    struct ends q = new_pipe(0);
    for (int i = 0; i < N_SHARERS; i++)
        CHECK_OK(chute_conn_send_conn(p[i].a, q.a, SOON));
    for (uint32_t i = 0; i < N; i++)
        CHECK_OK(send_message(q.b, i % 100 ? 8 + i % 3000 : 70000, i));
    free_pipe(q);
    for (int i = 0; i < N_SHARERS; i++) {
        CHECK_OK(chute_conn_recv_bytes(p[i].a, &n, sizeof n, &len, SOON));
        sum += n;
        join(process[i]);
        free_pipe(p[i]);
    }
    CHECK_EQ(sum, N);
}

/* -- between messages -------------------------------------------------------- */

TEST(messages_and_handles_keep_their_order_and_are_told_apart)
{
    struct ends p = new_pipe(0);
    chute_queue *queue = new_queue(), *got;
    int fd = -5;

    for (int round = 0; round < 3; round++) {
        send_text(p.a, "one");
        send_text(p.a, "two");
        CHECK_OK(chute_conn_send_queue(p.a, queue, SOON));
        CHECK_OK(chute_conn_send_queue(p.a, queue, SOON));
        send_text(p.a, "three");
        CHECK_ERR(chute_conn_recv_fd(p.b, &fd, SOON), CHUTE_EKIND);
        check_text(p.b, "one");
        CHECK_ERR(chute_conn_recv_queue(p.b, &got, SOON), CHUTE_EKIND);
        check_text(p.b, "two");
        for (int i = 0; i < 2; i++) {
            chute_value *v;
            CHECK_ERR(try_recv(p.b, SOON), CHUTE_EKIND);
            CHECK_ERR(chute_conn_recv(p.b, &v, SOON), CHUTE_EKIND);
            CHECK(!v);
            CHECK_EQ(chute_conn_poll(p.b, 0), 1);
            CHECK_OK(chute_conn_recv_queue(p.b, &got, SOON));
            chute_queue_free(got);
        }
        CHECK_ERR(chute_conn_recv_fd(p.b, &fd, SOON), CHUTE_EKIND);
        check_text(p.b, "three");
        CHECK_ERR(chute_conn_recv_fd(p.b, &fd, 0), CHUTE_ETIMEDOUT);
    }
    CHECK_EQ(fd, -5);
    chute_queue_free(queue);
    p.a = chute_conn_free(p.a);
    CHECK_ERR(chute_conn_recv_fd(p.b, &fd, SOON), CHUTE_EOF);
    CHECK_ERR(chute_conn_send_fd(p.b, 0, SOON), CHUTE_EPIPE);
    free_pipe(p);
}

TEST(a_message_in_part_is_no_handle)
{
    struct ends p = new_pipe(0);
    char small[2];
    size_t len;
    int fd;

    send_raw(p.a, "\0", 1);
    CHECK_ERR(chute_conn_recv_fd(p.b, &fd, 0), CHUTE_EKIND);
    send_raw(p.a, "\0\0\3a", 4);
    CHECK_ERR(chute_conn_recv_fd(p.b, &fd, 0), CHUTE_EKIND);
    CHECK_ERR(chute_conn_recv_bytes(p.b, small, 3, &len, 0), CHUTE_ETIMEDOUT);
    CHECK_ERR(chute_conn_recv_fd(p.b, &fd, 0), CHUTE_EKIND);
    send_raw(p.a, "bc", 2);
    CHECK_ERR(chute_conn_recv_bytes(p.b, small, 2, &len, 0), CHUTE_EMSGSIZE);
    CHECK_ERR(chute_conn_recv_fd(p.b, &fd, 0), CHUTE_EKIND);
    check_text(p.b, "abc");
    free_pipe(p);
}

static void *send_messages(void *conn)
{
    for (uint32_t i = 0; i < 1000; i++)
        CHECK_OK(send_message(conn, i % 50 ? 8 + i : MAX_LEN, i));
    return NULL;
}

static void *send_handles(void *conn)
{
    for (int i = 0; i < 300; i++)
        CHECK_OK(chute_conn_send_fd(conn, 0, SOON));
    return NULL;
}

struct receiver {
    chute_conn *conn;
    _Atomic int n_messages, n_handles;
};

static void *receive_both(void *arg)
{
    struct receiver *to = arg;
    int fd, r;

    for (;;) {
        r = recv_message(to->conn, CHUTE_FOREVER);
        if (r == 0)
            to->n_messages++;
        if (r != 0 && r != CHUTE_EKIND)
            break;
        r = chute_conn_recv_fd(to->conn, &fd, CHUTE_FOREVER);
        if (r == 0) {
            to->n_handles++;
            close(fd);
        }
        if (r != 0 && r != CHUTE_EKIND)
            break;
    }
    CHECK_ERR(r, CHUTE_EOF);
    return NULL;
}

TEST_TIMEOUT(threads_send_and_receive_both_kinds_over_one_end, 120)
{
    struct ends p = new_pipe(0);
    struct receiver to = {.conn = p.b};
    pthread_t senders[4], receivers[2];

    for (int i = 0; i < 2; i++)
        CHECK_OK(pthread_create(&receivers[i], NULL, receive_both, &to));
    for (int i = 0; i < 4; i++)
        CHECK_OK(pthread_create(&senders[i], NULL,
                                i % 2 ? send_handles : send_messages, p.a));
    for (int i = 0; i < 4; i++)
        CHECK_OK(pthread_join(senders[i], NULL));
    p.a = chute_conn_free(p.a);
    for (int i = 0; i < 2; i++)
        CHECK_OK(pthread_join(receivers[i], NULL));
    CHECK_EQ(to.n_messages, 2000);
    CHECK_EQ(to.n_handles, 600);
    free_pipe(p);
}

/* -- strange senders --------------------------------------------------------- */

static void send_strange(chute_conn *conn, const void *bytes, size_t n_bytes,
                         int n_fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)bytes,
                         .iov_len = n_bytes};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen =
                             CMSG_SPACE((size_t)n_fds * sizeof(int))};

    memset(CMSG_DATA(&control.align), 0, (size_t)n_fds * sizeof(int));
    control.align.cmsg_level = SOL_SOCKET;
    control.align.cmsg_type = SCM_RIGHTS;
    control.align.cmsg_len = CMSG_LEN((size_t)n_fds * sizeof(int));
    CHECK_EQ(sendmsg(chute_conn_fd(conn), &msg, 0), (ssize_t)n_bytes);
}

TEST(descriptors_that_nobody_asked_for_are_closed)
{
    struct ends p = new_pipe(0);
    long n_before = leak_n_descriptors();
    chute_queue *queue;
    chute_conn *end;
    int fd;

    for (int n = 2; n <= 8; n++) {
        char byte = (char)n;
        send_strange(p.a, &byte, 1, n);
        send_text(p.a, "after");
        CHECK_ERR(chute_conn_recv_fd(p.b, &fd, SOON), CHUTE_EPROTO);
        check_text(p.b, "after");
        send_strange(p.a, &byte, 1, n);
        CHECK_ERR(chute_conn_recv_queue(p.b, &queue, SOON), CHUTE_EPROTO);
        send_strange(p.a, &byte, 1, n);
        CHECK_ERR(chute_conn_recv_conn(p.b, &end, SOON),
                  n == 2 ? CHUTE_EINVAL : CHUTE_EPROTO);
        CHECK_EQ(leak_n_descriptors(), n_before);
    }
    send_strange(p.a, "\7", 1, 1);
    CHECK_ERR(chute_conn_recv_fd(p.b, &fd, SOON), CHUTE_EPROTO);
    send_text(p.a, "after");
    check_text(p.b, "after");
    CHECK_EQ(leak_n_descriptors(), n_before);
    free_pipe(p);
}

TEST(a_message_that_carries_descriptors_is_a_message)
{
    struct ends p = new_pipe(0);
    long n_before = leak_n_descriptors();
    int fd;

    send_strange(p.a, "\0\0\0\3abc", 7, 3);
    CHECK_ERR(chute_conn_recv_fd(p.b, &fd, SOON), CHUTE_EKIND);
    check_text(p.b, "abc");
    send_text(p.a, "plain");
    send_strange(p.a, "\0\0\0\3abc", 7, 1);
    send_text(p.a, "plain");
    check_text(p.b, "plain");
    check_text(p.b, "abc");
    check_text(p.b, "plain");
    CHECK_EQ(leak_n_descriptors(), n_before);
    free_pipe(p);
}

TEST(without_room_for_it_a_descriptor_stays_the_next)
{
    struct ends p = new_pipe(0);
    chute_queue *queue = new_queue(), *got;
    struct rlimit limit, none;
    int first = dup(0);

    close(first);
    CHECK_OK(chute_conn_send_queue(p.a, queue, SOON));
    CHECK_OK(chute_conn_send_conn(p.a, p.b, SOON));
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    none = limit;
    none.rlim_cur = (rlim_t)first;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &none));
    CHECK_ERR(chute_conn_recv_queue(p.b, &got, SOON), CHUTE_EMFILE);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    CHECK_OK(chute_conn_recv_queue(p.b, &got, SOON));
    chute_queue_free(got);
    none.rlim_cur = (rlim_t)first + 1; /* one of two */
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &none));
    chute_conn *end;
    CHECK_ERR(chute_conn_recv_conn(p.b, &end, SOON), CHUTE_EMFILE);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    CHECK_OK(chute_conn_recv_conn(p.b, &end, SOON));
    chute_conn_free(end);
    chute_queue_free(queue);
    free_pipe(p);
}

/* -- what is no queue, and no pipe ------------------------------------------- */

/* The descriptor is refused with that code as either, and stays the caller's;
 * sent over a connection it is closed. */
static void check_forged(struct ends p, int fd, int code)
{
    long n_before = leak_n_descriptors();
    chute_queue *queue = NULL;
    chute_conn *end = NULL;
    int fds[2];

    CHECK(fd >= 0);
    CHECK_ERR(chute_queue_of_fd(&queue, fd, NULL), code);
    CHECK_OK(chute_conn_send_fd(p.a, fd, SOON));
    CHECK_ERR(chute_conn_recv_queue(p.b, &queue, SOON), code);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    CHECK_ERR(conn_attach(&end, fds[0], fd, false), code);
    close(fds[0]);
    close(fds[1]);
    CHECK(!queue && !end);
    CHECK_EQ(leak_n_descriptors(), n_before);
    CHECK_OK(close(fd));
}

static int new_file(uint64_t len, int seals)
{
    int fd = memfd_create("forged", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    CHECK(fd >= 0);
    CHECK_OK(ftruncate(fd, (off_t)len));
    CHECK_OK(seals ? fcntl(fd, F_ADD_SEALS, seals) : 0);
    return fd;
}

TEST(what_is_no_sealed_file_in_memory_is_refused)
{
    const int good = F_SEAL_SHRINK | F_SEAL_SEAL;
    struct ends p = new_pipe(0);
    int fds[2];

    CHECK_OK(pipe2(fds, O_CLOEXEC));
    check_forged(p, fds[0], CHUTE_EINVAL);
    check_forged(p, fds[1], CHUTE_EINVAL);
    check_forged(p, open("/", O_RDONLY | O_DIRECTORY), CHUTE_EINVAL);
    check_forged(p, open("/dev/null", O_RDWR), CHUTE_EINVAL);
    check_forged(p, open("/proc/self/exe", O_RDONLY), CHUTE_EINVAL);
    check_forged(p, open("/tmp", O_TMPFILE | O_RDWR, 0600), CHUTE_EINVAL);
    check_forged(p, dup(chute_conn_fd(p.a)), CHUTE_EINVAL);
    check_forged(p, new_file(1 << 20, 0), CHUTE_EINVAL);
    check_forged(p, new_file(1 << 20, F_SEAL_SHRINK), CHUTE_EINVAL);
    check_forged(p, new_file(1 << 20, F_SEAL_SEAL), CHUTE_EINVAL);
    check_forged(p, new_file(1 << 20, good | F_SEAL_GROW), CHUTE_EINVAL);
    check_forged(p, new_file(1 << 20, good | F_SEAL_WRITE), CHUTE_EINVAL);
    check_forged(p, new_file(0, good), CHUTE_ECORRUPT);
    check_forged(p, new_file(sizeof(struct shm_queue) - 1, good),
                 CHUTE_ECORRUPT);
    check_forged(p, new_file(1 << 20, good), CHUTE_ECORRUPT);
    free_pipe(p);
}

TEST(a_descriptor_that_may_only_read_is_refused)
{
    chute_queue *queue = new_queue(), *other = NULL;
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", chute_queue_fd(queue));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_ERR(chute_queue_of_fd(&other, fd, NULL), CHUTE_EACCES);
    CHECK_OK(close(fd));
    chute_queue_free(queue);
}

/* A queue with one field of its header set to what it should not be. */
static void check_header(size_t offset, uint64_t flip, size_t size, int code)
{
    chute_queue *queue = new_queue(), *other = NULL;
    int fd = chute_queue_fd(queue);
    uint64_t field = 0;

    CHECK_EQ(pread(fd, &field, size, (off_t)offset), (ssize_t)size);
    field ^= flip;
    CHECK_EQ(pwrite(fd, &field, size, (off_t)offset), (ssize_t)size);
    CHECK_ERR(chute_queue_of_fd(&other, fd, NULL), code);
    chute_queue_free(queue);
}

TEST(a_header_that_is_not_ours_is_refused)
{
    const size_t label = offsetof(struct shm_queue, label);

    check_header(label + offsetof(struct shm_label, magic), 1, 8,
                 CHUTE_ECORRUPT);
    check_header(label + offsetof(struct shm_label, layout), 1, 8,
                 CHUTE_ELAYOUT);
    check_header(label + offsetof(struct shm_label, pid_namespace), 1, 8,
                 CHUTE_ENAMESPACE);
    check_header(offsetof(struct shm_queue, maxsize), SHM_MAX_ITEMS + 1, 4,
                 CHUTE_ECORRUPT);
    check_header(offsetof(struct shm_queue, max_units), SHM_MAX_UNITS, 4,
                 CHUTE_ECORRUPT);
}

TEST(a_pipe_is_no_queue_and_another_pipes_page_no_page)
{
    struct ends p = new_pipe(0), q = new_pipe(0);
    chute_queue *queue = NULL;
    chute_conn *end = NULL;

    CHECK_OK(chute_conn_send_fd(p.a, q.a->memory->fd, SOON));
    CHECK_ERR(chute_conn_recv_queue(p.b, &queue, SOON), CHUTE_ECORRUPT);
    const int fds[] = {q.a->fd, p.a->memory->fd};
    CHECK_OK(conn_send_fds(p.a, fds, 2, SOON));
    CHECK_ERR(chute_conn_recv_conn(p.b, &end, SOON), CHUTE_ECORRUPT);
    CHECK(!queue && !end);
    free_pipe(p);
    free_pipe(q);
}

TEST(arguments_are_checked)
{
    struct ends p = new_pipe(0), q = new_pipe(CHUTE_ONEWAY);
    chute_queue *queue = new_queue(), *none = NULL;
    chute_conn *end = NULL;
    int fd = chute_queue_fd(queue);

    CHECK_ERR(chute_queue_fd(NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_of_fd(NULL, fd, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_of_fd(&none, -1, NULL), CHUTE_EINVAL);
    CHECK_ERR(chute_queue_of_fd(
                  &none, fd, CHUTE_OPTIONS(chute_queue_options, .maxsize = 1)),
              CHUTE_EINVAL);
    CHECK_ERR(
        chute_queue_of_fd(
            &none, fd, CHUTE_OPTIONS(chute_queue_options, .memory = 1 << 20)),
        CHUTE_EINVAL);
    CHECK_ERR(chute_queue_of_fd(
                  &none, fd, CHUTE_OPTIONS(chute_queue_options, .mode = 0600)),
              CHUTE_EINVAL);
    CHECK_ERR(chute_queue_of_fd(
                  &none, fd,
                  CHUTE_OPTIONS(chute_queue_options, .flags = CHUTE_ONEWAY)),
              CHUTE_EINVAL);
    CHECK_ERR(chute_conn_send_fd(NULL, 0, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_send_fd(p.a, -1, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_send_fd(p.a, 0, -2), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_send_fd(q.a, 0, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_send_queue(p.a, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_send_conn(p.a, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_recv_fd(NULL, &fd, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_recv_fd(p.a, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_recv_fd(q.b, &fd, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_recv_queue(p.a, NULL, 0), CHUTE_EINVAL);
    CHECK_ERR(chute_conn_recv_conn(p.a, NULL, 0), CHUTE_EINVAL);
    CHECK(!none && !end);
    CHECK_ERR(try_recv(p.b, 0), CHUTE_ETIMEDOUT);
    chute_queue_free(queue);
    free_pipe(p);
    free_pipe(q);
}

/* -- refusals and repetition ------------------------------------------------- */

TEST(a_refused_call_loses_no_handle_that_it_has_not_taken)
{
    struct ends p = new_pipe(0), q = new_pipe(0);
    chute_queue *queue = new_queue();

    FAULT_LOOP (n) {
        chute_queue *got = NULL;
        chute_conn *end = NULL;
        bool queue_came, end_came;
        while (chute_conn_send_queue(p.a, queue, SOON) < 0)
            CHECK(fault_fired());
        while (chute_conn_send_conn(p.a, q.a, SOON) < 0)
            CHECK(fault_fired());
        while (chute_conn_send_bytes(p.a, "end", 3, SOON) < 0)
            CHECK(fault_fired());
        queue_came = chute_conn_recv_queue(p.b, &got, SOON) == 0;
        CHECK(queue_came || (fault_fired() && !got));
        end_came = chute_conn_recv_conn(p.b, &end, SOON) == 0;
        CHECK(end_came || (fault_fired() && !end));
        /* Whatever was left comes out, up to the message. */
        int fd, r;
        size_t len;
        char buf[4];
        while ((r = chute_conn_recv_bytes(p.b, buf, 4, &len, SOON)) < 0) {
            chute_conn *other;
            CHECK(r == CHUTE_EKIND || fault_fired());
            if (chute_conn_recv_fd(p.b, &fd, 0) == 0)
                close(fd);
            if (chute_conn_recv_conn(p.b, &other, 0) == 0)
                chute_conn_free(other);
        }
        CHECK_MEM(buf, "end", 3);
        chute_queue_free(got);
        chute_conn_free(end);
    }
    chute_queue_free(queue);
    free_pipe(p);
    free_pipe(q);
}

TEST_TIMEOUT(ten_thousand_journeys_leave_nothing, 120)
{
    struct ends p = new_pipe(0), q = new_pipe(0);
    chute_queue *queue = new_queue(), *got;
    long n_before = leak_n_descriptors();
    chute_conn *end;

    for (int i = 0; i < 10000; i++) {
        CHECK_OK(chute_conn_send_queue(p.a, queue, SOON));
        CHECK_OK(chute_conn_send_conn(p.b, q.a, SOON));
        CHECK_OK(chute_conn_recv_queue(p.b, &got, SOON));
        CHECK_OK(chute_conn_recv_conn(p.a, &end, SOON));
        chute_queue_free(got);
        chute_conn_free(end);
    }
    CHECK_EQ(leak_n_descriptors(), n_before);
    chute_queue_free(queue);
    free_pipe(p);
    free_pipe(q);
}

/* -- death ------------------------------------------------------------------- */

static int put_for_ever(void *conn)
{
    chute_queue *queue;

    CHECK_OK(chute_conn_recv_queue(conn, &queue, SOON));
    for (uint32_t i = 0;; i++)
        CHECK_OK(chute_queue_put_bytes(queue, &i, sizeof i, SOON));
    return 0;
}

TEST_TIMEOUT(whoever_was_given_a_queue_may_be_killed_in_it, 120)
{
    chute_queue *queue = new_queue();

    for (int round = 0; round < 50; round++) {
        struct ends p = new_pipe(0);
        chute_process *process = start(put_for_ever, p.b);
        uint32_t next = 0, n;
        size_t len;
        CHECK_OK(chute_conn_send_queue(p.a, queue, SOON));
        for (; next < 500; next++) {
            CHECK_OK(chute_queue_get_bytes(queue, &n, sizeof n, &len, SOON));
            CHECK_EQ(n, next);
        }
        kill_now(process);
        while (chute_queue_get_bytes(queue, &n, sizeof n, &len, 0) == 0)
            CHECK_EQ(n, next++);
        free_pipe(p);
    }
    chute_queue_free(queue);
}
