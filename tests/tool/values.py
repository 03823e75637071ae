"""values.py - values as JSON, compared with Python's own json, both ways."""
import json
import math
import random

import tool
from tool import chute, test

TAG = "__python__"


def expected(value):
    """What chute has to write, in Python's words."""
    if isinstance(value, (list, tuple)):
        return [expected(v) for v in value]
    if isinstance(value, dict):
        plain = all(isinstance(k, str) and "\0" not in k and not lone(k) for k in value)
        if plain and list(value) != [TAG]:
            return {k: expected(v) for k, v in value.items()}
    elif value is None or isinstance(value, bool):
        return value
    elif isinstance(value, int) and -2**63 <= value < 2**63:
        return value
    elif isinstance(value, float) and math.isfinite(value):
        return value
    elif isinstance(value, str) and not lone(value):
        return value
    return {TAG: repr(value)}


def lone(text):
    return any(0xd800 <= ord(c) < 0xe000 for c in text)


def untupled(value):
    """Arrays come back as lists."""
    if isinstance(value, (list, tuple)):
        return [untupled(v) for v in value]
    if isinstance(value, dict) and expected(value) != {TAG: repr(value)}:
        return {k: untupled(v) for k, v in value.items()}
    return value


SPECIAL = [
    None, True, False, 0, -1, 2**63 - 1, -2**63, 2**63, -2**63 - 1, 10**40, 0.1, -0.0, 1e300,
    5e-324, 1e16, 123456789.125, math.inf, -math.inf, "", "\0", "\x7f\x1f\\\"/", "\u2028é\U0001f600",
    "\ud800", b"", b"\x00\xff", bytearray(b"x"), set(), {1}, frozenset({2}), (), [], {}, {"a\0": 1},
    {1: 2}, {TAG: "1"}, {TAG: 1}, {TAG: "x", "y": 1}, {"\udc00": 1}, [[[(1,), {"a": {"b": b"c"}}]]],
]


def random_value(rng, depth=0):
    kind = rng.randrange(14 if depth < 4 else 9)
    if kind < 3:
        return rng.choice(SPECIAL[:31])
    if kind < 5:
        return rng.randrange(-2**65, 2**65) >> rng.randrange(66)
    if kind < 6:
        return rng.uniform(-1, 1) * 10.0 ** rng.randrange(-300, 300)
    if kind < 9:
        return "".join(chr(rng.choice([rng.randrange(128), rng.randrange(0x3000), 0x1f600]))
                       for _ in range(rng.randrange(6))).encode("utf-8", "ignore").decode()
    n = rng.randrange(4)
    if kind < 11:
        return [random_value(rng, depth + 1) for _ in range(n)]
    if kind < 12:
        return tuple(random_value(rng, depth + 1) for _ in range(n))
    return {random_value(rng, 9) if rng.random() < 0.1 and n == 1 else f"k{i}":
            random_value(rng, depth + 1) for i in range(n)}


def check(values):
    chute("create", "q", "-e")
    chute("put", "q", stdin="".join(f"{v!r}\n" for v in values).encode("utf-8", "surrogatepass"))
    o = chute("drain", "q", "--json", err="")
    lines = o.raw.decode().split("\n")[:-1]
    got = [json.loads(line) for line in lines]
    for value, one in zip(values, got, strict=True):
        assert repr(one) == repr(expected(value)), (value, one)
    # And back.
    chute("put", "q", "--json", stdin=o.raw, err="")
    back = chute("drain", "q", err="").raw.decode().split("\n")[:-1]
    names = {"inf": math.inf, "nan": math.nan}
    for value, text in zip(values, back, strict=True):
        assert repr(eval(text, names)) == repr(untupled(value)), (value, text)


@test
def special_values():
    check(SPECIAL)


@test
def random_values():
    rng = random.Random(7)
    values = []
    while len(values) < 2000:
        try:
            values.append(random_value(rng))
        except TypeError:  # an unhashable key
            pass
    check(values)


@test
def nan_and_depth():
    chute("create", "q")
    chute("put", "q", "nan", "[" * 500 + "]" * 500)
    one, deep = chute("drain", "q", "--json").lines
    assert json.loads(one) == {TAG: "nan"}
    chute("put", "q", "--json", deep)
    chute("get", "q", out="[" * 500 + "]" * 500 + "\n")


@test
def json_of_others():
    """Whatever Python's json writes is read; numbers, too, that C cannot hold as they are."""
    chute("create", "q")
    documents = ['{"a": 1, "a": 2}', ' [ 1 , 2.50 ] ', '"\\u00e9\\ud83d\\ude00"', "1e3", "-0",
                 '"\\u0000"']
    chute("put", "q", "--json", "--", *documents)
    got = [eval(line) for line in chute("drain", "q").lines]
    assert got == [json.loads(d) for d in documents], got
    for bad in ("", "[1,]", "nan", "{'a':1}", '"\\ud800"', "1 2", '{"%s": "1+"}' % TAG,
                "[" * 5000, "9" * 400):
        chute("put", "q", "--json", "--", bad, status=1, err="not JSON")
    chute("ls", "-l")


tool.main()
