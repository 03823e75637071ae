#!/usr/bin/python3
"""goals.py MEASURE [OPTION...] - what chute should reach beside its peers.

Runs the workloads that have a goal, and bench/python.py, and prints a line for each
goal: number, workload, peer, its figure, chute's, the ratio, the goal, pass or fail.
The status is 1 if one was missed, or could not be judged.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import runs
from tables import readable, three_digits

HERE = pathlib.Path(__file__).parent


class Goal:
    """chute's figure against the best of some peers' (at_least, at_most: times
    that), or against nobody's (the figure itself)."""

    def __init__(self, number, title, workload, ours, peers, *, key="rate",
                 at_least=None, at_most=None):
        self.number, self.title, self.workload = number, title, workload
        self.ours, self.peers, self.key = ours, peers, key
        self.at_least, self.at_most = at_least, at_most
        # Row 14: chute in C against Python's.
        self.theirs_in = workload

    def against(self, workload):
        self.theirs_in = workload
        return self

    def show(self, figure):
        if self.key == "rate":
            return readable(figure) + "/s"
        if self.key == "idle_percent":
            return f"{figure:.3f} %"
        return three_digits(figure) + " us"

    def goal(self):
        sign = ">=" if self.at_least is not None else "<="
        bound = self.at_least if self.at_least is not None else self.at_most
        return f"{sign} {bound:g} x" if self.peers else f"{sign} {self.show(bound)}"

    def best(self, results):
        """(figure, name) of the best of the peers that have one."""
        by_peer = results.get(self.theirs_in, {})
        have = [(by_peer[p][self.key], p) for p in self.peers
                if self.key in by_peer.get(p, {})]
        if not have:
            return None, " or ".join(self.peers)
        return max(have) if self.key == "rate" else min(have)

    def judge(self, results):
        """The line's columns, and whether it was reached."""
        line = [str(self.number), self.title]
        mine = results.get(self.workload, {}).get(self.ours, {}).get(self.key)
        theirs, name = self.best(results) if self.peers else (None, "-")
        line += [name, "-" if theirs is None else self.show(theirs),
                 "-" if mine is None else self.show(mine)]
        if mine is None or (self.peers and not theirs):
            return line + ["-", self.goal(), "not measured"], False
        measure = mine / theirs if self.peers else mine
        passed = (measure >= self.at_least if self.at_least is not None
                  else measure <= self.at_most)
        ratio = f"{measure:.2f}" if self.peers else "-"
        return line + [ratio, self.goal(), "pass" if passed else "FAIL"], passed


RAW, OTHERS = ["raw-ring"], ["boost", "zmq", "pipe"]
COPIED = ["raw-ring", "seqpacket"]

