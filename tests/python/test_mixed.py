#!/usr/bin/python3
"""C and Python put to one queue and get from it, and are killed all the time.

Whatever a put has acknowledged arrives once, as it was put, but for what a killed
consumer had in its hands: one item for each.
"""
import mmap
import os
import pickle
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import chute

import tap

DRIVER = sys.argv.pop(1) if len(sys.argv) > 1 else None
SECONDS = float(os.environ.get("CHUTE_TEST_SECONDS", "10"))
LONG = 60
MOST_WHO = (1 << 16) // 8
MOST_BODY = 5000
SEED = random.randrange(1 << 30)


def body_of(who, i):
    return bytes([(who + i) % 256]) * (i * 37 % MOST_BODY)


def put_all(name, path, who):
    queue = chute.open_queue(name)
    with open(path, "r+b") as f:
        # One store each: struct.pack_into() would write zeros first.
        counts = memoryview(mmap.mmap(f.fileno(), 0)).cast("q")
    i = 0
    while True:
        queue.put((who, i, body_of(who, i)))
        i += 1
        counts[who] = i


def get_all(name, results):
    queue, results = chute.open_queue(name), chute.open_queue(results)
    while (item := queue.get()) is not None:
        who, i, body = item
        assert body == body_of(who, i)
        results.put((who, i))


def in_python(target, *arguments):
    process = chute.Process(target=target, args=arguments)
    process.start()
    return process.pid, lambda: (process.join(LONG), process.exitcode)[1]


def in_c(*arguments):
    process = subprocess.Popen([DRIVER, *map(str, arguments)])
    return process.pid, lambda: process.wait(LONG)


class Scene:
    """Two queues with names, and those who use them."""

    def __init__(self, directory):
        self.random = random.Random(SEED)
        self.path = os.path.join(directory, "counts")
        with open(self.path, "wb") as f:
            f.truncate(8 * MOST_WHO)
        self.name, self.results = (f"test-mixed-{os.getpid()}-{what}"
                                   for what in ("items", "results"))
        self.queue = chute.open_queue(self.name, create=True, maxsize=64)
        self.collected = chute.open_queue(self.results, create=True)
        self.n_who = 0
        self.n_lost = 0  # consumers that were killed

    def close(self):
        chute.unlink_queue(self.name)
        chute.unlink_queue(self.results)

    def producer(self, in_which):
        who, self.n_who = self.n_who, self.n_who + 1
        start = (in_python, put_all) if in_which == "python" else (in_c, "put")
        return start[0](start[1], self.name, self.path, who)

    def consumer(self, in_which):
        start = (in_python, get_all) if in_which == "python" else (in_c, "get")
        return start[0](start[1], self.name, self.results)

    def kill(self, who):
        pid, wait = who
        os.kill(pid, signal.SIGKILL)
        assert wait() == -signal.SIGKILL, "it had ended by itself"

    def run(self, makers, seconds):
        """Kill one after the other, each replaced by another of its kind."""
        crew = [make() for make in makers]
        end = time.monotonic() + seconds
        n = 0
        while time.monotonic() < end and self.n_who < MOST_WHO - 1:
            time.sleep(self.random.expovariate(50))
            i = self.random.randrange(len(crew))
            self.kill(crew[i])
            self.n_lost += makers[i].__name__ == "consume"
            crew[i] = makers[i]()
            n += 1
        for make, one in zip(makers, crew):
            if make.__name__ == "produce":
                self.kill(one)
        consumers = [one for make, one in zip(makers, crew)
                     if make.__name__ == "consume"]
        for _ in consumers:
            self.queue.put(None, timeout=LONG)
        for _, wait in consumers:
            assert wait() == 0
        return n

    def counts(self):
        with open(self.path, "rb") as f:
            return struct.unpack(f"={MOST_WHO}q", f.read())[:self.n_who]


class TestMixed(unittest.TestCase):
    def check(self, producers, consumers, seconds=SECONDS / 4):
        with tempfile.TemporaryDirectory() as directory:
            scene = Scene(directory)
            self.addCleanup(scene.close)

            def made(which, language):
                def produce():
                    return scene.producer(language)

                def consume():
                    return scene.consumer(language)
                return produce if which == "produce" else consume

            n_kills = scene.run([made("produce", x) for x in producers]
                                + [made("consume", x) for x in consumers], seconds)
            got = []
            while not scene.collected.empty():
                got.append(scene.collected.get(False))
            counts = scene.counts()
        self.assertGreater(n_kills, 10)
        self.assertEqual(len(got), len(set(got)), "an item came twice")
        got = set(got)
        acknowledged = {(who, i) for who, n in enumerate(counts) for i in range(n)}
        missing = acknowledged - got
        self.assertLessEqual(len(missing), scene.n_lost)
        # One put may have happened without the time to count it.
        for who, i in got - acknowledged:
            self.assertEqual(i, counts[who])
        self.assertGreater(len(got), 1000)
        print(f"# {len(got)} items, {n_kills} kills, {scene.n_lost} of consumers, "
              f"{len(missing)} items lost with them")

    def test_c_to_python(self):
        self.check(["c"] * 2, ["python"] * 2)

    def test_python_to_c(self):
        self.check(["python"] * 2, ["c"] * 2)

    def test_all_to_all(self):
        self.check(["c", "python"], ["c", "python"])

    def test_python_to_python(self):
        self.check(["python"] * 2, ["python"] * 2)


class Samples:
    """What gives its contents to pickle as a buffer."""

    def __init__(self, data):
        self.data = data

    def __reduce_ex__(self, protocol):
        return Samples, (pickle.PickleBuffer(self.data),)


class TestLarge(unittest.TestCase):
    def in_c(self, how):
        """What a program in C sees of large messages."""
        name = f"test-mixed-{os.getpid()}-{how}"
        queue = chute.open_queue(name, create=True)
        self.addCleanup(chute.unlink_queue, name)
        queue.put(b"x" * 100_000)
        queue.put(bytearray(100_000))
        queue.put([b"x" * 100_000])
        queue.put(Samples(bytearray(100_000)))
        queue.put_bytes(b"x" * 100_000)
        lines = subprocess.run([DRIVER, "look", name, how], capture_output=True,
                               text=True, check=True).stdout.splitlines()
        return [(word, int(n)) for word, n in map(str.split, lines)]

    def test_as_values(self):
        """Plain data are values; other messages are told from them, and whole."""
        (*plain, (samples, n_samples), no_pickle) = self.in_c("value")
        self.assertEqual(plain, [("OK", 100_000), ("OK", 0), ("OK", 0)])
        self.assertEqual(samples, "CHUTE_ENOTPLAIN")
        self.assertGreater(n_samples, 100_000)
        self.assertEqual(no_pickle, ("CHUTE_EPICKLE", 100_000))

    def test_as_bytes(self):
        for how in "bytes", "borrow":
            *pickles, last = self.in_c(how)
            self.assertEqual(last, ("OK", 100_000))
            self.assertEqual(len(pickles), 4)
            for word, n in pickles:
                self.assertEqual(word, "OK")
                self.assertGreater(n, 100_000)


if __name__ == "__main__":
    print(f"# seed {SEED}", flush=True)
    tap.main()
