"""verbs.py - what each verb does when it is used as it should be."""
import json
import os
import pickle
import re
import signal
import time

import tool
from tool import chute, is_asleep, start, test, until

# -- values ---------------------------------------------------------------------


@test
def values_come_back_as_they_went():
    values = ["[42, None, 'hello']", "{'n': 1, 2: (3, 4)}", "-7", "b'\\x00\\xff'", "'it\\'s'",
              "12345678901234567890123", "2.5", "{1}", "()", "[[[]]]", "True", "'é\\n'"]
    chute("create", "q")
    chute("put", "q", *values, out="", err="")
    got = chute("get", "q", "-n", len(values), err="").lines
    assert [eval(line) for line in got] == [eval(value) for value in values], got
    chute("get", "q", "--timeout", "0", status=3, out="")


@test
def each_line_of_stdin_is_a_message():
    chute("create", "q")
    chute("put", "q", stdin="1\n\n  \n[2]\n'three'", out="", err="")
    chute("drain", "q", out="1\n[2]\n'three'\n", err="")


@test
def text_needs_no_quotes():
    chute("create", "q")
    chute("put", "q", "--text", stdin="it's\n\nhé\n", err="")
    chute("put", "q", "42")
    chute("get", "q", "-t", "-n", 4, out="it's\n\nhé\n42\n", err="")


@test
def bytes_pass_as_they_are():
    blob = bytes(range(256)) * 40
    chute("create", "q")
    chute("put", "q", "--bytes", "--whole", stdin=blob)
    chute("put", "q", "--bytes", stdin=b"a\n\nb\n")
    chute("put", "q", "--bytes", "--null", stdin=b"c\nd\0e")
    chute("peek", "q", "-bw", out=blob)
    chute("get", "q", "-bw", out=blob)
    chute("get", "q", "-b", "-n", 3, out=b"a\n\nb\n")
    chute("get", "q", "-b0", "-n", 2, out=b"c\nd\0e\0")


@test
def bytes_that_are_no_value_are_shown_with_a_note():
    chute("create", "q")
    chute("put", "q", "--bytes", "no pickle")
    chute("get", "q", out="b'no pickle'\n", err="--bytes")
    chute("put", "q", "--bytes", "no pickle")
    chute("get", "q", "--quiet", out="b'no pickle'\n", err="")


@test
def a_class_is_named_and_not_loaded():
    chute("create", "q")
    chute("put", "q", "-bw", stdin=pickle.dumps(__import__("fractions").Fraction(1, 2)))
    got = chute("get", "q", err="fractions.Fraction").out
    assert pickle.loads(eval(got)) == 0.5


@test
def python_reads_what_is_put():
    value = {"a": [1, 2.5, None, True], "b": (b"x", {"y"}), "c": "\U0001f600"}
    chute("create", "q")
    chute("put", "q", repr(value))
    assert pickle.loads(chute("get", "q", "-bw").raw) == value
    chute("put", "q", "-bw", stdin=pickle.dumps(value, 5))
    assert eval(chute("get", "q").out) == value


# -- waiting ----------------------------------------------------------------------


@test
def put_waits_for_room_and_get_for_a_message():
    chute("create", "q", "--maxsize", 1)
    getter = start("get", "q", "-n", 3)
    until(lambda: is_asleep(getter), "the getter waits")
    chute("put", "q", "1", "2", "3")
    out, err = getter.communicate(timeout=30)
    assert (out, err, getter.returncode) == (b"1\n2\n3\n", b"", 0)
    chute("put", "q", "4")
    putter = start("put", "q", "5")
    until(lambda: is_asleep(putter), "the putter waits")
    chute("get", "q", "-n", 2, out="4\n5\n")
    assert putter.wait(30) == 0


@test
def the_time_is_up():
    chute("create", "q", "-m", 1)
    began = time.monotonic()
    chute("get", "q", "--timeout", "200ms", status=3, out="", err="empty")
    chute("put", "q", "1")
    chute("put", "q", "2", "3", "--timeout=0.2", status=4, err="0 put")
    assert 0.4 <= time.monotonic() - began < 20
    chute("put", "q", "2", "-T0", status=4)
    chute("get", "q", "-T0", out="1\n")


