"""client.py - sends three messages, and prints what is answered; as client.c."""
import sys
from multiprocessing.connection import Client

if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
    print("usage: client.py PATH", file=sys.stderr)
    sys.exit(2)

with Client(sys.argv[1], authkey=b"a very secret key") as conn:
    for value in "hello", [42, None, 2.5], (b"bye",):
        conn.send(value)
        print(repr(conn.recv()))
