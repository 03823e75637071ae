/* test-conn-shared.c - connections: one end in the hands of many.
 *
 * Threads and processes that share an end never mix their messages. That rests
 * on two things, tested here as well: a short message goes into the socket
 * whole or not at all, and who has taken a part of a message keeps the others
 * waiting until it has the rest, or the stream is over.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "asleep.h"
#include "chute.h"
#include "conn-scene.h"
#include "ipc/conn.h"
#include "plat/io.h"
#include "plat/plat.h"
#include "test.h"

static struct ends shared_pipe; /* with children */

/* -- what the system takes whole ------------------------------------------- */

/* Send messages of one size until the socket is full, from all degrees of
 * fullness that steps of 700 bytes make: none may go in part. */
static void check_never_cut(int buffer, size_t len)
{
    static char data[1 << 16];
    struct iovec part;

    for (int n_before = 0; n_before < 50; n_before++) {
        int fds[2];
        ssize_t n = 0;
        CHECK_OK(io_pair(fds));
        if (buffer)
            CHECK_OK(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &buffer,
                                sizeof buffer));
        size_t limit;
        CHECK_OK(io_atomic_len(fds[0], &limit));
        CHECK(limit > 0 && limit <= sizeof data);
        for (int i = 0; i < n_before && n >= 0; i++) {
            part = (struct iovec){data, 700};
            n = io_send(fds[0], &part, 1);
        }
        size_t want = len && len < limit ? len : limit;
        do {
            part = (struct iovec){data, want};
            n = io_send(fds[0], &part, 1);
            CHECK(n == (ssize_t)want || n == -EAGAIN);
        } while (n > 0);
        close(fds[0]);
        close(fds[1]);
    }
}

TEST(a_short_message_goes_whole_or_not_at_all)
{
    static const int buffers[] = {0, 1, 5000, 20000, 70000, 1 << 20};

    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        check_never_cut(buffers[i], 0); /* the limit itself */
        for (size_t len = 900; len < 40000; len += 3333)
            check_never_cut(buffers[i], len);
    }
}

/* Whether io_has_room said yes, which has to be true. */
static bool has_room_after(size_t before, size_t len)
{
    static char data[400000];
    struct iovec part = {data, before};
    int fds[2];

    CHECK_OK(io_pair(fds));
    CHECK(before == 0 || io_send(fds[0], &part, 1) > 0);
    bool yes = io_has_room(fds[0], len);
    part = (struct iovec){data, len};
    if (yes)
        CHECK_EQ(io_send(fds[0], &part, 1), (ssize_t)len);
    close(fds[0]);
    close(fds[1]);
    return yes;
}

TEST(what_has_room_is_taken_to_the_end)
{
    size_t size = 0;
    socklen_t size_len = sizeof(int);
    struct ends p = new_pipe(0);

    CHECK_OK(getsockopt(chute_conn_fd(p.a), SOL_SOCKET, SO_SNDBUF, &size,
                        &size_len));
    free_pipe(p);
    CHECK(has_room_after(0, size - size / 6));
    /* Linux cuts at 36544. Two messages that together nearly fill, or slightly
     * overfill, the socket. */
    for (size_t len = 36543; len < size; len += len % 36544 == 1 ? 36542 : 1)
        for (size_t sum = size - size / 6; sum < size + 1000; sum += 100)
            if (sum >= len)
                CHECK(has_room_after(sum - len, len) <= (sum < size));
}

/* -- one end, many users --------------------------------------------------- */

#define N_STRESS 300

struct tally {
    atomic_int n_sent;
    atomic_int n_received;
    atomic_int n_bytes_low;
};

static struct tally *tally; /* shared */
static struct ends crowded;
static uint32_t crowd_seed;

static void *send_many(void *seed)
{
    uint32_t state = (uint32_t)(uintptr_t)seed;

    for (int i = 0; i < N_STRESS; i++) {
        uint32_t r = next_random(&state);
        uint32_t len = 8 + (r % 8 == 0 ? r / 8 % (MAX_LEN - 8) : r / 8 % 3000);
        CHECK_OK(send_message(crowded.a, len, next_random(&state)));
        atomic_fetch_add(&tally->n_sent, 1);
    }
    return NULL;
}