@test
def follow_ends_with_the_close():
    chute("create", "q")
    follower = start("get", "q", "--follow")
    chute("put", "q", "1", "2")
    assert [follower.stdout.readline() for _ in range(2)] == [b"1\n", b"2\n"]
    assert follower.poll() is None
    chute("put", "q", "3", "--close")
    out, err = follower.communicate(timeout=30)
    assert (out, err, follower.returncode) == (b"3\n", b"", 0), (out, err)


@test
def a_wait_ends_when_the_queue_is_removed_and_nobody_puts():
    chute("create", "q")
    follower = start("get", "q", "--follow")
    chute("put", "q", "1")
    assert follower.stdout.readline() == b"1\n"
    getter = start("get", "q")
    until(lambda: is_asleep(follower) and is_asleep(getter), "both wait")
    chute("rm", "q")
    for process in follower, getter:
        out, err = process.communicate(timeout=30)
        assert (out, process.returncode) == (b"", 6), (out, err, process.returncode)
        assert b"queue 'q' was removed" in err, err


@test
def while_a_putter_is_there_the_name_is_no_matter():
    chute("create", "q")
    putter, killed = start("put", "q"), start("put", "q")
    follower = start("get", "q", "--follow")
    for n, process in enumerate((putter, killed, putter, killed, putter)):
        process.stdin.write(b"%d\n" % n)
        process.stdin.flush()
        assert follower.stdout.readline() == b"%d\n" % n
        if n == 1:  # both are members
            chute("rm", "q")
            time.sleep(1.5)  # it looks, and goes on
    killed.kill()
    killed.wait()
    putter.stdin.close()
    assert putter.wait(30) == 0
    out, err = follower.communicate(timeout=30)
    assert (out, follower.returncode) == (b"", 6), (out, err)


@test
def what_is_left_in_a_removed_queue_is_taken_first():
    chute("create", "q")
    follower = start("get", "q", "--follow")
    until(lambda: is_asleep(follower), "it waits")
    follower.send_signal(signal.SIGSTOP)
    chute("put", "q", "1", "2")
    chute("rm", "q")
    follower.send_signal(signal.SIGCONT)
    out, err = follower.communicate(timeout=30)
    assert (out, follower.returncode) == (b"1\n2\n", 6), (out, err)


@test
def each_message_is_written_out_before_the_next_is_taken():
    """Of a getter that is killed, not following, into a pipe: what it took is there."""
    chute("create", "q")
    getter = start("get", "q", "-n", 1000)
    for n in range(3):
        chute("put", "q", str(n))
        assert getter.stdout.readline() == b"%d\n" % n
    until(lambda: is_asleep(getter), "it waits")
    getter.kill()
    assert getter.communicate()[0] == b""
    chute("put", "q", "3")
    chute("get", "q", out="3\n")


@test
def close_wakes_who_waits():
    chute("create", "full", "-m", 1)
    chute("create", "empty")
    chute("put", "full", "1")
    putter, getter = start("put", "full", "2"), start("get", "empty")
    until(lambda: is_asleep(putter) and is_asleep(getter), "both wait")
    chute("close", "full", "empty")
    assert (putter.wait(30), getter.wait(30)) == (5, 5)
    chute("put", "full", "3", status=5, err="closed")
    chute("get", "full", out="1\n")
    chute("get", "full", status=5, out="")
    chute("close", "full")


@test
def an_interrupt_loses_nothing():
    chute("create", "q")
    getter = start("get", "q", "--follow")
    until(lambda: is_asleep(getter), "the getter waits")
    chute("put", "q", "1")
    assert getter.stdout.readline() == b"1\n"
    getter.send_signal(signal.SIGINT)
    assert getter.wait(30) == 130
    chute("put", "q", "2")
    chute("get", "q", out="2\n")
    putter = start("put", "q")
    putter.stdin.write(b"3\n")
    putter.stdin.flush()
    until(lambda: chute("ls", "-l").lines[1].split()[0] == "1", "3 is put")
    putter.send_signal(signal.SIGINT)
    assert putter.wait(30) == 130
    assert b"1 put" in putter.stderr.read()


