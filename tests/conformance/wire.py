#!/usr/bin/python3
"""CPython is the oracle for chute's wire.

    tests/conformance/wire.py DRIVER

DRIVER is wire-driver.c, built: it makes a pipe with chute, and runs this script
once more with the other end, where a multiprocessing.connection.Connection takes
its place. Whatever CPython sends has to come back as it was, through chute; and
the bytes that chute puts on the wire have to be those that CPython would.
"""

import sys

if __name__ == "__main__":
    sys.path.pop(0)  # our own directory, where "pickle" is somebody else

import datetime
import os
import random
import select
import socket
import struct
import subprocess
import threading
from multiprocessing.connection import Connection, Pipe
from multiprocessing.reduction import recv_handle, send_handle

# Around what is special for one side or the other: CPython writes header and
# body apart above 16384, chute counts on 32768 in one step, with the header;
# Linux cuts above 36544, and queues some 200 KB.
EDGES = [0, 1, 4, 52, 60, 64, 4092, 4096, 16384, 32764, 32768, 36540, 36544,
         65536, 131072, 212992]
SIZES = sorted({max(0, edge + d) for edge in EDGES for d in (-1, 0, 1)})
LARGE = [1 << 20, (5 << 20) + 1]

VALUES = [
    None, True, False, 0, -1, 2**31, 2**100, 1.5, float("inf"), "", "hello",
    "\u20ac\U0001f600", "\ud800", b"", b"\0\xff", bytearray(b"x"), [], (), {},
    set(), frozenset(), [42, None, "hello"], (1, (2, (3,))), {"a": [1, {2: 3}]},
    {1, 2, 3}, frozenset("ab"), "x" * 100000, list(range(20000)),
]
OBJECTS = [1j, datetime.date(2000, 1, 1), range(3), ValueError("no")]


def payload(n):
    return random.Random(n).randbytes(n)


class Peer:
    """The end of the pipe that chute has given us."""

    def __init__(self, fd_in, fd_out):
        self.fds = fd_in, fd_out
        if fd_in == fd_out:
            self.recv = self.send = Connection(fd_in)
        else:
            self.recv = Connection(fd_in, writable=False)
            self.send = Connection(fd_out, readable=False)

    def raw(self, n):
        got = b""
        while len(got) < n:
            got += os.read(self.fds[0], n - len(got))
        return got

    def close(self):
        self.send.close()
        self.recv.close()


def as_cpython_writes_it(message):
    """All bytes that Connection.send_bytes puts into a socket."""
    ours, theirs = socket.socketpair()
    with ours, Connection(theirs.detach()) as conn:
        thread = threading.Thread(
            target=lambda: (conn.send_bytes(message), conn.close()))
        thread.start()
        chunks = list(iter(lambda: ours.recv(1 << 20), b""))
        thread.join()
    return b"".join(chunks)


def check_bytes(peer):
    for n in SIZES + LARGE:
        peer.send.send_bytes(payload(n))
        assert peer.recv.poll(None)
        assert peer.recv.recv_bytes() == payload(n), n
    assert not peer.recv.poll(0)

    for n in SIZES[:40]:  # what chute writes, byte by byte
        expected = as_cpython_writes_it(payload(n))
        peer.send.send_bytes(payload(n))
        assert peer.raw(len(expected)) == expected, n

    for _ in range(200):  # many under way
        peer.send.send_bytes(b"many")
    assert all(peer.recv.recv_bytes() == b"many" for _ in range(200))

    for n in 0, 5, 70000:  # the long form for short messages
        message = struct.pack("!iQ", -1, n) + payload(n)
        while message:
            message = message[os.write(peer.fds[1], message):]
        assert peer.recv.recv_bytes() == payload(n)

    for byte in struct.pack("!i", 3) + b"abc" + struct.pack("!iQ", -1, 1) + b"d":
        os.write(peer.fds[1], bytes([byte]))
    assert peer.recv.recv_bytes() == b"abc"
    assert peer.recv.recv_bytes() == b"d"


def check_end(peer, last_word):
    peer.send.send_bytes(last_word)
    end = select.poll()  # the end itself, whatever lies before it
    end.register(peer.fds[0], select.POLLRDHUP)
    end.poll()
    try:
        peer.recv.recv_bytes()
    except EOFError:
        assert last_word == b"bye"
    except OSError as e:
        assert last_word == b"tear" and "end of file during" in str(e), e
    else:
        assert False, "no end"


def bytes_and_bye(peer):
    check_bytes(peer)
    check_end(peer, b"bye")


def bytes_and_tear(peer):
    check_end(peer, b"tear")


def shown(value):
    """The order of a set differs from process to process, as its hashes do."""
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    return repr(value)


def values(peer):
    for value in VALUES + OBJECTS:
        peer.send.send(value)
        back = peer.recv.recv()
        assert type(back) is type(value) and shown(back) == shown(value), value
    peer.send.send_bytes(b"not a pickle")
    assert peer.recv.recv_bytes() == b"not a pickle"
    peer.send.send_bytes(b"")
    assert peer.recv.recv_bytes() == b""


def handles(peer):
    """What send_handle sends arrives, and what arrives is what it takes."""
    for _ in range(100):
        ours, theirs = os.pipe()
        peer.send.send_bytes(b"fd")
        send_handle(peer.send, theirs, os.getppid())
        os.close(theirs)
        back = recv_handle(peer.recv)
        os.write(back, b"through")
        os.close(back)
        assert os.read(ours, 20) == b"through"
        assert os.read(ours, 20) == b""  # nobody has kept it
        os.close(ours)

        ours, theirs = Pipe()
        peer.send.send_bytes(b"conn")
        send_handle(peer.send, theirs.fileno(), os.getppid())
        theirs.close()
        check_echo(ours)

        peer.send.send_bytes(b"end")
        check_echo(Connection(recv_handle(peer.recv)))
    peer.send.send_bytes(b"bye")


def check_echo(conn):
    conn.send_bytes(b"hello")
    assert conn.recv_bytes() == b"hello"
    try:
        conn.recv_bytes()
    except (EOFError, ConnectionResetError):
        conn.close()
    else:
        assert False, "no end"


def torn_header(peer):
    peer.send.send_bytes(b"whole")
    os.write(peer.fds[1], b"\0\0\0")


def torn_body(peer):
    peer.send.send_bytes(b"whole")
    os.write(peer.fds[1], struct.pack("!i", 10) + b"some")


# The driver's mode, and our part.
CASES = {case.__name__: (mode, case) for mode, case in [
    ("bytes", bytes_and_bye), ("bytes", bytes_and_tear), ("values", values),
    ("handles", handles),
    ("torn", torn_header), ("torn", torn_body)]}


def main():
    if sys.argv[1] == "--peer":
        name, fd_in, fd_out = sys.argv[2:]
        peer = Peer(int(fd_in), int(fd_out))
        CASES[name][1](peer)
        peer.close()
        return 0

    failed = 0
    cases = [(name, kind) for name in CASES for kind in ("duplex", "oneway")]
    print(f"TAP version 13\n1..{len(cases)}")
    for i, (name, kind) in enumerate(cases, 1):
        result = subprocess.run(
            [sys.argv[1], CASES[name][0], kind,
             sys.executable, __file__, "--peer", name], timeout=120)
        failed += result.returncode != 0
        print("not ok" if result.returncode else "ok", i, "-",
              name.replace("_", "-"), kind, flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
