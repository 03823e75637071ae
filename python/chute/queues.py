"""Queues: multiprocessing.queues, with nothing in between.

put has put when it returns: no thread feeds a pipe, so nothing is lost with its
producer, nothing hangs at exit, and an object that cannot be pickled raises
where it was put. qsize, empty and full are exact. Whoever is killed, the others
go on. What each call does beyond that is what multiprocessing says.
"""
import os
from multiprocessing import ProcessError
from multiprocessing.reduction import DupFd
from queue import Empty, Full
from types import GenericAlias

from . import _chute
from ._chute import ShutDown
from .connection import Pipe

__all__ = ["Queue", "JoinableQueue", "SimpleQueue", "Empty", "Full", "LostItems",
           "ShutDown", "open_queue", "unlink_queue"]

# What multiprocessing takes for "no limit", and the most that it accepts.
_NO_LIMIT = 2**31 - 1
# The most that a limit of chute's can be; no memory holds as many items.
_MOST_ITEMS = 2**30

os.register_at_fork(after_in_child=_chute.forked)


def _limit(maxsize):
    """maxsize as multiprocessing has it, and as chute has it."""
    if maxsize <= 0:
        return _NO_LIMIT, 0
    if maxsize > _NO_LIMIT:
        raise OverflowError("maxsize is too large")
    if not hasattr(maxsize, "__index__"):
        raise TypeError(f"maxsize has to be an int, not {type(maxsize).__name__}")
    maxsize = int(maxsize)
    return maxsize, maxsize if maxsize <= _MOST_ITEMS else 0


class Queue(_chute.Queue):
    """A queue between processes; first in, first out.

    memory bounds the bytes in it (0: 8 GiB). With a name it is the queue that
    has this name, which any program may open: see open_queue.
    """

    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, maxsize=0, *, ctx=None, memory=0, name=None):
        self._maxsize, limit = _limit(maxsize)
        self._memory, self._name = memory, name
        if name is None:
            self._make(limit, memory)
        else:
            self._open(name, True, False, limit, memory)
        self._reset()

    def _reset(self):
        self._ignore_epipe = False  # concurrent.futures sets it

    # A named queue travels by its name, any other by its descriptor: to a child
    # that is being spawned, and over connections and queues.
    def __getstate__(self):
        handle = self._name if self._name is not None else DupFd(self._fd())
        return handle, self._maxsize, self._memory

    def __setstate__(self, state):
        handle, self._maxsize, self._memory = state
        if isinstance(handle, str):
            self._name = handle
            self._open(handle, False, False, 0, 0)
        else:
            self._name = None
            _attach(self, handle)
        self._reset()

    @staticmethod
    def _on_queue_feeder_error(e, obj):
        """Called by put, with the exception and the object, if this cannot be
        pickled. It raises; where a derived class has one that returns (as
        multiprocessing's own does) put returns, and has put nothing."""
        raise e

    def put_nowait(self, obj):
        """put(obj, False)"""
        return self.put(obj, False)

    def get_nowait(self):
        """get(False)"""
        return self.get(False)

    async def aget(self):
        """get() for asyncio: other tasks run while it waits. A task that is
        cancelled has taken nothing."""
        while True:
            try:
                return self.get(False)
            except Empty:
                await _readable(self.fileno())

    def join_thread(self):
        """Return at once: there is no thread, and nothing to wait for."""
        assert self._closed, f"Queue {self!r} not closed"

    def cancel_join_thread(self):
        """Do nothing: what was put is in the queue."""

    def shutdown(self, immediate=False):
        """Refuse puts (ShutDown), in all processes. Gets take what is left, and
        raise ShutDown then; `immediate` throws away what is left."""
        self._shut_down()
        if immediate:
            self._drain()

    def _drain(self):
        try:
            while True:
                self.get_bytes(False)
                self._dropped()
        except (ShutDown, Empty):
            pass

    def _dropped(self):
        """An item was thrown away."""


async def _readable(fd):
    """Wait for a descriptor. By a copy, for a loop has one reader for each, and
    several tasks may wait at one queue."""
    import asyncio  # which most who use queues do not
    loop, fd = asyncio.get_running_loop(), os.dup(fd)
    try:
        ready = loop.create_future()
        loop.add_reader(fd, lambda: ready.done() or ready.set_result(None))
        try:
            await ready
        finally:
            loop.remove_reader(fd)
    finally:
        os.close(fd)


def _attach(queue, handle):
    """Give a queue the descriptor that a DupFd has brought."""
    fd = handle.detach()
    try:
        queue._attach(fd)
    except BaseException:
        os.close(fd)
        raise


def open_queue(name, *, create=False, exclusive=False, maxsize=0, memory=0):
    """The queue of that name. With create it is made if there is none, and with
    exclusive as well only then (FileExistsError)."""
    queue = Queue.__new__(Queue)
    limit = _limit(maxsize)[1]
    queue._open(name, create, exclusive, limit, memory)
    queue._maxsize, queue._memory, queue._name = _limit(maxsize)[0], memory, name
    queue._reset()
    return queue


