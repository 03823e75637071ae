#!/usr/bin/python3
"""chute.Connection and its makers: the whole of what multiprocessing's does, on
sockets and on other descriptors, and what it does not."""
import array
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
import unittest
from multiprocessing import BufferTooShort
from multiprocessing import connection as stock

import chute
from chute import Connection, Pipe

import tap

LONG = 60
SIZES = [0, 1, 16383, 16384, 16385, 32764, 70_000, 3_000_000]


def start(target, *args, method="fork"):
    process = chute.get_context(method).Process(target=target, args=args)
    process.start()
    return process


def os_pipe():
    """A pipe(2), which is no socket."""
    r, w = os.pipe()
    return Connection(r, writable=False), Connection(w, readable=False)


def tcp():
    """Two ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        a = socket.create_connection(server.getsockname())
        b, _ = server.accept()
    return Connection(a.detach()), Connection(b.detach())


WAYS = {"pipe": Pipe, "one way": lambda: Pipe(False), "pipe(2)": os_pipe,
        "tcp": tcp}


def in_thread(call):
    thread = threading.Thread(target=call)
    thread.start()
    return thread


class TestMessages(unittest.TestCase):
    def test_each_way(self):
        for name, make in WAYS.items():
            with self.subTest(name):
                r, w = make()
                for n in SIZES:
                    data = os.urandom(n)
                    thread = in_thread(lambda: w.send_bytes(data))
                    self.assertTrue(r.poll(None))
                    self.assertEqual(r.recv_bytes(), data)
                    thread.join()
                for x in None, [42, None, "hello"], {1: (2,)}, range(3):
                    w.send(x)
                    self.assertEqual(r.recv(), x)
                self.assertFalse(r.poll())
                w.close()
                self.assertTrue(r.poll())
                for _ in range(2):
                    self.assertRaises(EOFError, r.recv)

    def test_with_multiprocessing_at_the_other_end(self):
        ours, theirs = Pipe()
        theirs = stock.Connection(theirs.detach())
        for n in SIZES:
            data = os.urandom(n)
            for a, b in (ours, theirs), (theirs, ours):
                thread = in_thread(lambda: a.send_bytes(data))
                self.assertEqual(b.recv_bytes(), data)
                thread.join()
        theirs.send(range(3))
        self.assertEqual(ours.recv(), range(3))

    def test_part_of_a_buffer(self):
        for name, make in WAYS.items():
            r, w = make()
            w.send_bytes(b"abcdef", 2)
            self.assertEqual(r.recv_bytes(), b"cdef")
            w.send_bytes(bytearray(b"abcdef"), offset=2, size=3)
            self.assertEqual(r.recv_bytes(), b"cde")
            w.send_bytes(array.array("i", [1, 2]), 4)
            self.assertEqual(r.recv_bytes(), struct.pack("i", 2))
            w.send_bytes(b"abc", 3)
            self.assertEqual(r.recv_bytes(), b"")
            for args in (b"abc", -1), (b"abc", 4), (b"abc", 1, -1), (b"abc", 1, 3):
                self.assertRaises(ValueError, w.send_bytes, *args)
            self.assertRaises(TypeError, w.send_bytes, "abc")
            self.assertFalse(r.poll())

    def test_into_a_buffer(self):
        for name, make in WAYS.items():
            r, w = make()
            buf = bytearray(b"......")
            w.send_bytes(b"abc")
            self.assertEqual(r.recv_bytes_into(buf), 3)
            w.send_bytes(b"de")
            self.assertEqual(r.recv_bytes_into(buf, offset=4), 2)
            self.assertEqual(buf, b"abc.de")
            words = array.array("i", [0, 0])
            w.send_bytes(struct.pack("i", 7))
            r.recv_bytes_into(words, 4)
            self.assertEqual(words[1], 7)
            w.send_bytes(b"too long")
            w.send_bytes(b"next")
            with self.assertRaises(BufferTooShort) as caught:
                r.recv_bytes_into(bytearray(3))
            self.assertEqual(caught.exception.args, (b"too long",))
            for args in (buf, -1), (buf, 7):
                self.assertRaises(ValueError, r.recv_bytes_into, *args)
            self.assertRaises(TypeError, r.recv_bytes_into, b"abc")
            self.assertRaises(TypeError, r.recv_bytes_into, "abc")
            self.assertEqual(r.recv_bytes(), b"next")

    def test_longer_than_allowed(self):
        for name, make in WAYS.items():
            r, w = make()
            w.send_bytes(b"abc")
            self.assertEqual(r.recv_bytes(3), b"abc")
            w.send_bytes(b"abcd")
            self.assertRaises(ValueError, r.recv_bytes, -1)
            self.assertRaisesRegex(OSError, "bad message length", r.recv_bytes, 3)
            self.assertRaises(OSError, r.recv_bytes)
            self.assertEqual(r.closed, not r.writable)

    def test_a_message_cut_off(self):
        for name, make in WAYS.items():
            for part in b"\0\0", struct.pack("!i", 5) + b"abc":
                r, w = make()
                w.send_bytes(b"whole")
                os.write(w.fileno(), part)
                w.close()
                self.assertEqual(r.recv_bytes(), b"whole")
                self.assertRaisesRegex(OSError, "end of file", r.recv_bytes)

    def test_a_length_that_makes_no_sense(self):
        for name, make in WAYS.items():
            r, w = make()
            os.write(w.fileno(), struct.pack("!i", -2))
            self.assertRaises(OSError, r.recv_bytes)

    def test_one_that_cannot_be_pickled(self):
        r, w = Pipe()
        self.assertRaises(TypeError, w.send, threading.Lock())
        w.send_bytes(b"no pickle")
        w.send_bytes(b"")
        w.send(1)
        self.assertRaises(pickle.UnpicklingError, r.recv)
        self.assertRaises(EOFError, r.recv)
        self.assertEqual(r.recv(), 1)

    def test_nobody_is_left_to_receive(self):
        for name, make in WAYS.items():
            if name == "tcp":
                continue  # it finds out later
            r, w = make()
            r.close()
            self.assertRaises(BrokenPipeError, w.send, 1)


class TestPoll(unittest.TestCase):
    def test_timeouts(self):
        for name, make in WAYS.items():
            r, w = make()
            for seconds in 0.1, 0.6:
                begin = time.monotonic()
                self.assertFalse(r.poll(seconds))
                self.assertGreaterEqual(time.monotonic() - begin, seconds)
            self.assertFalse(r.poll(-1))
            self.assertRaises(TypeError, r.poll, "x")
            self.assertRaises(ValueError, r.poll, float("nan"))
            w.send_bytes(b"")
            self.assertTrue(r.poll())
            self.assertTrue(r.poll(timeout=None))

    def test_wait(self):
        pipes = [make() for make in WAYS.values()]
        readers = [r for r, _ in pipes]
        self.assertEqual(chute.wait(readers, 0), [])
        pipes[1][1].send(1)
        pipes[2][1].close()
        self.assertEqual(chute.wait(readers), readers[1:3])


class TestHandle(unittest.TestCase):
    def test_what_makes_no_connection(self):
        self.assertRaises(ValueError, Connection, -1)
        self.assertRaises(ValueError, Connection, 0, False, False)
        self.assertRaises(TypeError, Connection, "x")
        conn = Connection(44977608)
        for call in conn.poll, conn.recv, lambda: conn.send(1):
            self.assertRaises(OSError, call)
        conn._handle = None
        self.assertTrue(conn.closed)

    def test_directions(self):
        r, w = Pipe(False)
        self.assertEqual((r.readable, r.writable), (True, False))
        self.assertEqual((w.readable, w.writable), (False, True))
        self.assertRaisesRegex(OSError, "read-only", r.send, 1)
        self.assertRaisesRegex(OSError, "write-only", w.recv)
        self.assertRaisesRegex(OSError, "write-only", w.poll)

    def test_closed(self):
        for name, make in WAYS.items():
            r, w = make()
            fd = r.fileno()
            with r as same:
                self.assertIs(same, r)
            r.close()
            self.assertTrue(r.closed)
            self.assertTrue(r.readable)
            for call in r.fileno, r.recv, r.poll, r.recv_bytes:
                self.assertRaisesRegex(OSError, "closed", call)
            self.assertRaises(OSError, os.fstat, fd)

    def test_detach(self):
        for name, make in WAYS.items():
            r, w = make()
            w.send(1)
            self.assertTrue(r.poll(LONG))
            fd = r.detach()
            self.assertTrue(r.closed)
            self.assertRaises(OSError, r.detach)
            again = Connection(fd, writable=name in ("pipe", "tcp"))
            self.assertEqual(again.recv(), 1)
            again._handle = None
            os.close(fd)

    def test_the_descriptor_is_not_inherited(self):
        for name, make in WAYS.items():
            for conn in make():
                self.assertFalse(os.get_inheritable(conn.fileno()))

    def test_closed_while_a_thread_waits(self):
        """The thread goes on, and the descriptor lives as long as it does."""
        r, w = Pipe()
        got = []
        thread = in_thread(lambda: got.append(r.recv()))
        time.sleep(0.1)
        r.close()
        self.assertRaises(OSError, r.recv)
        w.send(1)
        thread.join(LONG)
        self.assertEqual(got, [1])
        self.assertRaises(BrokenPipeError, w.send, 2)

    def test_a_child_forked_while_a_thread_waits_can_close(self):
        def child():
            r.close()
            w.close()
            time.sleep(10 * LONG)

        r, w = Pipe()
        thread = in_thread(lambda: self.assertRaises(EOFError, r.recv))
        time.sleep(0.1)
        process = start(child)
        time.sleep(0.1)
        w.close()
        thread.join(LONG)
        alive = thread.is_alive()
        process.kill()
        process.join()
        self.assertFalse(alive)


def receive_all(conn, q):
    for message in iter(conn.recv, None):
        q.put(message)


def send_all(conn, who, n, size):
    for i in range(n):
        conn.send((who, i, bytes([who]) * size))


class TestSharing(unittest.TestCase):
    def check(self, method):
        """Two processes send large and small messages into one end, and two
        receive them from the other."""
        r, w = chute.get_context(method).Pipe(False)
        q = chute.Queue()
        n = 100
        receivers = [start(receive_all, r, q, method=method) for _ in range(2)]
        senders = [start(send_all, w, who, n, who * 50_000, method=method)
                   for who in range(2)]
        r.close()
        for sender in senders:
            sender.join(LONG)
            self.assertEqual(sender.exitcode, 0)
        got = [q.get(timeout=LONG) for _ in range(2 * n)]
        self.assertEqual(sorted((who, i) for who, i, _ in got),
                         [(who, i) for who in range(2) for i in range(n)])
        for who, _, body in got:
            self.assertEqual(body, bytes([who]) * who * 50_000)
        for _ in receivers:
            w.send(None)
        for receiver in receivers:
            receiver.join(LONG)
            self.assertEqual(receiver.exitcode, 0)

    def test_one_end_for_many_that_are_forked(self):
        self.check("fork")

    def test_one_end_for_many_that_are_spawned(self):
        self.check("spawn")

    def test_one_end_for_many_of_a_server(self):
        self.check("forkserver")

    def test_what_was_pickled_is_let_go_of_in_silence(self):
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-c", textwrap.dedent("""
                import chute, gc, os, pickle
                from multiprocessing import resource_sharer
                n = len(os.listdir("/proc/self/fd"))
                for close in False, True:
                    a, b = chute.Pipe()
                    copy = pickle.loads(chute.reduction.ForkingPickler.dumps(a))
                    b.send(1)
                    assert copy.recv() == 1
                    if close:
                        for conn in a, b, copy:
                            conn.close()
                    del a, b, copy
                    gc.collect()
                resource_sharer.stop(60)
                assert len(os.listdir("/proc/self/fd")) == n
                """)], capture_output=True, text=True, timeout=LONG)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_ends_go_over_connections(self):
        def child(conn):
            for _ in WAYS:
                with conn.recv() as end:
                    end.send("from the child")
                with conn.recv() as end:
                    conn.send(end.recv())

        ours, theirs = Pipe()
        process = start(child, theirs)
        for name, make in WAYS.items():
            r, w = make()
            ours.send(w)
            self.assertEqual(r.recv(), "from the child")
            ours.send(r)
            w.send(name)
            self.assertEqual(ours.recv(), name)
        process.join(LONG)
        self.assertEqual(process.exitcode, 0)


class TestSignals(unittest.TestCase):
    def test_ctrl_c_ends_a_wait(self):
        def wait(conn):
            r, w = Pipe()
            s, _ = os_pipe()
            for call in r.recv, s.recv, lambda: r.poll(None):
                try:
                    signal.signal(signal.SIGINT, signal.default_int_handler)
                    conn.send("ready")
                    call()
                except KeyboardInterrupt:
                    signal.signal(signal.SIGINT, signal.SIG_IGN)
                    conn.send("interrupted")

        ours, theirs = Pipe()
        process = start(wait, theirs)
        for _ in range(3):
            self.assertEqual(ours.recv(), "ready")
            # One that comes just before the wait is not noticed by it.
            for pause in 0.1, 1, 5, LONG:
                time.sleep(0.1)
                os.kill(process.pid, signal.SIGINT)
                if ours.poll(pause):
                    break
            self.assertEqual(ours.recv(), "interrupted")
        process.join(LONG)


def echo(address, authkey, client):
    with client(address, authkey=authkey) as conn:
        conn.send(conn.recv())


def be_refused(address):
    try:
        chute.Client(address, authkey=b"wrong")
    except chute.AuthenticationError:
        sys.exit(7)


class TestListener(unittest.TestCase):
    def test_each_pairing(self):
        for listener in chute.Listener, stock.Listener:
            for client in chute.Client, stock.Client:
                for family in "AF_UNIX", "AF_INET":
                    for key in None, b"a key":
                        self.check(listener, client, family, key)

    def check(self, listener, client, family, key):
        with listener(family=family, authkey=key) as server:
            process = start(echo, server.address, key, client)
            with server.accept() as conn:
                self.assertIsInstance(
                    conn, Connection if listener is chute.Listener
                    else stock.Connection)
                conn.send([42, None, "hello"])
                self.assertEqual(conn.recv(), [42, None, "hello"])
            process.join(LONG)
            self.assertEqual(process.exitcode, 0)

    def test_the_wrong_key(self):
        with chute.Listener(authkey=b"right") as server:
            process = start(be_refused, server.address)
            self.assertRaises(chute.AuthenticationError, server.accept)
            process.join(LONG)
            self.assertEqual(process.exitcode, 7)


if __name__ == "__main__":
    tap.main()
