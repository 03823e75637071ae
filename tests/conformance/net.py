#!/usr/bin/python3
"""CPython at the other end of a listener or a client.

    tests/conformance/net.py DRIVER [--objects N] [--table]

DRIVER is net-driver.c, built. CPython is the one that runs this script, as it
is; and, where its handshake is the one before 3.12, once more with the rules of
3.12 and later in its place (Modern). --table shows who has met whom.
"""

import sys

if __name__ == "__main__":
    sys.path.pop(0)  # our own directory, where "pickle" is somebody else

import contextlib
import hmac
import multiprocessing.connection as mpc
import os
import random
import signal
import socket
import struct
import subprocess
import threading
import time
import traceback
from multiprocessing import AuthenticationError
from unittest import mock

KEY = "a key of 16 byte"
MD5, NATIVE, SHORT_KEY = "flag=32", "flag=33", "flag=34"
IS_MODERN = sys.version_info >= (3, 12)
DRIVER = None

# -- the handshake of CPython 3.12 and later, in our words -----------------------

DIGESTS = [b"md5", b"sha256", b"sha384", b"sha3_256", b"sha3_384"]


class Modern:
    """deliver_challenge and answer_challenge by the rules of 3.12."""

    digest = b"sha256"

    @staticmethod
    def digest_of(message, legacy_len):
        if len(message) == legacy_len:
            return None, message
        name, curly, payload = message[1:].partition(b"}")
        if message[:1] != b"{" or not curly or name not in DIGESTS:
            raise AuthenticationError("no digest")
        return name, payload

    @classmethod
    def deliver_challenge(cls, conn, key):
        message = b"{%s}" % cls.digest + os.urandom(40)
        conn.send_bytes(b"#CHALLENGE#" + message)
        name, code = cls.digest_of(conn.recv_bytes(256), 16)
        right = hmac.new(key, message, (name or b"md5").decode()).digest()
        if not hmac.compare_digest(code, right):
            conn.send_bytes(b"#FAILURE#")
            raise AuthenticationError("digest received was wrong")
        conn.send_bytes(b"#WELCOME#")

    @classmethod
    def answer_challenge(cls, conn, key):
        message = conn.recv_bytes(256)
        if not message.startswith(b"#CHALLENGE#"):
            raise AuthenticationError("no challenge")
        message = message[len(b"#CHALLENGE#"):]
        if len(message) < 20:
            raise AuthenticationError("short challenge")
        name, _ = cls.digest_of(message, 20)
        code = hmac.new(key, message, (name or b"md5").decode()).digest()
        conn.send_bytes(b"{%s}" % name + code if name else code)
        if conn.recv_bytes(256) != b"#WELCOME#":
            raise AuthenticationError("digest sent was rejected")


@contextlib.contextmanager
def rules(auth, digest=b"sha256"):
    if auth != "sha256" or IS_MODERN:
        yield
        return
    with mock.patch.object(Modern, "digest", digest), \
            mock.patch.object(mpc, "deliver_challenge", Modern.deliver_challenge), \
            mock.patch.object(mpc, "answer_challenge", Modern.answer_challenge):
        yield


# -- the two sides ---------------------------------------------------------------

def python_address(text):
    if text.startswith("tcp:"):
        host, _, port = text[4:].rpartition(":")
        return host, int(port)
    return text[5:].replace("@", "\0", 1) if text[5] == "@" else text[5:]


def text_address(address):
    return "tcp:%s:%d" % address if isinstance(address, tuple) else "unix:" + address


class Driver:
    """chute, in a process of its own."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [DRIVER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.address = None
        if arguments[0] == "listen":
            self.address = self.process.stdout.readline().strip()

    def end(self):
        """(exit code, what it said)"""
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


def address_of(family):
    return "-" if family == "unix" else "tcp:127.0.0.1:0"


def options_of(auth):
    return {"none": [], "md5": [f"key={KEY}", MD5], "sha256": [f"key={KEY}"],
            "short": ["key=short", SHORT_KEY],
            "native": [f"key={KEY}", NATIVE]}[auth]


def key_of(auth):
    return None if auth == "none" else KEY.encode()


@contextlib.contextmanager
def c_serves(family, auth, *more):
    """A chute listener, and a Connection of CPython's to it."""
    driver = Driver("listen", address_of(family), *options_of(auth), *more)
    with rules(auth):
        conn = mpc.Client(python_address(driver.address), authkey=key_of(auth))
    with conn:
        yield driver, conn
    code, said = driver.end()
    assert code == 0, said


@contextlib.contextmanager
def c_connects(family, auth, *more):
    """A listener of CPython's, and its Connection to a chute client."""
    address = None if family == "unix" else ("127.0.0.1", 0)
    with mpc.Listener(address, authkey=key_of(auth)) as listener, rules(auth):
        driver = Driver("connect", text_address(listener.address),
                        *options_of(auth), *more)
        conn = listener.accept()
    with conn:
        yield driver, conn
    code, said = driver.end()
    assert code == 0, said


SIDES = {"c serves": c_serves, "c connects": c_connects}


