"""health.py - what stat says, in each of the states that a queue can be in."""
import json
import os
import signal
import time

import tool
from tool import chute, start, test, until


def look(name, *options):
    return json.loads(chute("stat", name, "--json", *options, err="").out)


def waiting_in(name, what, n):
    """n threads are blocked there, as the queue itself has it."""
    until(lambda: sum(m[f"n_{what}"] for m in look(name)["members"]) == n,
          f"{n} {what} in {name}")


@test
def a_queue_that_is_well():
    chute("create", "q", "--maxsize", 10, "--memory", "64K")
    chute("put", "q", "1", "'abc'")
    chute("get", "q")
    o = look("q")
    assert (o["n_items"], o["maxsize"], o["memory"]) == (1, 10, 65536), o
    assert (o["n_put"], o["n_got"], o["n_items_most"]) == (2, 1, 2), o
    assert o["state"] == "ok" and o["hint"] == "" and o["members"] == [], o
    assert o["oldest_ns"] > 0 and not o["closed"], o
    text = chute("stat", "q").out
    for part in ("q   ok   ", "mode 0600", "1 of 10 messages", "put 2", "got 1", "oldest"):
        assert part in text, text
    assert "hint" not in text


@test
def looking_makes_nobody_a_member():
    chute("create", "q")
    getter = start("get", "q")
    waiting_in("q", "getting", 1)
    for _ in range(50):
        chute("stat", "q")
        chute("top", "-b", "-n1", "-d", "100ms") if _ == 0 else chute("ls", "-l")
    o = look("q")
    assert [m["pid"] for m in o["members"]] == [getter.pid], o


@test
def full_and_nobody_gets():
    chute("create", "q", "-m", 2)
    putter = start("put", "q", "1", "2", "3")
    waiting_in("q", "putting", 1)
    o = look("q")
    assert o["state"] == "NO GETTER" and "chute drain q" in o["hint"], o
    m, = o["members"]
    assert (m["pid"], m["program"], m["n_put"]) == (putter.pid, "chute", 2), o
    text = chute("stat", "q").out
    assert f"{putter.pid}" in text and "1 blocked in put" in text and "hint" in text, text
    line = chute("ls", "-l").lines[1]
    assert "NO GETTER" in line, line


@test
def full_and_they_are_slow():
    chute("create", "q", "-m", 2)
    getter = start("get", "q", "-n", 2)
    waiting_in("q", "getting", 1)
    chute("put", "q", "0")
    getter.send_signal(signal.SIGSTOP)  # it has got one
    o = until(lambda: (o := look("q"))["state"] == "STOPPED" and o, "it is stopped")
    assert f"kill -CONT {getter.pid}" in o["hint"], o
    assert "stopped" in chute("stat", "q").out
    getter.send_signal(signal.SIGCONT)
    until(lambda: look("q")["state"] != "STOPPED", "it goes on")


@test
def a_putter_that_waits_for_long():
    chute("create", "q", "-m", 1)
    getter = start("get", "q", "--follow")
    waiting_in("q", "getting", 1)
    # More than the getter's pipe to us takes: so it gets no further.
    lines = tool.directory / ".lines"
    lines.write_text((4000 * "x" + "\n") * 200)
    with open(lines) as stdin:
        putter = start("put", "q", "--text", stdin=stdin)
    waiting_in("q", "putting", 1)
    until(lambda: (o := look("q"))["state"] == "FULL" and "larger maxsize" in o["hint"], "full")
    o = until(lambda: (o := look("q", "--long", "100ms"))["state"] == "STUCK" and o, "long")
    assert str(putter.pid) in o["hint"] and "gdb" in o["hint"], o
    assert getter.poll() is None


@test
def a_getter_and_no_putter():
    chute("create", "q")
    getter = start("get", "q")
    waiting_in("q", "getting", 1)
    o = look("q")
    assert o["state"] == "NO PUTTER" and str(getter.pid) in o["hint"], o
    assert "chute close q" in o["hint"], o
    assert "1 waiting in get" in chute("stat", "q").out
    # Workers that wait for work are no alarm, however long they do.
    until(lambda: look("q")["members"][0]["getting_ns"] > 3e8, "it has waited")
    assert "need" not in chute("top", "-b", "-n1", "-d100ms", "--long", "100ms").lines[0]


@test
def closed_with_messages_left():
    chute("create", "q")
    chute("put", "q", "1", "-x")
    o = look("q")
    assert o["state"] == "closed" and o["closed"] and "chute drain q" in o["hint"], o
    chute("drain", "q")
    assert look("q")["hint"] == ""


@test
def messages_that_nobody_reads():
    chute("create", "q")
    chute("put", "q", "1")
    assert look("q")["state"] == "ok"
    o = until(lambda: (o := look("q", "--long", "50ms"))["state"] == "unread" and o, "old")
    assert "no living process" in o["hint"], o
    getter = start("peek", "q")
    getter.wait(30)


@test
def the_dead_are_no_users():
    chute("create", "q")
    getter = start("get", "q")
    waiting_in("q", "getting", 1)
    getter.kill()
    getter.wait()
    o = look("q")
    assert all(not m["alive"] for m in o["members"]), o
    assert o["state"] == "ok", o
    chute("put", "q", "1")
    chute("get", "q", out="1\n")
    o = until(lambda: (o := look("q"))["members"] == [] and o, "it is forgotten")
    assert o["n_gone"] == 1, o
    assert "1 that used it" in chute("stat", "q").out


@test
def rates():
    chute("create", "q")
    putter = start("put", "q")
    getter = start("get", "q", "--follow", stdout=tool.subprocess.DEVNULL)
    waiting_in("q", "getting", 1)
    looking = start("stat", "q", "--json", "--rate", "500ms")
    until(lambda: os.path.exists(f"/proc/{looking.pid}/wchan"), "it runs")
    end = time.monotonic() + 1.5
    n = 0
    while looking.poll() is None and time.monotonic() < end:
        putter.stdin.write(b"1\n" * 10)
        putter.stdin.flush()
        n += 10
        time.sleep(0.01)
    o = json.loads(looking.communicate(timeout=30)[0])
    assert 10 < o["put_rate"] < 2500 and 10 < o["got_rate"] < 2500, (o, n)
    rates = {m["pid"]: (m["put_rate"], m["got_rate"]) for m in o["members"]}
    assert rates[putter.pid][0] > 10 and rates[putter.pid][1] == 0, rates
    assert rates[getter.pid][1] > 10 and rates[getter.pid][0] == 0, rates


tool.main()
