"""What the scripts share that ask CPython about chute's codec."""

import pickle
import struct
import subprocess

EPICKLE, ENOTPLAIN, ECYCLE, ELIMIT = -4100, -4101, -4102, -4103


class Driver:
    """chute's codec, in a process of its own."""

    def __init__(self, path):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([path], stdin=pipe, stdout=pipe)

    def read(self, form):
        data = self.process.stdout.read(struct.calcsize(form))
        return struct.unpack(form, data)

    def text(self):
        (length,) = self.read("<I")
        return self.process.stdout.read(length)

    def ask(self, data):
        """The result, the position, the text, the pickle."""
        self.process.stdin.write(struct.pack("<I", len(data)) + data)
        self.process.stdin.flush()
        r, position = self.read("<iQ")
        text = self.text().decode("utf-8", "surrogatepass")
        return r, position, text, self.text()

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def only_plain(event, args):
    """Let damaged pickles find the classes of plain data and no others."""
    if event == "pickle.find_class" and args not in PLAIN:
        raise pickle.UnpicklingError("%s.%s" % args)


PLAIN = {("_codecs", "encode")} | {
    (module, name)
    for module in ("builtins", "__builtin__")
    for name in ("bytes", "bytearray", "set", "frozenset")
}


# -- equality, to the bit ----------------------------------------------------


def order(item):
    """An item of a set as a text that does not depend on the order in which
    sets keep theirs (where a nan is, that is its address)."""
    kind = type(item).__name__
    if kind == "frozenset":
        return kind + repr(sorted(map(order, item)))
    if kind == "tuple":
        return kind + repr(list(map(order, item)))
    return kind + repr(item)


def same(a, b, twins=None):
    """Equal in type, value, order, and in which parts are one object."""
    twins = {} if twins is None else twins
    if type(a) is not type(b):
        return False
    if type(a) is float:
        return struct.pack(">d", a) == struct.pack(">d", b)
    if isinstance(a, (type(None), bool, int, str, bytes)):
        return a == b
    if a != ():
        if twins.setdefault(("a", id(a)), id(b)) != id(b):
            return False
        if twins.setdefault(("b", id(b)), id(a)) != id(a):
            return False
    if type(a) is bytearray:
        return a == b
    if len(a) != len(b):
        return False
    if type(a) is dict:
        a = [item for pair in a.items() for item in pair]
        b = [item for pair in b.items() for item in pair]
    elif type(a) in (set, frozenset):
        return sorted(map(order, a)) == sorted(map(order, b))
    return all(same(x, y, twins) for x, y in zip(a, b))
