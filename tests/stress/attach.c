/* attach.c - be handed a queue that somebody has spoiled.
 *
 * A queue with items in it is copied into a file of its own, a bit or some words
 * of the copy are changed, and the copy is attached to. That may be refused. If
 * it is not, the queue is used: then any code that the manual knows is right,
 * and a crash, a hang or another code is not. Also while a process goes on
 * scribbling.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chute.h>

#include "plat/plat.h"
#include "scribble.h"
#include "shm/layout.h"
#include "test.h"

#define IMAGE_LEN  131072 /* header and first region */
#define HEADER_LEN sizeof(struct shm_queue)
#define TIMEOUT_NS CHUTE_MS(1)
#define LONGEST_NS CHUTE_SEC(3)

static char image[IMAGE_LEN];

/* What a queue with some items looks like, with more than one region or not. */
static void take_image(int n_items)
{
    chute_queue *queue;

    CHECK_OK(chute_queue_new(
        &queue, CHUTE_OPTIONS(chute_queue_options, .memory = 8 << 20)));
    for (int i = 0; i < n_items; i++)
        CHECK_OK(chute_queue_put(
            queue, chute_list(chute_int(i), chute_str("item")), 0));
    CHECK_EQ(pread(chute_queue_fd(queue), image, IMAGE_LEN, 0), IMAGE_LEN);
    chute_queue_free(queue);
}

/* A file like it, mapped, and sealed as it should be. */
static _Atomic uint64_t *new_copy(int *ret_fd)
{
    int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    CHECK(fd >= 0);
    CHECK_EQ(pwrite(fd, image, IMAGE_LEN, 0), IMAGE_LEN);
    CHECK_OK(plat_shm_seal(fd));
    void *mem =
        mmap(NULL, IMAGE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(mem != MAP_FAILED);
    *ret_fd = fd;
    return mem;
}

static void check_call(int r, int64_t begin)
{
    if (!is_known(r))
        CHECK_STR(chute_errname(r), "a code that put and get may give");
    CHECK(plat_now() - begin < LONGEST_NS);
}

static void use(chute_queue *queue)
{
    static char buf[3000];
    chute_value *v;
    size_t len;

    for (int i = 0; i < 3; i++) {
        int64_t begin = plat_now();
        check_call(chute_queue_put_bytes(queue, buf, sizeof buf, TIMEOUT_NS),
                   begin);
        begin = plat_now();
        check_call(
            chute_queue_get_bytes(queue, buf, sizeof buf, &len, TIMEOUT_NS),
            begin);
        begin = plat_now();
        check_call(chute_queue_get(queue, &v, TIMEOUT_NS), begin);
        chute_value_free(v);
        (void)chute_queue_qsize(queue, &len);
        (void)chute_queue_full(queue);
        (void)chute_queue_stat(queue,
                               &(struct chute_queue_stats){
                                   .size = sizeof(struct chute_queue_stats)});
    }
}

/* Attach, use if that can be, and leave. Whether it could. */
static bool attach_and_use(int fd)
{
    chute_queue *queue = NULL;
    int r = chute_queue_of_fd(&queue, fd, NULL);

    if (r < 0) {
        CHECK(r == CHUTE_ECORRUPT || r == CHUTE_ELAYOUT ||
              r == CHUTE_ENAMESPACE);
        close(fd);
        return false;
    }
    use(queue);
    chute_queue_free(queue);
    return true;
}

TEST_TIMEOUT(a_copy_that_is_not_spoiled_is_a_queue, 30)
{
    chute_queue *queue;
    chute_value *v;
    int64_t n;
    int fd;

    take_image(3);
    munmap((void *)(uintptr_t)new_copy(&fd), IMAGE_LEN);
    CHECK_OK(chute_queue_of_fd(&queue, fd, NULL));
    for (int i = 0; i < 3; i++) {
        CHECK_OK(chute_queue_get(queue, &v, 0));
        CHECK_OK(chute_value_int(chute_value_at(v, 0), &n));
        CHECK_EQ(n, i);
        chute_value_free(v);
    }
    chute_queue_free(queue);
}

TEST_TIMEOUT(each_single_bit_of_the_header_may_be_wrong, 300)
{
    size_t n_accepted = 0, n = 0;

    take_image(40);
    for (size_t bit = 0; bit < HEADER_LEN * 8; bit++) {
        int fd;
        /* Of the table, the slots that are in use, and some that are not. */
        size_t at = bit / 8;
        if (at > offsetof(struct shm_queue, region) + 48)
            break;
        _Atomic uint64_t *mem = new_copy(&fd);
        atomic_fetch_xor(&mem[bit / 64], UINT64_C(1) << bit % 64);
        munmap((void *)(uintptr_t)mem, IMAGE_LEN);
        n_accepted += attach_and_use(fd);
        n++;
    }
    CHECK(n_accepted > 0 && n_accepted < n);
}

TEST_TIMEOUT(words_of_the_header_and_the_items_may_be_wrong, 300)
{
    const size_t first = offsetof(struct shm_queue, max_units) / 8 + 1;
    size_t n_accepted = 0;

    for (unsigned round = 0; round < 1500; round++) {
        int fd;
        state = round * 7919 + 13;
        if (round % 50 == 0)
            take_image((int)(round % 2000) / 4);
        _Atomic uint64_t *mem = new_copy(&fd);
        for (size_t i = 1 + random_word() % 4; i > 0; i--)
            spoil(random_word() % 4
                      ? mem + first + random_word() % (HEADER_LEN / 8 - first)
                      : mem + random_word() % (IMAGE_LEN / 8));
        munmap((void *)(uintptr_t)mem, IMAGE_LEN);
        n_accepted += attach_and_use(fd);
    }
    CHECK(n_accepted > 0);
}

_Noreturn static void scribble(_Atomic uint64_t *mem)
{
    for (unsigned n = 0;; n++) {
        spoil(mem + random_word() % (HEADER_LEN / 8));
        /* Now and then whole again, or nobody would attach. */
        if (n % 8 == 0)
            memcpy((void *)(uintptr_t)mem, image, HEADER_LEN);
        usleep(20);
    }
}

TEST_TIMEOUT(somebody_may_scribble_while_others_attach, 300)
{
    size_t n_accepted = 0;
    int fd, status;

    take_image(40);
    for (unsigned round = 0; round < 20; round++) {
        _Atomic uint64_t *mem = new_copy(&fd);
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            state = round * 104729 + 3;
            scribble(mem);
        }
        for (int64_t end = plat_now() + CHUTE_MS(100); plat_now() < end;) {
            int copy = dup(fd);
            CHECK(copy >= 0);
            n_accepted += attach_and_use(copy);
        }
        kill(pid, SIGKILL);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        munmap((void *)(uintptr_t)mem, IMAGE_LEN);
        close(fd);
    }
    CHECK(n_accepted > 0);
}
