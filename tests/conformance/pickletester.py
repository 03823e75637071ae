#!/usr/bin/python3
"""CPython's own tests of pickle, as pickles for chute's codec.

    tests/conformance/pickletester.py DRIVER

Two sources (Debian: libpython3.11-testsuite):

  - each bytes constant in test.pickletester and test.test_pickle, wherever it
    stands: most are pickles, made by hand to be odd;
  - each pickle that the tests of pickletester themselves make, in every
    protocol: the tests are run, and what they hand to the unpickler is kept.

CPython says what a pickle is. If it holds plain data alone and needs no opcode
but those that CPython still writes in protocols 2 to 5, chute has to take it,
for the same. If not, chute has to refuse it, by the right name where a class is
what it lacks. In between lie pickles of plain data that use what no pickler has
written for years (opcodes of protocols 0 and 1, junk behind the end): these may
be refused, but never be taken for something else.
"""

import sys

sys.path.append(sys.path.pop(0))  # last, for "pickle" is not pickle.py

import contextlib
import io
import pickle
import pickletools
import resource
import types
import unittest

from codec_oracle import (
    ECYCLE, ELIMIT, ENOTPLAIN, EPICKLE, Driver, only_plain, same)

try:
    from test import pickletester, test_pickle
except ImportError:
    print("CPython's tests are not installed")
    sys.exit(77)

NAMED = (EPICKLE, ENOTPLAIN, ECYCLE, ELIMIT)

# What CPython writes of plain data in protocols 2 to 5.
WRITTEN = set(
    "PROTO FRAME STOP NONE NEWTRUE NEWFALSE BININT BININT1 BININT2 LONG1 LONG4 "
    "BINFLOAT SHORT_BINUNICODE BINUNICODE BINUNICODE8 SHORT_BINBYTES BINBYTES "
    "BINBYTES8 BYTEARRAY8 EMPTY_LIST APPEND APPENDS EMPTY_TUPLE TUPLE1 TUPLE2 "
    "TUPLE3 TUPLE EMPTY_DICT SETITEM SETITEMS EMPTY_SET ADDITEMS FROZENSET MARK "
    "POP POP_MARK BINPUT LONG_BINPUT MEMOIZE BINGET LONG_BINGET GLOBAL "
    "STACK_GLOBAL REDUCE".split())

PLAIN_TYPES = (type(None), bool, int, float, str, bytes, bytearray, list, tuple,
               dict, set, frozenset)


# -- the pickles -------------------------------------------------------------


def constants(code, found):
    """The bytes in a code object, in its tuples, and in its functions."""
    for constant in code.co_consts:
        add_constant(constant, found)


def add_constant(constant, found):
    if isinstance(constant, bytes):
        found.add(constant)
    elif isinstance(constant, (tuple, frozenset)):
        for part in constant:
            add_constant(part, found)
    elif isinstance(constant, types.CodeType):
        constants(constant, found)


def literal():
    found = set()
    for module in (pickletester, test_pickle):
        with open(module.__file__) as source:
            constants(compile(source.read(), module.__file__, "exec"), found)
        for value in vars(module).values():  # "..." b"..." put together
            add_constant(value, found)
    return found


class Recorder(pickletester.AbstractPickleTests, unittest.TestCase):
    """The tests with their pickles kept."""

    pickles = set()
    optimized = False
    py_version = sys.version_info
    pickler = pickle._Pickler
    unpickler = pickle._Unpickler

    def dumps(self, arg, proto=None, **options):
        return pickle.dumps(arg, proto, **options)

    def loads(self, data, **options):
        Recorder.pickles.add(bytes(data))
        return pickle.loads(data, **options)


def recorded():
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(Recorder)
    with contextlib.redirect_stderr(io.StringIO()):
        result = unittest.TextTestRunner(stream=io.StringIO()).run(tests)
    return Recorder.pickles, result.testsRun


# -- what CPython says -------------------------------------------------------


def opcodes(data):
    """The names of a pickle's opcodes and where it ends; None: it is none."""
    try:
        steps = [(opcode.name, at) for opcode, _, at in pickletools.genops(data)]
    except Exception:
        return None, 0
    return {name for name, _ in steps}, steps[-1][1] + 1


def is_plain(x, path=()):
    """Whether it is plain data, and does not contain itself."""
    if id(x) in path:
        return False
    if type(x) not in PLAIN_TYPES:
        return False
    if type(x) is dict:
        parts = [part for pair in x.items() for part in pair]
    elif type(x) in (list, tuple, set, frozenset):
        parts = x
    else:
        return True
    return all(is_plain(part, path + (id(x),)) for part in parts)


def loaded(data):
    """What CPython makes of it: a list of one, or of none; None if it cannot
    tell, for its memo is an array as long as the largest index."""
    try:
        return [pickle.loads(data)]
    except MemoryError:
        return None
    except Exception:
        return []


def printed(x):
    """repr(x); None for an int that is too long for it."""
    try:
        return repr(x)
    except ValueError:
        return None


class Check:
    def __init__(self, driver):
        self.driver = driver
        self.taken = self.refused = self.n_differences = 0

    def differs(self, what, *details):
        self.n_differences += 1
        print("DIFFERENCE", what, *(repr(d)[:300] for d in details))

    def pickle(self, data):
        found = loaded(data)
        plain = bool(found) and is_plain(found[0])
        r, position, text, again = self.driver.ask(data)
        if again:  # it was decoded; r is what printing it gave
            self.taken += 1
            if found is not None:
                self.as_taken(data, found[0] if plain else None, plain, r, text,
                              again)
            return
        self.refused += 1
        names, end = opcodes(data)
        if r not in NAMED or position > len(data):
            self.differs("refused without a name", r, position, data)
        elif plain and names is not None and names <= WRITTEN and end == len(data):
            self.differs("refused", r, position, data)

    def as_taken(self, data, x, plain, r, text, again):
        ordered = "{" not in text and "set(" not in text
        if not plain:
            self.differs("taken", data, text)
        elif not same(pickle.loads(again), x):
            self.differs("taken for something else", data, text)
        elif (r == ELIMIT) != (printed(x) is None):
            self.differs("printed, or not", r, data)
        elif r == 0 and ordered and text != printed(x):
            self.differs("printed", data, text)


def main():
    driver = Driver(sys.argv[1])
    check = Check(driver)
    kept, n_tests = recorded()
    sys.addaudithook(only_plain)
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    pickles = literal() | kept
    for data in sorted(pickles):
        check.pickle(data)
    status = driver.close()
    if status != 0:
        check.differs("the driver ended with", status)
    print("%d pickles from %d tests: %d taken, %d refused, %d differences" % (
        len(pickles), n_tests, check.taken, check.refused, check.n_differences))
    sys.exit(check.n_differences != 0 or check.taken == 0)


main()
