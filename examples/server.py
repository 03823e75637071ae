"""server.py - answers each message with its number and itself; as server.c."""
import sys
from multiprocessing.connection import Listener

if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
    print("usage: server.py PATH", file=sys.stderr)
    sys.exit(2)

with Listener(sys.argv[1], authkey=b"a very secret key") as listener:
    with listener.accept() as conn:
        n = 1
        while True:
            try:
                value = conn.recv()
            except EOFError:
                break
            print(repr(value))
            conn.send((n, value))
            n += 1