static void *recv_many(void *arg)
{
    int r;

    while ((r = recv_message(crowded.b, CHUTE_FOREVER)) == 0)
        atomic_fetch_add(&tally->n_received, 1);
    CHECK_ERR(r, CHUTE_EOF);
    return arg;
}

static void run_two(void *(*fn)(void *), uint32_t seed)
{
    pthread_t threads[2];

    for (uint32_t i = 0; i < 2; i++)
        CHECK_OK(pthread_create(&threads[i], NULL, fn,
                                (void *)(uintptr_t)(seed + i)));
    for (int i = 0; i < 2; i++)
        CHECK_OK(pthread_join(threads[i], NULL));
}

static int send_in_two_threads(void *arg)
{
    (void)arg;
    chute_conn_free(crowded.b);
    run_two(send_many, crowd_seed);
    chute_conn_free(crowded.a);
    return 0;
}

static int recv_in_two_threads(void *arg)
{
    (void)arg;
    chute_conn_free(crowded.a);
    run_two(recv_many, 0);
    chute_conn_free(crowded.b);
    return 0;
}

TEST_TIMEOUT(threads_and_processes_at_one_end_never_mix_messages, 60)
{
    enum { N = 3 };
    chute_process *senders[N], *receivers[N];
    void *shared;

    CHECK_OK(plat_map(-1, 0, sizeof *tally, &shared));
    tally = shared;
    crowded = new_pipe(0);
    for (int i = 0; i < N; i++) {
        crowd_seed = 1000u * (uint32_t)(i + 1);
        senders[i] = start(send_in_two_threads, NULL);
        receivers[i] = start(recv_in_two_threads, NULL);
    }
    chute_conn_free(crowded.a);
    for (int i = 0; i < N; i++)
        join(senders[i]);
    for (int i = 0; i < N; i++)
        join(receivers[i]);
    CHECK_EQ(tally->n_sent, N * 2 * N_STRESS);
    CHECK_EQ(tally->n_received, N * 2 * N_STRESS);
    CHECK_EQ(atomic_load(&crowded.b->own->recv_lock.n_deaths), 0);
    chute_conn_free(crowded.b);
    plat_unmap(shared, sizeof *tally);
}

static int take_one(void *arg)
{
    (void)arg;
    check_text(shared_pipe.b, "two");
    return 0;
}

TEST(what_one_process_has_seen_ahead_holds_for_the_others)
{
    shared_pipe = new_pipe(0);
    send_text(shared_pipe.a, "one");
    send_text(shared_pipe.a, "two");
    send_text(shared_pipe.a, "three");
    check_text(shared_pipe.b, "one");
    join(start(take_one, NULL));
    check_text(shared_pipe.b, "three");
    free_pipe(shared_pipe);
}

/* -- a part of a message in one process's hands ----------------------------- */

static int go[2]; /* the keeper says "ready" at [0], and is told "go on" */

static void ready_and_go(void)
{
    char c = 0;

    CHECK_EQ(write(go[0], &c, 1), 1);
    CHECK_EQ(read(go[0], &c, 1), 1);
}

static void await_ready(void)
{
    char c;

    CHECK_EQ(read(go[1], &c, 1), 1);
}

/* Take the beginning, wait for go, take the rest. */
static int take_in_two_calls(void *arg)
{
    (void)arg;
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_MS(1)), CHUTE_ETIMEDOUT);
    ready_and_go();
    check_text(shared_pipe.b, "beginning and end");
    return 0;
}

/* A process that has the beginning of a message, at end b. */
static chute_process *start_keeper(chute_process_fn *fn)
{
    CHECK_OK(io_pair(go));
    shared_pipe = new_pipe(0);
    send_raw(shared_pipe.a,
             "\0\0\0\x11"
             "beginning",
             13);
    chute_process *process = start(fn, NULL);
    await_emptiness(shared_pipe.b);
    await_state(&shared_pipe.b->own->receiving, SHM_KEPT);
    return process;
}

