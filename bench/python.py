#!/usr/bin/python3
"""python.py [--rounds N] [--seconds S] [PEER...] - objects between Python
processes, by chute and by others, side by side in one run.

Objects a second, from one process to one and from four to four; each is compared
with what was sent, a large one at its ends, and every sixteenth of these wholly.
Round trip: one object goes there and back, by two processes that run where the
system likes, or each on a processor of its own. CPU: the processor time that both
sides, with all their threads, take for an int. The peers take turns, in another
order each round; the figures are medians. The machine is shared, so read ratios,
not figures: the goals are ratios.

    mp          multiprocessing's Queue(1024), SimpleQueue, Pipe
    chute       chute's; the queue holds 1024 objects, or 16 MiB
    zmq         pyzmq's PUSH and PULL over ipc, objects by send_pyobj, arrays
                without a copy (if Debian's python3-zmq is there)
"""
import argparse
import itertools
import json
import multiprocessing
import os
import pickle
import random
import shutil
import statistics
import sys
import tempfile
import time

import chute

try:
    import numpy
except ImportError:
    numpy = None
try:
    import zmq
except ImportError:
    zmq = None

ARRAY = "1 MiB array"
# Each with its weight: how many of the first kind take as long.
OBJECTS = {
    "int": (42, 1),
    "[42, None, 'hello']": ([42, None, "hello"], 1),
    "1 KiB bytes": (bytes(range(256)) * 4, 1),
    "1 MiB bytes": (bytes(range(256)) * 4096, 50),
}
if numpy:
    OBJECTS[ARRAY] = numpy.arange(1 << 17, dtype="int64"), 50
SMALL = "int", "[42, None, 'hello']"
FORK = multiprocessing.get_context("fork")
BATCH = 200  # between looks at the clock, for objects of weight 1
MANY = 4
APART = "round trip, apart"
LARGE = 100_000  # bytes


class Check:
    """Is what was got what was sent?"""

    def __init__(self, x):
        self.x, self.n = x, 0
        self.is_array = numpy is not None and isinstance(x, numpy.ndarray)
        self.is_large = self.is_array or isinstance(x, bytes) and len(x) > LARGE

    def __call__(self, got):
        self.n += 1
        if not self.is_large:
            return got == self.x
        if self.n % 16 == 0:
            return (numpy.array_equal(got, self.x) if self.is_array
                    else got == self.x)
        return (len(got) == len(self.x) and got[0] == self.x[0]
                and got[-1] == self.x[-1])


class Queues:
    """Queues there and back, which all who take part share."""

    n_ends = 1  # how many times a getter sees the end
    lingers = False  # whether putters have to stay until all was got

    def __init__(self, make):
        self.there, self.back = make(), make()

    def left(self, _=0):
        return self.there.put, self.back.get

    def right(self, _=0):
        return self.back.put, self.there.get

    def putter(self, _):
        return self.there.put, lambda: None

    def end(self):
        for _ in range(MANY):
            self.there.put(None)

    def close(self):
        pass


class Pipes:
    def __init__(self, module):
        self.a, self.b = module.Pipe()

    def left(self):
        return self.a.send, self.a.recv

    def right(self):
        return self.b.send, self.b.recv

    def close(self):
        self.a.close()
        self.b.close()


class Zmq:
    """Sockets are made by the process that uses them."""

    n_ends = MANY  # one of each putter, for each comes by a way of its own
    lingers = True  # what is in a socket goes with its process

    def __init__(self):
        self.directory = tempfile.mkdtemp()

    def pull(self, name):
        socket = zmq.Context.instance().socket(zmq.PULL)
        socket.set_hwm(1024)
        socket.bind(f"ipc://{self.directory}/{name}")
        return self.get_of(socket)

    def push(self, name):
        socket = zmq.Context.instance().socket(zmq.PUSH)
        socket.set_hwm(1024)
        socket.setsockopt(zmq.RECONNECT_IVL, 1)  # ms; the other one binds soon
        socket.connect(f"ipc://{self.directory}/{name}")
        return self.put_of(socket)

    def put_of(self, socket):
        return socket.send_pyobj

    def get_of(self, socket):
        return socket.recv_pyobj

    def left(self):
        return self.push("there"), self.pull("back")

    def right(self, i=None):
        if i is None:
            return self.push("back"), self.pull("there")
        return None, self.pull(f"there{i}")

    def putter(self, _):
        pushes = [self.push(f"there{i}") for i in range(MANY)]
        turn = itertools.cycle(pushes)

        def end():
            for push in pushes:
                push(None)

        return (lambda x: next(turn)(x)), end

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class ZmqOfArrays(Zmq):
    """An array is sent as it lies, and is what was received: no copy."""

    def put_of(self, socket):
        def put(x):
            if isinstance(x, numpy.ndarray):
                socket.send(x, copy=False)
            else:
                socket.send_pyobj(x)
        return put

    def get_of(self, socket):
        def get():
            data = socket.recv(copy=False).buffer
            if len(data) > LARGE:
                return numpy.frombuffer(data, dtype="int64")
            return pickle.loads(data)
        return get