GOALS = [
    Goal(1, "1x1, 64 B", "1x1:64", "chute", RAW, at_least=0.7),
    Goal(1, "1x1, 64 B", "1x1:64", "chute", ["boost"], at_least=4),
    Goal(2, "1x1, 64 B, 64 at once", "1x1:64", "chute-many", RAW, at_least=1.5),
    Goal(3, "1x1, 8 B", "1x1:8", "chute", RAW, at_least=0.7),
    Goal(3, "1x1, 8 B", "1x1:8", "chute", ["boost"], at_least=3),
    Goal(3, "1x1, 1 KiB", "1x1:1024", "chute", RAW, at_least=0.7),
    Goal(3, "1x1, 1 KiB", "1x1:1024", "chute", ["boost"], at_least=3),
    Goal(4, "1x1, 16 KiB", "1x1:16384", "chute", COPIED, at_least=1),
    Goal(4, "1x1, 256 KiB", "1x1:262144", "chute", COPIED, at_least=1),
    Goal(5, "1x1, 1 MiB", "1x1:1048576", "chute", COPIED, at_least=1),
    Goal(6, "1x1, 1 MiB, in place", "1x1:1048576", "chute-uncopied", [],
         at_least=1e6),
    Goal(6, "1x1, 1 MiB, in place", "1x1:1048576", "chute-uncopied",
         ["raw-ring-uncopied"], at_least=0.1),
    Goal(7, "2x2, 64 B", "2x2:64", "chute", OTHERS, at_least=2),
    Goal(8, "4x4, 64 B", "4x4:64", "chute", OTHERS, at_least=2),
    Goal(9, "4x1, 64 B", "4x1:64", "chute", OTHERS, at_least=2),
    Goal(9, "4x1, 64 B, get_many", "4x1:64", "chute-get-many", OTHERS, at_least=4),
    Goal(10, "round trip, other core, p50", "trip:other", "chute", RAW, key="p50",
         at_most=1.3),
    Goal(10, "round trip, other core, p99", "trip:other", "chute", [], key="p99",
         at_most=2),
    Goal(11, "round trip, same core, p50", "trip:same", "chute", ["pipe"], key="p50",
         at_most=1.2),
    Goal(12, "a getter waits", "idle", "chute", [], key="idle_percent", at_most=0.1),
    Goal(13, "processor time, 1x1, 64 B", "1x1:64", "chute", ["boost"], key="cpu_us",
         at_most=0.3),
    Goal(14, "C value [42, None, 'hello']", "value", "chute-value", ["mp.Pipe"],
         at_least=8).against("python one to one: [42, None, 'hello']"),
    Goal(14, "C value [42, None, 'hello']", "value", "chute-value", ["mp.Queue"],
         at_least=15).against("python one to one: [42, None, 'hello']"),
    Goal(15, "connection, same core, p50", "trip:same", "chute-conn", ["socketpair"],
         key="p50", at_most=1.15),
    Goal(15, "connection, other core, p50", "trip:other", "chute-conn",
         ["socketpair"], key="p50", at_most=1.15),
    *(Goal(16, f"Python: int, {what}", f"python {what}: int", "chute.Queue", [peer],
           at_least=times)
      for what in ("one to one", "four to four")
      for peer, times in (("mp.Queue", 8), ("zmq", 2))),
    *(Goal(17, "Python: 1 MiB array", "python one to one: 1 MiB array", "chute.Queue",
           [peer], at_least=times)
      for peer, times in (("mp.Queue", 10), ("zmq", 1.5))),
    Goal(18, "Python: list there and back", "python round trip, apart: "
         "[42, None, 'hello']", "chute.Queue", ["mp.Queue", "mp.Pipe"], key="p50",
         at_most=0.15),
]

TITLES = ["#", "workload", "peer", "peer's", "chute's", "ratio", "goal", ""]


def python_results(tree):
    """What bench/python.py has written, as if measure had."""
    return {f"python {what}: {name}": {
                peer: {"p50" if what.startswith("round trip") else "rate": figure}
                for peer, figure in by_peer.items()}
            for what, by_name in tree.items() if what != "CPU"
            for name, by_peer in by_name.items()}


def lines_of(results):
    return [goal.judge(results) for goal in GOALS]


def load(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def run_measure(options):
    names = {g.workload for g in GOALS if g.workload in runs.WORKLOADS}
    wanted = {p for g in GOALS for p in [g.ours, *g.peers]}
    peers = [p for p in runs.peers_of(options.measure) if p in wanted]
    return runs.run(options.measure, [w for n, w in runs.WORKLOADS.items() if n in names],
                    peers, options.rounds, options.seconds, options.idle_seconds)


def python_peers():
    """Those that a goal names, as python.py calls them."""
    return sorted({p for g in GOALS for w, peers in ((g.workload, [g.ours]),
                                                     (g.theirs_in, g.peers))
                   if w.startswith("python ") for p in peers})


def run_python(options):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        done = subprocess.run([sys.executable, HERE / "python.py",
                               "--json", file.name, "--rounds", str(options.rounds),
                               "--seconds", str(options.seconds), *python_peers()],
                              check=False, stdout=subprocess.DEVNULL)
        return load(file.name) if done.returncode == 0 else {}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measure", help="the program that measures")
    parser.add_argument("--figures", metavar="FILE",
                        help="do not run it: judge what compare.py has written")
    parser.add_argument("--python", metavar="FILE",
                        help="do not run python.py: judge what it has written")
    runs.add_options(parser)
    options = runs.complete(parser.parse_args())

    results = load(options.figures)["results"] if options.figures else run_measure(options)
    results |= python_results(load(options.python) if options.python
                              else run_python(options))
    judged = lines_of(results)
    table = [TITLES] + [line for line, _ in judged]
    widths = [max(len(row[i]) for row in table) for i in range(len(TITLES))]
    for row in table:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
    wrong = runs.failures(results)
    for failure in wrong:
        print(f"FAILED: {failure}")
    missed = sum(not passed for _, passed in judged)
    print(f"{len(judged) - missed} of {len(judged)} goals")
    return 1 if missed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