@test
def interrupts_at_any_time_lose_nothing():
    """What was taken was printed, wherever the signal meets the getter."""
    n = 3000
    chute("create", "q")
    chute("put", "q", stdin="".join(f"{i}\n" for i in range(n)))
    seen = []
    for i in range(12):
        getter = start("get", "q", "--follow")
        time.sleep(0.002 * i)
        getter.send_signal(signal.SIGTERM)
        out, _ = getter.communicate(timeout=30)
        # Before it has a handler it dies of the signal, and has taken nothing.
        assert getter.returncode in (143, -signal.SIGTERM), getter.returncode
        seen += out.split()
    seen += chute("drain", "q").raw.split()
    assert seen == [b"%d" % i for i in range(n)], len(seen)


@test
def the_second_interrupt_kills():
    chute("create", "q")
    chute("put", "q", "-bw", stdin=b"x" * (1 << 20))
    getter = start("get", "q", "-bw")  # more than fits into the pipe to us
    time.sleep(0.5)
    getter.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert getter.poll() is None, "it finishes its message"
    getter.send_signal(signal.SIGINT)
    assert getter.wait(30) == -signal.SIGINT


@test
def a_closed_pipe_ends_it_as_usual():
    chute("create", "q")
    chute("put", "q", stdin="1\n" * 50000)
    getter = start("get", "q", "--follow")
    getter.stdout.readline()
    getter.stdout.close()
    assert getter.wait(30) == -signal.SIGPIPE


# -- queues -------------------------------------------------------------------------


@test
def a_queue_is_made_once():
    chute("create", "q", "--maxsize", 2, "--memory", "64K", "--mode", "0640", err="")
    assert (tool.directory / "q").stat().st_mode & 0o777 == 0o640
    chute("create", "q", status=1, err="--exist-ok")
    chute("create", "q", "--exist-ok", "-m", 50, err="")
    chute("put", "q", "1", "2", "3", "-T0", status=4)
    chute("rm", "q")
    chute("put", "q", "--create", "1")
    chute("get", "q", out="1\n")


@test
def names_are_listed():
    chute("ls", out="", err="")
    for name in ("b", "a.1", "a.2"):
        chute("create", name)
    chute("put", "b", "1", "2")
    chute("ls", out="a.1\na.2\nb\n")
    chute("ls", "a.*", out="a.1\na.2\n")
    lines = chute("ls", "-l").lines
    assert [line.split()[-1] for line in lines] == ["NAME", "a.1", "a.2", "b"], lines
    assert lines[3].split()[0] == "2"
    objects = [json.loads(line) for line in chute("ls", "--json").lines]
    assert [(o["name"], o["n_items"]) for o in objects] == [("a.1", 0), ("a.2", 0), ("b", 2)]


@test
def drain_takes_all_there_is():
    chute("create", "q")
    chute("drain", "q", out="", err="")
    chute("put", "q", stdin="".join(f"{i}\n" for i in range(100)))
    chute("drain", "q", "-n", 3, out="0\n1\n2\n", err="")
    chute("drain", "q", "--discard", out="", err="97 discarded")
    chute("put", "q", "-bw", stdin=b"x" * 100000)
    chute("put", "q", "1")
    chute("close", "q")
    chute("drain", "q", "--discard", out="", err="2 discarded")


@test
def rm_takes_the_name():
    chute("create", "a")
    chute("create", "b")
    holder = start("get", "a")
    until(lambda: is_asleep(holder), "the getter waits")
    chute("rm", "a", "b", err="")
    chute("ls", out="")
    assert holder.poll() is None
    chute("rm", "a", status=6)
    chute("rm", "-f", "a", err="")


