"""Contexts: multiprocessing's, with the queues and pipes of chute.

The start method is multiprocessing's: who sets it there sets it here, and the
other way round; there is one Process.
"""
from multiprocessing import context as _stock


class _Nouns:
    """What a context makes that is chute's."""

    def Queue(self, maxsize=0, *, memory=0, name=None):
        """A queue; see chute.queues."""
        from .queues import Queue
        return Queue(maxsize, ctx=self.get_context(), memory=memory, name=name)

    def JoinableQueue(self, maxsize=0, *, memory=0):
        """A queue that knows which of its items are not done with."""
        from .queues import JoinableQueue
        return JoinableQueue(maxsize, ctx=self.get_context(), memory=memory)

    def SimpleQueue(self):
        """A pipe that many may put into and get from."""
        from .queues import SimpleQueue
        return SimpleQueue(ctx=self.get_context())

    def Pipe(self, duplex=True):
        """The two ends of a new pipe."""
        from .connection import Pipe
        return Pipe(duplex)

    def get_context(self, method=None):
        if method is None:
            return self
        if method not in _contexts:
            raise ValueError(f"cannot find context for {method!r}")
        return _contexts[method]


class ForkContext(_Nouns, _stock.ForkContext):
    pass


class SpawnContext(_Nouns, _stock.SpawnContext):
    pass


class ForkServerContext(_Nouns, _stock.ForkServerContext):
    pass


_contexts = {context._name: context for context in (
    ForkContext(), SpawnContext(), ForkServerContext())}


class DefaultContext(_Nouns, _stock.BaseContext):
    """The one whose methods are the functions of the package."""

    Process = _stock.Process

    def get_context(self, method=None):
        if method is None:
            method = _stock._default_context.get_start_method()
        return super().get_context(method)

    def get_start_method(self, allow_none=False):
        return _stock._default_context.get_start_method(allow_none)

    def set_start_method(self, method, force=False):
        _stock._default_context.set_start_method(method, force)

    def get_all_start_methods(self):
        return _stock._default_context.get_all_start_methods()


default_context = DefaultContext()
