"""kill.py - the tool and a C program move messages, and are killed all the time.

Four seats at one queue: a putter and a getter, each once the tool and once a
program in C (mover.c). Whoever sits there is killed after some milliseconds, and
another one takes the seat. Each putter has a number, and counts its messages.
A put is acknowledged

    in C         when it has returned 0: it is counted, in memory shared with us
    by the tool  when it ends with status 0: then all that it had to put

This goes in rounds. In the middle of one nobody is killed for a moment, and the
members that `chute stat` shows have to be those who sit there, all of them, and
none of the dead. At its end all four are killed, the rest is drained, and

    there is no member left
    nothing has come twice, and nothing is torn but the line that a getter was
    writing when it was killed (a write into a file is cut where a page ends)
    each seat has seen a putter's messages in their order
    nothing has come that was not put
    what the queue counts as put and as got is what came out, but for what went
    with a getter that was killed: one message each at most
    of what is acknowledged no more is missing than that

CHUTE_TEST_MESSAGES is how many messages at least, and CHUTE_TEST_KILLS how many
kills of the tool, and of the program in C. However quick the machine is, it goes
on until there are enough of both.
"""
import itertools
import json
import os
import random
import re
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import tool
from tool import chute, start, test, until

MOVER = Path(sys.argv.pop(2)).resolve()
N_MESSAGES = int(os.environ.get("CHUTE_TEST_MESSAGES", "100000"))
N_KILLS = int(os.environ.get("CHUTE_TEST_KILLS", "60"))
N_EACH = 4000  # messages of a putter
ROUND = 60  # kills in one, of each program
LINE = re.compile(r"\((\d+), (\d+)\)\n")
numbers = itertools.count(1)


def stat():
    return json.loads(chute("stat", "q", "--json").out)


def members():
    return {member["pid"] for member in stat()["members"]}


def usual_life():
    """Some times as long as a program takes to start and to do a little."""
    began = time.monotonic()
    for _ in range(5):
        chute("put", "q", "None")
        chute("get", "q")
    return (time.monotonic() - began) / 5


class Seat:
    """Where one sits after the other; what getters print is in one file."""

    def __init__(self, verb, by_tool):
        self.verb, self.by_tool = verb, by_tool
        self.name = f"{verb} by {'chute' if by_tool else 'C'}"
        path = f"{tool.directory}.{verb}.{'tool' if by_tool else 'c'}"
        self.out, self.journal = Path(path + ".out"), Path(path + ".journal")
        self.process = self.number = None
        self.acknowledged = {}  # by the putter's number
        self.n_killed = 0

    def sit(self):
        self.number = next(numbers)
        program = None if self.by_tool else MOVER
        if self.verb == "get":
            words = ["--follow"] if self.by_tool else []
            with open(self.out, "ab") as out:
                self.process = start("get", "q", *words, program=program, stdout=out)
        elif self.by_tool:
            self.out.write_text("".join(f"({self.number}, {i})\n" for i in range(N_EACH)))
            with open(self.out) as lines:
                self.process = start("put", "q", stdin=lines)
            self.out.unlink()
        else:
            self.journal.write_bytes(bytes(8))
            self.process = start("put", "q", self.number, N_EACH, self.journal,
                                 program=program)

    def is_over(self):
        return self.process is None or self.process.poll() is not None

    def leave(self):
        """Be killed, or have come to the end; and keep account of it."""
        if self.process is None:
            return
        self.process.kill()
        status = self.process.wait()
        said = self.process.stderr.read()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        tool.running.remove(self.process)
        self.process = None
        assert status == -9 or status == 0 and self.verb == "put", (self.name, status, said)
        self.n_killed += status == -9
        if self.verb == "get":
            self.drop_torn_line()
        else:
            self.acknowledged[self.number] = N_EACH if status == 0 else 0
            if not self.by_tool:
                n = int.from_bytes(self.journal.read_bytes(), sys.byteorder)
                assert status == -9 or n == N_EACH, n
                self.acknowledged[self.number] = n

    def drop_torn_line(self):
        """What was in hand is gone, whole or in part."""
        with open(self.out, "r+b") as out:
            out.seek(max(0, out.seek(0, os.SEEK_END) - 100))
            tail = out.read()
            n_torn = len(tail) - (tail.rfind(b"\n") + 1)
            out.seek(-n_torn, os.SEEK_END)
            out.truncate()

    def clear(self):
        self.acknowledged.clear()
        for path in self.out, self.journal:
            path.unlink(missing_ok=True)


