from collections.abc import Iterable
from multiprocessing import connection as _stock
from typing import Any, Protocol

from . import _chute

__all__ = ["Client", "Connection", "Listener", "Pipe", "wait"]

_Address = str | tuple[str, int]

class _WithDescriptor(Protocol):
    def fileno(self) -> int: ...

_Waitable = _WithDescriptor | int

class Connection(_chute.Connection): ...

class Listener(_stock.Listener):
    def accept(self) -> Connection: ...  # type: ignore[override]

def Pipe(duplex: bool = True) -> tuple[Connection, Connection]: ...
def Client(address: _Address, family: str | None = None,
           authkey: bytes | None = None) -> Connection: ...
def wait(object_list: Iterable[_Waitable],
         timeout: float | None = None) -> list[_Waitable]: ...
def __getattr__(name: str) -> Any: ...
