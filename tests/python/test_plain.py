#!/usr/bin/python3
"""The short way of small plain data (ext/plain.c), with pickle as the judge."""
import os
import pickle
import random
import struct
import sys
import unittest

from chute import _chute

import tap

N = int(os.environ.get("CHUTE_TEST_OBJECTS", "30000"))
SEED = random.randrange(1 << 30)
PROTOCOLS = 2, 3, 4, 5

INTS = [s * (2**k + d) for k in range(66) for d in (-1, 0, 1) for s in (-1, 1)]
SCALARS = [
    None, True, False, *INTS, 0.0, -0.0, 1.5, float("inf"), 5e-324, "", "a",
    "\0", "\u20ac", "\ud800", "x" * 255, "x" * 256, b"", b"\0\xff", b"y" * 255,
    b"y" * 256,
]
OTHERS = [bytearray(b"x"), {1, 2}, frozenset([1]), 1j, range(3), Ellipsis]


def same(a, b):
    """Equal, of the same types, to the bit, and in the same order."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    return a == b


def fresh(rng, levels):
    """An object in which no container is held twice."""
    kind = rng.randrange(10) if levels else 0
    n = rng.choice([0, 1, 2, 3, 4, 7])
    if kind < 4:
        return rng.choice(SCALARS)
    if kind < 6:
        return [fresh(rng, levels - 1) for _ in range(n)]
    if kind < 8:
        return tuple(fresh(rng, levels - 1) for _ in range(n))
    if kind < 9:
        return {rng.choice(SCALARS): fresh(rng, levels - 1) for _ in range(n)}
    return rng.choice(OTHERS)


class TestPlain(unittest.TestCase):
    def check(self, x):
        """Whatever way is taken, x comes out as it was. How many were short."""
        ours = _chute._plain_dumps(x)
        if ours is not None:
            self.assertTrue(same(pickle.loads(ours), x), x)
            self.assertTrue(same(pickle._loads(ours), x), x)
            got = _chute._plain_loads(ours)
            self.assertIsNotNone(got, x)
            self.assertTrue(same(got[0], x), x)
        for protocol in PROTOCOLS:
            got = _chute._plain_loads(pickle.dumps(x, protocol))
            if got is not None:
                self.assertTrue(same(got[0], x), x)
        return ours is not None

    def test_each_scalar(self):
        for x in SCALARS:
            short = self.check(x)
            self.assertEqual(short, not (
                isinstance(x, int) and not -2**63 <= x < 2**63
                or isinstance(x, str) and not x.isascii()), x)
        for x in OTHERS:
            self.assertFalse(self.check(x))

    def test_at_random(self):
        rng = random.Random(SEED)
        n_short = sum(self.check(fresh(rng, 4)) for _ in range(N))
        self.assertGreater(n_short, N // 10)

    def test_what_is_shared_goes_the_long_way(self):
        part, pair = [1], (1, 2)
        loop = []
        loop.append(loop)
        for x in [part, part], (part, part), {1: pair, 2: pair}, loop, [loop]:
            self.assertIsNone(_chute._plain_dumps(x))
        self.assertIsNone(_chute._plain_loads(pickle.dumps([part, part])))
        self.assertIsNone(_chute._plain_loads(pickle.dumps(loop)))
        self.assertIsNotNone(_chute._plain_dumps([[1], [1]]))

    def test_classes_go_the_long_way(self):
        class Int(int):
            pass

        class List(list):
            pass

        for x in Int(1), List(), [Int(1)], {Int(1): 1}, [List()]:
            self.assertIsNone(_chute._plain_dumps(x))

    def test_how_large_and_how_deep(self):
        self.assertIsNone(_chute._plain_dumps(b"x" * 2048))
        self.assertIsNotNone(_chute._plain_dumps(b"x" * 2040))
        self.assertIsNone(_chute._plain_dumps([0] * 2048))
        for levels, short in (8, True), (9, False):
            x = 1
            for _ in range(levels):
                x = [x]
            # Each level is held by the next one alone.
            self.assertEqual(self.check(x), short)
        for n in 255, 256, 257, 2042:
            self.assertTrue(self.check([None] * n))

    def test_damaged_ones(self):
        """Whatever the bytes: what comes out is what pickle makes of them."""
        rng = random.Random(SEED)
        n_agreed = 0
        for _ in range(N):
            x = fresh(rng, 3)
            data = bytearray(pickle.dumps(x, rng.choice(PROTOCOLS))
                             if rng.randrange(2) else
                             _chute._plain_dumps(x) or b"\x80\x04N.")
            if len(data) > 500:
                continue
            for _ in range(rng.randrange(1, 4)):
                where = rng.randrange(len(data))
                match rng.randrange(3):
                    case 0:
                        data[where] = rng.randrange(256)
                    case 1:
                        del data[where:where + rng.randrange(1, 5)]
                    case 2:
                        data[where:where] = bytes([rng.choice(b"(.aeustN]})K\x94\x85")])
                if not data:
                    data = bytearray(b".")
            got = _chute._plain_loads(bytes(data))
            if got is not None:
                self.assertTrue(same(pickle.loads(bytes(data)), got[0]), bytes(data))
                n_agreed += 1
        self.assertGreater(n_agreed, N // 100)

    def test_none_of_these(self):
        for data in (b"", b".", b"(.", b"(", b"N", b"NN.", b"(N.", b"t.", b"e.",
                     b"]a.", b"](Ne", b"Na.", b"NNs.", b"}(Nu.", b"}N(Nu.",
                     b"(]Na.", b"]N(a.", b"\x85.", b"N\x86.", b"(N\x86.",
                     b"}]Ns.", b"K", b"M\0.", b"C\5abc.", b"X\xff\xff\xff\xffa.",
                     b"\x8c\1\xff.", b"\x8a\x09" + bytes(9) + b".", b"\x80\x06N.",
                     b"\x95\0\0.", b"h\0.", b"(" * 9 + b"N.", b"N" * 300 + b"."):
            self.assertIsNone(_chute._plain_loads(data), data)
        self.assertEqual(_chute._plain_loads(b"\x8a\0."), (0,))
        self.assertEqual(_chute._plain_loads(b"](e."), ([],))
        self.assertEqual(_chute._plain_loads(b"(t."), ((),))

    def test_nothing_is_left_behind(self):
        values = [b"\x80\x04](N]N(Ke", b"}(]Nu.", b"]NNa", pickle.dumps([[], {}])]
        for data in values:
            _chute._plain_loads(data)
        before = sys.getrefcount(None)
        for _ in range(100):
            for data in values:
                _chute._plain_loads(data)
        self.assertLess(abs(sys.getrefcount(None) - before), 5)


if __name__ == "__main__":
    print(f"# seed {SEED}", flush=True)
    tap.main()
