#!/usr/bin/python3
"""What the worst pickle of 1 MiB costs.

    tests/conformance/worst.py DRIVER [--table]

DRIVER is worst-driver.c, built. Each family below fills 1 MiB with what is
dear for its length. Decoding has to keep to 64 bytes for each of the input
(chute/pickle.h) and to a second of processor time; so has the comparing, the
printing, and the freeing of what decodes.
"""

import sys

sys.path.append(sys.path.pop(0))  # last, for "pickle" is not pickle.py

import os
import pickle
import random
import struct
import subprocess

LEN = 1 << 20
SLACK_KIB = 512  # the heap's steps and a page here and there
MOST_MS = 1000 * float(os.environ.get("CHUTE_TEST_SLOW", "1"))


def filled(begin, unit, end=b""):
    """As many units as there is room for, then the end; end may be a function
    of their number."""
    n = (LEN - len(begin) - 16) // len(unit)
    tail = end(n) if callable(end) else end
    return b"\x80\x04" + begin + unit * n + tail + b"."


def closed(unit, close):
    """Units that each need one more byte at the end."""
    n = LEN // (len(unit) + 1) - 8
    return b"\x80\x04" + unit * n + close * (n - 1) + b"."


def many(begin, pieces, end):
    data = bytearray(b"\x80\x04" + begin)
    for piece in pieces:
        if len(data) + len(piece) + len(end) + 1 > LEN:
            break
        data += piece
    return bytes(data + end + b".")


def scattered():
    """Ints that a bad hash would put in one place: multiples of powers of 2."""
    for shift in (32, 40, 48, 56):
        for i in range(1, 1 << 16):
            yield b"\x8a\x09" + struct.pack("<Q", i << shift & 2**64 - 1) + b"\0N"


def modulo_2_61():
    """Ints that are equal to CPython's own hash, multiples of 2**61 - 1."""
    for i in range(1 << 20):
        yield b"\x8a\x0c" + ((2**61 - 1) * i).to_bytes(12, "little") + b"N"


def halves():
    """Floats whose low bits are all zero."""
    for i in range(1 << 20):
        yield b"G" + struct.pack(">d", float(i) * 2.0**40) + b"N"


def long_keys():
    """Long keys that differ in their last byte alone, again and again."""
    while True:
        for i in range(100):
            yield b"X\x00\x01\x00\x00" + b"k" * 255 + b"%c" % i + b"N"


def memo_at_random():
    rng = random.Random(1)
    while True:
        yield b"Nr" + struct.pack("<I", rng.getrandbits(32)) + b"0"


def same_long_key(length):
    key = b"B" + struct.pack("<I", length) + b"k" * length
    return filled(b"}" + key + b"\x940(", b"h\0N", b"u")


def fresh_tuple_keys():
    """Keys that hash a shared deep tuple, each time anew."""
    deep = b")" + b"\x85" * 400000 + b"\x940"
    return filled(b"}" + deep + b"(", b"h\0\x85N", b"u")


def sets_of_sets():
    return filled(b"(", b"\x91(", lambda n: b"\x91")


def nested_frozensets():
    n = LEN // 2 - 8
    return b"\x80\x04" + b"(" * n + b"\x91" * n + b"."


def bomb():
    units = b"".join(b"\x94h%c\x86" % i for i in range(200))
    return many(b"(" + b")" + units, [b"N"] * LEN, b"t")


