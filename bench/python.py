#!/usr/bin/python3
"""python.py [--rounds N] [--seconds S] [PEER...] - objects between two Python
processes, by chute and by others, side by side in one run.

Objects a second: one process puts, one gets, each object is compared. CPU: the
processor time that both, with all their threads, take for an int. Round trip: one
object goes there and back. The peers take turns, in another order each round; the
figures are medians. The machine is shared, so read ratios, not figures.

    mp          multiprocessing's Queue(1024), SimpleQueue, Pipe
    chute       chute's; the queue holds 1024 objects, or 16 MiB
    zmq         pyzmq's PUSH and PULL over ipc (if Debian's python3-zmq is there)
"""
import argparse
import multiprocessing
import os
import random
import statistics
import tempfile
import time

import chute

try:
    import zmq
except ImportError:
    zmq = None

OBJECTS = {
    "int": (42, 1),
    "[42, None, 'hello']": ([42, None, "hello"], 1),
    "1 KiB bytes": (bytes(1024), 1),
    "1 MiB bytes": (bytes(1 << 20), 100),
}
FORK = multiprocessing.get_context("fork")
BATCH = 200  # between looks at the clock; a rare object counts as so many


def of_queue(make):
    """Two queues, there and back: (put, get) of each side."""
    there, back = make(), make()
    return (there.put, back.get), (back.put, there.get)


def of_pipe(module):
    a, b = module.Pipe()
    return (a.send, a.recv), (b.send, b.recv)


class Zmq:
    """Sockets are made by the process that uses them."""

    def __init__(self):
        self.directory = tempfile.mkdtemp()

    def side(self, mine, other):
        context = zmq.Context()
        push, pull = context.socket(zmq.PUSH), context.socket(zmq.PULL)
        push.set_hwm(1024)
        pull.set_hwm(1024)
        pull.bind(f"ipc://{self.directory}/{mine}")
        push.connect(f"ipc://{self.directory}/{other}")
        return push.send_pyobj, pull.recv_pyobj


PEERS = {
    "mp.Queue": lambda: of_queue(lambda: multiprocessing.Queue(1024)),
    "mp.SimpleQueue": lambda: of_queue(multiprocessing.SimpleQueue),
    "mp.Pipe": lambda: of_pipe(multiprocessing),
    "chute.Queue": lambda: of_queue(lambda: chute.Queue(1024, memory=16 << 20)),
    "chute.SimpleQueue": lambda: of_queue(chute.SimpleQueue),
    "chute.Pipe": lambda: of_pipe(chute),
}
if zmq:
    PEERS["zmq"] = Zmq


def sides(peer):
    made = PEERS[peer]()
    if isinstance(made, Zmq):
        return (lambda: made.side("a", "b")), (lambda: made.side("b", "a"))
    return (lambda: made[0]), (lambda: made[1])


def receive(side, x):
    """Get until None comes; then say how many came, when the last did, and what
    it cost."""
    put, get = side()
    put("ready")
    n, cpu = 0, time.process_time()
    while (got := get()) is not None:
        assert got == x
        n += 1
    put((n, time.monotonic(), time.process_time() - cpu))
    get()  # the sockets live until it has arrived


def answer(side, _):
    put, get = side()
    put("ready")
    while (got := get()) is not None:
        put(got)


def with_child(peer, target, x, use):
    here, there = sides(peer)
    child = FORK.Process(target=target, args=(there, x))
    child.start()
    put, get = here()
    assert get() == "ready"
    result = use(put, get)
    child.join(5)
    if child.exitcode is None:
        child.kill()
    return result


def rate(peer, x, weight, seconds):
    """Objects a second, and the CPU of each in microseconds."""
    def use(put, get):
        begin, cpu = time.monotonic(), time.process_time()
        n = 0
        while time.monotonic() - begin < seconds:
            for _ in range(BATCH // weight):
                put(x)
            n += BATCH // weight
        put(None)
        n_received, end, cpu_received = get()
        cpu = time.process_time() - cpu + cpu_received
        put(None)
        assert n_received == n, (peer, n_received, n)
        return n / (end - begin), cpu / n * 1e6
    return with_child(peer, receive, x, use)


def round_trip(peer, x, seconds):
    """The median, in microseconds."""
    def use(put, get):
        times = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.perf_counter()
            put(x)
            assert get() == x
            times.append(time.perf_counter() - begin)
        put(None)
        return statistics.median(times) * 1e6
    return with_child(peer, answer, x, use)


def readable(n):
    return f"{n / 1e6:.2f} M" if n >= 1e6 else f"{n / 1e3:.3g} k"


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("peers", nargs="*")
    options = parser.parse_args()
    peers = [p for p in PEERS
             if not options.peers or any(word in p for word in options.peers)]
    figures = {(peer, column): []
               for peer in peers for column in [*OBJECTS, "trip", "cpu"]}
    for _ in range(options.rounds):
        for peer in random.sample(peers, len(peers)):
            for name, (x, weight) in OBJECTS.items():
                per_second, cpu = rate(peer, x, weight, options.seconds)
                figures[peer, name].append(per_second)
                if name == "int":
                    figures[peer, "cpu"].append(cpu)
            figures[peer, "trip"].append(
                round_trip(peer, [42, None, "hello"], options.seconds))
    print("objects a second" + " " * 6 + "".join(f"{name:>21}" for name in OBJECTS)
          + "   CPU, us   round trip of the list, us")
    for peer in peers:
        medians = [statistics.median(figures[peer, name]) for name in OBJECTS]
        cpu, trip = (statistics.median(figures[peer, what])
                     for what in ("cpu", "trip"))
        print(f"{peer:22}" + "".join(f"{readable(n):>21}" for n in medians)
              + f"{cpu:10.2f}{trip:29.1f}")
    print(f"{os.cpu_count()} CPUs, Python {'.'.join(map(str, os.sys.version_info[:3]))}")


if __name__ == "__main__":
    main()
