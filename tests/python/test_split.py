#!/usr/bin/python3
"""Large buffers beside the pickle: what comes out is what went in, nobody shares
what he should not, and a message that lies about its parts is refused."""
import gc
import os
import pickle
import random
import signal
import struct
import threading
import unittest
import weakref
from queue import Full

import chute
from chute import ShutDown

import tap

try:
    import numpy
except ImportError:
    numpy = None

FEWEST = 64 << 10  # as in split.c
ENTRY = struct.Struct("=QQ")
TRAILER = struct.Struct("=QQQ")
SEED = random.randrange(1 << 30)


class Samples:
    """What gives its contents to pickle as a buffer."""

    def __init__(self, data, name="no name"):
        self.data, self.name = data, name

    def __reduce_ex__(self, protocol):
        wrap = pickle.PickleBuffer if protocol >= 5 else bytes
        return type(self), (wrap(self.data), self.name)

    def __eq__(self, other):
        return bytes(self.data) == bytes(other.data) and self.name == other.name


class Odd:
    """Something that is not plain, without a buffer."""

    def __eq__(self, other):
        return type(other) is Odd


def is_plain_pickle(message):
    return message.endswith(b".")


def through(x):
    """The object that comes of x, and the message between them."""
    q = chute.Queue()
    q.put(x)
    message = q.get_bytes()
    q.put_bytes(message)
    return q.get(), message


class TestSplit(unittest.TestCase):
    def test_small_buffers_are_in_the_pickle(self):
        for n in 0, 1, FEWEST - 1:
            got, message = through(Samples(os.urandom(n)))
            self.assertTrue(is_plain_pickle(message))
            self.assertEqual(got, pickle.loads(message))

    def test_large_ones_are_beside_it(self):
        for n in FEWEST, FEWEST + 1, 3_000_001:
            x = Samples(bytearray(os.urandom(n)), "one")
            got, message = through(x)
            self.assertEqual(got, x)
            self.assertFalse(is_plain_pickle(message))
            self.assertIn(bytes(x.data), message)
            with self.assertRaisesRegex(pickle.UnpicklingError, "buffers"):
                pickle.loads(message)

    def test_many_of_any_size(self):
        r = random.Random(SEED)
        for _ in range(20):
            x = [Samples(bytearray(r.randbytes(r.choice([5, 70_001, 200_000]))), i)
                 for i in range(r.randrange(9))]
            x.append({"text": "between", "last": Samples(bytearray(FEWEST))})
            self.assertEqual(through(x)[0], x)

    def test_they_can_be_written_if_they_could(self):
        got, _ = through([Samples(bytearray(FEWEST)), Samples(bytes(FEWEST))])
        self.assertEqual([x.data.readonly for x in got], [False, True])
        got[0].data[7] = 42
        self.assertEqual(got[0].data[7], 42)

    def test_what_is_put_is_the_contents_of_that_moment(self):
        q, data = chute.Queue(), bytearray(FEWEST)
        q.put(Samples(data))
        data[0] = 1
        self.assertEqual(q.get().data[0], 0)
        data.append(1)  # nobody holds a view of it

    def test_each_who_gets_has_his_own(self):
        q, x = chute.Queue(), Samples(bytearray(FEWEST))
        for _ in range(3):
            q.put(x)
        got = [q.get(), *q.get_many(1), *q.get_many(1)]
        for i, y in enumerate(got):
            y.data[0] = i
        self.assertEqual([y.data[0] for y in got], [0, 1, 2])

    def test_a_message_lives_as_long_as_its_parts(self):
        one, other = through([Samples(b"x" * FEWEST), Samples(b"y" * FEWEST)])[0]
        self.assertIs(one.data.obj, other.data.obj)
        del one
        gc.collect()
        self.assertEqual(bytes(other.data), b"y" * FEWEST)

    def test_many_at_once(self):
        q = chute.Queue()
        x = [7, Samples(bytearray(100_000)), "text", Samples(bytes(300_000))]
        q.put_many(x)
        got = []
        while len(got) < len(x):
            got += q.get_many(9)
        self.assertEqual(got, x)

    def test_bytes_and_bytearrays(self):
        """They are pickles still, for programs in C."""
        for make in bytes, bytearray:
            for n in 2000, 2048, 2049, 70_000, 3_000_000:
                x = make(os.urandom(n))
                got, message = through(x)
                self.assertEqual(got, x)
                self.assertIs(type(got), make)
                self.assertEqual(pickle.loads(message), x)

    def test_whatever_holds_them(self):
        for x in ((Samples(bytearray(FEWEST)), 1), (Samples(b""),), [Samples(b"")],
                  {1: Samples(bytes(FEWEST))}, ((), Odd())):
            self.assertEqual(through(x)[0], x)

    def test_connections_send_pickles(self):
        a, b = chute.Pipe()
        q = chute.Queue()
        x = Samples(bytearray(100_000))

        def send():
            a.send(x)

        process = chute.get_context("fork").Process(target=send)
        process.start()
        message = b.recv_bytes()
        process.join()
        self.assertTrue(is_plain_pickle(message))
        q.put_bytes(message)
        self.assertEqual(q.get(), x)

    def test_between_processes(self):
        for method in chute.get_all_start_methods():
            q = chute.get_context(method).Queue()
            x = Samples(os.urandom(1_000_000))
            process = chute.get_context(method).Process(target=q.put, args=(x,))
            process.start()
            self.assertEqual(q.get(timeout=60), x)
            process.join()

    @unittest.skipUnless(numpy, "no numpy")
    def test_arrays(self):
        for array in (numpy.arange(100_000.0), numpy.arange(90_000).reshape(300, 300),
                      numpy.asfortranarray(numpy.ones((300, 300))),
                      numpy.arange(200_000)[::2], numpy.zeros((0, 5)),
                      numpy.array(["text"] * 5), numpy.arange(3),
                      numpy.ones(50_000, "complex64")):
            got, _ = through({"array": array})
            got = got["array"]
            self.assertTrue(numpy.array_equal(got, array))
            self.assertEqual((got.dtype, got.shape), (array.dtype, array.shape))
            self.assertTrue(got.flags.writeable and got.flags.aligned)
            got[...] = array  # it is memory of his own


