"""python -m chute SCRIPT [ARGUMENT...] - run a program with chute in
multiprocessing's place."""
import os
import runpy
import sys

from . import install


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    del sys.argv[0]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    install()
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
