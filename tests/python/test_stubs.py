#!/usr/bin/python3
"""The stubs say of the package what is so, and enough for mypy --strict."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import chute

import tap

PACKAGE = Path(chute.__file__).parent
TYPED = Path(__file__).with_name("typed.py")

# What cannot be said in a stub: the names that are classes for those who write
# annotations, and functions that make them for those who call (typeshed has
# multiprocessing's so, too); and what Generic implies. And modules that are
# multiprocessing's, whose stubs are typeshed's.
KNOWN = r"""
chute.Queue
chute.JoinableQueue
chute.SimpleQueue
chute.queues.Queue.__class_getitem__
chute.queues.SimpleQueue.__class_getitem__
chute\.(dummy|managers|pool|shared_memory|sharedctypes|synchronize)\..*
"""


def mypy(*arguments):
    with tempfile.TemporaryDirectory() as cache:
        return subprocess.run(
            [sys.executable, "-m", *map(str, arguments)], text=True,
            capture_output=True, cwd=cache, timeout=240,
            env={"PYTHONPATH": str(PACKAGE.parent), "MYPYPATH": str(PACKAGE.parent)})


def has_mypy():
    return mypy("mypy", "--version").returncode == 0


@unittest.skipUnless(has_mypy(), "no mypy")
class TestStubs(unittest.TestCase):
    def test_they_are_as_the_package_is(self):
        with tempfile.NamedTemporaryFile("w") as allowed:
            allowed.write(KNOWN)
            allowed.flush()
            done = mypy("mypy.stubtest", "chute", "--concise", "--allowlist",
                        allowed.name)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_program(self):
        done = mypy("mypy", "--strict", TYPED)
        refused = [n for n, line in enumerate(TYPED.read_text().splitlines(), 1)
                   if line.endswith("# refused")]
        said = [int(line.split(":")[1]) for line in done.stdout.splitlines()
                if ": error:" in line]
        self.assertEqual(said, refused, done.stdout + done.stderr)


if __name__ == "__main__":
    tap.main()
