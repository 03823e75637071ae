"""runs.py - run workloads on peers, in turn, and take the medians.

A workload is what `measure` is asked for; a round runs each workload once on each
peer that it is for. Both orders are drawn anew each round, peers next to each
other in time, so that whatever else the machine does meets all alike. A figure is
the median of the rounds. Messages that were lost, torn, late or doubled in any
round make a failure, and the peer has no figure then.
"""
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time

SIZES = [8, 64, 1024, 16 << 10, 256 << 10, 1 << 20]
PLACES = {"other": "on two processors", "same": "on one", "free": "placed freely"}

# Those that show one thing only; the others take part in all.
ONLY_RATES = {"chute-many", "raw-ring-uncopied", "chute-uncopied"}
ONLY_MANY = {"chute-get-many"}
ONLY_TRIPS = {"chute-conn", "socketpair"}
ONLY_VALUES = {"chute-value"}


class Workload:
    def __init__(self, kind, name, arguments):
        self.kind, self.name, self.arguments = kind, name, arguments

    def command(self, measure, peer, seconds):
        what, *rest = self.arguments
        return [measure, what, peer, *map(str, rest), str(seconds)]

    def is_for(self, peer):
        if peer in ONLY_VALUES or self.kind == "value":
            return self.kind == "value" and peer in ONLY_VALUES
        if peer in ONLY_RATES:
            return self.kind in ("pair", "many")
        if peer in ONLY_MANY:
            return self.kind == "many"
        if peer in ONLY_TRIPS:
            return self.kind == "trip"
        return True


WORKLOADS = {w.name: w for w in [
    *(Workload("pair", f"1x1:{n}", ["rate", n, 1, 1]) for n in SIZES),
    *(Workload("many", f"{p}x{g}:64", ["rate", 64, p, g])
      for p, g in ((2, 2), (4, 4), (4, 1))),
    *(Workload("trip", f"trip:{place}", ["trip", 64, place]) for place in PLACES),
    Workload("value", "value", ["rate", 8, 1, 1]),
    Workload("idle", "idle", ["idle", 64]),
]}


def peers_of(measure):
    """The peers that were built."""
    return subprocess.run([measure, "list"], check=True, text=True,
                          capture_output=True).stdout.split()


def machine():
    """What the figures hang on."""
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = " ".join(line.split(":", 1)[1].split())
                break
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release().split("-")[0],
            "date": time.strftime("%Y-%m-%d"),
            "load_before": round(os.getloadavg()[0], 2)}


class Progress:
    """One line on a terminal that says how far it is; nothing elsewhere."""

    def __init__(self, n_steps):
        self.n_steps, self.n_done, self.begin = n_steps, 0, time.monotonic()
        self.shown = sys.stderr.isatty()

    def step(self, what):
        if self.shown:
            left = ""
            if self.n_done:
                took = time.monotonic() - self.begin
                seconds = took / self.n_done * (self.n_steps - self.n_done)
                left = f", {seconds // 60:.0f}:{seconds % 60:02.0f} left"
            percent = 100 * self.n_done // self.n_steps
            print(f"\r\033[K{percent:3d} %  {what}{left}", end="",
                  file=sys.stderr, flush=True)
        self.n_done += 1

    def end(self):
        if self.shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def start(command):
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def result_of(process):
    """The figures of one run, or why there are none."""
    out, said = process.communicate()
    try:
        return json.loads(out)
    except ValueError:
        return {"failed": said.strip() or f"status {process.returncode}"}


def idle(measure, workload, peers, seconds):
    """All at the same time: who waits does not disturb the others, and who
    polls is known to take a whole processor."""
    running = {peer: start(workload.command(measure, peer, seconds))
               for peer in peers}
    return {peer: result_of(process) for peer, process in running.items()}


def median_of(figures):
    """Of each figure over the rounds; what went wrong once stays."""
    for figure in figures:
        if "failed" in figure or "left_out" in figure:
            return figure
    merged = {key: statistics.median(f[key] for f in figures) for key in figures[0]}
    return merged | {"rounds": figures}


def run(measure, workloads, peers, rounds, seconds, idle_seconds):
    """{workload: {peer: figures}}."""
    timed = [w for w in workloads if w.kind != "idle"]
    plan = {w: [p for p in peers if w.is_for(p)] for w in timed}
    figures = {(w, p): [] for w in plan for p in plan[w]}
    progress = Progress(rounds * len(figures) + 1)
    for i in range(rounds):
        for workload in random.sample(timed, len(timed)):
            for peer in random.sample(plan[workload], len(plan[workload])):
                progress.step(f"round {i + 1} of {rounds}: {workload.name} {peer}")
                figures[workload, peer].append(
                    result_of(start(workload.command(measure, peer, seconds))))
    results = {w.name: {p: median_of(figures[w, p]) for p in plan[w]} for w in timed}
    for workload in workloads:
        if workload.kind == "idle":
            progress.step("idle")
            waiting = [p for p in peers if workload.is_for(p)
                       and not p.startswith(("raw-", "ck"))]
            results[workload.name] = idle(measure, workload, waiting, idle_seconds)
    progress.end()
    return results


def add_options(parser):
    """How long to measure."""
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of each run")
    parser.add_argument("--idle-seconds", type=float, default=10)
    parser.add_argument("--quick", action="store_true",
                        help="one short round, to see that it works")


def complete(options):
    if options.quick:
        options.rounds, options.seconds, options.idle_seconds = 1, 0.05, 1
    return options


def failures(results):
    return [f"{workload} {peer}: {figures['failed']}"
            for workload, by_peer in results.items()
            for peer, figures in by_peer.items() if "failed" in figures]
