/* mixed-driver.c - the C half of test_mixed.py, by the public header.
 *
 *     mixed-driver put QUEUE COUNTS WHO    puts (WHO, i, body) for i = 0, 1, ...
 *     mixed-driver get QUEUE RESULTS       checks each, puts (WHO, i) to RESULTS
 *     mixed-driver look QUEUE HOW          takes what is there, and says what it is
 *
 * The first two go on until they are killed; get ends at None as well. COUNTS is a
 * file of 8-byte numbers: number WHO is how many puts have returned. HOW is value,
 * bytes or borrow; each item is a line: the condition, or OK, and how many bytes
 * there are.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chute.h>

#define MOST_BODY 5000

static void check(int r, const char *what)
{
    if (r >= 0)
        return;
    fprintf(stderr, "mixed-driver: %s: %s\n", what, chute_strerror(r));
    exit(1);
}

/* What the body of item i is: test_mixed.py has the same. */
static size_t body_of(int64_t who, int64_t i, unsigned char body[MOST_BODY])
{
    size_t len = (size_t)(i * 37 % MOST_BODY);

    memset(body, (int)((who + i) % 256), len);
    return len;
}

static void put_all(chute_queue *queue, volatile int64_t *count, int64_t who)
{
    unsigned char body[MOST_BODY];

    for (int64_t i = 0;; i++) {
        size_t len = body_of(who, i, body);
        check(chute_queue_put(queue,
                              chute_tuple(chute_int(who), chute_int(i),
                                          chute_bytes(body, len)),
                              CHUTE_FOREVER),
              "put");
        *count = i + 1;
    }
}

static void get_all(chute_queue *queue, chute_queue *results)
{
    unsigned char expected[MOST_BODY];
    char place[CHUTE_PLACE_LEN];
    chute_value *v;

    for (;;) {
        int64_t who, i;
        const void *body;
        size_t len;
        check(chute_queue_get(queue, &v, CHUTE_FOREVER), "get");
        if (chute_value_type(v) == CHUTE_NONE)
            return;
        check(chute_value_parse(v, place, "(l l y#)", &who, &i, &body, &len),
              place);
        if (len != body_of(who, i, expected) ||
            memcmp(body, expected, len) != 0)
            check(CHUTE_ECORRUPT, "body");
        check(chute_queue_put(results,
                              chute_tuple(chute_int(who), chute_int(i)),
                              CHUTE_FOREVER),
              "put the result");
        chute_value_free(v);
    }
}

/* *ret_len: of a bytes value, as a message that is no value is one; else 0. */
static int look_at_value(chute_queue *queue, size_t *ret_len)
{
    chute_value *v;
    int r = chute_queue_get(queue, &v, CHUTE_NOWAIT);

    *ret_len = 0;
    if (chute_value_type(v) == CHUTE_BYTES)
        (void)chute_value_bytes(v, ret_len);
    chute_value_free(v);
    return r;
}

static int look_at_bytes(chute_queue *queue, size_t *ret_len)
{
    static char buf[1 << 20];

    return chute_queue_get_bytes(queue, buf, sizeof buf, ret_len, CHUTE_NOWAIT);
}

static int look_in_place(chute_queue *queue, size_t *ret_len)
{
    struct chute_loan loan;
    int r = chute_queue_borrow(queue, &loan, CHUTE_NOWAIT);

    *ret_len = loan.len;
    if (r == 0)
        check(chute_queue_release(queue, &loan), "release");
    return r;
}

static void look_at_all(chute_queue *queue, const char *how)
{
    int (*look)(chute_queue *, size_t *) =
        strcmp(how, "value") == 0   ? look_at_value
        : strcmp(how, "bytes") == 0 ? look_at_bytes
                                    : look_in_place;
    size_t len;
    int r;

    while ((r = look(queue, &len)) != CHUTE_ETIMEDOUT)
        printf("%s %zu\n", r == 0 ? "OK" : chute_errname(r), len);
}

static volatile int64_t *count_of(const char *path, int64_t who)
{
    int fd = open(path, O_RDWR);
    int64_t *counts =
        mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (counts == MAP_FAILED) {
        perror(path);
        exit(1);
    }
    return &counts[who];
}

int main(int argc, char **argv)
{
    chute_queue *queue, *results;

    if (argc < 4)
        return 2;
    check(chute_queue_open(&queue, argv[2], NULL), argv[2]);
    if (strcmp(argv[1], "put") == 0) {
        int64_t who = atoi(argv[4]);
        put_all(queue, count_of(argv[3], who), who);
    } else if (strcmp(argv[1], "look") == 0) {
        look_at_all(queue, argv[3]);
    } else {
        check(chute_queue_open(&results, argv[3], NULL), argv[3]);
        get_all(queue, results);
    }
    return 0;
}
