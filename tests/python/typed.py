"""What mypy has to accept, and (marked) has to refuse: never run."""
import chute
from chute.queues import Queue


class Numbers(Queue[int]):
    pass


def produce(q: "chute.Queue[int]", conn: chute.Connection) -> None:
    q.put(1, timeout=0.5)
    q.put("one")  # refused
    conn.send_bytes(b"abc", 1)
    conn.send_bytes("abc")  # refused


def consume(q: "chute.Queue[int]") -> int:
    try:
        return q.get(block=True, timeout=None) + q.get_nowait()
    except (chute.Empty, chute.ShutDown):
        return q.qsize()


a, b = chute.Pipe(duplex=False)
numbers: "chute.Queue[int]" = chute.Queue(3, memory=1 << 20)
tasks: "chute.JoinableQueue[str]" = chute.JoinableQueue()
tasks.task_done(1)  # refused
try:
    tasks.join(report_lost=True)
except chute.LostItems as e:
    print(e.n + tasks.members()[0]["pid"])
process = chute.get_context("spawn").Process(target=produce, args=(numbers, a))
process.start()
with chute.Pool(2) as pool, chute.Listener() as listener:
    listener.accept().recv_bytes_into(bytearray(3), offset=1)
    pool.map(str, [consume(numbers)])
chute.open_queue("name", create=True).put(object())
chute.wait([a, b, numbers, 0], timeout=1)
chute.wait(["text"])  # refused


async def consume_beside_others(q: "chute.Queue[int]") -> int:
    return await q.aget() + q.fileno()