PEERS = {
    "mp.Queue": lambda: Queues(lambda: multiprocessing.Queue(1024)),
    "mp.SimpleQueue": lambda: Queues(multiprocessing.SimpleQueue),
    "mp.Pipe": lambda: Pipes(multiprocessing),
    "chute.Queue": lambda: Queues(lambda: chute.Queue(1024, memory=16 << 20)),
    "chute.SimpleQueue": lambda: Queues(chute.SimpleQueue),
    "chute.Pipe": lambda: Pipes(chute),
}
if zmq:
    PEERS["zmq"] = Zmq
# Who hands arrays over in a way of its own.
PEERS_OF_ARRAYS = {"zmq": ZmqOfArrays}


def start(target, *args):
    process = FORK.Process(target=target, args=args)
    process.start()
    return process


def finish(process):
    process.join(10)
    if process.exitcode is None:
        process.kill()
        process.join()
    assert process.exitcode == 0, process


def put_until(put, x, weight, end):
    """How many."""
    n, batch = 0, max(1, BATCH // weight)
    while time.monotonic() < end:
        for _ in range(batch):
            put(x)
        n += batch
    return n


# -- one to one ----------------------------------------------------------------

def receive(peer, x):
    """Get until None comes; then say how many came, when the last did, and what
    it cost."""
    (put, get), check = peer.right(), Check(x)
    put("ready")
    n, cpu = 0, time.process_time()
    while (got := get()) is not None:
        assert check(got)
        n += 1
    put((n, time.monotonic(), time.process_time() - cpu))
    get()  # the sockets live until it has arrived


def rate(peer, x, weight, seconds):
    """Objects a second, and the CPU of each in microseconds."""
    child = start(receive, peer, x)
    put, get = peer.left()
    assert get() == "ready"
    begin, cpu = time.monotonic(), time.process_time()
    n = put_until(put, x, weight, begin + seconds)
    put(None)
    n_received, end, cpu_received = get()
    cpu = time.process_time() - cpu + cpu_received
    put(None)
    finish(child)
    assert n_received == n, (n_received, n)
    return n / (end - begin), cpu / n * 1e6


def answer(peer, cpus):
    os.sched_setaffinity(0, cpus)
    put, get = peer.right()
    put("ready")
    while (got := get()) is not None:
        put(got)


def round_trip(peer, x, seconds, here, there):
    """The median, in microseconds; here and there are sets of processors."""
    all_cpus = os.sched_getaffinity(0)
    child = start(answer, peer, there)
    os.sched_setaffinity(0, here)
    try:
        put, get = peer.left()
        assert get() == "ready"
        check, times, end = Check(x), [], time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.perf_counter()
            put(x)
            got = get()
            times.append(time.perf_counter() - begin)
            assert check(got)
        put(None)
        finish(child)
    finally:
        os.sched_setaffinity(0, all_cpus)
    return statistics.median(times) * 1e6


# -- four to four --------------------------------------------------------------

def put_many(peer, i, x, weight, seconds, ready, over, results):
    put, end = peer.putter(i)
    ready.wait()
    begin = time.monotonic()
    results.put(("put", put_until(put, x, weight, begin + seconds), begin))
    end()
    if peer.lingers:
        over.wait()


def get_many(peer, i, x, ready, results):
    (_, get), check, n, n_ends = peer.right(i), Check(x), 0, 0
    ready.wait()
    while n_ends < peer.n_ends:
        got = get()
        if got is None:
            n_ends += 1
        else:
            assert check(got)
            n, last = n + 1, time.monotonic()
    results.put(("got", n, last if n else 0))


def rate_of_many(peer, x, weight, seconds):
    """Objects a second, all together."""
    ready, over = FORK.Barrier(2 * MANY), FORK.Event()
    results = FORK.SimpleQueue()
    getters = [start(get_many, peer, i, x, ready, results) for i in range(MANY)]
    putters = [start(put_many, peer, i, x, weight, seconds, ready, over, results)
               for i in range(MANY)]
    if not peer.lingers:
        for process in putters:
            process.join()
        peer.end()
    told = [results.get() for _ in range(2 * MANY)]
    over.set()
    for process in putters + getters:
        finish(process)
    n = sum(n for what, n, _ in told if what == "put")
    assert n == sum(n for what, n, _ in told if what == "got"), told
    begin = min(at for what, _, at in told if what == "put")
    end = max(at for what, _, at in told if what == "got")
    return n / (end - begin)


# -- all of it -----------------------------------------------------------------

def measure(name, seconds):
    """One round of a peer: (what, object, figure) of each."""
    def with_peer(function, *args):
        make = PEERS_OF_ARRAYS if object_name == ARRAY else PEERS
        peer = make.get(name, PEERS[name])()
        try:
            return function(peer, *args)
        finally:
            peer.close()

    for object_name, (x, weight) in OBJECTS.items():
        per_second, cpu = with_peer(rate, x, weight, seconds)
        yield "one to one", object_name, per_second
        if object_name == "int":
            yield "CPU", object_name, cpu
        if not name.endswith("Pipe"):
            yield ("four to four", object_name,
                   with_peer(rate_of_many, x, weight, seconds))
        cpus = os.sched_getaffinity(0)
        yield ("round trip", object_name,
               with_peer(round_trip, x, seconds, cpus, cpus))
        if len(cpus) > 1:
            first, second, *_ = sorted(cpus)
            yield (APART, object_name,
                   with_peer(round_trip, x, seconds, {first}, {second}))


def readable(n):
    if n >= 1e6:
        return f"{n / 1e6:.2f} M"
    return f"{n / 1e3:.3g} k" if n >= 1e3 else f"{n:.0f}"


def print_table(title, unit, figures, peers, form):
    print(f"\n{title + ', ' + unit:26}"
          + "".join(f"{name:>21}" for name in OBJECTS))
    for peer in peers:
        if (peer, title, "int") in figures:
            print(f"{peer:26}" + "".join(
                f"{form(figures[peer, title, name]):>21}" for name in OBJECTS))


GOALS = [("chute.Queue", "mp.Queue", SMALL, 8), ("chute.Queue", "zmq", SMALL, 2),
         ("chute.Queue", "mp.Queue", (ARRAY,), 10),
         ("chute.Queue", "zmq", (ARRAY,), 1.5),
         ("chute.Pipe", "mp.Pipe", SMALL, 2)]


def print_goals(figures):
    print("\ngoals, one to one")
    for ours, theirs, names, goal in GOALS:
        for name in names:
            keys = [(peer, "one to one", name) for peer in (ours, theirs)]
            if all(key in figures for key in keys):
                ratio = figures[keys[0]] / figures[keys[1]]
                print(f"{ours:12} / {theirs:10}{name:>22}{ratio:7.1f}"
                      f"   (goal {goal}){'' if ratio >= goal else '   missed'}")


def write_json(path, figures):
    """{what: {object: {peer: figure}}}."""
    tree = {}
    for (peer, what, name), figure in figures.items():
        tree.setdefault(what, {}).setdefault(name, {})[peer] = figure
    with open(path, "w", encoding="utf-8") as file:
        json.dump(tree, file, indent=1)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--json", metavar="FILE", help="the medians as well")
    parser.add_argument("peers", nargs="*")
    options = parser.parse_args()
    peers = [p for p in PEERS
             if not options.peers or any(word in p for word in options.peers)]
    samples = {}
    for _ in range(options.rounds):
        for peer in random.sample(peers, len(peers)):
            for what, name, figure in measure(peer, options.seconds):
                samples.setdefault((peer, what, name), []).append(figure)
    figures = {key: statistics.median(values) for key, values in samples.items()}
    for title in "one to one", "four to four":
        print_table(title, "a second", figures, peers, readable)
    for title in "round trip", APART:
        print_table(title, "us", figures, peers, "{:.1f}".format)
    print("\nCPU of an int, us: " + ", ".join(
        f"{peer} {figures[peer, 'CPU', 'int']:.2f}" for peer in peers))
    print_goals(figures)
    if options.json:
        write_json(options.json, figures)
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"\n{os.cpu_count()} CPUs, Python {version}, {options.rounds} rounds of "
          f"{options.seconds} s")


if __name__ == "__main__":
    main()
