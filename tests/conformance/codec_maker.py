"""Objects of plain data, at random, and their pickles."""

import pickle
import pickletools
import random
import struct


class Maker:
    """Makes objects. Some parts are used more than once."""

    CHARS = (
        list(map(chr, range(128)))
        + list("äöüß'\"\\\n\t\0éΩ中文\x85\xa0\xad\u200b\u3000\ue000\ufeff\uffff")
        + list("\ud800\udbff\udc00\udfff\U0001f600\U000e0001\U0010ffff")
    )

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.used = []

    def integer(self):
        bits = self.random.choice((1, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 200))
        i = self.random.getrandbits(bits) + self.random.randint(-2, 2)
        return self.random.choice((1, -1)) * i

    def number(self):
        kind = self.random.randrange(5)
        if kind == 0:
            bits = self.random.getrandbits(64)
            return struct.unpack(">d", struct.pack(">Q", bits))[0]
        if kind == 1:
            return self.random.choice((0.0, -0.0, 1.0, 1e16, 0.1, float("inf")))
        if kind == 2:
            return self.random.randint(-9999, 9999) / 100
        if kind == 3:
            return float(self.random.getrandbits(70))
        return self.random.uniform(-1, 1) * 10.0 ** self.random.randint(-30, 30)

    def length(self):
        return self.random.choice((0, 1, 2, 3, 4, 5, 8, 20))

    def string(self):
        n = self.length()
        if self.random.random() < 0.5:
            return "".join(self.random.choices("abcdefgh", k=n))
        return "".join(self.random.choices(self.CHARS, k=n))

    def data(self):
        return self.random.randbytes(self.length())

    def leaf(self):
        return self.random.choice((
            lambda: None,
            lambda: self.random.random() < 0.5,
            self.integer,
            self.integer,
            self.number,
            self.string,
            self.string,
            self.data,
        ))()

    def hashable(self, depth):
        kind = self.random.randrange(8) if depth > 0 else 7
        n = self.random.randrange(4)
        if kind == 0:
            return tuple(self.hashable(depth - 1) for _ in range(n))
        if kind == 1:
            return frozenset(self.hashable(depth - 1) for _ in range(n))
        return self.leaf()

    def fresh(self, depth):
        kind = self.random.randrange(14) if depth > 0 else 13
        n = self.random.randrange(6)
        if self.random.random() < 0.01:
            n = self.random.choice((8, 9, 10, 50, 1001))
            depth = min(depth, 1)
        if kind in (0, 1, 2):
            return [self.any(depth - 1) for _ in range(n)]
        if kind in (3, 4):
            return tuple(self.any(depth - 1) for _ in range(n))
        if kind in (5, 6, 7):
            return {
                self.hashable(depth - 1): self.any(depth - 1) for _ in range(n)
            }
        if kind == 8:
            return {self.hashable(depth - 1) for _ in range(n)}
        if kind == 9:
            return frozenset(self.hashable(depth - 1) for _ in range(n))
        if kind == 10:
            return bytearray(self.data())
        return self.leaf()

    def any(self, depth):
        if self.used and self.random.random() < 0.1:
            return self.random.choice(self.used)
        x = self.fresh(depth)
        if self.random.random() < 0.2:
            self.used.append(x)
        return x

    def object(self):
        self.used = []
        return self.any(self.random.randrange(5))

    def pickle(self, x):
        protocol = self.random.randrange(2, 6)
        dumps = pickle.dumps
        if self.random.random() < 0.2:
            dumps = pickle._dumps
        data = dumps(x, protocol)
        if self.random.random() < 0.05:
            data = pickletools.optimize(data)
        return data

    def damage(self, data):
        data = bytearray(data)
        for _ in range(self.random.randint(1, 3)):
            i = self.random.randrange(len(data))
            kind = self.random.randrange(4)
            if kind == 0:
                data[i] = self.random.randrange(256)
            elif kind == 1:
                data[i] = self.random.choice(b"().01NK]}ae\x85\x86\x94htusqR\x90")
            elif kind == 2:
                j = min(len(data), i + self.random.randrange(1, 8))
                del data[i:j]
            else:
                j = min(len(data), i + self.random.randrange(1, 8))
                k = self.random.randrange(len(data))
                data[k:k] = data[i:j]
            if not data:
                return b"."
        return bytes(data)
