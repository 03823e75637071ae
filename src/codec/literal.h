/* literal.h - the state of a Python literal that is being read.
 *
 * Shared by literal.c (brackets, signs, names) and literal-atom.c (numbers and
 * strings). What was read lies on a stack, as when a pickle is read, and struct
 * reader has all that is needed for that: the input, the stack, memory for many
 * small values, a bound on what keys may cost. r.at is the next byte; on failure
 * it is left at the one that is refused.
 */
#ifndef CODEC_LITERAL_H
#define CODEC_LITERAL_H

#include "base/buf.h"
#include "codec/reader.h"

struct literal {
    struct reader r;
    size_t n_open;   /* brackets: inside of one, a newline is a space */
    struct buf text; /* of the number or string that is being read */
    bool has_value;  /* the last thing that was read is a value, */
    bool is_signed;  /* and had a sign, so it takes no other */
};

/* The byte `ahead` of the next, or -1 behind the end. */
static inline int literal_peek(const struct literal *l, size_t ahead)
{
    return ahead < (size_t)(l->r.end - l->r.at) ? l->r.at[ahead] : -1;
}

/* Step over space and comments, in brackets over newlines too. */
int literal_skip(struct literal *l);

/* Does a number, or a str or bytes, begin here? */
bool literal_is_number(const struct literal *l);
bool literal_is_string(const struct literal *l);

/* Read it: push it on the stack. Strings that stand side by side are one. */
int literal_number(struct literal *l);
int literal_string(struct literal *l);

#endif
