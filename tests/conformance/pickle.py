#!/usr/bin/python3
"""CPython is the oracle for chute's codec.

    tests/conformance/pickle.py DRIVER [--objects N] [--seed N]

DRIVER is pickle-driver.c, built: it decodes a pickle, prints the value, and
encodes it again. For each object, pickled by CPython in protocols 2 to 5,

  - what was printed has to be repr() of the object,
  - what was encoded again has to load as an equal object: types, bits of
    floats, order of dicts, and which parts are one object.

First come the cases that people thought of, in tables; then objects at random;
then pickles with random damage, of which chute may refuse more than CPython,
but never take what CPython refuses or reads differently.
"""

import sys

sys.path.append(sys.path.pop(0))  # last, for "pickle" is not this file

import argparse
import pickle
import pickletools
import resource

from codec_maker import Maker
from codec_oracle import (
    ECYCLE, ELIMIT, ENOTPLAIN, EPICKLE, Driver, only_plain, same)

# Python source of objects.
CASES = """
None
True
False
0
1
-1
255
256
65535
65536
2**31 - 1
2**31
-2**31
-2**31 - 1
2**63 - 1
2**63
-2**63
-2**63 - 1
2**64
-2**64
10**18
10**100
-10**100
10**4299
-(10**4300 - 1)
[s * 2**n + d for n in range(0, 200) for d in (-1, 0, 1) for s in (-1, 1)]
[s * (256**n + d) for n in (254, 255, 256, 257) for d in (-1, 0, 1) for s in (-1, 1)]
0.0
-0.0
1.0
-1.5
0.1
1e15
1e16
123456789012345.6
1234567890123456.7
12345678901234567.0
1e22
1e23
1e-4
1e-5
0.00012345
0.000012345
5e-324
1.7976931348623157e308
2.2250738585072014e-308
float('inf')
float('-inf')
float('nan')
[2.0**n for n in range(-1074, 1024)]
[-(2.0**n) * 1.1 for n in range(-1074, 1023)]
[10.0**n for n in range(-320, 309)]
[n / 10 for n in range(1000)]
[math.nextafter(2.0**n, d) for n in range(-1000, 1000) for d in (0, math.inf)]
''
'a'
'hello'
'x' * 255
'x' * 256
'x' * 65536
"it's"
'say "hi"'
'it\\'s "both"'
'back\\\\slash'
'tab\\t newline\\n return\\r'
'nul\\0 inside'
'\\x7f\\x80\\x9f\\xa0\\xad\\xff'
'é ü ß Ω 中文'
'\\u200b\\u2028\\ufeff\\uffff'
'\\U0001f600 \\U000e0001 \\U0010ffff'
'\\ud800'
'\\udfff'
'\\ud83d\\ude00'
'a\\ud800b\\udc80c'
''.join(map(chr, range(0x300)))
[chr(c) for c in range(0, 0x110000, 37)]
[chr(c) for c in range(0xd7f0, 0xe010)]
b''
b'a'
b'hello'
bytes(range(256))
b"it's"
b'say "hi"'
b'it\\'s "both"'
b'x' * 255
b'x' * 256
b'x' * 70000
bytearray()
bytearray(b'a')
bytearray(range(256))
bytearray(b"it's")
bytearray(b'say "hi"')
bytearray(b'it\\'s "both"')
[bytearray(b'a'), b'a', bytearray(b'a'), 'a']
[]
[1]
[1, 2]
[42, None, 'hello']
[[]]
[[], [[]], [[], [[]]]]
list(range(999))
list(range(1000))
list(range(1001))
list(range(2001))
[[i] for i in range(3000)]
()
(1,)
(1, 2)
(1, 2, 3)
(1, 2, 3, 4)
((),)
tuple(range(1001))
{}
{1: 2}
{'a': 1, 'b': 2}
{'b': 1, 'a': 2}
{(1, (2, (3,))): [4]}
{None: 0, True: 1, 2: 2, 3.5: 3, 'x': 4, b'x': 5, (): 6, frozenset(): 7}
{i: str(i) for i in range(8)}
{i: str(i) for i in range(9)}
{str(i): i for i in range(1000)}
{str(i): i for i in range(1001)}
{i / 8: i for i in range(5000)}
{2**i: i for i in range(300)}
{float(2**i): i for i in range(300)}
{(i, str(i)): i for i in range(2000)}
{float('nan'): 1, float('nan'): 2}
set()
{1}
{1, 2, 3}
{'a', 'b'}
set(range(1001))
{(), (1,), frozenset({1})}
frozenset()
frozenset({1})
frozenset({1, 'a', None})
frozenset(range(1001))
frozenset({frozenset({frozenset()})})
{frozenset({i, i + 1}) for i in range(100)}
[(1, [2, {3: {4, frozenset({5})}}], b'6', bytearray(b'7'), '8', 9.0)]
shared([1])
shared({'a': 1})
shared({1})
shared((1, 2))
shared(frozenset({1}))
shared('hello')
shared(b'hello')
shared(bytearray(b''))
shared(10**50)
shared(())
[{'name': 'x', 'value': i} for i in range(500)]
[shared([i]) for i in range(300)]
[shared('text%d' % i) for i in range(300)]
dag(50)
nested(300)
"""

