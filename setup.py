"""The extension, which pyproject.toml cannot describe yet."""
from glob import glob

from setuptools import Extension, setup

FLOORS = "base", "codec", "ipc", "plat", "shm"  # all of libchute

setup(ext_modules=[Extension(
    "chute._chute",
    sources=sorted(glob("python/ext/*.c"))
    + sorted(path for floor in FLOORS for path in glob(f"src/{floor}/*.c")),
    depends=sorted(glob("include/**/*.h", recursive=True) + glob("src/*/*.h")
                   + glob("python/ext/*.h")),
    include_dirs=["include", "src"],
    extra_compile_args=["-std=gnu11", "-fvisibility=hidden"],
    libraries=["pthread"],
)])
