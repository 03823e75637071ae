"""tool.py - run the real chute(1), and look at what it prints and how it ends.

    from tool import chute, test, main

    @test
    def what_is_put_is_got():
        ...

Each test has a directory of queues to itself, below /dev/shm, and 60 seconds.
`chute(...)` waits for the end and compares if it is told what to expect;
`start(...)` does not wait. Whatever is still running when the test ends is
killed, by its pid. The report is the Test Anything Protocol.
"""
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

SKIP = 77
PROGRAM = Path(sys.argv[1]).resolve()
ROOT = Path(__file__).resolve().parents[2]
# Sanitized programs are slow, and LeakSanitizer has no say in what is killed.
PATIENCE = 60

tests = []
running = []
directory = None


class Skip(Exception):
    pass


def need_terminal():
    """Skip where the system has none to give: no /dev/pts."""
    try:
        for fd in os.openpty():
            os.close(fd)
    except OSError:
        raise Skip("no terminals") from None


def test(function):
    tests.append(function)
    return function


def environment(**changes):
    env = dict(os.environ, CHUTE_DIR=str(directory), LC_ALL="C.UTF-8", TERM="xterm")
    env.pop("NO_COLOR", None)
    for name, value in changes.items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = str(value)
    return env


def start(*words, env=None, program=None, **how):
    how = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE,
           "stderr": subprocess.PIPE, **how}
    process = subprocess.Popen([str(program or PROGRAM), *map(str, words)],
                               env=environment(**(env or {})), **how)
    running.append(process)
    return process


class Outcome:
    def __init__(self, words, out, err, status):
        self.words, self.raw, self.status = words, out, status
        self.out, self.err = out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
        self.lines = self.out.splitlines()

    def __str__(self):
        return (f"chute {' '.join(map(str, self.words))}\n  status {self.status}\n"
                f"  stdout {self.out!r}\n  stderr {self.err!r}")


def chute(*words, stdin=b"", status=0, out=None, err=None, env=None, **how):
    """Run it. `out` is all of stdout, `err` a part of stderr, "" for nothing."""
    process = start(*words, env=env, **how)
    if isinstance(stdin, str):
        stdin = stdin.encode()
    got, said = process.communicate(stdin, timeout=PATIENCE)
    o = Outcome(words, got or b"", said or b"", process.returncode)
    if status is not None and o.status != status:
        raise AssertionError(f"status {status} expected of\n{o}")
    if out is not None and (o.raw if isinstance(out, bytes) else o.out) != out:
        raise AssertionError(f"stdout {out!r} expected of\n{o}")
    if err is not None and (err not in o.err or not err and o.err):
        raise AssertionError(f"stderr with {err!r} expected of\n{o}")
    return o


def until(condition, what, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        got = condition()
        if got:
            return got
        time.sleep(0.01)
    raise AssertionError(f"{what}: not within {seconds} s")


def is_asleep(process):
    """It waits for something, and is not just being started."""
    try:
        where = Path(f"/proc/{process.pid}/wchan").read_text()
        state = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state == "S" and ("futex" in where or where in ("0", ""))


@contextlib.contextmanager
def scratch(name):
    global directory
    directory = Path(tempfile.mkdtemp(prefix=f"test-tool-{os.getpid()}-", dir="/dev/shm"))
    try:
        yield
    finally:
        for process in running:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                    process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    with contextlib.suppress(OSError):
                        stream.close()
        running.clear()
        shutil.rmtree(directory, ignore_errors=True)


def main():
    wanted = sys.argv[2:]
    chosen = [t for t in tests if not wanted or any(w in t.__name__ for w in wanted)]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    for n, function in enumerate(chosen, 1):
        name = function.__name__.replace("_", " ")
        with scratch(name):
            try:
                function()
                print(f"ok {n} - {name}", flush=True)
            except Skip as skip:
                print(f"ok {n} - {name} # SKIP {skip}", flush=True)
            except Exception:
                failed += 1
                print(f"not ok {n} - {name}")
                for line in traceback.format_exc().splitlines():
                    print(f"# {line}")
                sys.stdout.flush()
    sys.exit(failed > 0)
