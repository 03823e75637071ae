#!/usr/bin/python3
"""pains.py [--table] - what users of multiprocessing suffer from, on chute.

Each pain is a small program against the module `mp`, which is multiprocessing or
chute. It returns what it has seen go wrong, or nothing; it may hang, too, which a
deadline of the program around it finds out. So each runs in a session of its own,
which is killed as a whole.

As a test they run on chute alone. With --table on both, the one beside the other,
each with a thread of CPython's tracker where people tell of it.
"""
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
import unittest
from queue import Empty

import tap

DEADLINE = {"multiprocessing": 5, "chute": 120}
PAINS = {}


def pain(number, title, issue=None):
    def note(program):
        PAINS[number] = title, issue, program
        return program
    return note


def start(mp, target, *args, method="fork"):
    process = mp.get_context(method).Process(target=target, args=args)
    process.start()
    return process


def kill(process):
    process.kill()
    process.join()


def lost(n, of):
    return f"loses {n} of {of}" if n else None


# Targets of processes.

def put(q, *objects):
    for x in objects:
        q.put(x)


def put_for_ever(q, x):
    while True:
        q.put(x)


def put_and_exit(q, n):
    put(q, *range(n))
    os._exit(0)


def take(q, taken):
    q.get()
    taken.set()
    time.sleep(3600)


def get_until_shut_down(q):
    try:
        q.get()
    except Exception as e:
        sys.exit(type(e).__name__ != "ShutDown")


def get_queue_and_put(conn):
    conn.recv().put("by a queue that came later")


@pain(1, "a consumer is killed while it waits in get; others get", 85880)
def killed_in_get(mp):
    for q in mp.Queue(), mp.SimpleQueue():
        victim = start(mp, q.get)
        time.sleep(0.3)  # for it to wait; if it does not yet, so much the better
        kill(victim)
        put(q, "survived")
        assert q.get() == "survived"


@pain(2, "a producer is killed in the middle of a large put; others go on", 94777)
def killed_in_put(mp):
    for _ in range(3):
        q, large = mp.Queue(4), bytes(8 << 20)
        victim = start(mp, put_for_ever, q, large)
        while q.empty():
            time.sleep(0.001)
        kill(victim)
        other = start(mp, put, q, "whole")
        while (x := q.get()) != "whole":
            assert x == large
        other.join()


@pain(3, "a consumer is killed with an item in its hands; JoinableQueue.join", 87971)
def killed_with_item(mp):
    q, taken = mp.JoinableQueue(), mp.Event()
    q.put(1)
    victim = start(mp, take, q, taken)
    taken.wait()
    kill(victim)
    try:
        q.join(**({"report_lost": True} if hasattr(mp, "LostItems") else {}))
    except mp.LostItems as e:
        assert e.n == 1
        return None
    return "says that all is done"


@pain(4, "join a producer, then get what it has put (1 MB)", 128186)
def join_before_get(mp):
    q = mp.Queue()
    producer = start(mp, put, q, bytes(1_000_000))
    producer.join()
    assert len(q.get()) == 1_000_000


@pain(5, "a producer dies right after its puts have returned", 79423)
def death_after_put(mp):
    q, n, n_got = mp.Queue(), 20, 0
    start(mp, put_and_exit, q, n).join()
    try:
        while True:
            q.get(timeout=0.5)
            n_got += 1
    except Empty:
        return lost(n - n_got, n)


@pain(6, "put what cannot be pickled", 84376)
def unpicklable(mp):
    q = mp.Queue()
    try:
        q.put(threading.Lock())
    except TypeError:
        return None
    return "put returns as if all were well"


@pain(7, "change a list after it was put")
def changed_after_put(mp):
    q, n = mp.Queue(), 100
    lists = [[i] for i in range(n)]
    for x in lists:
        q.put(x)
        x.append("later")
    n_changed = sum(len(q.get()) > 1 for _ in range(n))
    return f"changes {n_changed} of {n} in the queue" if n_changed else None


