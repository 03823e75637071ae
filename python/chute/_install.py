"""Put chute in multiprocessing's place, for programs that are not to be changed.

The names are bound anew in multiprocessing.queues and multiprocessing.connection,
where contexts, pools, executors and managers look for them. Who has imported them
before keeps what he has. Children that are spawned are told to do the same: what
they are prepared with carries an object that installs chute when it is unpickled.
"""
import traceback
from multiprocessing import connection as _connection
from multiprocessing import queues as _queues
from multiprocessing import spawn as _spawn

from . import connection, queues

_get_preparation_data = _spawn.get_preparation_data


class _Lenient:
    """As multiprocessing's queue: an object that cannot be pickled is reported
    on stderr, and put returns."""

    @staticmethod
    def _on_queue_feeder_error(e, obj):
        traceback.print_exception(type(e), e, e.__traceback__)


class Queue(_Lenient, queues.Queue):
    pass


class JoinableQueue(_Lenient, queues.JoinableQueue):
    pass


class _Installer:
    def __reduce__(self):
        return install, ()


def _prepare(name):
    return {**_get_preparation_data(name), "chute": _Installer()}


def install():
    """Make multiprocessing use chute. Best called before anything else imports
    multiprocessing or concurrent.futures."""
    _queues.Queue = Queue
    _queues.JoinableQueue = JoinableQueue
    _queues.SimpleQueue = queues.SimpleQueue
    _connection.Connection = connection.Connection
    _connection.Pipe = connection.Pipe
    _spawn.get_preparation_data = _prepare
