/* test.h - what a test file includes.
 *
 *     #include "test.h"
 *
 *     TEST(an_empty_queue_has_no_items)
 *     {
 *         chute_queue *queue;
 *         size_t n;
 *
 *         CHECK_OK(chute_queue_new(&queue, NULL));
 *         CHECK_OK(chute_queue_qsize(queue, &n));
 *         CHECK_EQ(n, 0);
 *         chute_queue_free(queue);
 *     }
 *
 * There is no main and no list of tests: TEST puts an entry into a section of
 * the executable, and runner.c, linked in, runs whatever it finds there. Each
 * test is a process of its own with a deadline. It passes if it returns and
 * leaves nothing behind: no descriptor, shared mapping, thread, child process
 * or block of memory (leak.h says exactly what is counted).
 *
 *     ./test-queue                     all tests, TAP on stdout
 *     ./test-queue --list              their names
 *     ./test-queue an-empty-queue*     by name; - and _ are the same
 *     gdb --args ./test-queue -n NAME  in this process, without a deadline
 *
 * A check that fails ends the whole test at once, from wherever it is called:
 * the test itself, one of its threads, or a process that it forked. So a check
 * guards all that comes after it, and no test has to be written to go on after
 * a failure.
 */
#ifndef TEST_H
#define TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* -- what the sanitizers are called here ----------------------------------- */

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define TEST_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define TEST_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define TEST_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define TEST_TSAN 1
#endif
#ifndef TEST_ASAN
#define TEST_ASAN 0
#endif
#ifndef TEST_TSAN
#define TEST_TSAN 0
#endif

/* -- tests ----------------------------------------------------------------- */

/* TEST(name) { ... }: a test with a deadline of 30 seconds; TEST_TIMEOUT says
 * another. The name is an identifier that reads like a sentence. Deadlines are
 * longer under a sanitizer, and by the factor in $CHUTE_TEST_SLOW. */
#define TEST(name)                  TEST_(name, 30, NULL)
#define TEST_TIMEOUT(name, seconds) TEST_(name, seconds, NULL)

/* A test that has to fail, with `reason` somewhere in what is reported. It is
 * how sanity.c tests the harness. What it writes to stderr is dropped. */
#define FAIL_TEST(name, reason)                  TEST_(name, 30, reason)
#define FAIL_TEST_TIMEOUT(name, reason, seconds) TEST_(name, seconds, reason)

/* End the test here: it is neither a success nor a failure. */
#define SKIP(reason) harness_skip(reason)

/* -- checks ----------------------------------------------------------------
 *
 * Each argument is evaluated once.
 */

