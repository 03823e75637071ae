/* utf8.h - text as Python has it: UTF-8 in which surrogates are let through.
 *
 * Python's str may hold lone surrogates (file names that are not text, mostly),
 * and its pickles carry them as three bytes, ED A0 80 to ED BF BF, which UTF-8
 * proper forbids. All else is as strict as the standard: no overlong forms,
 * nothing above U+10FFFF.
 */
#ifndef CODEC_UTF8_H
#define CODEC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool utf8_valid(const void *text, size_t len);

/* How many bytes of the text are valid, up to the first that is not. */
size_t utf8_span(const void *text, size_t len);

/* The code point at *p, in text that is valid; *p moves behind it. */
uint32_t utf8_next(const unsigned char **p);

/* Write a code point: its length. */
size_t utf8_write(unsigned char to[4], uint32_t c);

#endif
