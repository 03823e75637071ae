#!/usr/bin/python3
"""codec.py CODEC - chute's codec beside CPython's C pickle, in one run.

Each round measures CPython, then chute, on the same value; medians of seven
rounds, of the processor's time, for others may be busy. Python's loads cannot be had without the end of the object before, so
it stands beside chute's loads with the free; chute's loads alone is given too.
Goal: dumps and loads at least 3 times as fast as CPython's, a megabyte of bytes
at the speed of memcpy.
"""
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
import timeit

ROUNDS, SECONDS = 7, 0.1

CASES = {
    "[42, None, 'hello']": [42, None, "hello"],
    "1000 small dicts": [
        {"id": i, "name": f"item {i}", "price": i / 4, "tags": ["new", "red"], "ok": i % 2 == 0}
        for i in range(1000)],
    "1000 ints": [i * 7919 for i in range(1000)],
    "1000 strs": [f"text {i}" for i in range(1000)],
    "1 MiB of bytes": bytes(range(256)) * 4096,
}


def python(call):
    """Nanoseconds a call."""
    timer = timeit.Timer(call, timer=time.process_time)
    n, took = timer.autorange()
    n = max(1, int(n * SECONDS / took))
    return timer.timeit(n) / n * 1e9


def chute(codec, path):
    out = subprocess.run([codec, path, str(SECONDS)], check=True, capture_output=True, text=True).stdout
    return {name: float(ns) for name, ns in (line.split() for line in out.splitlines())}


def measure(codec, value):
    data = pickle.dumps(value)
    times = {}
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        for _ in range(ROUNDS):
            times.setdefault("py-dumps", []).append(python(lambda: pickle.dumps(value)))
            times.setdefault("py-loads", []).append(python(lambda: pickle.loads(data)))
            for name, ns in chute(codec, file.name).items():
                times.setdefault(name, []).append(ns)
    return {name: statistics.median(ns) for name, ns in times.items()}


print(f"CPython {sys.version.split()[0]}; nanoseconds, medians of {ROUNDS}; (n x) CPython's time over chute's")
print(f"{'':20} {'dumps':>9} {'python':>9}         {'loads':>9} {'+ free':>9} {'python':>9}         {'memcpy':>9}")
for title, value in CASES.items():
    t = measure(sys.argv[1], value)
    print(f"{title:20} {t['dumps']:9.0f} {t['py-dumps']:9.0f} {t['py-dumps'] / t['dumps']:5.1f} x"
          f" {t['loads']:9.0f} {t['loads-free']:9.0f} {t['py-loads']:9.0f} {t['py-loads'] / t['loads-free']:5.1f} x"
          f" {t['memcpy']:9.0f}", flush=True)
