"""doctor.py - doctor finds what is wrong, on machines made for it."""
import json
import os
import pwd
import subprocess

import tool
from tool import PROGRAM, Skip, chute, is_asleep, start, test, until


def report(*options, env=None, status=None):
    o = chute("doctor", "--json", *options, env=env, status=status)
    lines = [json.loads(line) for line in o.lines]
    assert lines and all(line["level"] in ("ok", "note", "BAD") for line in lines), o
    assert o.status == any(line["level"] == "BAD" for line in lines), o
    return lines


def about(topic, *options, env=None):
    return [(line["level"], line["text"]) for line in report(*options, env=env)
            if line["topic"] == topic]


@test
def a_machine_that_is_well():
    lines = report(status=0)
    topics = {line["topic"] for line in lines if line["level"] == "ok"}
    assert {"directory", "kernel", "queues", "trial"} <= topics, lines
    text = chute("doctor", err="").lines
    assert len(text) == len(lines)
    assert all(line.split()[0] in ("ok", "note") for line in text), text


@test
def it_changes_nothing():
    chute("create", "q")
    chute("put", "q", "1")
    before = sorted((f.name, f.stat().st_mtime_ns, f.stat().st_size)
                    for f in tool.directory.iterdir())
    chute("doctor")
    after = sorted((f.name, f.stat().st_mtime_ns, f.stat().st_size)
                   for f in tool.directory.iterdir())
    assert before == after
    chute("peek", "q", out="1\n")


@test
def what_the_dead_have_left():
    chute("create", "empty")
    chute("create", "full")
    chute("create", "held")
    chute("put", "full", "1")
    getter = start("get", "held")
    until(lambda: is_asleep(getter), "it waits")
    (level, text), = about("queues")
    assert level == "note" and text.startswith("2 of 3 are held by nobody, 1 of these with"), text
    assert "chute gc" in text
    chute("rm", "held")
    (level, text), = about("removed")
    assert level == "note" and text.startswith(f"{getter.pid} (chute) holds"), text
    getter.kill()
    getter.wait()
    assert about("removed") == []


@test
def many_removed_ones_are_summed_up():
    getters = []
    for i in range(7):
        chute("create", "q")
        getters.append(start("get", "q"))
        until(lambda: is_asleep(getters[-1]), "it waits")
        chute("rm", "q")
    lines = about("removed")
    assert len(lines) == 6 and lines[-1][1] == "and 2 more", lines


def logind(files, uid=None):
    """A root directory with these files; what doctor says of it."""
    root = tool.directory / "root"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return about("logind", "--root", root) if uid is None else as_user(uid, root)


def as_user(uid, root):
    """Only the uid matters: the library's directory is made for it too."""
    if os.geteuid() != 0:
        raise Skip("takes root")
    home = tool.directory / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    os.chown(home, uid, uid)
    tool.directory.chmod(0o711)
    subprocess.run(["chmod", "-R", "a+rX", root], check=True)
    # A copy of the program that another user may reach, and its library.
    libraries = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True).stdout
    for line in libraries.splitlines():
        words = line.split()
        if words and words[0].startswith("libchute") and len(words) > 2:
            subprocess.run(["cp", "-L", words[2], tool.directory / words[0]], check=True)
            (tool.directory / words[0]).chmod(0o755)
    copy = tool.directory / "program"
    subprocess.run(["cp", PROGRAM, copy], check=True)
    copy.chmod(0o755)
    done = subprocess.run([copy, "doctor", "--json", "--root", root], capture_output=True,
                          text=True, timeout=60, user=uid, group=uid, extra_groups=[],
                          env=tool.environment(CHUTE_DIR=home, LD_LIBRARY_PATH=tool.directory))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines, done
    return [(line["level"], line["text"]) for line in lines if line["topic"] == "logind"]


@test
def removeipc_of_a_system_user():
    assert logind({}) == []
    (level, text), = logind({"run/systemd/system/x": ""})
    if os.geteuid() < 1000:
        assert level == "ok" and "system user" in text, text


@test
def removeipc_of_an_ordinary_user():
    booted = {"run/systemd/system/x": ""}
    (level, text), = logind(booted, 12345)
    assert level == "note" and "RemoveIPC=no" in text and "enable-linger" in text, text
    (level, text), = logind({"etc/systemd/logind.conf": "[Login]\n#RemoveIPC=no\n"}, 12345)
    assert level == "note", text
    (level, text), = logind({"etc/systemd/logind.conf": "[Login]\nRemoveIPC=no\n"}, 12345)
    assert level == "ok" and "RemoveIPC=no" in text, text
    (level, text), = logind({"etc/systemd/logind.conf.d/9.conf": "[Login]\nRemoveIPC = yes\n"},
                            12345)
    assert level == "note", text
    (level, text), = logind({"etc/systemd/logind.conf.d/99.conf": "RemoveIPC=false\n"}, 12345)
    assert level == "ok", text


@test
def a_user_who_lingers():
    try:
        name = pwd.getpwuid(65534).pw_name
    except KeyError:
        raise Skip("nobody has no name")
    files = {"run/systemd/system/x": "", f"var/lib/systemd/linger/{name}": ""}
    (level, text), = logind(files, 65534)
    assert level == "ok" and "lingers" in text, text


@test
def a_sandbox_without_robust_lists():
    """A seccomp filter that forbids one system call at a time, as containers do."""
    forbid = r'''
import ctypes, os, struct, sys
number, program = int(sys.argv[1]), sys.argv[2:]
class Program(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
lines = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *l) for l in lines))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(Program(4, ctypes.addressof(code)))):
    sys.exit(99)
os.execv(program[0], program)
'''
    if os.uname().machine != "x86_64":
        raise Skip("knows the numbers of x86-64")
    for number, what in ((274, "get_robust_list"), (319, "memfd_create"), (434, "pidfd_open")):
        done = subprocess.run(["/usr/bin/python3", "-c", forbid, str(number), str(PROGRAM),
                               "doctor"], capture_output=True, text=True, timeout=60,
                              env=tool.environment())
        if done.returncode == 99:
            raise Skip("no seccomp here")
        bad = [line for line in done.stdout.splitlines() if line.startswith("BAD   kernel")]
        assert done.returncode == 1 and len(bad) == 1 and what in bad[0], (what, done)


tool.main()
