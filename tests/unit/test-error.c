/* test-error.c - codes have names and texts, all different, in one order.
 *
 * The codes are part of the ABI: a program compiled against an older header
 * knows their numbers. So the private ones are spelled out here once more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "chute/error.h"
#include "test.h"

static const struct {
    int code;
    const char *name, *text;
} errors[] = {
#define ROW(name, value, text) {value, "CHUTE_" #name, text},
    CHUTE_ERRORS(ROW)
#undef ROW
};

#define N_ERRORS (sizeof errors / sizeof errors[0])

TEST(every_code_has_its_name_and_text)
{
    for (size_t i = 0; i < N_ERRORS; i++) {
        CHECK_STR(chute_errname(errors[i].code), errors[i].name);
        CHECK_STR(chute_strerror(errors[i].code), errors[i].text);
        CHECK(errors[i].text[0] != '\0');
    }
}

TEST(no_two_codes_share_a_number_or_a_text)
{
    for (size_t i = 0; i < N_ERRORS; i++)
        for (size_t j = 0; j < i; j++) {
            CHECK(errors[i].code != errors[j].code);
            CHECK(strcmp(errors[i].text, errors[j].text) != 0);
        }
}

TEST(private_codes_keep_their_numbers)
{
    CHECK_EQ(CHUTE_EOF, -4096);
    CHECK_EQ(CHUTE_ECLOSED, -4097);
    CHECK_EQ(CHUTE_ECORRUPT, -4098);
    CHECK_EQ(CHUTE_ELAYOUT, -4099);
    CHECK_EQ(CHUTE_EPICKLE, -4100);
    CHECK_EQ(CHUTE_ENOTPLAIN, -4101);
    CHECK_EQ(CHUTE_ECYCLE, -4102);
    CHECK_EQ(CHUTE_ELIMIT, -4103);
    CHECK_EQ(CHUTE_EPARTIAL, -4104);
    CHECK_EQ(CHUTE_ENAMESPACE, -4105);
    CHECK_EQ(CHUTE_EKIND, -4106);
    CHECK_EQ(CHUTE_ESHAPE, -4107);
    CHECK_EQ(CHUTE_EOVERSIZE, -4110);
    CHECK_EQ(CHUTE_EAUTH, -4111);
    CHECK_EQ(CHUTE_EDIGEST, -4112);
    CHECK_EQ(CHUTE_ENETNS, -4113);
}

TEST(errno_values_are_negated_and_the_rest_is_out_of_their_range)
{
    CHECK_EQ(CHUTE_ETIMEDOUT, -ETIMEDOUT);
    CHECK_EQ(CHUTE_ENOMEM, -ENOMEM);
    for (size_t i = 0; i < N_ERRORS; i++) {
        CHECK(errors[i].code < 0);
        if (errors[i].code > -4096)
            CHECK(strerrorname_np(-errors[i].code));
    }
}

TEST(an_errno_value_that_is_not_listed_has_the_systems_words)
{
    CHECK_STR(chute_errname(-EXDEV), "EXDEV");
    CHECK_STR(chute_strerror(-EXDEV), strerrordesc_np(EXDEV));
}

TEST(zero_and_positive_numbers_are_success)
{
    static const int codes[] = {0, 1, EINVAL, 4096, INT_MAX};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        CHECK_STR(chute_errname(codes[i]), "0");
        CHECK_STR(chute_strerror(codes[i]), "success");
    }
}

TEST(a_number_that_is_no_code_still_has_words)
{
    static const int codes[] = {-4000, -4095, -5000, INT_MIN + 1, INT_MIN};

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        CHECK_STR(chute_errname(codes[i]), "unknown");
        CHECK_STR(chute_strerror(codes[i]), "unknown error");
    }
}

TEST(asking_for_words_leaves_errno_alone)
{
    errno = ENOTTY;
    chute_strerror(INT_MIN);
    chute_errname(-EXDEV);
    chute_strerror(CHUTE_EOF);
    CHECK_EQ(errno, ENOTTY);
}

TEST(the_version_is_that_of_the_header)
{
    char version[32];

    snprintf(version, sizeof version, "%d.%d.%d", CHUTE_VERSION_MAJOR,
             CHUTE_VERSION_MINOR, CHUTE_VERSION_PATCH);
    CHECK_STR(chute_version(), version);
}
