/* test-options.c - callers and libraries of different ages understand one
 * another.
 *
 * Two versions of one struct stand for two ages. The library knows one of them,
 * the caller was compiled with one of them: all four pairs have to work, or to
 * be refused for the reason that options.h gives.
 *
 * What the caller gives lies at the end of a block of memory of just its size,
 * so that a sanitizer sees a byte read too far.
 */
#include <stdlib.h>
#include <string.h>

#include "base/options.h"
#include "chute/error.h"
#include "test.h"

struct first {
    uint64_t size;
    uint64_t flags;
};

struct second {
    uint64_t size;
    uint64_t flags;
    uint64_t limit;
    uint64_t weight;
};

#define FIRST_SIZE sizeof(struct first)

/* options_take from a copy of `given`, in memory of its very size. */
static int take(void *known, size_t known_size, const void *given,
                size_t given_size)
{
    void *copy = malloc(given_size);

    CHECK(copy);
    memcpy(copy, given, given_size);
    int r = options_take(known, known_size, copy, FIRST_SIZE);
    free(copy);
    return r;
}

TEST(null_means_all_defaults)
{
    struct second known;

    memset(&known, 0xa5, sizeof known);
    CHECK_OK(options_take(&known, sizeof known, NULL, FIRST_SIZE));
    CHECK_MEM(&known, &(struct second){0}, sizeof known);
}

TEST(a_caller_of_the_same_age_is_copied)
{
    struct second given = {sizeof given, 1, 2, 3}, known;

    CHECK_OK(take(&known, sizeof known, &given, sizeof given));
    CHECK_MEM(&known, &given, sizeof known);
}

TEST(an_older_caller_gets_defaults_for_what_he_does_not_know)
{
    struct first given = {sizeof given, 7};
    struct second known;

    memset(&known, 0xa5, sizeof known);
    CHECK_OK(take(&known, sizeof known, &given, sizeof given));
    CHECK_EQ(known.flags, 7);
    CHECK_EQ(known.limit, 0);
    CHECK_EQ(known.weight, 0);
}

TEST(a_newer_caller_who_asks_for_nothing_new_is_served)
{
    struct second given = {sizeof given, 7, 0, 0};
    struct first known;

    CHECK_OK(take(&known, sizeof known, &given, sizeof given));
    CHECK_EQ(known.flags, 7);
}

TEST(a_newer_caller_who_asks_for_more_is_refused)
{
    struct second given = {sizeof given, 7, 0, 0};
    unsigned char *tail = (unsigned char *)&given + FIRST_SIZE;
    struct first known = {1, 2};

    for (size_t i = 0; i < sizeof given - FIRST_SIZE; i++) {
        tail[i] = 1;
        CHECK_ERR(take(&known, sizeof known, &given, sizeof given),
                  CHUTE_E2BIG);
        tail[i] = 0;
    }
    CHECK_EQ(known.size, 1);
    CHECK_EQ(known.flags, 2);
}

TEST(a_size_between_two_versions_is_taken_as_far_as_it_goes)
{
    struct second given = {FIRST_SIZE + 8, 7, 8, 0}, known;

    CHECK_OK(take(&known, sizeof known, &given, FIRST_SIZE + 8));
    CHECK_EQ(known.limit, 8);
    CHECK_EQ(known.weight, 0);
}

TEST(a_forgotten_size_is_refused)
{
    static const uint64_t sizes[] = {0, 1, 8, FIRST_SIZE - 1};
    struct second given = {0, 7, 8, 9}, known = {1, 2, 3, 4};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        given.size = sizes[i];
        CHECK_ERR(options_take(&known, sizeof known, &given, FIRST_SIZE),
                  CHUTE_EINVAL);
    }
    CHECK_MEM(&known, (&(struct second){1, 2, 3, 4}), sizeof known);
}

TEST(a_page_is_the_largest_size_that_is_believed)
{
    unsigned char page[4096 + 8] = {0};
    struct second known;
    uint64_t size = 4096;

    memcpy(page, &size, sizeof size);
    CHECK_OK(take(&known, sizeof known, page, 4096));
    CHECK_EQ(known.size, 4096);
    size = 4097;
    memcpy(page, &size, sizeof size);
    CHECK_ERR(take(&known, sizeof known, page, 4097), CHUTE_EINVAL);
}

/* What stands in an uninitialized size: nothing but the size itself is read. */
TEST(a_garbage_size_is_refused_unread)
{
    static const uint64_t sizes[] = {UINT64_MAX, UINT64_C(1) << 63,
                                     UINT64_C(1) << 32};
    struct second known;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        CHECK_ERR(take(&known, sizeof known, &sizes[i], sizeof sizes[i]),
                  CHUTE_EINVAL);
}

TEST(flags_that_are_not_allowed_are_refused)
{
    CHECK_OK(options_flags(0, 0));
    CHECK_OK(options_flags(5, 7));
    CHECK_OK(options_flags(UINT64_MAX, UINT64_MAX));
    CHECK_ERR(options_flags(1, 0), CHUTE_EINVAL);
    CHECK_ERR(options_flags(8, 7), CHUTE_EINVAL);
    CHECK_ERR(options_flags(UINT64_C(1) << 63, 7), CHUTE_EINVAL);
}
