from multiprocessing import context as _stock
from typing import Any, Literal, overload

from . import queues
from .connection import Connection

class _Nouns:
    def Queue(self, maxsize: int = 0, *, memory: int = 0,
              name: str | None = None) -> queues.Queue[Any]: ...
    def JoinableQueue(self, maxsize: int = 0, *,
                      memory: int = 0) -> queues.JoinableQueue[Any]: ...
    def SimpleQueue(self) -> queues.SimpleQueue[Any]: ...
    def Pipe(self, duplex: bool = True) -> tuple[Connection, Connection]: ...
    @overload
    def get_context(self, method: None = None) -> DefaultContext: ...
    @overload
    def get_context(self, method: Literal["spawn"]) -> SpawnContext: ...
    @overload
    def get_context(self, method: Literal["fork"]) -> ForkContext: ...
    @overload
    def get_context(self, method: Literal["forkserver"]) -> ForkServerContext: ...

class ForkContext(_Nouns, _stock.ForkContext): ...  # type: ignore[misc]
class SpawnContext(_Nouns, _stock.SpawnContext): ...  # type: ignore[misc]
class ForkServerContext(_Nouns, _stock.ForkServerContext): ...  # type: ignore[misc]
class DefaultContext(_Nouns, _stock.DefaultContext): ...  # type: ignore[misc]

default_context: DefaultContext
