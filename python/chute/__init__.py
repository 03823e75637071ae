"""Python's multiprocessing over shared memory, safe from kills.

    import chute as multiprocessing

Queues, pipes and connections are chute's: whoever is killed, the others go on; a
put has put when it returns; programs in C may be at the other end. Everything
else is multiprocessing's own, and the two work together.
"""
import multiprocessing as _stock
import multiprocessing.util
import sys as _sys
from queue import Empty, Full

from . import _chute, connection, context, queues
from ._chute import ShutDown
from ._install import install
from .connection import Client, Connection, Listener, wait
from .queues import LostItems, open_queue, unlink_queue

__version__ = _chute.version

# The functions of the default context, as multiprocessing has them.
globals().update((name, getattr(context.default_context, name))
                 for name in _stock.__all__
                 if hasattr(context.default_context, name))

__all__ = sorted({*_stock.__all__, "Client", "Connection", "Empty", "Full",
                  "Listener", "LostItems", "ShutDown", "install",
                  "open_queue", "unlink_queue", "wait"})

# Modules of multiprocessing that are loaded in any case; there is a file for each
# that is not.
_sys.modules.update((f"{__name__}.{name}", getattr(_stock, name))
                    for name in ("process", "reduction", "util"))


def __getattr__(name):
    """Whatever else multiprocessing has."""
    return getattr(_stock, name)