@pain(8, "get(False), or empty and qsize, right after a put", 87302)
def empty_after_put(mp):
    q, n, n_wrong = mp.Queue(), 1000, 0
    for i in range(n):
        q.put(i)
        if i % 2:
            n_wrong += q.empty() or q.qsize() != 1
        try:
            q.get(False)
        except Empty:
            n_wrong += 1 - i % 2
            q.get()
    return f"wrong {n_wrong} of {n} times" if n_wrong else None


class Broken:
    """Can be pickled, and not unpickled."""

    def __reduce__(self):
        return int, ("no number",)


@pain(9, "get what cannot be unpickled", 83932)
def broken_message(mp):
    q, x = mp.Queue(), Broken()
    q.put(x)
    try:
        q.get()
    except ValueError as e:
        message = getattr(e, "message", b"")
    return lost(int(b"no number" not in message), 1)


class Guarded:
    """An object with a lock, as many have, that takes its time to be pickled."""

    def __init__(self, pickling):
        self.lock, self.pickling = threading.Lock(), pickling

    def __reduce__(self):
        with self.lock:
            self.pickling.set()
            time.sleep(0.5)
        return Guarded, (None,)

    def use(self):
        with self.lock:
            pass


@pain(12, "fork after a put; the child uses an object that was put", 100228)
def fork_after_put(mp):
    q, pickling = mp.Queue(), threading.Event()
    x = Guarded(pickling)
    q.put(x)
    pickling.wait()
    child = start(mp, x.use)
    child.join()
    q.get()
    n_threads = len(os.listdir("/proc/self/task"))
    return f"has {n_threads} threads" if n_threads > 1 else None


@pain(14, "close, or shut down, a queue at which processes wait", 96471)
def shutdown(mp):
    q = mp.Queue()
    waiters = [start(mp, get_until_shut_down, q) for _ in range(3)]
    time.sleep(0.3)  # as above
    if hasattr(q, "shutdown"):
        q.shutdown()
    else:
        q.close()
    for waiter in waiters:
        waiter.join()
        assert waiter.exitcode == 0


@pain(22, "a queue of the fork context for a process that is spawned", 77377)
def mixed_contexts(mp):
    q = mp.get_context("fork").Queue()
    child = start(mp, put, q, 1, method="spawn")
    child.join()
    if child.exitcode != 0:
        return f"the child dies ({child.exitcode})"
    assert q.get() == 1


@pain(23, "send a queue to a process that runs already")
def sent_later(mp):
    ours, theirs = mp.Pipe()
    child = start(mp, get_queue_and_put, theirs)
    q = mp.Queue()
    try:
        ours.send(q)
    except RuntimeError:
        kill(child)
        return "RuntimeError"
    assert q.get() == "by a queue that came later"
    child.join()


def run(number, module):
    """What a program has come to: what went wrong, or nothing, and its stderr."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--run", str(number), module], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    try:
        output, errors = process.communicate(timeout=DEADLINE[module])
    except subprocess.TimeoutExpired:
        output, errors = "hangs", ""
    else:
        if process.returncode != 0 and not output:
            output = f"fails ({process.returncode})"
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
    return output, errors


def table():
    """Print it; whether all is well."""
    line = "| {:>2} | {:66} | {:6} | {:31} | {} |".format
    print(line("", "pain", "issue", "multiprocessing", "chute"))
    print("|---:|---|---|---|---|")
    good = True
    for number, (title, issue, _) in PAINS.items():
        stock, _ = run(number, "multiprocessing")
        ours, errors = run(number, "chute")
        print(line(number, title, issue or "", stock or "works", ours or "works"),
              flush=True)
        if ours:
            good = False
            sys.stderr.write(errors)
    return good


class TestPains(unittest.TestCase):
    def check(self, number):
        output, errors = run(number, "chute")
        self.assertEqual(output, "", errors)


for _number, (_, _, _program) in PAINS.items():
    setattr(TestPains, f"test_{_number:02}_{_program.__name__}",
            lambda self, number=_number: self.check(number))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        outcome = PAINS[int(sys.argv[2])][-1](importlib.import_module(sys.argv[3]))
        print(outcome or "", end="")
        sys.stdout.flush()
    elif sys.argv[1:] == ["--table"]:
        sys.exit(not table())
    else:
        tap.main()
