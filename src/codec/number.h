/* number.h - ints of any size, and numbers as text.
 *
 * An int is given as two's complement, little-endian, at least one byte; `len`
 * bytes. Nothing here allocates, and nothing depends on the locale.
 */
#ifndef CODEC_NUMBER_H
#define CODEC_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length without the bytes that only repeat the sign; at least 1. */
size_t number_trim(const unsigned char *le, size_t len);

/* The int of at most 8 bytes; and its shortest form, written to le: its
 * length. */
int64_t number_int64(const unsigned char *le, size_t len);
size_t number_bytes(int64_t i, unsigned char le[8]);

/* The nearest double (ties to even) to an int that 64 bits do not hold, and
 * whether it is the very number. false if there is none: beyond the range. */
bool number_double(const unsigned char *le, size_t len, double *ret_d,
                   bool *ret_exact);

/* Is the float d the int i, exactly? */
bool number_same(double d, int64_t i);

/* Python's own limit on the way from int to text. */
#define NUMBER_MAX_DIGITS 4300
#define NUMBER_MAX_TEXT   (NUMBER_MAX_DIGITS + 32)

/* The digits of an int, with its sign, not ended by a NUL: their number; 0 if
 * there would be more than NUMBER_MAX_DIGITS. */
size_t number_decimal(const unsigned char *le, size_t len,
                      char text[NUMBER_MAX_TEXT]);

/* The same in hex, without 0x, and of any length: text may be NULL, and only
 * their number is wanted. */
size_t number_hex(const unsigned char *le, size_t len, char *text);

/* An int from n decimal digits, at least one and at most NUMBER_MAX_DIGITS: its
 * two's complement, perhaps not the shortest, and its length. */
#define NUMBER_MAX_BYTES 1792
size_t number_from_decimal(const char *digits, size_t n, bool negative,
                           unsigned char le[NUMBER_MAX_BYTES]);

/* The same from any number of digits of n_bits bits each, 4 for hex; le has place
 * for NUMBER_DIGITS_LEN. false if one of them is none. */
#define NUMBER_DIGITS_LEN(n, n_bits) ((n) / 8 * (n_bits) + (n_bits) + 2)
bool number_from_digits(const char *digits, size_t n, unsigned n_bits,
                        bool negative, unsigned char *le);

/* The value of a hex digit, or -1. */
int number_digit(int c);

/* -x in place; le must have a sign bit more than x needs. */
void number_negate(unsigned char *le, size_t len);

/* A float as Python's repr() writes it, ended by a NUL: its length. */
#define NUMBER_FLOAT_TEXT 40
size_t number_repr(double d, char text[NUMBER_FLOAT_TEXT]);

#endif
