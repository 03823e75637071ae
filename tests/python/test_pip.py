#!/usr/bin/python3
"""`pip install .` of a clean tree, and the package from there.

Without the network: what it needs of the build is Debian's.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import tap

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("include", "src", "python", "pyproject.toml", "setup.py", "MANIFEST.in",
         "LICENSE")

PROGRAM = """
import chute, importlib.metadata

def f(q):
    q.put([42, None, "hello"])

if __name__ == "__main__":
    assert importlib.metadata.version("chute") == chute.__version__
    q = chute.get_context("spawn").Queue()
    p = chute.get_context("spawn").Process(target=f, args=(q,))
    p.start()
    print(chute._chute.__file__, *q.get())
    p.join()
"""


def run(*command, **options):
    done = subprocess.run([*map(str, command)], text=True, capture_output=True,
                          timeout=240, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class TestPip(unittest.TestCase):
    def test_install(self):
        with tempfile.TemporaryDirectory() as directory:
            self.check(Path(directory))

    def check(self, directory):
        tree, target = directory / "tree", directory / "target"
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
            tree.mkdir(exist_ok=True)
            copy(ROOT / part, tree / part)
        env = {key: value for key, value in os.environ.items()
               if key not in ("PYTHONPATH", "LD_LIBRARY_PATH")}
        run(sys.executable, "-m", "pip", "install", "--quiet", "--no-index",
            "--no-build-isolation", "--target", target, tree, env=env)
        program = directory / "program.py"
        program.write_text(PROGRAM)
        path, *values = run(sys.executable, program,
                            env={**env, "PYTHONPATH": str(target)}).split()
        self.assertEqual(values, ["42", "None", "hello"])
        self.assertTrue(Path(path).is_relative_to(target))
        self.assertNotIn("libchute", run("ldd", path))
        for name in "py.typed", "_chute.pyi", "__init__.pyi":
            self.assertTrue((target / "chute" / name).is_file(), name)


if __name__ == "__main__":
    tap.main()
