#!/usr/bin/python3
"""bench/net.py PROGRAM - round trips over AF_UNIX connections.

PROGRAM is net.c, built. Four pairs take turns: chute with chute, CPython with
chute, CPython with itself (this one), and a bare socket pair. Each figure is the
median of five turns; MB/s counts both directions. Read ratios.
"""
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Client, Listener

PROGRAM = sys.argv[1]
KEY = "a key of 16 byte"
TURNS = 5
LENGTHS = [(16, 10000), (64, 10000), (1024, 10000), (65536, 1500), (1 << 20, 100)]


def output(*arguments):
    return float(subprocess.run([PROGRAM, *map(str, arguments)], check=True,
                                capture_output=True, text=True).stdout)


def serve(address, key):
    with Listener(address, authkey=key) as listener:
        listener._listener._socket.listen(128)
        while True:
            with listener.accept() as conn:
                try:
                    if not conn.recv_bytes():
                        return
                    while True:
                        conn.send_bytes(conn.recv_bytes())
                except (EOFError, ConnectionError):
                    pass


class Server:
    def __init__(self, address=None, key=None):
        if address:
            self.address = address
            self.process = multiprocessing.Process(target=serve, args=(address, key))
            self.process.start()
            time.sleep(0.3)
        else:
            self.process = subprocess.Popen([PROGRAM, "serve"] + ([key.decode()] if key else []),
                                            stdout=subprocess.PIPE, text=True)
            self.address = self.process.stdout.readline().strip()[len("unix:"):]
        self.key = key

    def end(self):
        with Client(self.address, authkey=self.key) as conn:
            conn.send_bytes(b"")
        if isinstance(self.process, subprocess.Popen):
            self.process.wait()
        else:
            self.process.join()


def ask(address, n, length):
    message = bytes(length)
    with Client(address) as conn:
        conn.send_bytes(b"x")
        begun = time.perf_counter_ns()
        for _ in range(n):
            conn.send_bytes(message)
            conn.recv_bytes()
        return (time.perf_counter_ns() - begun) / n


def connect(address, n, key):
    begun = time.perf_counter_ns()
    for _ in range(n):
        Client(address, authkey=key).close()
    return (time.perf_counter_ns() - begun) / n


def main():
    with tempfile.TemporaryDirectory() as scratch:
        c, py = Server(), Server(os.path.join(scratch, "plain"))
        print(f"{'bytes':>8} {'pair':16} {'round trip':>11} {'MB/s':>8}")
        for length, n in LENGTHS:
            pairs = {
                "C, C": lambda: output("ask", "unix:" + c.address, n, length),
                "bare socket": lambda: output("bare", n, length),
                "Python, C": lambda: ask(c.address, n, length),
                "Python, Python": lambda: ask(py.address, n, length),
            }
            turns = [{name: run() for name, run in pairs.items()} for _ in range(TURNS)]
            for name in pairs:
                ns = statistics.median(turn[name] for turn in turns)
                print(f"{length:8} {name:16} {ns / 1000:8.1f} us {2 * length / ns * 1000:8.1f}")
        c.end()
        py.end()
        print("connections with a key, a second (one after the other):")
        py = Server(os.path.join(scratch, "keyed"), KEY.encode())
        c = subprocess.Popen([PROGRAM, "serve", KEY], stdout=subprocess.PIPE, text=True)
        address = c.stdout.readline().strip()
        ns = statistics.median(output("connect", address, 500, KEY) for _ in range(TURNS))
        print(f"{'C, C':16} {1e9 / ns:8.0f}")
        ns = statistics.median(connect(py.address, 200, KEY.encode()) for _ in range(TURNS))
        print(f"{'Python, Python':16} {1e9 / ns:8.0f}")
        c.kill()
        c.wait()
        os.remove(address[len("unix:"):])
        os.rmdir(os.path.dirname(address[len("unix:"):]))
        py.end()


if __name__ == "__main__":
    main()
