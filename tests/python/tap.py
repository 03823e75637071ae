"""unittest's results as lines of the Test Anything Protocol.

    if __name__ == "__main__":
        tap.main()
"""
import sys
import unittest


class Result(unittest.TextTestResult):
    before = ""  # printed in front of each line

    def __init__(self, *args):
        super().__init__(*args)
        self.n = 0

    def line(self, test, verdict="ok", rest=""):
        self.n += 1
        name = test.id().removeprefix("__main__.")
        print(f"{self.before}{verdict} {self.n} {name}{rest}", flush=True)

    def addSuccess(self, test):
        self.line(test)

    def addSkip(self, test, reason):
        self.line(test, rest=f" # SKIP {reason}")

    def addError(self, test, err):
        super().addError(test, err)
        self.line(test, "not ok")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.line(test, "not ok")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.line(subtest, "not ok")


def run(suite):
    """Run it; whether all is well."""
    print(f"1..{suite.countTestCases()}", flush=True)
    runner = unittest.TextTestRunner(resultclass=Result, verbosity=0)
    return runner.run(suite).wasSuccessful()


def main():
    """The tests of the program itself, or those whose names have a word in them
    that was given."""
    suite = unittest.TestSuite()
    for test in each(unittest.defaultTestLoader.loadTestsFromModule(
            sys.modules["__main__"])):
        if not sys.argv[1:] or any(word in test.id() for word in sys.argv[1:]):
            suite.addTest(test)
    sys.exit(not run(suite))


def each(suite):
    """The tests of a suite, one by one."""
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test