def send_and_compare(conn, values):
    for value in values:
        conn.send(value)
        back = conn.recv()
        assert back == value and type(back) is type(value), (value, back)


# -- cases -----------------------------------------------------------------------

CASES = []


def case(function):
    CASES.append((function.__name__.replace("_", "-"), function))
    return function


VALUES = [None, True, 2**70, -1.5, "h\u00e9llo", b"\0", [1, (2, {"a": {3}})], "x" * 100000]


def pair_c_with_c(family, auth):
    server = Driver("listen", address_of(family), *options_of(auth))
    client = Driver("connect", server.address, *options_of(auth), "drive=100")
    for driver in client, server:
        code, said = driver.end()
        assert code == 0, said


def pair(server, client, family, auth):
    if server == client == "C":
        return pair_c_with_c(family, auth)
    with (c_serves if server == "C" else c_connects)(family, auth) as (_, conn):
        send_and_compare(conn, VALUES)


def pairings():
    for server, client in ("C", "C"), ("C", "Python"), ("Python", "C"):
        for family in "unix", "tcp":
            for auth in "none", "md5", "sha256", "short", "native":
                both = server == client
                if (auth == "md5" and (both or IS_MODERN)) or \
                        (auth == "sha256" and both) or \
                        (auth in ("native", "short") and not both):
                    continue
                yield server, client, family, auth


for pairing in pairings():
    CASES.append((" ".join(pairing), lambda pairing=pairing: pair(*pairing)))


@case
def every_digest_of_cpython():
    if IS_MODERN:
        return
    for digest in DIGESTS[1:]:
        driver_options = options_of("sha256")
        with mpc.Listener(None, authkey=KEY.encode()) as listener, rules("sha256", digest):
            driver = Driver("connect", text_address(listener.address), *driver_options)
            with listener.accept() as conn:
                send_and_compare(conn, VALUES[:3])
        assert driver.end()[0] == 0


def random_value(rng, depth=0):
    kind = rng.randrange(12 if depth < 3 else 7)
    few = range(rng.randrange(4))
    if kind < 7:
        return [None, rng.random() < 0.5, rng.randrange(-2**80, 2**80),
                rng.randrange(300), rng.gauss(0, 1e9), rng.randbytes(rng.randrange(20)),
                "".join(chr(rng.randrange(1, 0xd800)) for _ in few)][kind]
    if kind == 7:
        return {rng.randrange(1000) for _ in few}
    if kind == 8:
        return {rng.randbytes(3): random_value(rng, depth + 1) for _ in few}
    return [list, tuple, lambda it: [*it]][kind - 9](random_value(rng, depth + 1) for _ in few)


N_OBJECTS = 100000


