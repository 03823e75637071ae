/* opcodes.h - the instructions of a pickle.
 *
 * A pickle is a program for a stack machine with a memo. These are all that
 * Python's picklers emit for plain data in protocols 2 to 5, by the names of
 * Python's pickle.py, and those that mean "this needs a class". What is missing
 * is protocol 0 and Python 2 (INT, STRING, GET, PUT, ...), which is refused as
 * no pickle of ours.
 */
#ifndef CODEC_OPCODES_H
#define CODEC_OPCODES_H

enum {
    OP_PROTO = 0x80, /* u8 */
    OP_FRAME = 0x95, /* u64: a hint for readers of streams */
    OP_STOP = '.',

    OP_NONE = 'N',
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,

    OP_BININT = 'J',   /* i32 */
    OP_BININT1 = 'K',  /* u8 */
    OP_BININT2 = 'M',  /* u16 */
    OP_LONG1 = 0x8a,   /* u8 length, two's complement */
    OP_LONG4 = 0x8b,   /* i32 length, two's complement */
    OP_BINFLOAT = 'G', /* 8 bytes, big-endian, unlike all else */

    OP_SHORT_BINUNICODE = 0x8c, /* u8 length, UTF-8 */
    OP_BINUNICODE = 'X',        /* u32 length */
    OP_BINUNICODE8 = 0x8d,      /* u64 length */
    OP_SHORT_BINBYTES = 'C',    /* u8 length, bytes */
    OP_BINBYTES = 'B',          /* u32 length */
    OP_BINBYTES8 = 0x8e,        /* u64 length */
    OP_BYTEARRAY8 = 0x96,       /* u64 length */

    OP_EMPTY_LIST = ']',
    OP_APPEND = 'a',
    OP_APPENDS = 'e',
    OP_EMPTY_TUPLE = ')',
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_TUPLE = 't',
    OP_EMPTY_DICT = '}',
    OP_SETITEM = 's',
    OP_SETITEMS = 'u',
    OP_EMPTY_SET = 0x8f,
    OP_ADDITEMS = 0x90,
    OP_FROZENSET = 0x91,

    OP_MARK = '(',
    OP_POP = '0',
    OP_POP_MARK = '1',

    OP_BINPUT = 'q',      /* u8 */
    OP_LONG_BINPUT = 'r', /* u32 */
    OP_MEMOIZE = 0x94,
    OP_BINGET = 'h',      /* u8 */
    OP_LONG_BINGET = 'j', /* u32 */

    OP_GLOBAL = 'c', /* two lines */
    OP_STACK_GLOBAL = 0x93,
    OP_REDUCE = 'R',

    /* never plain data */
    OP_PERSID = 'P',
    OP_BINPERSID = 'Q',
    OP_INST = 'i',
    OP_OBJ = 'o',
    OP_BUILD = 'b',
    OP_NEWOBJ = 0x81,
    OP_NEWOBJ_EX = 0x92,
    OP_EXT1 = 0x82,
    OP_EXT2 = 0x83,
    OP_EXT4 = 0x84,
    OP_NEXT_BUFFER = 0x97,
    OP_READONLY_BUFFER = 0x98,
};

#endif