#define CHECK(cond)                                                            \
    ((cond) ? (void)0 : harness_fail("%s:%d: %s", __FILE__, __LINE__, #cond))

/* Two integers or pointers, of any types (a bit-field wants a cast), are the
 * same number; -1 is not UINT64_MAX. */
#define CHECK_EQ(a, b)                                                         \
    harness_check_eq(__FILE__, __LINE__, #a, HARNESS_NUMBER_(a), #b,           \
                     HARNESS_NUMBER_(b))

/* Two strings are equal; NULL equals NULL only. */
#define CHECK_STR(a, b) harness_check_str(__FILE__, __LINE__, #a, a, #b, b)

/* Two pieces of memory, of len bytes, are equal. */
#define CHECK_MEM(a, b, len)                                                   \
    harness_check_mem(__FILE__, __LINE__, #a, a, #b, b, len)

/* A result is 0; a result is just this code. */
#define CHECK_OK(r)        harness_check_code(__FILE__, __LINE__, #r, r, 0)
#define CHECK_ERR(r, code) harness_check_code(__FILE__, __LINE__, #r, r, code)

/* -- faults ----------------------------------------------------------------
 *
 * The library asks fault() wherever the system may refuse it something (see
 * base/fail.h).
 *
 *     FAULT_LOOP(n) {
 *         int r = chute_queue_new(&queue, NULL);
 *         if (r < 0) {
 *             CHECK(fault_fired());
 *             continue;
 *         }
 *         chute_queue_free(queue);
 *     }
 *
 * runs the body with the first fault point refused, once with each error that
 * its manual names (refusals.h), then the second, and so on until a run passes
 * in which none was left to refuse. FAULT_LOOP_FROM refuses the n-th and all
 * that follow it, with the usual error of each. The body has to undo what it
 * does, whatever fails. `continue` is fine in it, `break` leaves the last fault
 * armed.
 *
 * A body that never comes to a fault point, and one that has more than 5000,
 * fail the test.
 */
#define FAULT_LOOP(n)                                                          \
    for (unsigned long n = 0;                                                  \
         (n = fault_begin(__FILE__, __LINE__, n, false)) != 0;)
#define FAULT_LOOP_FROM(n)                                                     \
    for (unsigned long n = 0;                                                  \
         (n = fault_begin(__FILE__, __LINE__, n, true)) != 0;)

/* Whether this run's fault has been met, the name of the place that was refused
 * first, and the error; "" and 0 before. */
bool fault_fired(void);
const char *fault_site(void);
int fault_error(void);

/* Only the process that runs the loop is refused anything. With true its
 * children are as well, from here to the end of the loop, and their fault
 * points are numbered together with its own. */
void fault_in_children(bool yes);

/* Add to *out a line for each error of a site of the library, or of the second
 * one, that no loop of this program has refused anybody with; their number. */
struct text;
size_t fault_unrefused(bool of_net, struct text *out);

/* For a tracer. While it hears, all threads and children say which site they
 * pass: the last one of a thread, once, or NULL. */
void fault_hear(bool yes);
const char *fault_heard(pid_t tid);

/* -- behind the macros ----------------------------------------------------- */

/* The status of a process that has failed a check. */
#define TEST_FAILED 99

struct test {
    const char *name;
    const char *file;
    void (*run)(void);
    const char *must_say; /* FAIL_TEST: part of the report; otherwise NULL */
    int line;
    unsigned timeout_s;
};

/* The linker gathers the entries of all files and names both ends. `used` and
 * `retain` keep compiler and linker (--gc-sections) from dropping what nobody
 * seems to refer to. */
#ifdef __has_attribute
#if __has_attribute(retain)
#define TEST_ENTRY_ __attribute__((used, retain, section("chute_tests")))
#endif
#endif
#ifndef TEST_ENTRY_
#define TEST_ENTRY_ __attribute__((used, section("chute_tests")))
#endif

#define TEST_(name_, seconds, must_say_)                                       \
    static void test_##name_(void);                                            \
    static const struct test test_info_##name_ = {                             \
        .name = #name_,                                                        \
        .file = __FILE__,                                                      \
        .run = test_##name_,                                                   \
        .must_say = must_say_,                                                 \
        .line = __LINE__,                                                      \
        .timeout_s = seconds,                                                  \
    };                                                                         \
    static const struct test *const test_entry_##name_ TEST_ENTRY_ =           \
        &test_info_##name_;                                                    \
    static void test_##name_(void)

/* An integer or a pointer, and how to print it. */
struct harness_number {
    uint64_t bits;
    enum { HARNESS_SIGNED, HARNESS_UNSIGNED, HARNESS_POINTER } kind;
};

/* clang-format off */
#define HARNESS_NUMBER_(x)                    \
    _Generic((x),                             \
        char: harness_signed,                 \
        signed char: harness_signed,          \
        short: harness_signed,                \
        int: harness_signed,                  \
        long: harness_signed,                 \
        long long: harness_signed,            \
        _Bool: harness_unsigned,              \
        unsigned char: harness_unsigned,      \
        unsigned short: harness_unsigned,     \
        unsigned: harness_unsigned,           \
        unsigned long: harness_unsigned,      \
        unsigned long long: harness_unsigned, \
        default: harness_pointer)(x)
/* clang-format on */

static inline struct harness_number harness_signed(long long x)
{
    return (struct harness_number){(uint64_t)x, HARNESS_SIGNED};
}

static inline struct harness_number harness_unsigned(unsigned long long x)
{
    return (struct harness_number){x, HARNESS_UNSIGNED};
}

static inline struct harness_number harness_pointer(const volatile void *x)
{
    return (struct harness_number){(uintptr_t)x, HARNESS_POINTER};
}

_Noreturn void harness_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
_Noreturn void harness_skip(const char *reason);

void harness_check_eq(const char *file, int line, const char *a_text,
                      struct harness_number a, const char *b_text,
                      struct harness_number b);
void harness_check_str(const char *file, int line, const char *a_text,
                       const char *a, const char *b_text, const char *b);
void harness_check_mem(const char *file, int line, const char *a_text,
                       const void *a, const char *b_text, const void *b,
                       size_t len);
void harness_check_code(const char *file, int line, const char *text, int r,
                        int code);

/* What n to run the body with after a run with `n`, 0 at first; 0 at the end. */
unsigned long fault_begin(const char *file, int line, unsigned long n,
                          bool all_after);

/* For runner.c: nothing is refused from here on; and where the last loop was,
 * "" if it was none's fault. */
void fault_end(void);
void fault_describe(char *buf, size_t cap);

#endif