@case
def random_objects():
    rng = random.Random(1)
    for make in SIDES.values():
        for family in "unix", "tcp":
            with make(family, "sha256") as (_, conn):
                for _ in range(N_OBJECTS // 400):
                    batch = [random_value(rng) for _ in range(100)]
                    for value in batch:
                        conn.send(value)
                    for value in batch:
                        assert conn.recv() == value


def swap(conn, message):
    thread = threading.Thread(target=conn.send_bytes, args=(message,))
    thread.start()
    back = conn.recv_bytes()
    thread.join()
    return back


@case
def a_hundred_mebibytes():
    message = b"\x93" + random.Random(2).randbytes(100 << 20)
    for make in SIDES.values():
        for family in "unix", "tcp":
            with make(family, "none", f"max={200 << 20}") as (_, conn):
                assert swap(conn, message) == message


@case
def more_than_the_default_limit():
    driver = Driver("listen", "-")
    with mpc.Client(python_address(driver.address)) as conn:
        with contextlib.suppress(OSError):
            conn.send_bytes(bytes((64 << 20) + 1))
        code, said = driver.end()
    assert code == 3 and "CHUTE_EOVERSIZE" in said, said


@case
def a_length_that_is_a_lie():
    driver = Driver("listen", "-", f"max={2**62}")
    with mpc.Client(python_address(driver.address)) as conn:
        os.write(conn.fileno(), struct.pack("!iQ", -1, 1 << 40) + b"little")
        time.sleep(0.2)
        with open(f"/proc/{driver.process.pid}/statm") as statm:
            assert int(statm.read().split()[1]) < 8192  # pages: 32 MiB
    code, said = driver.end()
    assert code == 3 and "CHUTE_EPARTIAL" in said, said


@case
def a_negative_length():
    driver = Driver("listen", "-")
    with mpc.Client(python_address(driver.address)) as conn:
        os.write(conn.fileno(), struct.pack("!i", -2))
        code, said = driver.end()
    assert code == 3 and "CHUTE_EPROTO" in said, said


@case
def a_peer_killed_in_the_middle():
    for family in "unix", "tcp":
        driver = Driver("listen", address_of(family))
        pid = os.fork()
        if pid == 0:
            conn = mpc.Client(python_address(driver.address))
            os.write(conn.fileno(), struct.pack("!i", 1000) + b"some")
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(pid, 0)
        code, said = driver.end()
        assert code == 3 and "CHUTE_EPARTIAL" in said, said


@case
def chute_killed():
    for make in SIDES.values():
        ended = False
        with contextlib.suppress(AssertionError), make("unix", "sha256") as (driver, conn):
            send_and_compare(conn, VALUES)
            driver.process.kill()
            try:
                conn.recv()
            except (EOFError, ConnectionResetError):
                ended = True
        assert ended


@case
def a_wrong_key_of_the_client():
    driver = Driver("listen", "-", f"key={KEY}", MD5)
    try:
        mpc.Client(python_address(driver.address), authkey=b"wrong")
        assert False, "authenticated"
    except AuthenticationError:
        pass
    mpc.Client(python_address(driver.address), authkey=KEY.encode()).close()
    code, said = driver.end()
    assert code == 0 and "refused: CHUTE_EAUTH" in said, said


@case
def a_wrong_key_of_the_listener():
    for auth in ("md5",) * (not IS_MODERN) + ("sha256",):
        with mpc.Listener(None, authkey=b"wrong") as listener, rules(auth):
            driver = Driver("connect", text_address(listener.address), *options_of(auth))
            try:
                listener.accept()
                assert False, "authenticated"
            except AuthenticationError:
                pass
            code, said = driver.end()
            assert code == 3 and "CHUTE_EAUTH" in said, said


@case
def md5_is_off():
    if IS_MODERN:
        return
    with mpc.Listener(None, authkey=KEY.encode()) as listener:
        driver = Driver("connect", text_address(listener.address), f"key={KEY}")
        with contextlib.suppress(EOFError, ConnectionError):
            listener.accept()
        code, said = driver.end()
    assert code == 3 and "CHUTE_EDIGEST" in said, said
    driver = Driver("listen", "-", f"key={KEY}")
    try:
        mpc.Client(python_address(driver.address), authkey=KEY.encode())
        assert False, "authenticated"
    except AuthenticationError:
        pass
    with rules("sha256"):
        mpc.Client(python_address(driver.address), authkey=KEY.encode()).close()
    assert "refused: CHUTE_EDIGEST" in driver.end()[1]


@case
def a_key_against_none():
    with mpc.Listener(None) as listener:
        driver = Driver("connect", text_address(listener.address), f"key={KEY}", "timeout=100")
        with listener.accept():
            code, said = driver.end()
    assert code == 3 and "CHUTE_ETIMEDOUT" in said, said


@case
def none_against_a_key():
    driver = Driver("listen", "-", f"key={KEY}", "timeout=200")
    with mpc.Client(python_address(driver.address)) as conn:
        assert conn.recv_bytes().startswith(b"#CHALLENGE#{sha256}")
        try:
            conn.recv_bytes()
            assert False, "no end"
        except EOFError:
            pass
    with rules("sha256"):
        mpc.Client(python_address(driver.address), authkey=KEY.encode()).close()
    assert driver.end()[0] == 0


@case
def garbage_instead_of_a_handshake():
    driver = Driver("listen", "tcp:127.0.0.1:0", f"key={KEY}")
    for garbage in b"GET / HTTP/1.1\r\n\r\n", bytes(300), b"\xff" * 64:
        with socket.create_connection(python_address(driver.address)) as raw:
            raw.sendall(garbage)
            with contextlib.suppress(ConnectionError):
                while raw.recv(4096):
                    pass
    with rules("sha256"):
        mpc.Client(python_address(driver.address), authkey=KEY.encode()).close()
    assert driver.end()[0] == 0


# -- running them ----------------------------------------------------------------

def show_table():
    auths = ["none", "md5", "sha256", "short", "native"]
    print(f"{'server':8}{'client':8}{'over':6}" + "".join(f"{a:>8}" for a in auths))
    print("(Python is %d.%d; sha256 with the handshake of 3.12)" % sys.version_info[:2])
    known = set(pairings())
    failed = False
    for server, client in ("C", "C"), ("C", "Python"), ("Python", "C"):
        for family in "unix", "tcp":
            row = f"{server:8}{client:8}{family:6}"
            for auth in auths:
                cell = "-"
                if (server, client, family, auth) in known:
                    try:
                        pair(server, client, family, auth)
                        cell = "ok"
                    except Exception as e:
                        cell, failed = "FAILED", True
                        print(repr(e), file=sys.stderr)
                row += f"{cell:>8}"
            print(row)
    return failed


def main():
    global DRIVER, N_OBJECTS
    DRIVER = sys.argv[1]
    if "--objects" in sys.argv:
        N_OBJECTS = int(sys.argv[sys.argv.index("--objects") + 1])
    if "--table" in sys.argv:
        return show_table()
    failed = 0
    print(f"TAP version 13\n1..{len(CASES)}")
    for i, (name, function) in enumerate(CASES, 1):
        signal.alarm(200)
        problem = None
        try:
            function()
        except BaseException as e:
            problem = e
        failed += problem is not None
        print("not ok" if problem else "ok", i, "-", name, flush=True)
        if problem:
            print("# " + "".join(traceback.format_exception(problem)).replace("\n", "\n# "))
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
