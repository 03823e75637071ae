"""client.py - sends three messages, and prints what is answered; as client.c."""
import sys
from multiprocessing.connection import Client

with Client(sys.argv[1], authkey=b"a very secret key") as conn:
    for value in "hello", [42, None, 2.5], (b"bye",):
        conn.send(value)
        print(repr(conn.recv()))