def large(i):
    """The i-th large object; all that go another way are among them."""
    fill = bytes([i % 256])
    return [fill * FEWEST, bytearray(fill * 100_000), Samples(fill * 300_000, i),
            [i, "text " * 40_000, fill * 70_000]][i % 4]


class TestPlace(unittest.TestCase):
    """Large messages lie in memory that the queue lends, of which there are 64
    pieces: whoever puts or gets is not to notice."""

    N = 200

    def test_more_than_there_are_loans(self):
        q = chute.Queue()
        for i in range(self.N):
            q.put(large(i), False)
        self.assertEqual(q.qsize(), self.N)
        for i in range(self.N):
            self.assertEqual(q.get(False), large(i))

    def test_more_than_memory_for_loans(self):
        q, n = chute.Queue(memory=1 << 20), 0
        with self.assertRaises(Full):
            while True:
                q.put(large(n), False)
                n += 1
        self.assertGreater(n, 2)
        for i in range(n):
            self.assertEqual(q.get(False), large(i))

    def test_large_and_small_keep_their_order(self):
        r, q, waiting, n = random.Random(SEED), chute.Queue(), [], 0
        for _ in range(1000):
            if r.random() < 0.55:
                q.put(large(n) if r.random() < 0.5 else n)
                waiting.append(n)
                n += 1
            elif waiting:
                i, got = waiting.pop(0), q.get(False)
                self.assertEqual(got, i if isinstance(got, int) else large(i))

    def test_bytes_as_they_are(self):
        q = chute.Queue()
        for i in range(self.N):
            q.put_bytes(bytes([i]) * 100_000)
        for i in range(self.N):
            self.assertEqual(q.get_bytes(), bytes([i]) * 100_000)

    def test_objects_that_are_kept_keep_no_loan(self):
        q, kept = chute.Queue(), []
        for i in range(self.N):
            q.put(Samples(bytes([i]) * FEWEST, i))
            kept.append(q.get())
        self.assertEqual(q.stat()["n_items"], 0)
        self.assertLess(q.stat()["reserved"], 4 * FEWEST + (1 << 20))
        for i, x in enumerate(kept):
            self.assertEqual(x, Samples(bytes([i]) * FEWEST, i))

    def check_that_no_loan_is_lost(self, q):
        """Few loans take all that is put and got one at a time; lost ones would have
        to be replaced."""
        reserved = q.stat()["reserved"]
        for _ in range(self.N):
            q.put(bytes(1 << 20))
            q.get()
        self.assertLessEqual(q.stat()["reserved"], reserved + (4 << 20))

    def test_a_put_in_vain_gives_its_loan_back(self):
        q = chute.Queue(1)
        q.put(0)
        for _ in range(self.N):
            with self.assertRaises(Full):
                q.put(bytes(1 << 20), False)
        with self.assertRaises(Full):
            q.put(bytes(1 << 20), timeout=0.01)
        self.assertLess(q.stat()["reserved"], 8 << 20)
        q.get()
        self.check_that_no_loan_is_lost(q)

    def test_a_message_that_is_no_object_gives_its_loan_back(self):
        q = chute.Queue()
        for _ in range(self.N):
            q.put_bytes(b"?" * (1 << 20))
            with self.assertRaises(pickle.UnpicklingError) as caught:
                q.get()
            self.assertEqual(caught.exception.message, b"?" * (1 << 20))
        self.check_that_no_loan_is_lost(q)

    def test_a_signal_ends_a_put(self):
        class Rung(Exception):
            pass

        def ring(*_):
            raise Rung

        q = chute.Queue(1)
        q.put(0)
        old = signal.signal(signal.SIGALRM, ring)
        try:
            with self.assertRaises(Rung):
                signal.setitimer(signal.ITIMER_REAL, 0.1)
                q.put(large(0))
        finally:
            signal.signal(signal.SIGALRM, old)
        self.assertEqual((q.get(), q.qsize()), (0, 0))
        self.check_that_no_loan_is_lost(q)

    def test_when_it_is_shut_down(self):
        q = chute.Queue()
        q.put(large(0))
        q.shutdown()
        for i in range(4):
            with self.assertRaises(ShutDown):
                q.put(large(i))
        self.assertEqual(q.get(), large(0))
        with self.assertRaises(ShutDown):
            q.get()

    def test_more_who_get_than_can_borrow_at_once(self):
        q, got = chute.Queue(), []
        crew = [threading.Thread(target=lambda: got.append(q.get()[0]))
                for _ in range(100)]
        for thread in crew:
            thread.start()
        for i in range(len(crew)):
            q.put([i, bytes(FEWEST)])
        for thread in crew:
            thread.join()
        self.assertEqual(sorted(got), list(range(len(crew))))

    def test_many_processes(self):
        def put_all(q, who):
            for i in range(100):
                q.put((who, i, large(i)))

        q, crew = chute.Queue(memory=8 << 20), []
        for who in range(3):
            crew.append(chute.get_context("fork").Process(target=put_all,
                                                          args=(q, who)))
            crew[-1].start()
        seen = [0, 0, 0]
        for _ in range(300):
            who, i, x = q.get()
            self.assertEqual((i, x), (seen[who], large(i)))
            seen[who] += 1
        for process in crew:
            process.join()


