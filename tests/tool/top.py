"""top.py - chute top, as one sees it on a terminal, and in batches."""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import tool
from tool import PROGRAM, Skip, chute, is_asleep, start, test, until


class Terminal:
    """chute top inside tmux, which draws what a terminal would show."""

    def __init__(self, width, height, *options, env=None):
        if not shutil.which("tmux"):
            raise Skip("no tmux")
        tool.need_terminal()
        self.socket = tool.directory.parent / f"{tool.directory.name}.tmux"
        command = " ".join([str(PROGRAM), "top", *options])
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height),
                  f"{command}; echo status $?; sleep 100", env=tool.environment(**(env or {})))

    def tmux(self, *words, env=None):
        return subprocess.run(["tmux", "-S", self.socket, *words], check=True, timeout=20,
                              capture_output=True, text=True, env=env).stdout

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server")
        self.socket.unlink(missing_ok=True)

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def lines(self):
        return self.tmux("capture-pane", "-p").split("\n")

    def shows(self, pattern, seconds=20):
        """The line that fits, as soon as there is one."""
        def find():
            return next((line for line in self.lines() if re.search(pattern, line)), None)
        try:
            return until(find, pattern, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error} in\n" + "\n".join(self.lines())) from None


@test
def queues_and_keys():
    for i, name in enumerate(("alpha", "beta", "gamma")):
        chute("create", name, "--maxsize", 10)
        chute("put", name, *"123"[:i])
    with Terminal(80, 24) as t:
        t.shows(r"^chute top - \d\d:\d\d:\d\d  3 queues")
        lines = [line for line in t.lines() if re.match("alpha|beta|gamma", line)]
        assert [line.split()[0] for line in lines] == ["alpha", "beta", "gamma"], lines
        assert [line.split()[2] for line in lines] == ["0/10", "1/10", "2/10"], lines
        assert all(len(line.rstrip()) <= 80 for line in t.lines())
        t.press("s", "s")  # by depth
        t.shows("by depth")
        order = [line.split()[0] for line in t.lines() if re.match("alpha|beta|gamma", line)]
        assert order == ["gamma", "beta", "alpha"], order
        t.press("r")
        t.shows("by depth, reversed")
        order = [line.split()[0] for line in t.lines() if re.match("alpha|beta|gamma", line)]
        assert order == ["alpha", "beta", "gamma"], order
        t.press("/", "m", "m")
        t.shows("^filter: mm_")
        t.press("Enter")
        t.shows("^by depth, reversed   filter mm   q quit")
        assert not any(line.startswith(("alpha", "beta")) for line in t.lines())
        t.press("/", "BSpace", "BSpace", "Enter")
        t.shows("^alpha")
        chute("put", "alpha", *"12345")
        t.shows(r"^alpha .* 5/10")
        chute("rm", "beta")
        t.shows("  2 queues")
        t.press("q")
        t.shows("^status 0")


@test
def one_queue_opened_to_its_members():
    chute("create", "jobs", "--maxsize", 2)
    putter = start("put", "jobs", "1", "2", "3")
    until(lambda: is_asleep(putter), "it waits")
    with Terminal(100, 20) as t:
        line = t.shows("^jobs")
        assert "2/2" in line and "NO GETTER" in line and re.search(r" p \d", line), line
        t.shows("jobs: it is full, and no living process has taken")
        t.press("Enter")
        line = t.shows(rf"^ *{putter.pid} chute ")
        assert "1 in put, " in line, line
        chute("get", "jobs")
        until(lambda: putter.poll() == 0, "it goes on")
        t.shows("nobody has put or got")
        t.press("Escape")
        t.shows("^by name   q quit")
        t.press("C-c")
        t.shows("^status 130")


@test
def the_choice_scrolls_and_follows_its_queue():
    for i in range(40):
        chute("create", f"queue{i:02}")
    with Terminal(80, 12) as t:
        t.shows("^queue00")
        t.press("End")
        t.shows("^queue39")
        assert not any(line.startswith("queue00") for line in t.lines())
        t.press("Home")
        t.shows("^queue00")
        t.press("NPage", "NPage", "PPage", "Down", "Up")
        t.press("Enter")
        t.shows("nobody has put or got")
        name = next(line.split()[0] for line in t.lines() if line.startswith("queue"))
        t.press("Escape", "r")
        t.shows("reversed")
        t.press("Enter")
        t.shows("^" + name)
        t.press("q")


