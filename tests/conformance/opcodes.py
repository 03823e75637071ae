#!/usr/bin/python3
"""Every byte as an opcode of its own.

    tests/conformance/opcodes.py DRIVER

For each opcode that CPython knows there is one pickle here, which pickletools
says holds it. Those in the subset that plain data needs are decoded as CPython
decodes them; each of the others is refused by name, at its place, though
CPython may well take it; a byte that is no opcode is garbage.
"""

import sys

sys.path.append(sys.path.pop(0))  # last, for "pickle" is not pickle.py

import pickle
import pickletools

from codec_oracle import ENOTPLAIN, EPICKLE, Driver, same

ZERO7 = b"\0" * 7

# What follows "\x80\x05" in the pickle.
SUBSET = {
    "PROTO": b"\x80\x03N.",
    "FRAME": b"\x95\x02" + ZERO7 + b"N.",
    "STOP": b"K\x07.",
    "NONE": b"N.",
    "NEWTRUE": b"\x88.",
    "NEWFALSE": b"\x89.",
    "BININT1": b"K\xff.",
    "BININT2": b"M\xff\xfe.",
    "BININT": b"J\xfe\xff\xff\xff.",
    "LONG1": b"\x8a\x02\xff\0.",
    "LONG4": b"\x8b\x09\0\0\0" + b"\xff" * 8 + b"\0.",
    "BINFLOAT": b"G\x3f\xf0" + b"\0" * 6 + b".",
    "SHORT_BINUNICODE": b"\x8c\x02\xc3\xa9.",
    "BINUNICODE": b"X\x03\0\0\0\xed\xa0\x80.",
    "BINUNICODE8": b"\x8d\x01" + ZERO7 + b"a.",
    "SHORT_BINBYTES": b"C\x01\xff.",
    "BINBYTES": b"B\x01\0\0\0\xff.",
    "BINBYTES8": b"\x8e\x01" + ZERO7 + b"\xff.",
    "BYTEARRAY8": b"\x96\x01" + ZERO7 + b"\xff.",
    "EMPTY_LIST": b"].",
    "APPEND": b"]Na.",
    "APPENDS": b"](NK\x01e.",
    "EMPTY_TUPLE": b").",
    "TUPLE1": b"N\x85.",
    "TUPLE2": b"NK\x01\x86.",
    "TUPLE3": b"NK\x01\x88\x87.",
    "TUPLE": b"(NK\x01K\x02Nt.",
    "EMPTY_DICT": b"}.",
    "SETITEM": b"}K\x01Ns.",
    "SETITEMS": b"}(K\x01NK\x02Nu.",
    "EMPTY_SET": b"\x8f.",
    "ADDITEMS": b"\x8f(K\x01\x90.",
    "FROZENSET": b"(K\x01\x91.",
    "MARK": b"(t.",
    "POP": b"NK\x010.",
    "POP_MARK": b"N(K\x01K\x021.",
    "BINPUT": b"]q\xff0h\xff.",
    "LONG_BINPUT": b"]r\0\1\0\x000j\0\1\0\0.",
    "MEMOIZE": b"]\x940h\0.",
    "BINGET": b"]q\x01h\x01\x86.",
    "LONG_BINGET": b"]q\x01j\1\0\0\0\x86.",
    "GLOBAL": b"cbuiltins\nset\n]\x85R.",
    "STACK_GLOBAL": b"\x8c\x08builtins\x8c\x09bytearray\x93)R.",
    "REDUCE": b"cbuiltins\nfrozenset\n](K\x01e\x85R.",
}

# What protocols 0 and 1 or Python 2 wrote: no pickle of ours.
OLD = {
    "INT": b"I1\n.",
    "LONG": b"L1L\n.",
    "STRING": b"S'a'\n.",
    "BINSTRING": b"T\x01\0\0\0a.",
    "SHORT_BINSTRING": b"U\x01a.",
    "UNICODE": b"Va\n.",
    "FLOAT": b"F1.5\n.",
    "LIST": b"(Nl.",
    "DICT": b"(NNd.",
    "GET": b"]q\x00g0\n\x86.",
    "PUT": b"]p0\n.",
    "DUP": b"N2\x86.",
}

# What needs a class, a registry, or something beside the pickle.
NEEDS_PYTHON = {
    "INST": b"(idecimal\nDecimal\n.",
    "OBJ": b"(No.",
    "NEWOBJ": b"N)\x81.",
    "NEWOBJ_EX": b"N)}\x92.",
    "BUILD": b"N}b.",
    "EXT1": b"\x82\x01.",
    "EXT2": b"\x83\x01\0.",
    "EXT4": b"\x84\x01\0\0\0.",
    "PERSID": b"Pid\n.",
    "BINPERSID": b"NQ.",
    "NEXT_BUFFER": b"\x97.",
    "READONLY_BUFFER": b"C\x01a\x98.",
}


def position(name, data):
    """Where the opcode first stands, by its name, behind "\\x80\\x05"."""
    for opcode, _, at in pickletools.genops(data):
        if opcode.name == name and at >= 2:
            return at
    raise KeyError(name)


def main():
    driver = Driver(sys.argv[1])
    n_cases = 0
    differences = []

    def differs(*what):
        differences.append(what)
        print("DIFFERENCE", *what)

    known = SUBSET.keys() | OLD.keys() | NEEDS_PYTHON.keys()
    for opcode in pickletools.opcodes:
        if opcode.name not in known:
            differs("no case for", opcode.name)

    for name, rest in SUBSET.items():
        n_cases += 1
        data = b"\x80\x05" + rest
        position(name, data)
        r, _, text, again = driver.ask(data)
        for loads in (pickle.loads, pickle._loads):
            x = loads(data)
            if r != 0 or text != repr(x) or not same(loads(again), x):
                differs(name, data, r, text, x)

    for table, expected in ((OLD, EPICKLE), (NEEDS_PYTHON, ENOTPLAIN)):
        for name, rest in table.items():
            n_cases += 1
            data = b"\x80\x05" + rest
            r, at, _, _ = driver.ask(data)
            if (r, at) != (expected, position(name, data)):
                differs(name, data, r, at)

    codes = {ord(opcode.code) for opcode in pickletools.opcodes}
    for code in set(range(256)) - codes:
        n_cases += 1
        r, at, _, _ = driver.ask(b"\x80\x05N%c." % code)
        if (r, at) != (EPICKLE, 3):
            differs("garbage", code, r, at)

    # A pickle of the subset that ends anywhere before its end is none.
    for name, rest in SUBSET.items():
        data = b"\x80\x05" + rest
        for end in range(len(data)):
            n_cases += 1
            r, at, _, _ = driver.ask(data[:end])
            if r != EPICKLE or at > end:
                differs("cut off", name, data[:end], r, at)

    if driver.close() != 0:
        differs("the driver's status")
    print("%d cases, %d differences" % (n_cases, len(differences)))
    sys.exit(len(differences) != 0)


main()
