#!/usr/bin/python3
"""cpython.py [--method METHOD] [--group GROUP] [TEST...] - CPython's tests, on chute.

Runs what Debian's libpython3.11-testsuite has of test._test_multiprocessing and
test.test_concurrent_futures, with chute installed in multiprocessing's place, as
`python -m chute` does it. METHOD is fork, spawn or forkserver. GROUP:

    core      queues, pipes, connections, listeners, wait: what is chute's
    wide      processes, pools and the rest, which use chute's
    futures   concurrent.futures.ProcessPoolExecutor
    rest      all others: managers, whose connections are chute's, and locks,
              shared memory and threads, which chute has nothing to do with

The last line counts. A class of which fewer tests are found than GROUPS says is
a failure, so that none can get lost.
"""
import argparse
import os
import re
import sys
import unittest
from pathlib import Path

# Instead of our own directory, where "pickle" is somebody else.
TESTS = Path(__file__).resolve().parents[1] / "python"
if __name__ == "__main__":
    sys.path[0] = str(TESTS)

import chute

chute.install()

import multiprocessing

import tap

PROCESSES = "WithProcesses"
GROUPS = {
    "core": {
        PROCESSES + "TestQueue": 10, "TestSimpleQueue": 3,
        PROCESSES + "TestConnection": 8, PROCESSES + "TestPoll": 4,
        PROCESSES + "TestListener": 3, PROCESSES + "TestListenerClient": 3,
        PROCESSES + "TestPicklingConnections": 2, "TestInvalidHandle": 1,
        "OtherTest": 2, "TestWait": 7, "TestInvalidFamily": 2, "TestTimeouts": 1,
        "TestIgnoreEINTR": 2, "TestCloseFds": 1,
    },
    "wide": {
        PROCESSES + "TestProcess": 23, PROCESSES + "TestSubclassingProcess": 3,
        PROCESSES + "TestPollEintr": 1, PROCESSES + "TestFinalize": 2,
        PROCESSES + "TestLogging": 2, "TestInitializers": 2,
        "TestStdinBadfiledescriptor": 3, "TestForkAwareThreadLock": 1,
        "TestStartMethod": 4, "TestFlags": 1, "TestPoolNotLeakOnFailure": 1,
        PROCESSES + "TestPool": 25, PROCESSES + "TestPoolWorkerErrors": 2,
        PROCESSES + "TestPoolWorkerLifetime": 4,
    },
}
FUTURES = {"fork": r"ProcessPoolFork(?!server)", "spawn": r"ProcessPoolSpawn",
           "forkserver": r"ProcessPoolForkserver"}

# A child that is spawned imports this file, and finds the method here.
METHOD = os.environ.get("CHUTE_TEST_METHOD", "fork")


def method_asked_for():
    for i, argument in enumerate(sys.argv):
        if argument.startswith("--method"):
            return (argument.split("=") + sys.argv[i + 1:])[1]
    return METHOD


if __name__ == "__main__":
    METHOD = os.environ["CHUTE_TEST_METHOD"] = method_asked_for()

from test import _test_multiprocessing

_test_multiprocessing.install_tests_in_module_dict(globals(), METHOD)


def tests_of(group):
    """(name of a class, its tests as a suite)"""
    loader = unittest.defaultTestLoader
    if group == "futures":
        from test import test_concurrent_futures as module
        tap.Result.before = "\n"  # these print the time, and no newline
        for name in sorted(vars(module)):
            if re.match(FUTURES[METHOD], name):
                yield name, loader.loadTestsFromTestCase(getattr(module, name))
        return
    if group == "rest":
        known = {name for names in GROUPS.values() for name in names}
        for name, thing in sorted(globals().items()):
            if (isinstance(thing, type) and issubclass(thing, unittest.TestCase)
                    and name not in known):
                yield name, loader.loadTestsFromTestCase(thing)
        return
    for name, n in GROUPS[group].items():
        suite = loader.loadTestsFromTestCase(globals()[name])
        if suite.countTestCases() < n:
            sys.exit(f"{name}: {suite.countTestCases()} tests, {n} expected")
        yield name, suite


def check_binding():
    """chute is what the tests will use."""
    for thing in (multiprocessing.Queue(), multiprocessing.JoinableQueue(),
                  multiprocessing.SimpleQueue()._reader, *multiprocessing.Pipe()):
        assert isinstance(thing, (chute._chute.Queue, chute._chute.Connection))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--method", default=METHOD, choices=FUTURES)
    parser.add_argument("--group", default="core", choices=[*GROUPS, "futures", "rest"])
    parser.add_argument("tests", nargs="*")
    options = parser.parse_args()
    check_binding()
    chosen = unittest.TestSuite()
    for name, suite in tests_of(options.group):
        for test in suite:
            wanted = f"{name}.{test._testMethodName}"
            if not options.tests or any(t in wanted for t in options.tests):
                chosen.addTest(test)
    setUpModule()
    try:
        good = tap.run(chosen)
    finally:
        tearDownModule()
    sys.exit(not good)


if __name__ == "__main__":
    main()
