/* test-queue-watch.c - waiting for a queue by a descriptor: queue-watch.c, bell.c
 * and dgram-linux.c, mostly by the public functions.
 *
 * Where nobody else is at work the descriptor is readable just when a get would
 * not block. What a death in the middle leaves is made by hand here; step.c kills
 * at each instruction.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chute.h>

#include "asleep.h"
#include "ipc/queue.h"
#include "plat/dgram.h"
#include "plat/plat.h"
#include "queue-scene.h"
#include "shm/bell.h"
#include "shm/lock.h"
#include "test.h"

static int fd_of(chute_queue *q)
{
    int fd = chute_queue_wait_fd(q);

    CHECK(fd >= 0);
    return fd;
}

static bool is_readable(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    int n = poll(&one, 1, 0);

    CHECK(n >= 0 && (n == 0 || one.revents == POLLIN));
    return n == 1;
}

static void await_readable(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};

    CHECK_EQ(poll(&one, 1, -1), 1);
    CHECK_EQ(one.revents, POLLIN);
}

/* Another handle, as an unrelated process would have it. */
static chute_queue *another(chute_queue *q)
{
    chute_queue *copy;
    int fd = dup(chute_queue_fd(q));

    CHECK(fd >= 0);
    CHECK_OK(chute_queue_of_fd(&copy, fd, NULL));
    return copy;
}

static struct shm_queue *shm_of(chute_queue *q)
{
    return q->chain.shm;
}