# Pickles by hand: what chute has to answer, a failure or the text printed, and
# why.
RAW = [
    (b"", EPICKLE, "nothing"),
    (b"\x80\x04", EPICKLE, "no stop"),
    (b"\x80\x04N", EPICKLE, "no stop"),
    (b"\x80\x04.", EPICKLE, "nothing on the stack"),
    (b"\x80\x04NN.", EPICKLE, "two objects"),
    (b"\x80\x04N.N", EPICKLE, "something after the end"),
    (b"\x80\x04(N.", EPICKLE, "a mark is left"),
    (b"\x80\x06N.", EPICKLE, "protocol 6"),
    (b"\x80\x00N.", "None", "protocol 0"),
    (b"N.", "None", "no protocol"),
    (b"\x80\x04\x80\x05N.", "None", "two protocols"),
    (b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00N.", "None", "empty frame"),
    (b"\x80\x04\x95\xff\x00\x00\x00\x00\x00\x00\x00N.", EPICKLE, "long frame"),
    (b"\x80\x04\x8a\x00.", "0", "long of no bytes"),
    (b"\x80\x04\x8a\x03\x01\x00\x00.", "1", "long with zeros in front"),
    (b"\x80\x04\x8a\x03\xff\xff\xff.", "-1", "long with ones in front"),
    (b"\x80\x04\x8b\xff\xff\xff\xff.", EPICKLE, "long of -1 bytes"),
    (b"\x80\x04\x8b\x00\x00\x00\x00.", "0", "long4 of no bytes"),
    (b"\x80\x04\x8e" + b"\xff" * 8 + b".", EPICKLE, "2**64 - 1 bytes"),
    (b"\x80\x04\x8d" + b"\xff" * 8 + b".", EPICKLE, "2**64 - 1 of text"),
    (b"\x80\x05\x96" + b"\xff" * 8 + b".", EPICKLE, "2**64 - 1 in bytearray"),
    (b"\x80\x04\x8c\x02\xc0\x80.", EPICKLE, "overlong UTF-8"),
    (b"\x80\x04\x8c\x01\xff.", EPICKLE, "not UTF-8"),
    (b"\x80\x04\x8c\x04\xf4\x90\x80\x80.", EPICKLE, "beyond U+10FFFF"),
    (b"\x80\x04\x8c\x03\xed\xa0\x80.", "'\\ud800'", "a surrogate"),
    (b"\x80\x04](e.", "[]", "mark and nothing"),
    (b"\x80\x04}(u.", "{}", "mark and nothing"),
    (b"\x80\x04\x8f(\x90.", "set()", "mark and nothing"),
    (b"\x80\x04(\x91.", "frozenset()", "mark and nothing"),
    (b"\x80\x04(t.", "()", "mark and nothing"),
    (b"\x80\x04}(K\x01u.", EPICKLE, "a key without a value"),
    (b"\x80\x04}]Ns.", EPICKLE, "a list as key"),
    (b"\x80\x04}]\x85Ns.", EPICKLE, "a list in a tuple as key"),
    (b"\x80\x04\x8f(]\x90.", EPICKLE, "a list in a set"),
    (b"\x80\x05(\x96" + b"\x00" * 8 + b"\x91.", EPICKLE, "bytearray in a set"),
    (b"\x80\x04}K\x01K\x02s\x88K\x03sG?\xf0" + b"\x00" * 6 + b"K\x04s.",
     "{1: 4}", "1, True and 1.0"),
    (b"\x80\x04\x8f(G\x80" + b"\x00" * 7 + b"K\x00\x89\x90.", "{-0.0}", "0"),
    (b"\x80\x04Na.", EPICKLE, "append to None"),
    (b"\x80\x04a.", EPICKLE, "append to nothing"),
    (b"\x80\x04](Na.", EPICKLE, "append across a mark"),
    (b"\x80\x04h\x00.", EPICKLE, "get what was not put"),
    (b"\x80\x04\x94N.", EPICKLE, "memoize nothing"),
    (b"\x80\x04NNNN\x87.", EPICKLE, "a tuple of three, and one"),
    (b"\x80\x04(Nq\x05\x88\x94h\x01h\x05t.", "(None, True, True, None)",
     "memoize counts entries"),
    (b"\x80\x04]r\xff\xff\xff\xff0j\xff\xff\xff\xff.", "[]", "index 2**32-1"),
    (b"\x80\x04N0K\x01.", "1", "pop"),
    (b"\x80\x04(NN1K\x01.", "1", "pop a mark"),
    (b"\x80\x04K\x01(0.", "1", "pop of a mark alone"),
    (b"\x80\x040.", EPICKLE, "pop nothing"),
    (b"\x80\x04]\x94h\x00a.", ECYCLE, "a list in itself"),
    (b"\x80\x04}\x94K\x01h\x00s.", ECYCLE, "a dict in itself"),
    (b"\x80\x04]\x94]\x94h\x00ah\x00h\x01a\x87.", ECYCLE, "two in each other"),
    (b"\x80\x04]\x94h\x00K\x01a\x86.", "([1], [1])", "late, but no cycle"),
    (b"\x80\x04]\x94h\x00\x85a.", ECYCLE, "a list in a tuple in itself"),
    (b"\x80\x04N]\x94h\x00a0.", ECYCLE, "a cycle thrown away"),
    (b"\x80\x02cos\nsystem\n.", ENOTPLAIN, "a global"),
    (b"\x80\x02c__builtin__\nset\n]\x85R.", "set()", "Python 2's name"),
    (b"c__builtin__\nset\n]\x85R.", "set()", "Python 2's name, no protocol"),
    (b"\x80\x04c__builtin__\nset\n]\x85R.", ENOTPLAIN,
     "Python 2's name in protocol 4"),
    (b"\x80\x02c__builtin__\nset\n.", ENOTPLAIN, "a class as data"),
    (b"\x80\x02]c__builtin__\nset\na.", ENOTPLAIN, "a class in a list"),
    (b"\x80\x02c__builtin__\nset\n\x85.", ENOTPLAIN, "class in tuple"),
    (b"\x80\x02c__builtin__\nset", EPICKLE, "a global cut off"),
    (b"\x80\x02c__builtin__\nset\nN\x85R.", ENOTPLAIN, "set(None)"),
    (b"\x80\x02c__builtin__\nset\n]]a\x85R.", EPICKLE, "set([[]])"),
    (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", ENOTPLAIN, "a global"),
    (b"\x80\x04N)\x81.", ENOTPLAIN, "newobj"),
    (b"\x80\x04Nb.", ENOTPLAIN, "build"),
    (b"\x80\x02Px\n.", ENOTPLAIN, "persid"),
    (b"\x80\x02NQ.", ENOTPLAIN, "binpersid"),
    (b"\x80\x02\x82\x01.", ENOTPLAIN, "ext1"),
    (b"\x80\x05\x97.", ENOTPLAIN, "a buffer out of band"),
    (b"I1\n.", EPICKLE, "protocol 0"),
    (b"S'a'\n.", EPICKLE, "protocol 0"),
    (b"\x80\x02U\x01a.", EPICKLE, "str of Python 2"),
    (b"\x80\x02N2\x86.", EPICKLE, "dup"),
    (b"\xff", EPICKLE, "garbage"),
    (b'{"json": 1}', EPICKLE, "garbage"),
    (b"\x80\x04(" + b"]" * 50000 + b"t.", "(" + ", ".join(["[]"] * 50000) + ")",
     "many lists"),
    (b"\x80\x04" + b"]" * 1000000 + b"a" * 999999 + b".",
     "[" * 1000000 + "]" * 1000000, "a million levels"),
    (b"\x80\x04)" + b"\x85" * 1000000 + b".",
     "(" * 1000001 + ")" + ",)" * 1000000, "a million tuples"),
    (b"\x80\x04)\x94h\x00\x86.", "((), ())", "the empty tuple twice"),
    (b"\x80\x04]" + b"".join(b"\x94h%c\x86" % i for i in range(60)) + b".",
     ELIMIT, "2**60 leaves"),
]


# -- objects at random -------------------------------------------------------


def shared(x):
    return [x, x, (x, x), {1: x}]


def dag(n):
    x = []
    for _ in range(n):
        x = [x]
    return shared(x)


def nested(n):
    x = None
    for i in range(n):
        x = [x] if i % 2 else (x,)
    return x


# -- the checks --------------------------------------------------------------


class Check:
    def __init__(self, driver):
        self.driver = driver
        self.n_objects = 0
        self.n_differences = 0

    def differs(self, what, *details):
        self.n_differences += 1
        if self.n_differences <= 20:
            print("DIFFERENCE", what, *(repr(d)[:400] for d in details))

    def object(self, x, data):
        """data is x's pickle."""
        self.n_objects += 1
        r, position, text, again = self.driver.ask(data)
        if r != 0:
            return self.differs("refused", r, position, x, data)
        if text != repr(x):
            return self.differs("printed", text, x, data)
        for loads in (pickle.loads, pickle._loads):
            if not same(loads(again), pickle.loads(data)):
                return self.differs("encoded", again, x, data)

    def raw(self, data, expected, why):
        self.n_objects += 1
        r, position, text, again = self.driver.ask(data)
        if isinstance(expected, str):
            if r != 0 or text != expected:
                self.differs(why, data, r, position, text)
        elif r != expected:
            self.differs(why, data, r, position)
        if r < 0 and position > len(data):
            self.differs(why + ": position", data, position)

    def damaged(self, data):
        """Whatever chute takes, CPython has to take for the same."""
        self.n_objects += 1
        r, position, text, again = self.driver.ask(data)
        if r < 0 and position > len(data):
            return self.differs("position", data, position)
        if r != 0:
            return None
        try:
            x = pickle.loads(data)
        except MemoryError:  # its memo is an array as long as the index
            return None
        except Exception as e:
            return self.differs("taken", e, data, text)
        if not same(pickle.loads(again), x):
            return self.differs("damaged, encoded", again, x, data)
        if "{" not in text and "set(" not in text and text != repr(x):
            return self.differs("damaged, printed", text, x, data)
        return None


def cases(check):
    import math

    names = dict(shared=shared, dag=dag, nested=nested, math=math)
    for source in CASES.strip().splitlines():
        x = eval(source, names)
        for protocol in range(2, 6):
            for dumps in (pickle.dumps, pickle._dumps):
                data = dumps(x, protocol)
                check.object(x, data)
                check.object(x, pickletools.optimize(data))
    for data, expected, why in RAW:
        check.raw(data, expected, why)


def at_random(check, n, seed):
    maker = Maker(seed)
    for i in range(n):
        x = maker.object()
        data = maker.pickle(x)
        check.object(x, data)
        if i % 2 == 0:
            check.damaged(maker.damage(data))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--objects", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    driver = Driver(options.driver)
    check = Check(driver)
    # A damaged pickle may ask CPython for any class and any amount of memory.
    sys.addaudithook(only_plain)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    cases(check)
    at_random(check, options.objects, options.seed)
    status = driver.close()
    if status != 0:
        check.differs("the driver ended with", status)
    print(
        "%d objects, %d differences" % (check.n_objects, check.n_differences)
    )
    sys.exit(check.n_differences != 0)


main()