FAMILIES = {
    "marks alone": filled(b"N", b"("),
    "lists, open": filled(b"", b"]"),
    "dicts, open": filled(b"", b"}"),
    "sets, open": filled(b"", b"\x8f"),
    "lists, nested": closed(b"]", b"a"),
    "lists in one": filled(b"](", b"]", b"e"),
    "dicts in one": filled(b"](", b"}", b"e"),
    "sets in one": filled(b"](", b"\x8f", b"e"),
    "lists of one": filled(b"](", b"]Na", b"e"),
    "dicts of one": filled(b"](", b"}NNs", b"e"),
    "sets of one": filled(b"](", b"\x8f(N\x90", b"e"),
    "frozensets of one": filled(b"](", b"(N\x91", b"e"),
    "frozensets, empty": filled(b"](", b"(\x91", b"e"),
    "tuples, nested": filled(b")", b"\x85"),
    "tuples of one": filled(b"](", b"N\x85", b"e"),
    "nones": filled(b"](", b"N", b"e"),
    "texts, empty": filled(b"](", b"\x8c\0", b"e"),
    "bytes, empty": filled(b"](", b"C\0", b"e"),
    "ints of two bytes": filled(b"](", b"K\1", b"e"),
    "long ints of 9": filled(b"](", b"\x8a\x09" + b"\x7f" * 9, b"e"),
    "memoized lists": filled(b"](", b"]\x94", b"e"),
    "memoized nones": filled(b"](", b"N\x94", b"e"),
    "memo, one entry": filled(b"](N\x94", b"h\0", b"e"),
    "memo at random": many(b"", memo_at_random(), b"N"),
    "memo of 60 levels": b"\x80\x04)"
        + b"".join(b"\x94h%c\x86" % i for i in range(60)) + b".",
    "memo of 200 levels": bomb(),
    "int of 1 MiB": b"\x80\x04\x8b" + struct.pack("<I", LEN) + b"\x7f" * LEN + b".",
    "ints of 1700 bytes": filled(
        b"](", b"\x8b" + struct.pack("<I", 1700) + b"\x7f" * 1700, b"e"),
    "floats of 17 digits": filled(
        b"](", b"G" + struct.pack(">d", 1.7976931348623157e308), b"e"),
    "text to be escaped": b"\x80\x04X" + struct.pack("<I", LEN // 4 * 4)
        + "\U000e0001".encode() * (LEN // 4) + b".",
    "dict, powers of 2": many(b"}(", scattered(), b"u"),
    "dict, 2**61 - 1": many(b"}(", modulo_2_61(), b"u"),
    "dict, floats": many(b"}(", halves(), b"u"),
    "dict, long keys": many(b"}(", long_keys(), b"u"),
    "dict, one key": same_long_key(16),
    "dict, one key of 64K": same_long_key(1 << 16),
    "dict, one key of 512K": same_long_key(1 << 19),
    "dict, deep tuple": fresh_tuple_keys(),
    "frozensets, nested": nested_frozensets(),
    "popped": filled(b"", b"N0", b"N"),
    "lists, popped": filled(b"", b"]0", b"N"),
    "mark and list": filled(b"", b"]("),
}


def main():
    worst = {}
    n_beyond = 0
    for name, data in FAMILIES.items():
        run = subprocess.run([sys.argv[1]], input=data, stdout=subprocess.PIPE)
        if run.returncode == 77:
            print("the kernel does not set back a peak here")
            sys.exit(77)
        if run.returncode != 0:
            print("DIFFERENCE", name, "the driver ended with", run.returncode)
            n_beyond += 1
            continue
        r, kib, *ms = map(float, run.stdout.split())
        if "--table" in sys.argv:
            print("%-24s%6d %7d KiB, ms: %s" % (
                name, r, kib, " ".join("%7.1f" % m for m in ms)))
        if kib > 64 * len(data) / 1024 + SLACK_KIB or max(ms) > MOST_MS:
            print("BEYOND", name, r, kib, "KiB,", ms, "ms")
            n_beyond += 1
        for what, cost in (("memory, KiB", kib), *zip((
                "decoding, ms", "comparing, ms", "printing, ms",
                "freeing, ms"), ms)):
            worst[what] = max(worst.get(what, (0, "")), (cost, name))
    for what, (cost, name) in worst.items():
        print("most %s: %.0f (%s)" % (what, cost, name))
    print("%d inputs, %d beyond the bounds" % (len(FAMILIES), n_beyond))
    sys.exit(n_beyond != 0)


main()
