#!/usr/bin/python3
"""Large buffers beside the pickle: what comes out is what went in, nobody shares
what he should not, and a message that lies about its parts is refused."""
import gc
import os
import pickle
import random
import struct
import unittest
import weakref

import chute

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
        got = [q.get(), *q.get_many(2)]
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
