#!/usr/bin/python3
"""chute.Queue, JoinableQueue and SimpleQueue, where they promise more than
multiprocessing's own tests ask for."""
import gc
import importlib
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
import unittest
from queue import Empty, Full

import chute
from chute import ShutDown

import tap

METHODS = chute.get_all_start_methods()
# Longer than anything here takes, however slow the machine is.
LONG = 60


def start(target, *args, method="fork"):
    process = chute.get_context(method).Process(target=target, args=args)
    process.start()
    return process


def run(program):
    """A program of its own, which ends well and says nothing."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)],
                          capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 0 and not done.stderr, done


def in_thread(target, *args):
    thread = threading.Thread(target=target, args=args)
    thread.start()
    return thread


def n_descriptors():
    return len(os.listdir("/proc/self/fd"))


class Odd:
    """An object that wants a class, and one that can be told apart."""

    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return type(self) is type(other) and self.x == other.x


class Broken:
    """Can be pickled, and not unpickled."""

    def __reduce__(self):
        return int, ("no number",)


OBJECTS = [
    None, True, False, 0, -1, 2**100, 1.5, "", "hello", "\udc80", b"", b"\0x",
    bytearray(b"x"), [], [42, None, "hello"], (1, [2, {3: (4,)}]), {1, 2},
    frozenset("ab"), Odd([1]), [Odd(2), {"a": Odd(3)}], range(3), 1j,
    b"x" * 4095, b"x" * 4096, b"x" * 5_000_000, list(range(10_000)),
]


class TestObjects(unittest.TestCase):
    def test_each_comes_back_as_it_was(self):
        q = chute.Queue()
        for x in OBJECTS:
            q.put(x)
        for x in OBJECTS:
            got = q.get()
            self.assertEqual(got, x)
            self.assertIs(type(got), type(x))

    def test_what_is_shared_stays_so(self):
        q, part = chute.Queue(), [1]
        q.put([part, part, (part,)])
        a, b, (c,) = q.get()
        self.assertTrue(a is b is c)

    def test_a_list_that_holds_itself(self):
        q, x = chute.Queue(), []
        x.append(x)
        q.put(x)
        got = q.get()
        self.assertIs(got[0], got)

    def test_a_list_too_deep_for_the_pickler(self):
        q, x = chute.Queue(), []
        for _ in range(100_000):
            x = [x]
        with self.assertRaises(RecursionError):
            q.put(x)
        while x:
            x = x.pop()
        self.assertEqual(q.qsize(), 0)

    def test_what_is_put_is_the_object_of_that_moment(self):
        q, x = chute.Queue(), [1]
        q.put(x)
        x.append(2)
        self.assertEqual(q.get(), [1])

    def test_one_that_cannot_be_pickled_raises_in_put(self):
        q = chute.Queue(1)
        with self.assertRaises((pickle.PicklingError, AttributeError)):
            q.put(lambda: 0)
        with self.assertRaises(TypeError):
            q.put([threading.Lock()])
        self.assertEqual(q.qsize(), 0)
        q.put(1, False)

    def test_a_hook_that_returns_is_asked_instead(self):
        reports = []

        class Lenient(chute.queues.Queue):
            def _on_queue_feeder_error(self, e, obj):
                reports.append((type(e), obj))

        lock = threading.Lock()
        q = Lenient(1, ctx=chute.get_context())
        self.assertIsNone(q.put(lock))
        self.assertEqual(reports, [(TypeError, lock)])
        self.assertEqual(q.qsize(), 0)

    def test_a_hook_that_raises_is_heard(self):
        class Strict(chute.queues.Queue):
            def _on_queue_feeder_error(self, e, obj):
                raise KeyError("mine") from e

        with self.assertRaisesRegex(KeyError, "mine"):
            Strict(ctx=chute.get_context()).put(threading.Lock())

    def test_one_that_cannot_be_unpickled_raises_in_get(self):
        q = chute.Queue()
        q.put(Broken())
        q.put(7)
        with self.assertRaises(ValueError) as caught:
            q.get()
        self.assertEqual(q.get(), 7)
        self.assertEqual(caught.exception.message, pickle.dumps(Broken(), 5))

    def test_its_message_is_not_lost(self):
        """However large, and whatever it comes by."""
        (a, b), q = chute.Pipe(), chute.Queue()
        for size in 0, 1, 4096, 100_000:
            message = b"no pickle" * (size > 0) + bytes(size)
            for send, receive in ((q.put_bytes, q.get), (a.send_bytes, b.recv),
                                  (q.put_bytes, lambda: q.get_many(1))):
                send(message)
                with self.assertRaises((pickle.UnpicklingError, EOFError)) as caught:
                    receive()
                self.assertEqual(caught.exception.message, message)

    def test_bytes_as_they_are(self):
        q = chute.Queue()
        for data in b"", b"abc", bytearray(b"y" * 100_000), memoryview(b"z"):
            q.put_bytes(data)
            self.assertEqual(q.get_bytes(), bytes(data))
        q.put([1])
        self.assertEqual(pickle.loads(q.get_bytes()), [1])
        q.put_bytes(pickle.dumps([2]))
        self.assertEqual(q.get(), [2])
        with self.assertRaises(TypeError):
            q.put_bytes("text")


class TestCounts(unittest.TestCase):
    def test_they_are_exact(self):
        q = chute.Queue(3)
        for n in range(3):
            self.assertEqual((q.qsize(), q.empty(), q.full()), (n, n == 0, False))
            q.put(n)
        self.assertEqual((q.qsize(), q.empty(), q.full()), (3, False, True))
        for n in range(3):
            self.assertEqual(q.get_nowait(), n)
        self.assertTrue(q.empty())

    def test_full_and_empty(self):
        q = chute.Queue(1)
        q.put(1)
        for call in (lambda: q.put(2, False), lambda: q.put_nowait(2),
                     lambda: q.put(2, True, 0), lambda: q.put(2, timeout=-1),
                     lambda: q.put(2, timeout=0.01)):
            self.assertRaises(Full, call)
        q.get()
        for call in (lambda: q.get(False), q.get_nowait, lambda: q.get(True, 0),
                     lambda: q.get(timeout=-1), lambda: q.get(timeout=0.01)):
            self.assertRaises(Empty, call)

    def test_a_timeout_takes_its_time(self):
        q = chute.Queue()
        for seconds in 0.1, 0.6:  # shorter and longer than a slice
            begin = time.monotonic()
            with self.assertRaises(Empty):
                q.get(timeout=seconds)
            self.assertGreaterEqual(time.monotonic() - begin, seconds)

    def test_timeouts_that_make_no_sense(self):
        q = chute.Queue()
        for block in True, False:
            self.assertRaises(TypeError, q.put, 1, block, "x")
            self.assertRaises(TypeError, q.get, block, "x")
        self.assertRaises(ValueError, q.get, True, float("nan"))
        self.assertRaises(OverflowError, q.get, True, 1e30)
        self.assertRaises(OverflowError, q.put, 1, True, float("inf"))
        self.assertEqual(q.qsize(), 0)

    def test_arguments(self):
        q = chute.Queue()
        q.put(obj=1, block=True, timeout=None)
        self.assertEqual(q.get(block=True, timeout=1), 1)
        for call in (lambda: q.put(), lambda: q.put(1, True, None, 4),
                     lambda: q.put(1, x=2), lambda: q.put(1, obj=2),
                     lambda: q.get(True, None, 3)):
            self.assertRaises(TypeError, call)

    def test_maxsize(self):
        for maxsize in 0, -1, 2**30, 2**30 + 1, 2**31 - 1:
            q = chute.Queue(maxsize)
            q.put(1)
            self.assertFalse(q.full())
            self.assertEqual(q._maxsize, maxsize if maxsize > 0 else 2**31 - 1)
        self.assertRaises(OverflowError, chute.Queue, 2**31)
        self.assertRaises(TypeError, chute.Queue, 1.5)
        self.assertRaises(TypeError, chute.Queue, "a")

    def test_statistics(self):
        q = chute.Queue(3)
        for n in range(3):
            q.put_bytes(bytes(8 * n))
        q.get_bytes()
        stat = q.stat()
        for name, expected in {
                "n_items": 2, "n_put": 3, "n_got": 1, "n_items_most": 3,
                "maxsize": 3, "n_bytes_put": 24, "n_bytes_got": 0,
                "closed": False, "unlinked": False, "n_deaths": 0}.items():
            self.assertEqual(stat[name], expected, name)
        q.shutdown()
        self.assertTrue(q.stat()["closed"])

    def test_members(self):
        q = chute.Queue()
        self.assertEqual(q.members(), [])
        q.put(1)
        process = start(put_all, q, [2, 3])
        me = q.members()[0]
        self.assertEqual((me["pid"], me["n_put"], me["n_got"]), (os.getpid(), 1, 0))
        self.assertTrue(me["program"].startswith("python"))
        process.join(LONG)
        self.assertEqual(len(q.members()), 1)
        self.assertEqual(q.stat()["n_gone"], 1)

    def test_memory(self):
        q = chute.Queue(memory=4096)
        with self.assertRaises(ValueError):
            q.put_bytes(bytes(5000))
        q.put_bytes(bytes(4000))
        with self.assertRaises(Full):
            q.put_bytes(bytes(4000), False)


class TestMany(unittest.TestCase):
    def test_they_come_in_order(self):
        q = chute.Queue()
        q.put_many(OBJECTS)
        q.put_many(x for x in "abc")
        q.put_many([])
        q.put("d")
        self.assertEqual(q.qsize(), len(OBJECTS) + 4)
        got = []
        while not q.empty():
            some = q.get_many(7)
            self.assertTrue(1 <= len(some) <= 7)
            got += some
        self.assertEqual(got, [*OBJECTS, *"abcd"])

    def test_as_many_as_are_there(self):
        q = chute.Queue()
        q.put_many(range(5000))
        self.assertEqual(q.get_many(3), [0, 1, 2])
        self.assertEqual(q.get_many(1), [3])
        got = q.get_many(10**9, False)
        self.assertGreater(len(got), 500)
        self.assertEqual(got, list(range(4, 4 + len(got))))
        for n in 0, -1:
            self.assertRaises(ValueError, q.get_many, n)
        self.assertRaises(TypeError, q.get_many, "x")
        self.assertRaises(TypeError, q.put_many, 5)

    def test_full_says_how_many_were_put(self):
        q = chute.Queue(3)
        for timeout in 0, 0.05:
            with self.assertRaises(Full) as caught:
                q.put_many(range(5), timeout=timeout)
            self.assertEqual(caught.exception.args, (3,))
            self.assertEqual(q.get_many(9), [0, 1, 2])
        self.assertRaises(Empty, q.get_many, 1, False)
        self.assertRaises(Empty, q.get_many, 1, timeout=0.01)
        q.shutdown()
        self.assertRaises(ShutDown, q.put_many, [1])
        self.assertRaises(ShutDown, q.get_many, 1)

    def test_one_that_cannot_be_pickled_keeps_all_back(self):
        q = chute.Queue()
        with self.assertRaises(TypeError):
            q.put_many([1, threading.Lock(), 2])
        self.assertTrue(q.empty())

    def test_one_that_cannot_be_unpickled_takes_no_others_along(self):
        q = chute.Queue()
        q.put_many([1, Broken(), 2, Broken()])
        q.put_bytes(b"no pickle")
        with self.assertRaises(ValueError) as caught:
            q.get_many(5)
        self.assertEqual(caught.exception.got, [1, 2])
        self.assertEqual([(type(e), e.message) for e in caught.exception.others],
                         [(ValueError, pickle.dumps(Broken(), 5)),
                          (pickle.UnpicklingError, b"no pickle")])
        self.assertTrue(q.empty())

    def test_through_a_small_queue(self):
        q = chute.Queue(7)
        process = start(lambda: q.put_many(range(1000)))
        got = []
        while len(got) < 1000:
            got += q.get_many(50, timeout=LONG)
        self.assertEqual(got, list(range(1000)))
        process.join(LONG)

    def test_tasks(self):
        q = chute.JoinableQueue()
        q.put_many(range(10))
        for _ in q.get_many(10):
            q.task_done()
        q.join()
        self.assertRaises(ValueError, q.task_done)


class TestClose(unittest.TestCase):
    def test_it_is_of_this_object(self):
        q = chute.Queue(2)
        q.put(1)
        q.close()
        q.close()
        self.assertRaisesRegex(ValueError, "is closed", q.put, 1)
        self.assertRaisesRegex(ValueError, "is closed", q.get)
        self.assertEqual((q.qsize(), q.full()), (1, False))
        self.assertRaisesRegex(OSError, "is closed", q.empty)

    def test_one_that_was_not_put_to_is_empty(self):
        q = chute.Queue()
        q.close()
        self.assertTrue(q.empty())

    def test_it_is_open_in_a_child(self):
        q = chute.Queue()
        q.close()
        process = start(lambda: sys.exit(q.put(1)))
        process.join(LONG)
        self.assertEqual((process.exitcode, q.qsize()), (0, 1))

    def test_there_is_no_thread_to_join(self):
        q = chute.Queue()
        q.put(b"x" * 1_000_000)
        self.assertRaises(AssertionError, q.join_thread)
        q.cancel_join_thread()
        q.close()
        q.join_thread()
        q.join_thread()
        self.assertEqual(threading.active_count(), 1)

    def test_descriptors_go_with_the_object(self):
        before = n_descriptors()
        for _ in range(100):
            q, j, s = chute.Queue(), chute.JoinableQueue(), chute.SimpleQueue()
            a, b = chute.Pipe()
            q.put(1)
        del q, j, s, a, b
        gc.collect()
        self.assertEqual(n_descriptors(), before)

    def test_one_that_was_never_made_says_so(self):
        q = chute._chute.Queue()
        for call in (q.get, q.qsize, q.empty, q.full, q.stat, q.members,
                     q._fd):
            self.assertRaises(ValueError, call)
        q._make(0, 0)
        self.assertRaises(ValueError, q._make, 0, 0)


class TestShutDown(unittest.TestCase):
    def test_gets_take_what_is_left(self):
        q = chute.Queue()
        q.put(1)
        q.shutdown()
        self.assertRaises(ShutDown, q.put, 2)
        self.assertEqual(q.get(), 1)
        self.assertRaises(ShutDown, q.get)
        self.assertRaises(ShutDown, q.get, False)

    def test_it_wakes_those_in_other_processes(self):
        def wait(q):
            try:
                q.get()
            except ShutDown:
                sys.exit(7)

        q = chute.Queue()
        waiters = [start(wait, q) for _ in range(3)]
        time.sleep(0.1)
        q.shutdown()
        for waiter in waiters:
            waiter.join(LONG)
            self.assertEqual(waiter.exitcode, 7)

    def test_at_once(self):
        q = chute.JoinableQueue()
        for n in range(10):
            q.put(n)
        q.shutdown(immediate=True)
        self.assertEqual(q.qsize(), 0)
        q.join()
        self.assertRaises(ShutDown, q.get)


def put_all(q, objects):
    for x in objects:
        q.put(x)


def put_and_die(q, n):
    for i in range(n):
        q.put(i)
    os._exit(0)


def echo(q, back):
    for x in iter(q.get, None):
        back.put(x)


class TestProcesses(unittest.TestCase):
    def test_a_queue_goes_to_each_kind_of_child(self):
        for method in METHODS:
            with self.subTest(method):
                ctx = chute.get_context(method)
                for q, back in ((ctx.Queue(), ctx.JoinableQueue()),
                                (ctx.SimpleQueue(), ctx.SimpleQueue())):
                    process = start(echo, q, back, method=method)
                    for x in OBJECTS[1:15]:
                        q.put(x)
                        self.assertEqual(back.get(), x)
                    q.put(None)
                    process.join(LONG)
                    self.assertEqual(process.exitcode, 0)

    def test_a_queue_of_one_method_goes_to_a_child_of_another(self):
        q, back = chute.get_context("fork").Queue(), chute.Queue()
        process = start(echo, q, back, method="spawn")
        q.put(1)
        q.put(None)
        self.assertEqual(back.get(timeout=LONG), 1)
        process.join(LONG)

    def test_a_queue_goes_over_queues_and_pipes(self):
        def take(q, conn):
            q.get().put("by queue")
            conn.recv().put("by pipe")

        ways = chute.Queue(), chute.Pipe()
        q = chute.Queue(5)
        process = start(take, ways[0], ways[1][1])
        ways[0].put(q)
        ways[1][0].send(q)
        self.assertEqual(q.get(timeout=LONG), "by queue")
        self.assertEqual(q.get(timeout=LONG), "by pipe")
        process.join(LONG)
        copy = pickle.loads(chute.reduction.ForkingPickler.dumps(q))
        self.assertEqual(copy._maxsize, 5)
        put_all(copy, range(5))
        self.assertTrue(q.full())

    def test_what_was_put_outlives_its_producer(self):
        q = chute.Queue()
        process = start(put_and_die, q, 20)
        process.join(LONG)
        self.assertEqual([q.get(False) for _ in range(20)], list(range(20)))

    def test_a_producer_ends_though_nobody_gets(self):
        q = chute.Queue()
        process = start(q.put, b"x" * 10_000_000)
        process.join(LONG)
        self.assertEqual(process.exitcode, 0)
        self.assertEqual(len(q.get()), 10_000_000)

    def test_a_consumer_killed_in_get_takes_nothing_along(self):
        for sig in signal.SIGKILL, signal.SIGTERM:
            q, back = chute.Queue(), chute.Queue()
            victims = [start(q.get) for _ in range(3)]
            time.sleep(0.1)
            for victim in victims:
                os.kill(victim.pid, sig)
                victim.join()
            survivor = start(echo, q, back)
            put_all(q, [*range(100), None])
            self.assertEqual([back.get(timeout=LONG) for _ in range(100)],
                             list(range(100)))
            survivor.join(LONG)

    def test_order_of_each_producer(self):
        q = chute.Queue(10)
        n = 2000
        processes = [start(put_all, q, [(who, i) for i in range(n)])
                     for who in range(3)]
        seen = [0, 0, 0]
        for _ in range(3 * n):
            who, i = q.get(timeout=LONG)
            self.assertEqual(i, seen[who])
            seen[who] += 1
        for process in processes:
            process.join(LONG)

    def test_threads_and_processes_at_once(self):
        q, back = chute.Queue(5), chute.Queue()
        n = 500
        consumers = [start(echo, q, back) for _ in range(2)]
        threads = [threading.Thread(target=put_all, args=(q, range(n)))
                   for _ in range(3)]
        for thread in threads:
            thread.start()
        got = sorted(back.get(timeout=LONG) for _ in range(3 * n))
        self.assertEqual(got, sorted(list(range(n)) * 3))
        for thread in threads:
            thread.join()
        put_all(q, [None, None])
        for consumer in consumers:
            consumer.join(LONG)


class TestSignals(unittest.TestCase):
    def test_ctrl_c_ends_a_wait(self):
        def wait(q, back):
            signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                back.put("ready")
                q.get()
            except KeyboardInterrupt:
                back.put("interrupted")

        for _ in range(5):
            q, back = chute.Queue(), chute.Queue()
            process = start(wait, q, back)
            back.get(timeout=LONG)  # then somewhere about to sleep
            os.kill(process.pid, signal.SIGINT)
            self.assertEqual(back.get(timeout=LONG), "interrupted")
            process.join(LONG)

    def test_a_handler_may_use_the_queue(self):
        q = chute.Queue()
        old = signal.signal(signal.SIGALRM, lambda *_: q.put("from the handler"))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            self.assertEqual(q.get(timeout=LONG), "from the handler")
        finally:
            signal.signal(signal.SIGALRM, old)

    def test_a_handler_does_not_lengthen_a_timeout(self):
        q = chute.Queue()
        n = []
        old = signal.signal(signal.SIGALRM, lambda *_: n.append(1))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
            with self.assertRaises(Empty):
                q.get(timeout=0.3)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old)
        self.assertGreater(len(n), 1)

    def test_other_threads_run_while_one_waits(self):
        q, ran = chute.Queue(), threading.Event()
        waiter = threading.Thread(target=q.get)
        waiter.start()
        threading.Timer(0.05, ran.set).start()
        self.assertTrue(ran.wait(LONG))
        self.assertTrue(waiter.is_alive())
        q.put(1)
        waiter.join(LONG)
        self.assertFalse(waiter.is_alive())


class TestJoinable(unittest.TestCase):
    def test_join_waits_for_all(self):
        def work(q):
            for _ in iter(q.get, None):
                time.sleep(0.01)
                q.task_done()
            q.task_done()

        for method in "fork", "spawn":
            q = chute.get_context(method).JoinableQueue()
            put_all(q, [*range(10), None])
            process = threading.Thread(target=work, args=(q,))
            process.start()
            q.join()
            self.assertEqual(q.qsize(), 0)
            process.join()

    def test_task_done_too_often(self):
        q = chute.JoinableQueue()
        self.assertRaises(ValueError, q.task_done)
        q.put(1)
        q.close()
        q.task_done()
        self.assertRaises(ValueError, q.task_done)
        self.assertRaises(ValueError, q.put, 1)
        q.join()

    def test_a_kill_does_not_harm_the_count(self):
        """Producers and consumers are killed anywhere; what is left is done by
        others, and join knows when."""
        def work(q):
            while True:
                q.get()
                q.task_done()

        def produce(q):
            while True:
                q.put(1)

        q = chute.JoinableQueue(10)
        for _ in range(20):
            pair = start(work, q), start(produce, q)
            time.sleep(0.02)
            for process in pair[::-1]:
                os.kill(process.pid, signal.SIGKILL)
                process.join()
        while not q.empty():
            q.get()
            q.task_done()
        # An item was in the hands of each consumer, or was not.
        left = 0
        while True:
            try:
                q.task_done()
                left += 1
            except ValueError:
                break
        self.assertLessEqual(left, 20)
        q.join()

    def test_each_who_joins_is_woken(self):
        """By the bell alone: the clock is taken away."""
        def join(q, ready, joined):
            q._TICK = None
            ready.put(1)
            q.join()
            joined.put(1)

        for method in METHODS:
            ctx = chute.get_context(method)
            q, ready, joined = ctx.JoinableQueue(), ctx.Queue(), ctx.Queue()
            for n in range(10):
                q.put(n)
                copy = pickle.loads(chute.reduction.ForkingPickler.dumps(q))
                crew = [in_thread(join, x, ready, joined) for x in (q, copy)]
                if method == "fork":
                    crew += [start(join, q, ready, joined) for _ in range(2)]
                for _ in crew:
                    ready.get(timeout=LONG)
                q.get()
                q.task_done()
                for _ in crew:
                    joined.get(timeout=LONG)
                for one in crew:
                    one.join(LONG)

    def test_a_bell_that_rings_for_nothing(self):
        """Everything was done with, and then more is put."""
        q, joined = chute.JoinableQueue(), chute.Queue()
        q._TICK = None
        for _ in range(2):
            q.put(1)
            q.get()
            q.task_done()  # rings
            q.put(2)
            thread = in_thread(lambda: (q.join(), joined.put(1)))
            self.assertRaises(Empty, joined.get, timeout=0.05)
            q.get()
            q.task_done()
            joined.get(timeout=LONG)
            thread.join(LONG)

    def test_items_lost_with_their_consumers(self):
        def take(q, n, taken):
            for _ in range(n):
                q.get()
            taken.put(1)
            time.sleep(LONG)

        def take_and_finish(q):
            q.get()
            q.task_done()

        q, taken = chute.JoinableQueue(), chute.Queue()
        put_all(q, range(6))
        finisher = start(take_and_finish, q)
        finisher.join(LONG)
        consumers = [start(take, q, n, taken) for n in (2, 1)]
        for _ in consumers:
            taken.get(timeout=LONG)
        self.assertEqual(q._n_lost(), 0)
        consumers[0].kill()
        consumers[0].join(LONG)
        with self.assertRaisesRegex(chute.LostItems, "^2 taken") as caught:
            q.join(report_lost=True)
        self.assertEqual(caught.exception.n, 2)
        q.task_done()
        q.task_done()
        consumers[1].kill()
        consumers[1].join(LONG)
        with self.assertRaises(chute.LostItems) as caught:
            q.join(report_lost=True)
        self.assertEqual(caught.exception.n, 1)
        q.task_done()
        for _ in range(2):
            q.get()
            q.task_done()
        q.join(report_lost=True)

    def test_what_was_not_put_is_not_waited_for(self):
        class Lenient(chute.queues.JoinableQueue):
            def _on_queue_feeder_error(self, e, obj):
                pass

        q = Lenient(1, ctx=chute.get_context())
        q.put(threading.Lock())
        q.join()
        self.assertRaises(TypeError, chute.JoinableQueue().put, threading.Lock())
        q.put(1)
        self.assertRaises(Full, q.put, 2, False)
        q.task_done()
        q.join()


class TestNames(unittest.TestCase):
    NAME = f"test-python-{os.getpid()}"

    def tearDown(self):
        try:
            chute.unlink_queue(self.NAME)
        except FileNotFoundError:
            pass

    def test_they_lead_to_the_queue(self):
        self.assertRaises(FileNotFoundError, chute.open_queue, self.NAME)
        q = chute.Queue(2, name=self.NAME)
        q.put(1)
        self.assertEqual(chute.open_queue(self.NAME).get(), 1)
        self.assertRaises(FileExistsError, chute.open_queue, self.NAME,
                          create=True, exclusive=True)
        chute.unlink_queue(self.NAME)
        self.assertTrue(q.stat()["unlinked"])
        self.assertRaises(ValueError, chute.open_queue, "no/name")

    def test_a_child_that_is_spawned_has_it(self):
        q = chute.Queue(name=self.NAME)
        process = start(put_all, q, [1, 2], method="spawn")
        self.assertEqual([q.get(timeout=LONG), q.get(timeout=LONG)], [1, 2])
        process.join(LONG)


class TestPackage(unittest.TestCase):
    def test_it_has_all_that_multiprocessing_has(self):
        import multiprocessing
        for name in multiprocessing.__all__:
            self.assertTrue(hasattr(chute, name), name)
        for name in chute.__all__:
            self.assertTrue(hasattr(chute, name), name)
        for name in "connection", "queues", "reduction", "util", "process":
            self.assertTrue(hasattr(chute, name), name)
        self.assertIs(chute.Process, multiprocessing.Process)

    def test_its_modules(self):
        for name in ("connection", "context", "dummy", "managers", "pool",
                     "process", "queues", "reduction", "shared_memory",
                     "sharedctypes", "synchronize", "util"):
            ours = importlib.import_module("chute." + name)
            stock = importlib.import_module("multiprocessing." + name)
            for what in getattr(stock, "__all__", ()):
                self.assertTrue(hasattr(ours, what), (name, what))
            if name not in ("connection", "context", "queues"):
                self.assertIs(ours, stock)

    def test_a_thread_that_waits_does_not_hold_up_the_exit(self):
        run("""
            import chute, threading, time
            full = chute.Queue(1)
            full.put(1)
            (a, b), tasks = chute.Pipe(), chute.JoinableQueue()
            for call in (chute.Queue().get, tasks.get, a.recv,
                         lambda: b.poll(None), lambda: full.put(2)):
                threading.Thread(target=call, daemon=True).start()
            time.sleep(0.1)
            """)

    def test_another_interpreter(self):
        run("""
            import _xxsubinterpreters as interpreters
            for _ in range(3):
                one = interpreters.create()
                interpreters.run_string(one, "if True:" + """ + repr("""
                    from chute import _chute
                    q = _chute.Queue()
                    q._make(0, 0)
                    q.put([1, 1j])
                    assert q.get() == [1, 1j]
            """) + """)
                interpreters.destroy(one)
            import chute
            q = chute.Queue()
            q.put(1)
            assert q.get() == 1
            """)

    def test_contexts(self):
        self.assertRaises(ValueError, chute.get_context, "no method")
        for method in METHODS:
            ctx = chute.get_context(method)
            self.assertEqual(ctx.get_start_method(), method)
            self.assertIsInstance(ctx.Queue(), chute.queues.Queue)
            self.assertEqual(ctx.Process._start_method, method)

    def test_pool_manager_and_lock(self):
        with chute.Pool(2) as pool:
            self.assertEqual(pool.map(abs, [-1, -2]), [1, 2])
        with chute.Manager() as manager:
            self.assertEqual(list(manager.list([1])), [1])
        with chute.Lock():
            pass


if __name__ == "__main__":
    tap.main()