static void end_keeping(void)
{
    close(go[0]);
    close(go[1]);
    free_pipe(shared_pipe);
}

TEST(others_wait_until_the_keeper_has_finished)
{
    chute_process *process = start_keeper(take_in_two_calls);

    await_ready();
    send_raw(shared_pipe.a, " and end\0\0\0\4next", 16);
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_MS(20)), CHUTE_ETIMEDOUT);
    CHECK_EQ(write(go[1], "", 1), 1);
    check_text(shared_pipe.b, "next");
    join(process);
    end_keeping();
}

static int take_next(void *arg)
{
    (void)arg;
    check_text(shared_pipe.b, "next");
    return 0;
}

TEST_TIMEOUT(who_waits_for_a_keeper_is_woken_when_he_has_finished, 10)
{
    without_tick();
    chute_process *process = start_keeper(take_in_two_calls);
    await_ready();
    chute_process *other = start(take_next, NULL);
    await_sleep(chute_process_pid(other));
    send_raw(shared_pipe.a, " and end\0\0\0\4next", 16);
    CHECK_EQ(write(go[1], "", 1), 1);
    join(process);
    join(other);
    end_keeping();
}

static int keep_for_ever(void *arg)
{
    (void)arg;
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_FOREVER), CHUTE_EOF);
    return 0;
}

TEST(a_keeper_killed_ends_that_direction_for_all)
{
    chute_process *process = start_keeper(keep_for_ever);

    kill_now(process);
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_FOREVER), CHUTE_EPARTIAL);
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_NOWAIT), CHUTE_EPARTIAL);
    CHECK_EQ(chute_conn_poll(shared_pipe.b, CHUTE_NOWAIT), 1);
    /* Nobody will read: who sends is told so. */
    CHECK_ERR(chute_conn_send_bytes(shared_pipe.a, "x", 1, CHUTE_FOREVER),
              CHUTE_EPIPE);
    send_text(shared_pipe.b, "the other way");
    check_text(shared_pipe.a, "the other way");
    end_keeping();
}

static int send_to_nobody(void *arg)
{
    static const char long_message[1 << 20];

    (void)arg;
    CHECK_ERR(chute_conn_send_bytes(shared_pipe.a, long_message,
                                    sizeof long_message, CHUTE_FOREVER),
              CHUTE_EPIPE);
    return 0;
}

/* Nobody will make room for him. */
TEST_TIMEOUT(a_sender_who_waits_is_told_that_nobody_will_receive, 10)
{
    chute_process *process = start_keeper(keep_for_ever);

    kill_now(process);
    process = start(send_to_nobody, NULL);
    await_sleep(chute_process_pid(process));
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_FOREVER), CHUTE_EPARTIAL);
    join(process);
    end_keeping();
}

static void *kill_in_thread(void *process)
{
    usleep(20000);
    kill_now(process);
    return NULL;
}

TEST(a_keeper_killed_while_others_wait_is_noticed)
{
    chute_process *process = start_keeper(keep_for_ever);
    pthread_t thread;

    CHECK_OK(pthread_create(&thread, NULL, kill_in_thread, process));
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_FOREVER), CHUTE_EPARTIAL);
    CHECK_OK(pthread_join(thread, NULL));
    end_keeping();
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    while (pause() < 0)
        continue;
    return 0;
}

static int keep_and_free(void *arg)
{
    (void)arg;
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_MS(1)), CHUTE_ETIMEDOUT);
    ready_and_go();
    chute_conn_free(shared_pipe.b);
    return sleep_for_ever(NULL);
}

TEST(a_keeper_who_lets_go_ends_that_direction)
{
    chute_process *process = start_keeper(keep_and_free);

    CHECK_EQ(write(go[1], "", 1), 1);
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_FOREVER), CHUTE_EPARTIAL);
    kill_now(process);
    end_keeping();
}

