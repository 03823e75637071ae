"""Connections: multiprocessing.connection, with chute's under it.

Pipe, Connection, Listener and Client make chute's; everything else is
multiprocessing's own, and takes both. The wire is the same, so a process at the
other end may use either.
"""
import os
import socket
from multiprocessing import connection as _stock
from multiprocessing.connection import wait
from multiprocessing.reduction import DupFd

from . import _chute

__all__ = ["Client", "Connection", "Listener", "Pipe", "wait"]


class Connection(_chute.Connection):
    """One end of a message channel, made of a descriptor, which it owns.

    Several threads and processes may use one end at once: each message is one's,
    whole. It can be pickled at any time.
    """

    _kept_page = None

    def __reduce__(self):
        page = self._page()
        return _rebuild, (type(self), DupFd(self.fileno()),
                          page if page is None else DupFd(page.fileno()),
                          self.readable, self.writable)

    def _page(self):
        """A file that holds what those who share this end have to know of each
        other; None if it is no end of chute's."""
        if self._kept_page is None:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                if not self._give(theirs.fileno()):
                    return None
                _, (end, page), _, _ = socket.recv_fds(ours, 1, 2)
            os.close(end)
            self._kept_page = _chute.Connection(page)  # closes it in the end
        return self._kept_page

    def close(self):
        if self._kept_page is not None:
            self._kept_page.close()
        super().close()

    def __exit__(self, *exc):
        self.close()


def _rebuild(cls, end, page, readable, writable):
    fd = end.detach()
    if page is None:
        return cls(fd, readable, writable)
    conn = cls.__new__(cls)
    ours, theirs = socket.socketpair()
    fds = [fd, page.detach()]
    try:
        with ours, theirs:
            socket.send_fds(ours, [bytes([len(fds)])], fds)
            conn._take(theirs.fileno(), readable, writable)
    finally:
        for fd in fds:
            os.close(fd)
    return conn


def Pipe(duplex=True):
    """The two ends of a new pipe. Without duplex the first one receives and the
    second one sends."""
    return Connection._pipe(duplex)


def _adopt(conn):
    """Of a connection of multiprocessing's, one of chute's."""
    if isinstance(conn, _chute.Connection):
        return conn
    fd, conn._handle = conn._handle, None
    return Connection(fd)


class Listener(_stock.Listener):
    """multiprocessing.connection.Listener, of which chute's connections come."""

    def accept(self):
        return _adopt(super().accept())


def Client(address, family=None, authkey=None):
    """A connection to the listener at that address."""
    return _adopt(_stock.Client(address, family, authkey))


def __getattr__(name):
    return getattr(_stock, name)