def unlink_queue(name):
    """Take a queue's name away; who has it open goes on with it."""
    _chute.Queue()._unlink(name)


class LostItems(ProcessError):
    """Items were taken by processes that ended and were not done with them; `n`
    is how many."""

    def __init__(self, n):
        super().__init__(n)
        self.n = n

    def __str__(self):
        return f"{self.n} taken by processes that have ended"


class JoinableQueue(Queue):
    """A queue that knows how many of its items are not done with.

    The queue itself knows how many were put, at the instant that they were. How
    many are done with is counted by a second queue, of nothing: task_done puts
    something in, and takes it out. So a kill does no harm to the count.

    Who finds that all are done with rings the bell, an eventfd, at which those
    in join wait. It stays rung; whoever finds that it rings for nothing, since
    more was put meanwhile, silences it, and then looks once more, for the last
    item might have been done with just then.
    """

    # A process that is killed between the count and the bell has rung for nobody;
    # so who waits looks by himself as often as this, in seconds.
    _TICK = 0.1

    def __init__(self, maxsize=0, *, ctx=None, memory=0):
        super().__init__(maxsize, ctx=ctx, memory=memory)
        done = _chute.Queue()
        done._make(0, 0)
        self._prepare(done, os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))

    def _prepare(self, done, bell):
        self._done, self._bell = done, _chute.Connection(bell)
        self._n_reported = 0  # of those that were lost

    def __getstate__(self):
        return (super().__getstate__(), DupFd(self._done._fd()),
                DupFd(self._bell.fileno()))

    def __setstate__(self, state):
        state, done, bell = state
        super().__setstate__(state)
        queue = _chute.Queue()
        _attach(queue, done)
        self._prepare(queue, bell.detach())

    def _all_done(self):
        # In this order: both only grow, and the first is never ahead.
        n_done = self._done._n_put()
        return n_done >= self._n_put()

    def _ring(self):
        if self._all_done():
            os.eventfd_write(self._bell.fileno(), 1)

    def _silence(self):
        try:
            os.eventfd_read(self._bell.fileno())
        except BlockingIOError:
            pass  # somebody else has
        self._ring()

    def task_done(self):
        """Say that an item that was got has been dealt with."""
        if self._all_done():
            raise ValueError("task_done() called too many times")
        self._done.put_bytes(b"")
        self._done.get_bytes(False)
        self._ring()

    def join(self, *, report_lost=False):
        """Wait until all items have been dealt with.

        An item whose consumer was killed would be waited for in vain. With
        report_lost LostItems is raised then, once for each such item; call
        task_done for it if somebody has seen to it otherwise. This is for queues
        whose consumers are done with an item themselves, and are not more than
        128 at once.
        """
        while not self._all_done():
            if self._bell.poll(self._TICK):
                self._silence()
            elif report_lost:
                self._report_lost()

    def _report_lost(self):
        n = self._n_lost() - self._n_reported
        if n > 0:
            self._n_reported += n
            raise LostItems(n)

    def _n_lost(self):
        """How many items are in the hands of the dead: those that are in hands,
        without those that are in the hands of the living."""
        before = self._in_hands()
        living = (sum(member["n_got"] for member in self.members())
                  - sum(member["n_put"] for member in self._done.members()))
        after = self._in_hands()
        if before is None or before != after:
            return 0  # they are busy: there is a next time
        n_got, n_done = after
        return n_got - n_done - living

    def _in_hands(self):
        """How many were got and are done with; None if somebody is about to
        count one."""
        got, done = self.stat(), self._done.stat()
        if got["get_owner"] or done["put_owner"]:
            return None
        return got["n_got"], done["n_put"]

    def _dropped(self):
        self.task_done()


class _NoLock:
    """What a lock of SimpleQueue's has become: an end of a pipe of chute's may
    be used by several at once. multiprocessing.pool asks for it."""

    def acquire(self, block=True, timeout=None):
        return True

    def release(self):
        pass

    def __enter__(self):
        return True

    def __exit__(self, *exc):
        pass


class SimpleQueue:
    """A pipe that many may put into and get from, without limits and timeouts.

    A message goes whole or not at all. If a process is killed in the middle of
    one of more than 32 KiB, the pipe cannot be gone on with: Queue has no such
    weakness.
    """

    __class_getitem__ = classmethod(GenericAlias)

    def __init__(self, *, ctx=None):
        self._start(*Pipe(duplex=False))

    def _start(self, reader, writer):
        self._reader, self._writer = reader, writer
        self._rlock = self._wlock = _NoLock()
        self._poll = reader.poll

    def __getstate__(self):
        return self._reader, self._writer

    def __setstate__(self, state):
        self._start(*state)

    def close(self):
        self._reader.close()
        self._writer.close()

    def empty(self):
        return not self._poll()

    def fileno(self):
        """The descriptor of the end that receives."""
        return self._reader.fileno()

    def get(self):
        return self._reader.recv()

    def put(self, obj):
        self._writer.send(obj)
