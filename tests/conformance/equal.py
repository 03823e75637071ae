#!/usr/bin/python3
"""Is chute's == Python's? Every pair of a set of values that are easy to get
wrong, compared by both.

    tests/conformance/equal.py DRIVER

DRIVER is equal-driver.c, built. Each value is compared with each other, once
between two copies of the list and once within one, where nan is itself.
"""

import sys

sys.path.append(sys.path.pop(0))  # last, for "pickle" is not pickle.py

import pickle
import subprocess

NAN = float("nan")

ATOMS = [
    None, False, True, 0, 1, -1, 2, 0.0, -0.0, 1.0, -1.0, 2.0, 0.5, NAN, -NAN,
    float("inf"), float("-inf"), 5e-324,
    2**31, 2.0**31, -(2**31), -(2.0**31),
    2**53 - 1, 2**53, 2**53 + 1, 2.0**53, 2.0**53 + 2, -(2**53) - 1, -(2.0**53),
    2**63 - 1, 2**63, 2.0**63, -(2**63), -(2**63) - 1, -(2.0**63),
    2**64 - 1, 2**64, 2.0**64, 2**1023, 2.0**1023, 2**1023 + 1, 2**1024, 10**400,
    10**22, 1e22, 10**23, 1e23, int(1e23), -(10**400),
    int(1.7976931348623157e308), 1.7976931348623157e308,
    "", "a", "1", "b", "\0", "\ud800", "\xe9", "e\u0301",
    b"", b"a", b"1", b"\0", b"\xe9", b"\xc3\xa9",
    bytearray(), bytearray(b"a"), bytearray(b"\0"),
    (), [], {}, set(), frozenset(),
]

BOXES = [
    (1,), (True,), (1.0,), (0,), (0.0,), (-0.0,), (NAN,), [NAN], [1], [1.0], [True],
    (1, 2), (2, 1), [1, 2], (1, 2, 3), ("a",), (b"a",), [b"a"], [bytearray(b"a")],
    {1: 2}, {True: 2.0}, {1.0: 2}, {2: 1}, {1: NAN}, {NAN: 1}, {"a": 1}, {b"a": 1},
    {1: 2, 3: 4}, {3: 4, 1: 2}, {1: 2, 3: 5}, {(): []}, {(): ()}, {(1,): [True]},
    {1}, {True}, {1.0}, frozenset({1}), frozenset({1.0}), {0}, {-0.0}, {NAN},
    frozenset({NAN}), {1, 2}, {2, 1}, {2.0, True}, frozenset({1, 2}), {"a"}, {b"a"},
    {2**53 + 1}, {2.0**53}, {2**53}, {2**1023}, {2.0**1023}, {-1}, {-2}, {-1.0, -2.0},
    {frozenset({1})}, {frozenset({True})}, frozenset({frozenset({1.0})}),
    {frozenset(), ()}, {(), frozenset()}, {(1, frozenset({2}))}, {(1.0, frozenset({2.0}))},
    [[], ()], [(), []], [set()], [frozenset()], [{}], ([],), ({},), (set(),),
    [[[[1]]]], [[[[1.0]]]], [[[[2]]]], {1: {1: {1: 1}}}, {1: {1: {1: True}}},
    set(range(100)), frozenset(map(float, range(100))), set(range(1, 101)),
    dict.fromkeys(range(100)), dict.fromkeys(reversed(range(100))),
    dict.fromkeys(map(float, range(100))),
]


def main():
    values = ATOMS + BOXES
    values += [[x] for x in ATOMS] + [{"k": x} for x in ATOMS]
    data = pickle.dumps(values, 4)
    a, b = pickle.loads(data), pickle.loads(data)
    expected = [(x, y) for other in (b, a) for x in a for y in other]
    answers = subprocess.run(
        [sys.argv[1]], input=data, stdout=subprocess.PIPE, check=True).stdout
    if len(answers) != len(expected):
        sys.exit("%d answers for %d pairs" % (len(answers), len(expected)))

    n_differences = 0
    for (x, y), answer in zip(expected, answers.decode()):
        if answer != "01"[x == y]:
            n_differences += 1
            if n_differences <= 20:
                print("DIFFERENCE", repr(x)[:99], repr(y)[:99], answer)
    print("%d pairs, %d differences" % (len(expected), n_differences))
    sys.exit(n_differences != 0)


main()