static int use_the_parents_part(void *arg)
{
    (void)arg;
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_MS(20)), CHUTE_ETIMEDOUT);
    CHECK_EQ(chute_conn_poll(shared_pipe.b, CHUTE_NOWAIT), 0);
    chute_conn_free(shared_pipe.b);
    return 0;
}

static int be_kept_waiting(void *arg)
{
    (void)arg;
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_MS(20)), CHUTE_ETIMEDOUT);
    return 0;
}

TEST(a_child_does_not_use_the_part_its_parent_has)
{
    shared_pipe = new_pipe(0);
    send_raw(shared_pipe.a, "\0\0\0\6hal", 7);
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    join(start(use_the_parents_part, NULL));
    send_raw(shared_pipe.a, "ves", 3);
    join(start(be_kept_waiting, NULL));
    check_text(shared_pipe.b, "halves");
    free_pipe(shared_pipe);
}

TEST(a_child_does_not_use_the_whole_message_its_parent_has)
{
    size_t len;

    shared_pipe = new_pipe(0);
    send_raw(shared_pipe.a, "\0", 1);
    CHECK_ERR(try_recv(shared_pipe.b, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    send_raw(shared_pipe.a, "\0\0\2ab", 5);
    CHECK_ERR(chute_conn_recv_bytes(shared_pipe.b, NULL, 0, &len, 0),
              CHUTE_EMSGSIZE);
    join(start(use_the_parents_part, NULL));
    check_text(shared_pipe.b, "ab");
    free_pipe(shared_pipe);
}

static void *recv_whole(void *conn)
{
    check_text(conn, "halves");
    return NULL;
}

TEST(another_thread_may_finish_what_one_began)
{
    struct ends p = new_pipe(0);
    pthread_t thread;

    send_raw(p.a, "\0\0\0\6hal", 7);
    CHECK_ERR(try_recv(p.b, CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_OK(pthread_create(&thread, NULL, recv_whole, p.b));
    send_raw(p.a, "ves", 3);
    CHECK_OK(pthread_join(thread, NULL));
    free_pipe(p);
}

/* -- a long message on its way into a caller's buffer ----------------------- */

#define LONG_LEN 100000
#define HALF_LEN 50000

static unsigned char long_message[4 + LONG_LEN];

/* A pipe with the first half of a message; the other half is still with us. */
static void send_half(void)
{
    shared_pipe = new_pipe(0);
    memcpy(long_message, "\0\1\x86\xa0", 4);
    make_message(long_message + 4, LONG_LEN, 7);
    send_raw(shared_pipe.a, long_message, HALF_LEN);
}

static void send_other_half(void)
{
    send_raw(shared_pipe.a, long_message + HALF_LEN,
             sizeof long_message - HALF_LEN);
}

/* In a buffer of its own, of just the length, so that a sanitizer sees what is
 * written into it once it is gone. */
static int recv_long(int64_t timeout_ns)
{
    size_t len = 0;
    unsigned char *buf = malloc(LONG_LEN);

    CHECK(buf != NULL);
    int r =
        chute_conn_recv_bytes(shared_pipe.b, buf, LONG_LEN, &len, timeout_ns);
    if (r == 0) {
        CHECK_EQ(len, LONG_LEN);
        check_message(buf, len);
    }
    free(buf);
    return r;
}

TEST(who_leaves_in_the_middle_takes_his_buffer_with_him)
{
    send_half();
    CHECK_ERR(recv_long(CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_ERR(recv_long(CHUTE_MS(1)), CHUTE_ETIMEDOUT);
    send_other_half();
    CHECK_OK(recv_long(CHUTE_NOWAIT));
    free_pipe(shared_pipe);
}

TEST(who_left_in_the_middle_finds_it_as_a_value)
{
    chute_value *v;

    send_half();
    CHECK_ERR(recv_long(CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    send_other_half();
    CHECK(chute_conn_recv(shared_pipe.b, &v, CHUTE_NOWAIT) < 0);
    CHECK_EQ(chute_value_len(v), LONG_LEN);
    chute_value_free(v);
    free_pipe(shared_pipe);
}

static void *recv_long_in_time(void *timeout_ns)
{
    return (void *)(intptr_t)recv_long(*(int64_t *)timeout_ns);
}

static pthread_t wait_for_long(int64_t *timeout_ns)
{
    pthread_t thread;

    CHECK_OK(pthread_create(&thread, NULL, recv_long_in_time, timeout_ns));
    await_state(&shared_pipe.b->own->receiving, SHM_KEPT);
    return thread;
}

TEST(a_thread_waits_for_who_has_a_message_half_in_his_buffer)
{
    int64_t for_ever = CHUTE_FOREVER;
    void *r;

    send_half();
    pthread_t thread = wait_for_long(&for_ever);
    CHECK_ERR(recv_long(CHUTE_NOWAIT), CHUTE_ETIMEDOUT);
    CHECK_ERR(recv_long(CHUTE_MS(5)), CHUTE_ETIMEDOUT);
    send_other_half();
    send_text(shared_pipe.a, "next");
    check_text(shared_pipe.b, "next");
    CHECK_OK(pthread_join(thread, &r));
    CHECK(r == NULL);
    free_pipe(shared_pipe);
}

TEST_TIMEOUT(a_thread_goes_on_after_who_has_left_in_the_middle, 10)
{
    int64_t not_long = CHUTE_MS(200); /* the heir sleeps by then */
    void *r;

    without_tick();
    send_half();
    pthread_t thread = wait_for_long(&not_long);
    pthread_t heir;
    int64_t for_ever = CHUTE_FOREVER;
    CHECK_OK(pthread_create(&heir, NULL, recv_long_in_time, &for_ever));
    CHECK_OK(pthread_join(thread, &r));
    CHECK_ERR((int)(intptr_t)r, CHUTE_ETIMEDOUT);
    send_other_half();
    CHECK_OK(pthread_join(heir, &r));
    CHECK(r == NULL);
    free_pipe(shared_pipe);
}

static int recv_nothing_of_it(void *arg)
{
    (void)arg;
    CHECK_ERR(recv_long(CHUTE_MS(5)), CHUTE_ETIMEDOUT);
    chute_conn_free(shared_pipe.b);
    return 0;
}

TEST(a_child_made_in_the_middle_leaves_its_parents_buffer_alone)
{
    int64_t for_ever = CHUTE_FOREVER;
    void *r;

    send_half();
    pthread_t thread = wait_for_long(&for_ever);
    join(start(recv_nothing_of_it, NULL));
    send_other_half();
    CHECK_OK(pthread_join(thread, &r));
    CHECK(r == NULL);
    free_pipe(shared_pipe);
}

/* Threads that take long messages with little time, into buffers that go. */
static _Atomic int n_left;

static void *recv_hastily(void *arg)
{
    uint32_t state = (uint32_t)(uintptr_t)arg;

    while (atomic_load(&n_left) > 0) {
        int r = recv_long(1000 * (next_random(&state) % 300));
        CHECK(r == 0 || r == CHUTE_ETIMEDOUT);
        if (r == 0)
            atomic_fetch_sub(&n_left, 1);
    }
    return NULL;
}

TEST(hasty_threads_get_long_messages_whole)
{
    pthread_t threads[3];

    n_left = 300;
    shared_pipe = new_pipe(0);
    for (uintptr_t i = 0; i < 3; i++)
        CHECK_OK(
            pthread_create(&threads[i], NULL, recv_hastily, (void *)(i + 1)));
    for (int i = 0; i < 300; i++)
        CHECK_OK(send_message(shared_pipe.a, LONG_LEN, (uint32_t)i));
    for (int i = 0; i < 3; i++)
        CHECK_OK(pthread_join(threads[i], NULL));
    free_pipe(shared_pipe);
}