static int in_child(void (*fn)(chute_queue *), chute_queue *q)
{
    int status;
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        fn(q);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* -- readable while a get would not block ----------------------------------- */

TEST(it_is_readable_while_there_are_items)
{
    chute_queue *q = queue_new(0, 0);
    int fd = fd_of(q);

    for (int round = 0; round < 3; round++) {
        CHECK(!is_readable(fd));
        CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
        CHECK(is_readable(fd));
        CHECK_OK(put_int(q, 2, CHUTE_NOWAIT));
        CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
        CHECK(is_readable(fd));
        CHECK_EQ(get_int(q, CHUTE_NOWAIT), 2);
    }
    CHECK(!is_readable(fd));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK(!is_readable(fd));
    chute_queue_free(q);
}

TEST(every_way_to_put_and_to_get_is_told)
{
    chute_queue *q = queue_new(0, 0);
    struct iovec items[2] = {{"a", 1}, {"bc", 2}};
    chute_value *values[2] = {chute_int(1), chute_int(2)};
    int fd = fd_of(q);
    char buf[8];
    size_t n;

    CHECK_OK(chute_queue_put_bytes(q, "x", 1, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    CHECK_OK(chute_queue_peek_bytes(q, buf, sizeof buf, &n, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    CHECK_ERR(chute_queue_get_bytes(q, buf, 0, &n, CHUTE_NOWAIT),
              CHUTE_EMSGSIZE);
    CHECK(is_readable(fd));
    CHECK_OK(chute_queue_get_bytes(q, buf, sizeof buf, &n, CHUTE_NOWAIT));
    CHECK(!is_readable(fd));
    CHECK_OK(chute_queue_put_many_bytes(q, items, 2, &n, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    CHECK_OK(chute_queue_get_many_bytes(q, buf, sizeof buf, items, 2, &n,
                                        CHUTE_NOWAIT));
    CHECK_EQ(n, 2);
    CHECK(!is_readable(fd));
    CHECK_OK(chute_queue_put_many(q, values, 2, &n, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    CHECK_OK(chute_queue_get_many(q, values, 2, &n, CHUTE_NOWAIT));
    CHECK_EQ(n, 2);
    CHECK(!is_readable(fd));
    chute_value_free(values[0]);
    chute_value_free(values[1]);
    chute_queue_free(q);
}

TEST(where_items_wait_it_is_readable_at_once)
{
    chute_queue *q = queue_new(0, 0);

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK(is_readable(fd_of(q)));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    CHECK(!is_readable(fd_of(q)));
    chute_queue_free(q);
}

TEST(a_closed_queue_is_readable_for_ever)
{
    chute_queue *q = queue_new(0, 0), *late = another(q);
    int fd = fd_of(q);

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    CHECK(!is_readable(fd));
    CHECK_OK(chute_queue_close(q));
    for (int i = 0; i < 3; i++) {
        CHECK(is_readable(fd));
        CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_EOF);
    }
    CHECK(is_readable(fd_of(q)));
    CHECK(is_readable(fd_of(late)));
    chute_queue_free(late);
    chute_queue_free(q);
}

TEST(a_put_that_is_refused_tells_nobody)
{
    chute_queue *q = queue_new(0, 4096);
    int fd = fd_of(q);
    char data[8192] = "";

    CHECK_ERR(chute_queue_put_bytes(q, data, sizeof data, CHUTE_NOWAIT),
              CHUTE_EMSGSIZE);
    CHECK(!is_readable(fd));
    chute_queue_free(q);
}

TEST(poll_select_epoll_and_wait_agree)
{
    chute_queue *q = queue_new(0, 0);
    int fd = fd_of(q), epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    bool ready;

    CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    for (int i = 0; i < 6; i++) {
        bool expected = i % 3 != 0; /* twice: it stays so */
        struct timeval now = {0, 0};
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        CHECK_EQ(is_readable(fd), expected);
        CHECK_EQ(select(fd + 1, &set, NULL, NULL, &now), expected);
        CHECK_EQ(epoll_wait(epoll, &event, 1, 0), expected);
        CHECK_EQ(chute_wait(&fd, &ready, 1, CHUTE_NOWAIT), expected);
        if (i % 3 == 0)
            CHECK_OK(put_int(q, i, CHUTE_NOWAIT));
        if (i % 3 == 2)
            CHECK_EQ(get_int(q, CHUTE_NOWAIT), i - 2);
    }
    close(epoll);
    chute_queue_free(q);
}

TEST(each_call_gives_the_same_descriptor)
{
    chute_queue *q = queue_new(0, 0);
    int fd = fd_of(q);

    CHECK_EQ(fd_of(q), fd);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_ERR(chute_queue_wait_fd(NULL), CHUTE_EINVAL);
    chute_queue_free(q);
}

static void *ask(void *q)
{
    return (void *)(intptr_t)chute_queue_wait_fd(q);
}

TEST(threads_that_ask_at_once_share_one_descriptor)
{
    chute_queue *q = queue_new(0, 0);
    pthread_t threads[8];
    void *fd;

    for (int i = 0; i < 8; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, ask, q), 0);
    for (int i = 0; i < 8; i++) {
        CHECK_EQ(pthread_join(threads[i], &fd), 0);
        CHECK_EQ((intptr_t)fd, fd_of(q));
    }
    chute_queue_free(q);
}

/* -- several watchers ------------------------------------------------------- */

TEST(all_watchers_are_told_and_one_gets_the_item)
{
    chute_queue *q = queue_new(0, 0), *other = another(q);
    int fd = fd_of(q), others_fd = fd_of(other);

    CHECK(fd != others_fd);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK(is_readable(fd) && is_readable(others_fd));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    CHECK(!is_readable(fd));
    /* It cannot know; a get that finds nothing tells it. */
    CHECK(is_readable(others_fd));
    CHECK_EQ(get_int(other, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK(!is_readable(others_fd));
    CHECK_OK(put_int(other, 2, CHUTE_NOWAIT));
    CHECK(is_readable(fd) && is_readable(others_fd));
    chute_queue_free(other);
    chute_queue_free(q);
}

TEST(asking_again_makes_it_exact)
{
    chute_queue *q = queue_new(0, 0), *other = another(q);
    int fd = fd_of(q);

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_EQ(get_int(other, CHUTE_NOWAIT), 1);
    CHECK(is_readable(fd));
    CHECK_EQ(fd_of(q), fd);
    CHECK(!is_readable(fd));
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    chute_queue_free(other);
    chute_queue_free(q);
}

/* Bits in the second half of the word are bits, too. */
TEST(there_are_bells_for_64_and_the_next_is_refused)
{
    chute_queue *q = queue_new(0, 0), *all[SHM_N_BELLS];

    for (int i = 0; i < SHM_N_BELLS; i++) {
        all[i] = another(q);
        CHECK(!is_readable(fd_of(all[i])));
    }
    CHECK_ERR(chute_queue_wait_fd(q), CHUTE_EAGAIN);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    for (int i = 0; i < SHM_N_BELLS; i++)
        CHECK(is_readable(fd_of(all[i])));
    chute_queue_free(all[40]);
    CHECK(is_readable(fd_of(q)));
    for (int i = 0; i < SHM_N_BELLS; i++)
        if (i != 40)
            chute_queue_free(all[i]);
    chute_queue_free(q);
}

TEST(who_has_freed_his_handle_is_not_told)
{
    chute_queue *q = queue_new(0, 0), *other = another(q);

    (void)fd_of(other);
    chute_queue_free(other);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_EQ(atomic_load(&shm_of(q)->silent), 0);
    CHECK_EQ(atomic_load(&shm_of(q)->bell[0].name), 0);
    chute_queue_free(q);
}

/* -- other processes -------------------------------------------------------- */

static void put_1(chute_queue *q)
{
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
}

TEST(a_child_tells_its_parent)
{
    chute_queue *q = queue_new(0, 0);
    int fd = fd_of(q);

    CHECK_EQ(in_child(put_1, q), 0);
    CHECK(is_readable(fd));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    CHECK(!is_readable(fd));
    chute_queue_free(q);
}

static int parents_fd;

static void use_what_is_inherited(chute_queue *q)
{
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK(is_readable(parents_fd)); /* it is the parent's, who knows nothing */
    int fd = fd_of(q);
    CHECK(!is_readable(fd));
    CHECK_OK(put_int(q, 2, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 2);
    CHECK(!is_readable(fd));
    chute_queue_free(q);
}

TEST(a_child_has_a_descriptor_of_its_own_and_leaves_the_parents_alone)
{
    chute_queue *q = queue_new(0, 0);

    parents_fd = fd_of(q);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_EQ(in_child(use_what_is_inherited, q), 0);
    CHECK(is_readable(parents_fd));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK(!is_readable(parents_fd));
    CHECK_OK(put_int(q, 3, CHUTE_NOWAIT));
    CHECK(is_readable(parents_fd));
    chute_queue_free(q);
}

static void free_it(chute_queue *q)
{
    chute_queue_free(q);
}

TEST(a_child_that_frees_its_handle_does_not_take_the_parents_bell_down)
{
    chute_queue *q = queue_new(0, 0);
    int fd = fd_of(q);

    CHECK_EQ(in_child(free_it, q), 0);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    chute_queue_free(q);
}

static void open_and_put(chute_queue *q)
{
    chute_queue *by_name;

    chute_queue_free(q);
    CHECK_OK(chute_queue_open(&by_name, "watched", NULL));
    put_1(by_name);
    chute_queue_free(by_name);
}

TEST(who_opens_the_queue_by_its_name_tells_its_watchers)
{
    char dir[] = "/dev/shm/test-watch-XXXXXX";
    chute_queue *q;

    CHECK(mkdtemp(dir));
    CHECK_EQ(setenv("CHUTE_DIR", dir, 1), 0);
    CHECK_OK(chute_queue_open(
        &q, "watched",
        CHUTE_OPTIONS(chute_queue_options, .flags = CHUTE_CREATE)));
    int fd = fd_of(q);
    CHECK_EQ(in_child(open_and_put, q), 0);
    CHECK(is_readable(fd));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    CHECK(!is_readable(fd));
    chute_queue_free(q);
    CHECK_OK(chute_queue_unlink("watched"));
    CHECK_EQ(rmdir(dir), 0);
}

TEST(who_was_handed_the_queue_can_watch_it)
{
    chute_queue *q = queue_new(0, 0), *came;
    chute_conn *ends[2];

    CHECK_OK(chute_pipe(ends, NULL));
    CHECK_OK(chute_conn_send_queue(ends[0], q, CHUTE_NOWAIT));
    CHECK_OK(chute_conn_recv_queue(ends[1], &came, CHUTE_NOWAIT));
    int fd = fd_of(came);
    CHECK(!is_readable(fd));
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    CHECK_EQ(get_int(came, CHUTE_NOWAIT), 1);
    CHECK(!is_readable(fd));
    chute_conn_free(ends[0]);
    chute_conn_free(ends[1]);
    chute_queue_free(came);
    chute_queue_free(q);
}

static void put_1_to_1000(chute_queue *q)
{
    for (int i = 1; i <= 1000; i++)
        CHECK_OK(put_int(q, i, CHUTE_FOREVER));
    CHECK_OK(chute_queue_close(q));
}

/* Without a tick or a timeout: one that is not told hangs. */
TEST(a_watcher_in_poll_gets_all_there_is)
{
    chute_queue *q = queue_new(4, 0);
    int fd = fd_of(q), status;
    int64_t i, n = 0;

    without_tick();
    pid_t pid = fork();
    if (pid == 0) {
        put_1_to_1000(q);
        _exit(0);
    }
    do {
        await_readable(fd);
        while ((i = get_int(q, CHUTE_NOWAIT)) > 0)
            CHECK_EQ(i, ++n);
    } while (i == CHUTE_ETIMEDOUT);
    CHECK_EQ(i, CHUTE_EOF);
    CHECK_EQ(n, 1000);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    chute_queue_free(q);
}

/* -- those who die ---------------------------------------------------------- */

static void watch_and_die(chute_queue *q)
{
    (void)fd_of(q);
    raise(SIGKILL);
}

TEST(a_watcher_that_was_killed_is_in_nobodys_way)
{
    chute_queue *q = queue_new(0, 0);

    CHECK_EQ(in_child(watch_and_die, q), -SIGKILL);
    CHECK(atomic_load(&shm_of(q)->bell[0].name) != 0);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_EQ(atomic_load(&shm_of(q)->bell[0].name), 0);
    CHECK_EQ(atomic_load(&shm_of(q)->silent), 0);
    chute_queue_free(q);
}

TEST(the_places_of_the_dead_are_taken_when_there_are_no_others)
{
    chute_queue *q = queue_new(0, 0);

    for (int i = 0; i < SHM_N_BELLS; i++)
        CHECK_EQ(in_child(watch_and_die, q), -SIGKILL);
    int fd = fd_of(q);
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    chute_queue_free(q);
}

TEST(what_a_putter_leaves_who_dies_before_his_commit_is_silenced)
{
    chute_queue *q = queue_new(0, 0);
    int fd = fd_of(q), sender;

    /* Before the bit is off: */
    CHECK_OK(dgram_new_sender(&sender));
    CHECK_OK(dgram_ring(sender, atomic_load(&shm_of(q)->bell[0].name)));
    plat_close(sender);
    CHECK(is_readable(fd));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK(!is_readable(fd));
    /* after it. */
    CHECK_OK(bell_ring(shm_of(q), &q->chain.bell));
    CHECK(is_readable(fd));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK(!is_readable(fd));
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    chute_queue_free(q);
}

static void *hold_put_lock(void *q)
{
    CHECK_OK(lock_take(&shm_of(q)->put_lock, PLAT_NEVER, false));
    for (char c; read(parents_fd, &c, 1) < 0;)
        continue;
    lock_drop(&shm_of(q)->put_lock);
    return NULL;
}

/* He may put in a moment; till then it stays readable. */
TEST(a_get_that_has_its_item_does_not_wait_for_a_putter)
{
    chute_queue *q = queue_new(0, 0);
    int fd = fd_of(q), ends[2];
    pthread_t holder;

    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    parents_fd = ends[0];
    CHECK_EQ(pthread_create(&holder, NULL, hold_put_lock, q), 0);
    while (!atomic_load(&shm_of(q)->put_lock.word))
        sched_yield();
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    CHECK(is_readable(fd));
    CHECK_EQ(write(ends[1], "", 1), 1);
    CHECK_EQ(pthread_join(holder, NULL), 0);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK(!is_readable(fd));
    close(ends[0]);
    close(ends[1]);
    chute_queue_free(q);
}

/* -- senders that cannot ---------------------------------------------------- */

/* What he has sent, and nobody has received, fills his buffer; that is not to
 * be taken for a bell that has been rung. */
TEST(a_putter_whose_socket_is_full_takes_a_new_one)
{
    chute_queue *q = queue_new(0, 0), *other = another(q);
    uint64_t name;
    int fd = fd_of(q), deaf, small = 1, r;

    (void)fd_of(other);
    CHECK_OK(put_int(other, 1, CHUTE_NOWAIT));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    CHECK(!is_readable(fd));
    struct bell *bell = &other->chain.bell;
    CHECK_EQ(
        setsockopt(bell->sender, SOL_SOCKET, SO_SNDBUF, &small, sizeof small),
        0);
    /* So small that it is full before the other's queue is. */
    CHECK_OK(dgram_new(&name, &deaf));
    while ((r = dgram_ring(bell->sender, name)) == 0)
        continue;
    CHECK_ERR(r, -EAGAIN);
    CHECK_ERR(dgram_ring(bell->sender, bell->name), -EAGAIN);
    CHECK_OK(put_int(other, 2, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    plat_close(deaf);
    chute_queue_free(other);
    chute_queue_free(q);
}

TEST(whom_a_stranger_floods_is_readable_and_gets_rid_of_it)
{
    chute_queue *q = queue_new(0, 0);
    int fd = fd_of(q), stranger;

    for (int i = 0; i < 100; i++) {
        CHECK_OK(dgram_new_sender(&stranger));
        (void)dgram_ring(stranger, q->chain.bell.name);
        plat_close(stranger);
    }
    CHECK(is_readable(fd));
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    CHECK(!is_readable(fd));
    chute_queue_free(q);
}

/* The name of one who has gone may be a stranger's by now. */
static int take_the_name(uint64_t name, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    int len = snprintf(address.sun_path, sizeof address.sun_path,
                       "%cchute-bell-%016llx", 0, (unsigned long long)name);

    CHECK(fd >= 0);
    CHECK_EQ(
        bind(fd, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)len)),
        0);
    return fd;
}

/* Connected to itself it takes nothing from others. */
static void refuse_others(int fd)
{
    struct sockaddr_un address;
    socklen_t len = sizeof address;

    CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    CHECK_EQ(connect(fd, (struct sockaddr *)&address, len), 0);
}

TEST(a_stranger_who_takes_the_name_of_the_dead_stops_nobody)
{
    chute_queue *q = queue_new(0, 0);
    struct shm_bell *bell = &shm_of(q)->bell[0];

    for (int i = 0; i < 2; i++) {
        CHECK_EQ(in_child(watch_and_die, q), -SIGKILL);
        int stranger = take_the_name(atomic_load(&bell->name),
                                     i == 0 ? SOCK_STREAM : SOCK_DGRAM);
        if (i == 1)
            refuse_others(stranger);
        CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
        CHECK_EQ(atomic_load(&bell->name), 0);
        CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
        close(stranger);
    }
    chute_queue_free(q);
}

/* He might wait in vain, so it is an error, and nothing was put. */
TEST(a_living_watcher_who_cannot_be_told_fails_the_put)
{
    chute_queue *q = queue_new(0, 0), *other = another(q);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    int fd = fd_of(q);

    refuse_others(fd);
    CHECK_ERR(put_int(other, 1, CHUTE_NOWAIT), -EPERM);
    CHECK_ERR(chute_queue_close(other), -EPERM);
    CHECK_EQ(qsize(q), 0);
    CHECK_EQ(connect(fd, &none, sizeof none), 0);
    CHECK_OK(put_int(other, 1, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    CHECK_OK(chute_queue_close(other));
    chute_queue_free(other);
    chute_queue_free(q);
}

TEST(garbage_among_the_bells_is_taken_down)
{
    chute_queue *q = queue_new(0, 0);
    struct shm_queue *shm = shm_of(q);

    for (int i = 0; i < SHM_N_BELLS; i++) {
        atomic_store(&shm->bell[i].name, 0x1111111111111111 * (uint64_t)i);
        atomic_store(&shm->bell[i].who, (uint64_t)i << 20 | (uint64_t)i);
        atomic_store(&shm->bell[i].net_namespace, (uint64_t)i);
    }
    atomic_store(&shm->silent, UINT64_MAX);
    for (int i = 0; i < SHM_N_BELLS; i++) {
        (void)put_int(q, 1, CHUTE_NOWAIT);
        (void)chute_queue_wait_fd(q);
        atomic_store(&shm->bell[i].who, 0);
    }
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK_EQ(atomic_load(&shm->silent), 0);
    chute_queue_free(q);
}

/* -- network namespaces ----------------------------------------------------- */

static void put_elsewhere(chute_queue *q)
{
    if (unshare(CLONE_NEWNET) < 0)
        _exit(77);
    CHECK_ERR(put_int(q, 1, CHUTE_NOWAIT), CHUTE_ENETNS);
    CHECK_ERR(chute_queue_close(q), CHUTE_ENETNS);
}

TEST(a_putter_in_another_network_namespace_is_told_that_it_cannot_ring)
{
    chute_queue *q = queue_new(0, 0);
    int fd = fd_of(q), code = in_child(put_elsewhere, q);

    if (code == 77)
        SKIP("no right to make a network namespace");
    CHECK_EQ(code, 0);
    CHECK_EQ(qsize(q), 0);
    CHECK(!is_readable(fd));
    CHECK_OK(put_int(q, 1, CHUTE_NOWAIT));
    CHECK(is_readable(fd));
    chute_queue_free(q);
}

static void put_far_from_the_dead(chute_queue *q)
{
    if (unshare(CLONE_NEWNET) < 0)
        _exit(77);
    put_1(q);
    CHECK_EQ(get_int(q, CHUTE_NOWAIT), 1);
    int fd = fd_of(q);
    put_1(q);
    CHECK(is_readable(fd));
}

TEST(the_dead_of_another_network_namespace_stop_nobody)
{
    chute_queue *q = queue_new(0, 0);

    CHECK_EQ(in_child(watch_and_die, q), -SIGKILL);
    int code = in_child(put_far_from_the_dead, q);
    if (code == 77)
        SKIP("no right to make a network namespace");
    CHECK_EQ(code, 0);
    CHECK_EQ(qsize(q), 1);
    chute_queue_free(q);
}
