#!/usr/bin/python3
"""Nothing is left behind: no reference, no memory, no descriptor, over a million
operations (CHUTE_TEST_OPS), those that fail among them."""
import gc
import os
import pickle
import sys
import threading
import unittest
from queue import Empty, Full

import chute

import tap

N = int(os.environ.get("CHUTE_TEST_OPS", "1000000"))
# The address sanitizer keeps what is freed for some time.
KEEPS_FREED = "libasan" in os.environ.get("LD_PRELOAD", "")


class Odd:
    """Something that pickle.dumps alone could not take."""


class Broken:
    def __reduce__(self):
        return int, ("no number",)


class Samples:
    """Something with a large buffer."""

    def __init__(self, data):
        self.data = data

    def __reduce_ex__(self, protocol):
        return Samples, (pickle.PickleBuffer(self.data),)


def pickle_of(x):
    q = chute.Queue()
    q.put(x)
    return q.get_bytes()


def n_descriptors():
    return len(os.listdir("/proc/self/fd"))


def resident():
    """Bytes of memory of this process, shared memory left out."""
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024


class TestLeaks(unittest.TestCase):
    def check(self, operation, n, *held):
        """Do it n times; what is `held` is held by as many afterwards as before."""
        for _ in range(min(n, 1000)):
            operation()
        gc.collect()
        before = ([sys.getrefcount(x) for x in held], len(gc.get_objects()),
                  n_descriptors(), resident())
        for _ in range(n):
            operation()
        gc.collect()
        after = ([sys.getrefcount(x) for x in held], len(gc.get_objects()),
                 n_descriptors(), resident())
        # One for each operation would show; None has many friends.
        for x, was, now in zip(held, before[0], after[0]):
            self.assertLess(abs(now - was), 10, f"references to {x!r}")
        self.assertLess(after[1] - before[1], 20, "objects")
        self.assertEqual(after[2], before[2], "descriptors")
        # A byte for each operation would show; the allocator's own moods do not.
        if not KEEPS_FREED:
            self.assertLess(after[3] - before[3], max(n, 1 << 20), "memory")
        print(f"# {n} operations: {after[1] - before[1]} objects, "
              f"{after[2] - before[2]} descriptors, "
              f"{(after[3] - before[3]) // 1024} KiB more")

    def test_put_and_get(self):
        q, x = chute.Queue(), [42, None, "hello", 2**70]

        def operation():
            q.put(x)
            q.get()

        self.check(operation, N // 2, x, q, None, type(q))

    def test_objects_of_classes(self):
        q, x = chute.Queue(), Odd()

        def operation():
            q.put(x, True, 1.5)
            q.get(timeout=2)

        self.check(operation, N // 20, x, q, Odd)

    def test_large_ones(self):
        q, x = chute.Queue(), b"x" * 10_000

        def operation():
            q.put_bytes(x)
            q.get_bytes()

        self.check(operation, N // 10, x, q)

    def test_buffers_beside_the_pickle(self):
        q, x = chute.Queue(), Samples(bytearray(70_000))
        bad = pickle_of(x)[:-1]

        def operation():
            q.put(x)
            q.put_many([x])
            q.get().data[0] = 1
            q.get_many(1)
            q.put_bytes(bad)
            try:
                q.get()
            except pickle.UnpicklingError:
                return
            raise AssertionError

        self.check(operation, N // 100, q, x, x.data, Samples)

    def test_many(self):
        q, x = chute.Queue(), [[42, None, "hello"], 7, b"x" * 3000, Broken()]

        def operation():
            q.put_many(x)
            try:
                q.get_many(4)
            except ValueError as e:
                assert len(e.got) == 3
                return
            raise AssertionError

        self.check(operation, N // 50, q, *x)

    def test_failures_of_queues(self):
        q, full, lock, broken = chute.Queue(), chute.Queue(1), threading.Lock(), \
            Broken()
        full.put(1)
        closed = chute.Queue()
        closed.close()

        def fails(exception, call, *args):
            try:
                call(*args)
            except exception:
                return
            raise AssertionError

        def operation():
            fails(Empty, q.get, False)
            fails(Full, full.put, 1, False)
            fails(TypeError, q.put, lock)
            fails(ValueError, closed.put, 1)
            fails(TypeError, q.get, True, "x")
            q.put(broken)
            fails(ValueError, q.get)

        self.check(operation, N // 50, q, full, lock, broken, closed, Empty, Full)

    def test_pipes(self):
        (a, b), x = chute.Pipe(), [42, None, "hello"]
        buf = bytearray(100)

        def operation():
            a.send(x)
            b.recv()
            b.send_bytes(buf, 10)
            a.poll()
            a.recv_bytes_into(buf)

        self.check(operation, N // 20, x, a, b, buf)

    def test_failures_of_pipes(self):
        a, b = chute.Pipe(False)
        message = b"x" * 20_000

        def operation():
            for call in (lambda: a.send(1), b.recv,
                         lambda: b.send_bytes(message, -1),
                         lambda: a.recv_bytes(-1)):
                try:
                    call()
                except (OSError, ValueError):
                    continue
                raise AssertionError
            b.send_bytes(message)
            try:
                a.recv_bytes_into(bytearray(5))
            except chute.BufferTooShort:
                pass

        self.check(operation, N // 100, a, b, message)

    def test_making_and_letting_go(self):
        def operation():
            q, (a, b) = chute.Queue(), chute.Pipe()
            q.put(1)
            a.send(1)
            s = chute.SimpleQueue()
            s.put(2)
            r, w = os.pipe()
            c = chute.Connection(r, writable=False)
            os.close(w)
            c.poll()

        self.check(operation, N // 500)

    def test_passing(self):
        """A queue and an end that travel, to this process."""
        q, (a, b) = chute.Queue(), chute.Pipe()

        def operation():
            for x in q, a:
                copy = pickle.loads(chute.reduction.ForkingPickler.dumps(x))
                copy.close()

        self.check(operation, N // 5000)


if __name__ == "__main__":
    tap.main()
