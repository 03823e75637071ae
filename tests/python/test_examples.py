#!/usr/bin/python3
"""The two programs that the project began with, as they are but for the line that
imports; and programs that do not even change that."""
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import tap

EXAMPLES = Path(__file__).resolve().parents[2] / "python" / "examples"


# How the programs are started. print writes each line at once, and in one piece:
# else a child that is ended takes along what it kept back, and the lines of two
# mix. And a child has some time before it is ended, to do its part.
STARTER = """
import builtins, multiprocessing, os, runpy, sys, time

def print_line(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

def terminate(process, terminate=multiprocessing.Process.terminate):
    time.sleep(PAUSE)
    terminate(process)

builtins.print = print_line
multiprocessing.Process.terminate = terminate
del sys.argv[0]
if sys.argv[0] == "-m":
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__")
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def start(*command, pause=0.2):
    """The lines that an example prints."""
    return run("-c", STARTER.replace("PAUSE", str(pause)), *command)


def run(*command):
    """The lines that a program prints."""
    done = subprocess.run([sys.executable, *map(str, command)], text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout.splitlines()


def stock(name):
    """The text of the program with multiprocessing's line."""
    text, n = re.subn(r"^from chute import", "from multiprocessing import",
                      (EXAMPLES / name).read_text(), flags=re.M)
    assert n == 1
    return text


class TestExamples(unittest.TestCase):
    def check_letters(self, *command):
        lines = start(*command)
        for begin in "Process to write: ", "Process to read: ":
            pid, = (line.removeprefix(begin) for line in lines
                    if line.startswith(begin))
            self.assertGreater(int(pid), 1)
        put = [line for line in lines if line.startswith("Put ")]
        got = [line for line in lines if line.startswith("Get ")]
        self.assertEqual(put, [f"Put {x} to queue..." for x in "ABC"])
        self.assertEqual(got, [f"Get {x} from queue." for x in "ABC"])
        for a, b in zip(put, got):
            self.assertLess(lines.index(a), lines.index(b))
        self.assertEqual(len(lines), 2 + len(put) + len(got))

    def check_hello(self, *command):
        """On a busy machine the child may be too slow all the same."""
        for pause in 0.2, 1, 5, 25:
            lines = start(*command, pause=pause)
            if lines[1:]:
                break
        self.assertEqual(lines, ["[42, None, 'hello']", "666"])

    def test_letters(self):
        self.check_letters(EXAMPLES / "letters.py")

    def test_hello(self):
        self.check_hello(EXAMPLES / "hello.py")

    def test_unchanged_by_the_module(self):
        with tempfile.TemporaryDirectory() as directory:
            for name in "letters.py", "hello.py":
                path = Path(directory) / name
                path.write_text(stock(name))
                if name == "letters.py":
                    self.check_letters("-m", "chute", path)
                else:
                    self.check_hello("-m", "chute", path)


PROGRAM = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor

def f(q):
    q.put((type(multiprocessing.Queue()).__module__, type(q).__module__))

if __name__ == "__main__":
    assert sys.argv[1:] == ["an", "argument"], sys.argv
    multiprocessing.set_start_method(METHOD)
    q = multiprocessing.Queue()
    p = multiprocessing.Process(target=f, args=(q,))
    p.start()
    print(*q.get())
    p.join()
    with ProcessPoolExecutor(2) as pool:
        print(*pool.map(abs, [-1, -2]))
"""


class TestModule(unittest.TestCase):
    def test_children_use_it_as_well(self):
        for method in "fork", "spawn", "forkserver":
            with self.subTest(method), tempfile.TemporaryDirectory() as directory:
                path = Path(directory) / "program.py"
                path.write_text(PROGRAM.replace("METHOD", repr(method)))
                self.assertEqual(run("-m", "chute", path, "an", "argument"),
                                 ["chute._install chute._install", "1 2"])

    def test_without_a_program(self):
        done = subprocess.run([sys.executable, "-m", "chute"], text=True,
                              capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("SCRIPT", done.stderr)


if __name__ == "__main__":
    tap.main()