@test
def saved_and_put_back():
    chute("create", "q")
    chute("put", "q", stdin="[1]\n'x'\nb'y'\n")
    saved = chute("drain", "q").raw
    chute("put", "q", stdin=saved)
    chute("drain", "q", out=saved)


# -- pickles, speed ---------------------------------------------------------------------


@test
def pickles_without_python():
    value = [42, None, "hello", {"a": (1.5, b"x")}]
    made = chute("pickle", "dumps", repr(value)).raw
    assert pickle.loads(made) == value
    for protocol in range(2, 6):
        got = chute("pickle", "loads", stdin=pickle.dumps(value, protocol)).out
        assert eval(got) == value
    chute("pickle", "dumps", stdin=" [1] \n")
    chute("pickle", "loads", "-j", stdin=pickle.dumps({"a": None}), out='{"a":null}\n')
    assert pickle.loads(chute("pickle", "dumps", "-j", '{"a":[1]}').raw) == {"a": [1]}
    path = tool.directory / "file"
    path.write_bytes(made)
    chute("pickle", "loads", path, out=repr(value) + "\n")
    chute("pickle", "loads", stdin=pickle.dumps(os.system), status=1, out="", err="posix.system")
    chute("pickle", "loads", stdin=made[:-1], status=1, err="byte")
    chute("pickle", "dumps", "[1", status=1, out="", err="byte 2: not a Python literal")


@test
def bench_measures():
    o = json.loads(chute("bench", "-n", "2k", "-r", "100", "-p", 2, "-g", 2, "-l", "1K",
                         "--json", err="").out)
    assert o["messages"] == 2000 and o["length"] == 1024, o
    assert o["messages_per_second"] > 0 and o["round_p99_us"] >= o["round_median_us"] > 0, o
    lines = chute("bench", "-n", "1000", "-r", "10").lines
    assert [line.split()[0] for line in lines] == ["throughput", "round"], lines


# -- talk -----------------------------------------------------------------------------


@test
def progress_is_for_a_terminal():
    """A pseudo-terminal as stderr, and long work: a line that wipes itself."""
    tool.need_terminal()
    master, slave = os.openpty()
    chute("create", "q")
    putter = start("put", "q", stderr=slave)
    os.close(slave)
    for i in range(30):
        putter.stdin.write(b"1\n" * 100)
        putter.stdin.flush()
        time.sleep(0.05)
    putter.stdin.close()
    assert putter.wait(30) == 0
    said = b""
    try:
        while chunk := os.read(master, 4096):
            said += chunk
    except OSError:
        pass
    os.close(master)
    assert b"put " in said and b"/s" in said and said.endswith(b"\r\x1b[K"), said
    chute("put", "q", stdin="1\n" * 3000, err="")


@test
def options_stand_anywhere_and_end():
    chute("create", "q")
    chute("put", "-T", "5", "q", "-t", "--", "--text", "-7")
    chute("get", "-n2", "q", "--text", "--timeout=5", out="--text\n-7\n")
    chute("put", "q", "-3.5", "-.5")
    chute("get", "q", "--number=2", out="-3.5\n-0.5\n")


@test
def help_goes_to_stdout():
    top = chute("--help", err="").out
    assert chute("help", err="").out == chute("-h", err="").out == top
    verbs = re.findall(r"^  ([a-z]+) +[a-z]", top.split("\n\n")[1], re.M)
    assert len(verbs) == 14, verbs
    for verb in verbs:
        text = chute(verb, "--help", err="").out
        assert text == chute("help", verb).out == chute(verb, "-h").out
        assert text.startswith(f"usage: chute {verb} ") and "Example" in text, text
        assert max(map(len, text.splitlines())) <= 80, text
    assert chute("--version").out.startswith("chute 0.")


@test
def stdout_that_is_full_is_an_error():
    if not os.path.exists("/dev/full"):
        raise tool.Skip("no /dev/full")
    chute("create", "q")
    chute("put", "q", "1")
    with open("/dev/full", "w") as full:
        chute("get", "q", stdout=full, status=1, err="No space left")
        chute("--help", stdout=full, status=1)


tool.main()
