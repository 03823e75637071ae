#!/usr/bin/python3
"""large.py DRIVER - messages about 2 GiB, there and back, C and Python.

DRIVER is large-driver.c, built. The lengths are the last one for which CPython's
header has 4 bytes, the first for which it has 12, and one that is not round. A
pair for which there is not enough memory is skipped, and said so; with none left
the exit code is 77.
"""
import sys

if __name__ == "__main__":
    sys.path.pop(0)  # our own directory, where "pickle" is somebody else

import multiprocessing.connection as mpc
import re
import subprocess
import tempfile
import threading
import time

DRIVER = sys.argv[1]
LENGTHS = [2**31 - 1, 2**31, 2**31 + 12345]
BLOCK = bytes((i * 2654435761 >> 13) & 255 for i in range(1000003))
# What a side needs for a message: chute its buffer; CPython what it sends or
# has received, and what it receives into.
NEEDS = {"C": 1.2, "Python": 3.2}


def available():
    with open("/proc/meminfo", encoding="ascii") as info:
        return int(re.search(r"MemAvailable: *(\d+)", info.read())[1]) * 1024


def message(length):
    return BLOCK * (length // len(BLOCK)) + BLOCK[:length % len(BLOCK)]


def check(data, length):
    if len(data) != length:
        raise ValueError(f"{len(data)} bytes, not {length}")
    view = memoryview(data)
    for at in range(0, length, len(BLOCK)):
        piece = view[at:at + len(BLOCK)]
        if piece != BLOCK[:len(piece)]:
            raise ValueError(f"other bytes from {at} on")


def serve(listener, length, problems):
    try:
        with listener, listener.accept() as conn:
            data = conn.recv_bytes()
            check(data, length)
            conn.send_bytes(data)
    except Exception as problem:  # shown by the main thread
        problems.append(repr(problem))


def call(address, length, problems):
    try:
        with mpc.Client(address) as conn:
            data = message(length)
            conn.send_bytes(data)
            del data
            check(conn.recv_bytes(), length)
    except Exception as problem:
        problems.append(repr(problem))


def python_address(text):
    if text.startswith("tcp:"):
        host, _, port = text[4:].rpartition(":")
        return host, int(port)
    return text[len("unix:"):]


def meet(server, client, family, length):
    """What went wrong: a list."""
    problems, processes, thread = [], [], None
    with tempfile.TemporaryDirectory() as scratch:
        text = f"unix:{scratch}/socket" if family == "unix" else "tcp:127.0.0.1:0"
        if server == "C":
            processes.append(subprocess.Popen([DRIVER, "listen", text, str(length)],
                                              stdout=subprocess.PIPE,
                                              stderr=subprocess.PIPE, text=True))
            text = processes[0].stdout.readline().strip()
        else:
            listener = mpc.Listener(python_address(text))
            if family == "tcp":
                text = "tcp:%s:%d" % listener.address
            thread = threading.Thread(target=serve, args=(listener, length, problems))
            thread.start()
        if client == "C":
            processes.append(subprocess.Popen([DRIVER, "connect", text, str(length)],
                                              stdout=subprocess.PIPE,
                                              stderr=subprocess.PIPE, text=True))
        else:
            call(python_address(text), length, problems)
        for process in processes:
            _, said = process.communicate(timeout=600)
            if process.returncode:
                problems.append(f"exit code {process.returncode}: {said.strip()}")
        if thread:
            thread.join()
    return problems


def main():
    ran = failed = 0
    for server, client in ("C", "C"), ("C", "Python"), ("Python", "C"):
        for family in "unix", "tcp":
            for length in LENGTHS:
                name = f"{server} listens, {client} connects, {family}, {length}"
                need = (NEEDS[server] + NEEDS[client]) * length
                if available() < need:
                    print(f"skipped: {name}: {need / 2**30:.0f} GiB of memory are not free")
                    continue
                begun = time.monotonic()
                problems = meet(server, client, family, length)
                ran += 1
                failed += bool(problems)
                print(f"{'FAILED' if problems else 'ok'}: {name}, "
                      f"{time.monotonic() - begun:.1f} s", *problems, flush=True)
    print(f"{ran} meetings, {failed} failed")
    return 1 if failed else 0 if ran else 77


if __name__ == "__main__":
    sys.exit(main())