class Round:
    def __init__(self, seats, life_s):
        self.seats, self.life_s = seats, life_s
        self.turn = threading.Lock()  # who has it starts, kills, or keeps all from it
        self.problem = None
        self.stop = False

    def keep(self, seat):
        """Somebody sits there, till the round is over."""
        rng = random.Random()
        try:
            while not self.stop:
                with self.turn:
                    seat.sit()
                end = time.monotonic() + rng.expovariate(1 / self.life_s)
                while not seat.is_over() and not self.stop and time.monotonic() < end:
                    time.sleep(0.001)
                with self.turn:
                    if not self.stop:
                        seat.leave()
        except Exception as problem:  # of a thread nobody would see it
            self.problem = self.problem or problem

    def check_members(self):
        """Nobody comes or is killed now, but a putter may come to its end."""
        with self.turn:
            def all_and_no_other():
                sitting = self.pids()
                shown = members()
                assert shown <= sitting, f"dead, or a stranger: {shown - sitting}"
                return shown == self.pids()
            until(all_and_no_other, "who sits there is a member")

    def pids(self):
        return {seat.process.pid for seat in self.seats if not seat.is_over()}

    def n_killed(self):
        n = Counter()
        for seat in self.seats:
            n[seat.by_tool] += seat.n_killed
        return n

    def run(self, n_kills):
        """Until so many of each program have been killed."""
        before = self.n_killed()
        threads = [threading.Thread(target=self.keep, args=(seat,), daemon=True)
                   for seat in self.seats]
        for thread in threads:
            thread.start()

        def wait(n):
            while not self.problem and min((self.n_killed() - before)[by_tool]
                                           for by_tool in (True, False)) < n:
                time.sleep(0.005)
        try:
            wait(n_kills / 2)
            self.check_members()
            wait(n_kills)
        finally:
            self.stop = True
            for thread in threads:
                thread.join()
        if self.problem:
            raise self.problem
        for seat in self.seats:
            seat.leave()


class Account:
    """What came out of a round, held against what was put into it."""

    def __init__(self, seats):
        self.came = defaultdict(set)  # by the putter's number
        self.n_came = 0
        self.acknowledged, self.in_c = {}, set()
        for seat in seats:
            self.acknowledged.update(seat.acknowledged)
            if not seat.by_tool:
                self.in_c.update(seat.acknowledged)

    def take(self, text, where):
        last = defaultdict(lambda: -1)
        n_bytes = 0
        for line in LINE.finditer(text):
            number, i = int(line[1]), int(line[2])
            n_bytes += len(line[0])
            assert i not in self.came[number], f"twice: {number}, {i} ({where})"
            assert i > last[number], f"{number}, {i} after {last[number]} ({where})"
            last[number] = i
            self.came[number].add(i)
            self.n_came += 1
        assert n_bytes == len(text), f"torn ({where})"

    def n_missing(self):
        """Of what was acknowledged, and of what came before something that came."""
        n = 0
        for number, acknowledged in self.acknowledged.items():
            came = self.came.get(number, ())
            n_put = max(came, default=-1) + 1
            if number in self.in_c:  # a put that is done and not yet counted
                assert n_put <= acknowledged + 1, (number, n_put, acknowledged)
            n += max(acknowledged, n_put) - len(came)
        strangers = self.came.keys() - self.acknowledged.keys()
        assert not strangers, strangers
        return n


def run_round(seats, life_s, n_kills):
    """(messages that came out, acknowledged, gone with a getter)"""
    before = stat()
    n_before = sum(seat.n_killed for seat in seats if seat.verb == "get")
    Round(seats, life_s).run(n_kills)
    n_getters = sum(seat.n_killed for seat in seats if seat.verb == "get") - n_before

    after = stat()
    assert not after["members"], after["members"]
    n_put = after["n_put"] - before["n_put"]
    n_got = after["n_got"] - before["n_got"]
    assert n_put - n_got == after["n_items"], (n_put, n_got, after)

    account = Account(seats)
    for seat in seats:
        if seat.verb == "get" and seat.out.exists():
            account.take(seat.out.read_text(), seat.name)
    n_taken = account.n_came
    account.take(chute("drain", "q").out, "rest")
    n_gone = n_put - account.n_came
    assert n_got - n_taken == n_gone, (n_got, n_taken, n_gone)
    n_missing = account.n_missing()
    assert n_missing <= n_gone <= n_getters, (n_missing, n_gone, n_getters)
    n_acknowledged = sum(account.acknowledged.values())
    for seat in seats:
        seat.clear()
    return account.n_came, n_acknowledged, n_gone


@test
def killed_at_random_and_nothing_is_lost_but_what_was_in_their_hands():
    chute("create", "q", "--maxsize", 2000)
    seats = [Seat(verb, by_tool) for verb in ("put", "get") for by_tool in (True, False)]
    life_s = usual_life()
    n_rounds, total = 0, Counter()
    try:
        while total["came"] < N_MESSAGES or min(total["chute"], total["C"]) < N_KILLS:
            n_came, n_acknowledged, n_gone = run_round(seats, life_s, ROUND)
            n_rounds += 1
            total["came"] += n_came
            total["acknowledged"] += n_acknowledged
            total["gone"] += n_gone
            total["chute"] = sum(seat.n_killed for seat in seats if seat.by_tool)
            total["C"] = sum(seat.n_killed for seat in seats if not seat.by_tool)
    finally:
        for seat in seats:
            seat.clear()
    killed = ", ".join(f"{seat.n_killed} {seat.name}" for seat in seats)
    o = stat()
    print(f"# {n_rounds} rounds, {total['came']} messages, {total['acknowledged']} of them "
          f"acknowledged; {total['gone']} gone with a getter; killed: {killed}; "
          f"{o['n_deaths']} deaths inside a call")
    chute("put", "q", "'usable'")
    chute("get", "q", out="'usable'\n")


tool.main()
