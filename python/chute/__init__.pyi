from multiprocessing import (
    Array as Array,
    AuthenticationError as AuthenticationError,
    Barrier as Barrier,
    BoundedSemaphore as BoundedSemaphore,
    BufferTooShort as BufferTooShort,
    Condition as Condition,
    Event as Event,
    Lock as Lock,
    Manager as Manager,
    Pool as Pool,
    Process as Process,
    ProcessError as ProcessError,
    RLock as RLock,
    RawArray as RawArray,
    RawValue as RawValue,
    Semaphore as Semaphore,
    TimeoutError as TimeoutError,
    Value as Value,
    active_children as active_children,
    allow_connection_pickling as allow_connection_pickling,
    cpu_count as cpu_count,
    current_process as current_process,
    freeze_support as freeze_support,
    get_logger as get_logger,
    log_to_stderr as log_to_stderr,
    parent_process as parent_process,
    reducer as reducer,
    set_executable as set_executable,
    set_forkserver_preload as set_forkserver_preload,
)
from queue import Empty as Empty, Full as Full
from typing import Any

from . import connection as connection, context as context, queues as queues
from ._chute import ShutDown as ShutDown
from ._install import install as install
from .connection import (
    Client as Client, Connection as Connection, Listener as Listener, wait as wait)
from .queues import (
    JoinableQueue as JoinableQueue, LostItems as LostItems, Queue as Queue,
    SimpleQueue as SimpleQueue, open_queue as open_queue, unlink_queue as unlink_queue)

__version__: str

# Functions, in truth, that make such queues: as in multiprocessing, the classes to
# derive from are those of chute.queues.

Pipe = context.default_context.Pipe
get_context = context.default_context.get_context
get_start_method = context.default_context.get_start_method
set_start_method = context.default_context.set_start_method
get_all_start_methods = context.default_context.get_all_start_methods

def __getattr__(name: str) -> Any: ...