@test
def the_screen_may_change_its_size():
    chute("create", "q")
    with Terminal(120, 30) as t:
        t.shows("USED/MEMORY")
        for width, height in ((60, 8), (20, 4), (200, 50), (80, 24)):
            t.tmux("resize-window", "-x", str(width), "-y", str(height))
            t.shows("^chute top")
        t.shows("^q .*ok")
        t.press("q")
        t.shows("^status 0")


@test
def nothing_flickers():
    """After the first frame nothing is cleared, and only what changes is sent."""
    for i in range(15):
        chute("create", f"queue{i:02}")
    tool.need_terminal()
    pid, master = pty.fork()
    if pid == 0:
        os.execve(PROGRAM, ["chute", "top", "-d", "200ms", "-n", "12"],
                  tool.environment(TERM="xterm-256color", LINES=None, COLUMNS=None))
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    chunks = []
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 0.1)[0]:
            continue
        try:
            chunk = os.read(master, 65536)
        except OSError:
            break
        if not chunk:
            break
        chunks.append((time.monotonic(), chunk))
    os.close(master)
    _, status = os.waitpid(pid, 0)
    assert status == 0, status
    begin = chunks[0][0]
    first = b"".join(c for t, c in chunks if t - begin < 0.5)
    later = b"".join(c for t, c in chunks if t - begin >= 0.5)
    assert b"queue14" in first, first
    body = later[:later.rfind(b"\x1b[?1049l")]
    assert body, later
    for clear in (b"\x1b[2J", b"\x1b[J", b"\x1bc"):
        assert clear not in body, body
    assert b"queue14" not in body, "it is sent again, though nothing has changed"
    assert len(body) < 3000, len(body)


@test
def colour_only_if_wanted():
    chute("create", "q", "-m", 1)
    putter = start("put", "q", "1", "2")
    until(lambda: is_asleep(putter), "it waits")
    for env, wanted in (({}, True), ({"NO_COLOR": "1"}, False)):
        with Terminal(80, 24, env=env) as t:
            t.shows("^q ")
            coloured = t.tmux("capture-pane", "-p", "-e")
            assert ("\x1b[31m" in coloured) == wanted, coloured
            t.press("q")


@test
def batches():
    chute("create", "q", "--maxsize", 10)
    chute("put", "q", "1")
    o = chute("top", "--batch", "-n", 2, "-d", "100ms", err="")
    assert len(o.out.split("\n\n")) == 3, o
    assert o.lines[1].split()[:3] == ["NAME", "FILL", "DEPTH/MAX"], o
    assert o.lines[2].split()[:3] == ["q", "[##..................]", "1/10"], o
    assert "\x1b" not in o.out
    lines = chute("top", "--json", "-n", 1, "-d", "100ms").lines
    assert [json.loads(line)["put_rate"] for line in lines] == [0.0], lines
    chute("create", "p")
    o = chute("top", "-b", "-n1", "-d100ms", "--sort", "depth")
    assert [line.split()[0] for line in o.lines[2:4]] == ["q", "p"], o
    o = chute("top", "-b", "-n1", "-d100ms", "--filter", "p*")
    assert [line.split()[0] for line in o.lines[2:] if line] == ["p"], o


@test
def a_batch_is_interrupted():
    chute("create", "q")
    top = start("top", "--batch", "-d", "100ms")
    top.stdout.readline()
    top.send_signal(signal.SIGINT)
    assert top.wait(30) == 130


@test
def an_unknown_terminal_is_told():
    tool.need_terminal()
    pid, master = pty.fork()
    if pid == 0:
        os.execve(PROGRAM, ["chute", "top"], tool.environment(TERM="nix"))
    said = b""
    try:
        while chunk := os.read(master, 4096):
            said += chunk
    except OSError:
        pass
    os.close(master)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 1 and b"--batch" in said, said


tool.main()
