/* test-frame.c - the header in front of every message, byte by byte.
 *
 * The expected bytes are what CPython's struct.pack("!i", n) and
 * struct.pack("!iQ", -1, n) give; tests/conformance/wire.py asks CPython itself.
 */
#include <string.h>

#include "chute/error.h"
#include "ipc/frame.h"
#include "test.h"

static void check_written(uint64_t len, const char *bytes, size_t n)
{
    unsigned char head[FRAME_MAX];

    CHECK_EQ(frame_write(head, len), n);
    CHECK_MEM(head, bytes, n);
}

TEST(a_length_is_written_as_cpython_writes_it)
{
    check_written(0, "\0\0\0\0", 4);
    check_written(1, "\0\0\0\1", 4);
    check_written(0x01020304, "\1\2\3\4", 4);
    check_written(0x7fffffff, "\x7f\xff\xff\xff", 4);
    check_written(0x80000000, "\xff\xff\xff\xff\0\0\0\0\x80\0\0\0", 12);
    check_written(UINT64_C(0x0102030405060708),
                  "\xff\xff\xff\xff\1\2\3\4\5\6\7\x8", 12);
}

TEST(what_is_written_can_be_read)
{
    for (int bit = 0; bit < 63; bit++) {
        for (int more = -1; more <= 1; more++) {
            uint64_t len = (UINT64_C(1) << bit) + (uint64_t)(int64_t)more;
            unsigned char head[FRAME_MAX];
            size_t head_len = 0;
            uint64_t read = 0;
            size_t n = frame_write(head, len);
            CHECK_OK(frame_read(head, n, &head_len, &read));
            CHECK_EQ(head_len, n);
            CHECK_EQ(read, len);
        }
    }
}

TEST(a_header_in_part_says_how_much_is_missing)
{
    static const unsigned char small[] = {0, 0, 0, 7};
    static const unsigned char large[12] = {0xff, 0xff, 0xff, 0xff, 0, 0,
                                            0,    0,    0,    0,    0, 7};
    size_t head_len;
    uint64_t len;

    for (size_t n = 0; n < 4; n++) {
        CHECK_EQ(frame_read(small, n, &head_len, &len), (int)(4 - n));
        CHECK_EQ(frame_read(large, n, &head_len, &len), (int)(4 - n));
    }
    for (size_t n = 4; n < 12; n++)
        CHECK_EQ(frame_read(large, n, &head_len, &len), (int)(12 - n));
}

TEST(the_long_form_may_announce_a_short_message)
{
    static const unsigned char head[12] = {0xff, 0xff, 0xff, 0xff, 0, 0,
                                           0,    0,    0,    0,    0, 7};
    size_t head_len;
    uint64_t len;

    CHECK_OK(frame_read(head, 12, &head_len, &len));
    CHECK_EQ(head_len, 12);
    CHECK_EQ(len, 7);
}

TEST(other_negative_lengths_are_no_header)
{
    static const unsigned char heads[][4] = {
        {0xff, 0xff, 0xff, 0xfe}, {0x80, 0, 0, 0}, {0xc0, 1, 2, 3}};
    size_t head_len;
    uint64_t len;

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        CHECK_ERR(frame_read(heads[i], 4, &head_len, &len), CHUTE_EPROTO);
}

TEST(a_length_of_2_to_the_63_is_no_header)
{
    static const unsigned char head[12] = {0xff, 0xff, 0xff, 0xff, 0x80};
    size_t head_len;
    uint64_t len;

    CHECK_ERR(frame_read(head, 12, &head_len, &len), CHUTE_EPROTO);
}

TEST(bytes_after_the_header_do_not_matter)
{
    static const unsigned char head[12] = {0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff};
    size_t head_len;
    uint64_t len;

    CHECK_OK(frame_read(head, sizeof head, &head_len, &len));
    CHECK_EQ(head_len, 4);
    CHECK_EQ(len, 256);
}
