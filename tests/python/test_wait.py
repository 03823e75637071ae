#!/usr/bin/python3
"""Waiting for queues among other things: chute.wait, select, asyncio."""
import asyncio
import gc
import os
import select
import selectors
import socket
import time
import unittest
from queue import Empty

import chute

import tap

LONG = 60


def start(target, *args, method="fork"):
    process = chute.get_context(method).Process(target=target, args=args)
    process.start()
    return process


def put_all(q, objects):
    for x in objects:
        q.put(x)


def wait_and_get(q):
    """Readable is a promise that a get is worth while, not that it succeeds."""
    while True:
        assert select.select([q], [], [], LONG)[0] == [q]
        try:
            return q.get(False)
        except Empty:
            pass


def is_readable(q):
    return select.select([q], [], [], 0)[0] == [q]


class TestDescriptor(unittest.TestCase):
    def test_it_tells_whether_there_is_an_item(self):
        for make in chute.Queue, chute.JoinableQueue, chute.SimpleQueue:
            q = make()
            self.assertFalse(is_readable(q))
            q.put(1)
            q.put(2)
            self.assertTrue(is_readable(q))
            q.get()
            self.assertTrue(is_readable(q))
            q.get()
            self.assertFalse(is_readable(q))

    def test_it_is_one_for_each_object(self):
        q, other = chute.Queue(), chute.Queue()
        self.assertEqual(q.fileno(), q.fileno())
        self.assertNotEqual(q.fileno(), other.fileno())
        self.assertFalse(os.get_inheritable(q.fileno()))

    def test_it_goes_with_the_object(self):
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(100):  # more than one queue can have
            q = chute.Queue()
            q.fileno()
        del q
        gc.collect()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_closed_and_shut_down(self):
        q = chute.Queue()
        self.assertFalse(is_readable(q))
        q.shutdown()
        self.assertTrue(is_readable(q))
        self.assertRaises(chute.ShutDown, q.get, False)
        q.close()
        self.assertRaises(ValueError, q.fileno)
        self.assertRaises(ValueError, chute._chute.Queue().fileno)

    def test_a_put_elsewhere_ends_the_wait(self):
        for method in chute.get_all_start_methods():
            q = chute.get_context(method).Queue()
            self.assertFalse(is_readable(q))
            process = start(put_all, q, [1], method=method)
            self.assertEqual(wait_and_get(q), 1)
            process.join(LONG)

    def test_a_child_that_is_forked_has_its_own(self):
        q, back = chute.Queue(), chute.Queue()
        q.fileno()
        children = []
        for i in range(3):
            children.append(start(lambda: back.put(wait_and_get(q))))
            q.put(i)
            self.assertEqual(back.get(timeout=LONG), i)
        for child in children:
            child.join(LONG)

    def test_what_another_has_taken(self):
        """Nothing is there: a get says so, and then the descriptor."""
        q = chute.Queue()
        self.assertFalse(is_readable(q))
        q.put(1)
        process = start(q.get)
        process.join(LONG)
        self.assertRaises(Empty, q.get, False)
        self.assertFalse(select.select([q.fileno()], [], [], 0)[0])


class TestWait(unittest.TestCase):
    def test_queues_among_other_things(self):
        q, j, s = chute.Queue(), chute.JoinableQueue(), chute.SimpleQueue()
        (a, b), (c, d) = chute.Pipe(), socket.socketpair()
        process = start(time.sleep, LONG)
        objects = [q, a, j, c, s, process.sentinel]
        with c, d:
            self.assertEqual(chute.wait(objects, 0), [])
            for act, ready in ((lambda: q.put(1), [q]), (lambda: b.send(1), [q, a]),
                               (lambda: j.put(1), [q, a, j]),
                               (lambda: d.send(b"1"), [q, a, j, c]),
                               (lambda: s.put(1), [q, a, j, c, s]),
                               (process.kill, objects)):
                act()
                while len(chute.wait(objects, LONG)) < len(ready):
                    pass
                self.assertEqual(chute.wait(objects), ready)
        process.join(LONG)

    def test_a_consumer_notices_that_its_producer_died(self):
        q = chute.Queue()
        process = start(put_all, q, range(3))
        got = []
        while True:
            ready = chute.wait([q, process.sentinel], LONG)
            try:
                got.append(q.get(False))
            except Empty:
                if process.sentinel in ready:
                    break
        self.assertEqual(got, [0, 1, 2])
        process.join(LONG)

    def test_a_selector(self):
        q = chute.Queue()
        with selectors.DefaultSelector() as selector:
            selector.register(q, selectors.EVENT_READ)
            for i in range(100):
                q.put(i)
                self.assertEqual(len(selector.select(LONG)), 1)
                self.assertEqual(q.get(False), i)
                self.assertEqual(selector.select(0), [])


class TestAsyncio(unittest.TestCase):
    def test_other_tasks_run_meanwhile(self):
        async def main(q):
            task = asyncio.create_task(q.aget())
            for _ in range(10):
                await asyncio.sleep(0)
            self.assertFalse(task.done())
            q.put([1, 2])
            return await asyncio.wait_for(task, LONG)

        self.assertEqual(asyncio.run(main(chute.Queue())), [1, 2])

    def test_many_tasks_and_processes(self):
        async def main(q, n):
            return await asyncio.wait_for(
                asyncio.gather(*(q.aget() for _ in range(n))), LONG)

        q = chute.Queue(5)
        producers = [start(put_all, q, range(i, 100, 2)) for i in range(2)]
        self.assertEqual(sorted(asyncio.run(main(q, 100))), list(range(100)))
        for producer in producers:
            producer.join(LONG)

    def test_who_is_cancelled_has_taken_nothing(self):
        async def main(q):
            for i in range(100):
                task = asyncio.create_task(q.aget())
                await asyncio.sleep(0)
                q.put(i)
                task.cancel()
                try:
                    got.append(await task)
                except asyncio.CancelledError:
                    got.append(await q.aget())

        q, n = chute.Queue(), []
        for _ in range(2):
            got = []
            asyncio.run(main(q))
            self.assertEqual(got, list(range(100)))
            self.assertTrue(q.empty())
            n.append(len(os.listdir("/proc/self/fd")))
        self.assertEqual(n[0], n[1])

    def test_shut_down(self):
        async def main(q):
            task = asyncio.create_task(q.aget())
            await asyncio.sleep(0)
            q.shutdown()
            with self.assertRaises(chute.ShutDown):
                await asyncio.wait_for(task, LONG)

        asyncio.run(main(chute.Queue()))


if __name__ == "__main__":
    tap.main()
