"""kill.py - the tool and a C program move messages, and are killed all the time.

Four seats at one queue: a putter and a getter, each once the tool and once a
program in C (mover.c). Whoever sits there is killed after some milliseconds, and
another one takes the seat. Each putter has a number, and counts its messages.
In the end, of each putter:

    nothing has come twice, and nothing is torn
    each getter saw its messages in their order
    what a putter has put is a beginning of what it had to put
    what is missing from that was taken by a getter that was killed: one each

CHUTE_TEST_MESSAGES is how many at least, 300000 by default; and it goes on until
enough of both kinds have been killed, however quick the machine is.
"""
import json
import os
import random
import re
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import tool
from tool import chute, start, test

MOVER = Path(sys.argv.pop(2)).resolve()
N_MESSAGES = int(os.environ.get("CHUTE_TEST_MESSAGES", "300000"))
N_EACH = 20000
N_KILLS = 6  # of putters, and of getters, at least
LINE = re.compile(r"\((\d+), (\d+)\)\n")


class Moving:
    def __init__(self):
        self.n_putters = 0
        self.finished = set()  # putters that came to their end
        self.killed = {"put": 0, "get": 0}
        self.files = []
        self.rng = random.Random()
        self.lock = threading.Lock()
        self.problems = []
        self.stop = False

    def n_put(self):
        return json.loads(chute("stat", "q", "--json").out)["n_put"]

    def put(self, by_tool):
        self.n_putters += 1
        number = self.n_putters
        if by_tool:
            text = tool.directory.parent / f"{tool.directory.name}.{number}"
            text.write_text("".join(f"({number}, {i})\n" for i in range(N_EACH)))
            with open(text) as lines:
                process = start("put", "q", stdin=lines)
            text.unlink()
        else:
            process = start("put", "q", number, N_EACH, program=MOVER)
        return process, number

    def get(self, by_tool):
        path = tool.directory.parent / f"{tool.directory.name}.got{len(self.files)}"
        self.files.append(path)
        with open(path, "w") as out:
            if by_tool:
                return start("get", "q", "--follow", stdout=out), None
            return start("get", "q", program=MOVER, stdout=out), None

    def sit(self, verb, by_tool):
        """One seat, till it is enough."""
        while not self.stop:
            with self.lock:
                process, number = getattr(self, verb)(by_tool)
            deadline = time.monotonic() + self.rng.expovariate(1 / 0.08)
            while process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            process.kill()
            status = process.wait()
            if status == 0 and verb == "put":
                self.finished.add(number)
            elif status == -9:
                self.killed[verb] += 1
            else:
                self.problems.append((verb, by_tool, status, process.stderr.read()))
                self.stop = True

    def is_enough(self, n_put):
        return n_put >= N_MESSAGES and min(self.killed.values()) >= N_KILLS

    def check(self):
        seen, putters = set(), defaultdict(set)
        for path in self.files:
            last = defaultdict(lambda: -1)
            text = path.read_text()
            whole = LINE.findall(text)
            assert sum(len(f"({a}, {b})\n") for a, b in whole) == len(text), f"torn: {path}"
            for a, b in whole:
                number, i = int(a), int(b)
                assert (number, i) not in seen, f"twice: {number}, {i}"
                assert i > last[number], f"out of order: {number}, {i} after {last[number]}"
                last[number] = i
                seen.add((number, i))
                putters[number].add(i)
        missing = 0
        for number, got in putters.items():
            expected = N_EACH if number in self.finished else max(got) + 1
            missing += expected - len(got)
        return len(seen), missing


@test
def killed_at_random_and_nothing_is_lost_but_what_was_in_their_hands():
    chute("create", "q", "--maxsize", 2000)
    m = Moving()
    seats = [threading.Thread(target=m.sit, args=(verb, by_tool), daemon=True)
             for verb in ("put", "get") for by_tool in (True, False)]
    for seat in seats:
        seat.start()
    deadline = time.monotonic() + 50 + N_MESSAGES / 5000
    n_put = 0
    try:
        while not m.is_enough(n_put) and not m.stop and time.monotonic() < deadline:
            time.sleep(0.2)
            n_put = m.n_put()
        m.stop = True
        for seat in seats:
            seat.join(30)
            assert not seat.is_alive(), "a seat is not left"
        assert not m.problems, m.problems
        assert n_put >= N_MESSAGES, f"only {n_put} in time"
        m.files.append(tool.directory.parent / f"{tool.directory.name}.rest")
        m.files[-1].write_bytes(chute("drain", "q").raw)
        n_seen, missing = m.check()
        o = json.loads(chute("stat", "q", "--json").out)
        print(f"# {o['n_put']} put, {n_seen} came out, {missing} gone with a getter; "
              f"{m.killed['put']} putters and {m.killed['get']} getters killed, "
              f"{len(m.finished)} putters finished; {o['n_deaths']} deaths inside a call")
        assert missing <= m.killed["get"], (missing, m.killed)
        assert o["n_put"] - n_seen <= m.killed["get"] + m.killed["put"], (o, n_seen)
        assert min(m.killed.values()) >= N_KILLS, m.killed
    finally:
        m.stop = True
        for path in m.files:
            path.unlink(missing_ok=True)


tool.main()
