"""collect.py - gc removes what nobody holds, and nothing else."""
import fcntl
import os
import random
import threading
import time

import tool
from tool import chute, is_asleep, start, test, until


@test
def what_nobody_holds_goes():
    for name in ("empty", "full", "held", "young"):
        chute("create", name)
    chute("put", "full", "1")
    holder = start("get", "held")
    until(lambda: is_asleep(holder), "the getter waits")
    for name in ("empty", "full", "held"):
        age(name, 3600)
    o = chute("gc", "--dry-run", "--verbose", out="empty\n")
    assert f"kept held: {holder.pid} (chute) has it open" in o.err, o
    assert "kept full: there are messages in it" in o.err, o
    assert "kept young" in o.err and "--age 0" in o.err, o
    chute("ls", out="empty\nfull\nheld\nyoung\n")
    chute("gc", out="empty\n", err="--with-messages")
    chute("gc", "--age", "0", out="young\n")
    chute("gc", "--age", "0", "--with-messages", out="full\n", err="")
    chute("ls", out="held\n")
    holder.kill()
    holder.wait()
    chute("gc", "-a0", out="held\n", err="")
    chute("gc", "-a0", out="", err="")


def age(name, seconds):
    then = time.time() - seconds
    os.utime(tool.directory / name, (then, then))


@test
def who_is_killed_holds_nothing():
    chute("create", "q")
    for _ in range(10):
        victim = start("get", "q")
        until(lambda: is_asleep(victim), "the getter waits")
        chute("gc", "-a0", out="")
        victim.kill()
        victim.wait()
    chute("gc", "-a0", out="q\n")


@test
def a_queue_that_is_only_open_is_held():
    """Whoever has opened it and done nothing yet, here by its descriptor."""
    chute("create", "q")
    putter = start("put", "q")  # waits for stdin
    until(lambda: any(os.readlink(f"/proc/{putter.pid}/fd/{fd}").endswith("/q")
                      for fd in os.listdir(f"/proc/{putter.pid}/fd")), "it has opened q")
    chute("gc", "-a0", out="", err="")
    putter.stdin.write(b"1\n")
    putter.stdin.close()
    assert putter.wait(30) == 0
    chute("get", "q", out="1\n")


@test
def nothing_is_lost_while_gc_runs_all_the_time():
    """Putters come and go, and gc between them. What put said it has put comes out."""
    stop = threading.Event()
    removed = 0

    def collect():
        nonlocal removed
        while not stop.is_set():
            removed += len(chute("gc", "-a0", "-q").lines)

    collector = threading.Thread(target=collect)
    collector.start()
    try:
        n_put, got = 0, []
        for i in range(150):
            o = chute("put", "q", "--create", str(i))
            n_put += 1
            if random.random() < 0.5:
                got += chute("drain", "q", "-q", status=None).lines
    finally:
        stop.set()
        collector.join()
    got += chute("drain", "q", "-q", status=None).lines
    assert got == [str(i) for i in range(150)], got
    assert removed > 0, "gc never had anything to do"


@test
def what_is_no_queue_stays_unless_asked_for():
    (tool.directory / "noise").write_bytes(b"x" * 5000)
    (tool.directory / "directory").mkdir()
    chute("gc", "-a0", out="", err="--broken")
    o = chute("gc", "-a0", "--broken", "-v", out="noise\n")
    assert "kept directory" in o.err, o
    chute("gc", "-a0", "--broken", out="", err="")


@test
def what_is_no_queue_and_open_stays():
    with open(tool.directory / "noise", "wb") as noise:
        fcntl.flock(noise, fcntl.LOCK_SH)  # as another version of chute has its queue
        o = chute("gc", "-a0", "--broken", "-v", out="")
        assert f"kept noise: {os.getpid()} " in o.err, o
    chute("gc", "-a0", "--broken", out="noise\n")


tool.main()
