#!/usr/bin/env python3
"""screens.py PROGRAM - chute top with 30 queues and 100 members, and what it costs.

Not a test: `make screens` prints two screens, 80x24 and 160x50, and the share of
one processor that top itself takes, looking once a second, in each.
"""
import os
import random
import subprocess
import threading
import time

import tool
from tool import chute, start

N_QUEUES, N_MEMBERS = 30, 100
SECONDS = 10
NAMES = ["frames", "results", "jobs", "mail", "thumbnails", "index", "audit", "orders", "events",
         "logs"]


def populate():
    """Queues in every state; putters get lines at paces of their own."""
    rng = random.Random(3)
    names = [f"{NAMES[i % 10]}{'' if i < 10 else '-' + 'eu us'.split()[i // 10 - 1]}"
             for i in range(N_QUEUES)]
    for i, name in enumerate(names):
        chute("create", name, *(["--maxsize", rng.choice([10, 100, 1000])] if i % 3 else []))
    used = [name for name in names if name != "events"]
    putters = []
    for n in range(N_MEMBERS):
        name = used[n % len(used)]
        if name == "thumbnails" or n >= len(used) and n % 5 < 3 and name != "logs":
            start("get", name, "--follow", stdout=subprocess.DEVNULL)
        else:
            putters.append((start("put", name, "--text", "--quiet"), rng.uniform(0.5, 60)))
    return names, putters


def feed(putter, rate):
    try:
        while True:
            putter.stdin.write(b"x" * 200 + b"\n")
            putter.stdin.flush()
            time.sleep(1 / rate)
    except (OSError, ValueError):  # the end
        pass


def seconds_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def show(width, height):
    socket = f"{tool.directory}.tmux"

    def tmux(*words):
        return subprocess.run(["tmux", "-S", socket, *words], check=True, capture_output=True,
                              text=True, env=tool.environment()).stdout
    tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height),
         f"exec {tool.PROGRAM} top --long 10s --sort state")
    pid = int(tmux("display-message", "-p", "#{pane_pid}"))
    time.sleep(2)
    before = seconds_of(pid)
    time.sleep(SECONDS)
    share = (seconds_of(pid) - before) / SECONDS
    tmux("send-keys", "Home")
    time.sleep(1.5)
    print(f"\n{width}x{height}: {share * 100:.2f} % of a processor\n")
    print(tmux("capture-pane", "-p").rstrip())
    if width < 100:
        tmux("send-keys", "Enter")
        time.sleep(1.5)
        print("\nand the chosen one, opened\n")
        print(tmux("capture-pane", "-p").rstrip())
    tmux("kill-server")
    os.unlink(socket)


def main():
    with tool.scratch("screens"):
        _, putters = populate()
        for putter in putters:
            threading.Thread(target=feed, args=putter, daemon=True).start()
        time.sleep(12)
        for size in ((80, 24), (160, 50)):
            show(*size)


main()