class TestDamage(unittest.TestCase):
    def refused(self, message):
        q = chute.Queue()
        for get in q.get, lambda: q.get_many(1):
            q.put_bytes(message)
            with self.assertRaises(Exception) as caught:
                get()
            self.assertEqual(caught.exception.message, message)

    def parts(self):
        message = bytearray(through([Samples(bytearray(FEWEST)),
                                     Samples(bytearray(FEWEST))])[1])
        trailer = len(message) - TRAILER.size
        return message, trailer, trailer - 2 * ENTRY.size

    def test_a_buffer_outside(self):
        for offset, n in ((2**64 - 1, 2), (0, 2**64 - 1), (2**63, 2**63),
                          (FEWEST, 2 * FEWEST), (2**64 - FEWEST, FEWEST)):
            message, _, table = self.parts()
            ENTRY.pack_into(message, table, offset, n)
            self.refused(bytes(message))

    def test_a_trailer_that_lies(self):
        good, trailer, _ = self.parts()
        n_pickle, n, magic = TRAILER.unpack_from(good, trailer)
        for lie in ((2**64 - 1, n), (len(good), n), (n_pickle, 2**64 - 1),
                    (n_pickle, 2**60), (n_pickle, 0), (0, n), (1, n),
                    (n_pickle, 1)):
            message = bytearray(good)
            TRAILER.pack_into(message, trailer, *lie, magic)
            self.refused(bytes(message))

    def test_cut_short(self):
        good, trailer, table = self.parts()
        for n in 1, TRAILER.size, len(good) - table, len(good) // 2:
            self.refused(bytes(good[n:]))
            self.refused(bytes(good[:-n]))
        self.refused(bytes(good[trailer:]))

    def test_bytes_changed_at_random(self):
        """Whatever comes of it, it is an object or an exception."""
        good, _, table = self.parts()
        r, q = random.Random(SEED), chute.Queue()
        for _ in range(2000):
            message = bytearray(good)
            for _ in range(r.randrange(1, 4)):
                message[r.randrange(table, len(good))] = r.randrange(256)
            q.put_bytes(message)
            try:
                q.get()
            except Exception as e:
                self.assertTrue(hasattr(e, "message"))


if __name__ == "__main__":
    print(f"# seed {SEED}", flush=True)
    tap.main()
