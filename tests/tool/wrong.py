"""wrong.py - wrong use, and a world that is not as it should be.

Each row: what somebody types, the status, and what he has to be told: what
happened, and what to do. A message that does not say either is a flaw.
"""
import os
import shutil
import struct
import subprocess

import tool
from tool import PROGRAM, Skip, chute, test

#   words                                      status  both of these in what it says
WRONG = [
    ("",                                         2, "usage: chute VERB", "chute create jobs"),
    ("gett q",                                   2, "no verb 'gett'", "did you mean 'get'"),
    ("frobnicate",                               2, "no verb 'frobnicate'", "chute --help"),
    ("--frob",                                   2, "no option '--frob'", "chute --help"),
    ("help gett",                                2, "no verb 'gett'", "did you mean 'get'"),
    # without arguments
    ("create",                                   2, "a word is missing", "chute create [OPTION...] NAME"),
    ("put",                                      2, "a word is missing", "chute put [OPTION...] NAME"),
    ("get",                                      2, "a word is missing", "chute get [OPTION...] NAME"),
    ("peek",                                     2, "a word is missing", "chute peek [OPTION...] NAME"),
    ("stat",                                     2, "a word is missing", "chute stat [OPTION...] NAME..."),
    ("drain",                                    2, "a word is missing", "chute drain [OPTION...] NAME"),
    ("close",                                    2, "a word is missing", "chute close [OPTION...] NAME..."),
    ("rm",                                       2, "a word is missing", "chute rm [OPTION...] NAME..."),
    ("pickle",                                   2, "a word is missing", "dumps|loads"),
    ("top",                                      2, "no terminal", "--batch"),
    # too many
    ("get q q2",                                 2, "'q2' is a word too many", "chute get [OPTION...] NAME"),
    ("gc q",                                     2, "'q' is a word too many", "chute gc"),
    # options
    ("get q --timout 3",                         2, "no option '--timout'", "did you mean '--timeout'"),
    ("get q --time",                             2, "no option '--time'", "did you mean '--timeout'"),
    ("get q -y",                                 2, "no option '-y'", "chute get --help"),
    ("get q --timeout",                          2, "--timeout needs a SECONDS", "chute get --help"),
    ("get q --follow=yes",                       2, "--follow takes no argument", "chute get --help"),
    ("get q --timeout soon",                     2, "'soon' is no time", "100ms"),
    ("get q --timeout=-1",                       2, "'-1' is no time", "100ms"),
    ("put q 1 --timeout nan",                    2, "'nan' is no time", "100ms"),
    ("peek q --timeout 0x10",                    2, "'0x10' is no time", "100ms"),
    ("get q -n 0",                               2, "'0' is no number", "10k"),
    ("get q -n 1.5",                             2, "'1.5' is no number", "10k"),
    ("drain q -n -3",                            2, "'-3' is no number", "10k"),
    ("get q --json --text",                      2, "exclude each other", "chute get --help"),
    ("put q --null --whole",                     2, "exclude each other", "chute put --help"),
    ("create q2 --maxsize many",                 2, "'many' is no number", "2^30"),
    ("create q2 --maxsize 2000000000",           2, "'2000000000' is no number", "2^30"),
    ("create q2 --memory 1K",                    2, "'1K' is no size", "4K to 8G"),
    ("create q2 --memory 1X",                    2, "'1X' is no size", "4K to 8G"),
    ("create q2 --mode 0999",                    2, "'0999' is no mode", "0660"),
    ("create q2 --mode rw",                      2, "'rw' is no mode", "0660"),
    ("gc --age young",                           2, "'young' is no time", "10m"),
    ("stat q --rate 0",                          2, "'0' is no time", "0.5"),
    ("top -b --sort size",                       2, "no column 'size'", "chute top --help"),
    ("top -b --delay 1us",                       2, "'1us' is no delay", "100ms"),
    ("bench --putters 0",                        2, "--putters '0'", "from 1 to 256"),
    ("bench --length 1G",                        2, "--length '1G'", "64M"),
    # names
    ("get nix",                                  6, "no queue 'nix'", "chute create nix"),
    ("put smal 1",                               6, "no queue 'smal'", "did you mean 'small'"),
    ("peek nix",                                 6, "no queue 'nix'", "chute ls"),
    ("stat nix",                                 6, "no queue 'nix'", "chute ls"),
    ("drain nix",                                6, "no queue 'nix'", "chute ls"),
    ("close nix",                                6, "no queue 'nix'", "chute ls"),
    ("rm nix",                                   6, "no queue 'nix'", "chute ls"),
    ("create a/b",                               2, "'a/b' cannot be the name", "A-Z a-z"),
    ("create .a",                                2, "'.a' cannot be the name", "no dot in front"),
    ("get ''",                                   2, "'' cannot be the name", "1 to 200"),
    ("create " + 201 * "x",                      2, "cannot be the name", "1 to 200"),
    ("create q",                                 1, "'q' already", "--exist-ok"),
    ("get directory",                            1, "not a regular file", "no queue"),
    ("get link",                                 1, "not a regular file", "no queue"),
    # messages
    ("put q hello",                              1, "VALUE 1, column 1: not a Python literal: hello", "--text"),
    ("put q 1 [2",                               1, "VALUE 2, column 3: not a Python literal", "1 put before it"),
    ("put q os.system('x')",                     1, "VALUE 1, column 1: not a Python literal", "--text"),
    ("put q --json [1,",                         1, "not JSON", "column"),
    ("put q --json {'a':1}",                     1, "not JSON", "column"),
    ("put small --bytes --whole <big",           1, "more than the queue's memory", "chute create --memory"),
    ("put q --text <latin1",                     1, "line 1: not UTF-8", "--bytes"),
    ("pickle frob",                              2, "neither dumps nor loads", "chute pickle --help"),
    ("pickle loads nix",                         1, "nix: No such file", "nix"),
    ("pickle loads <latin1",                     1, "byte 0", "not a pickle"),
    # conditions
    ("get q -T 0",                               3, "'q' is empty", "empty"),
    ("peek q",                                   3, "'q' is empty", "empty"),
    ("put small 1 2 3 -T 0",                     4, "'small' is full", "1 put"),
    ("put closed 1",                             5, "'closed' is closed", "no more messages"),
    ("get closed",                               5, "'closed' is closed", "all has been taken"),
    # files that are no queues
    ("get noise",                                1, "no queue, or was overwritten", "chute rm noise"),
    ("get short",                                1, "no queue, or was overwritten", "chute rm short"),
    ("get newer",                                1, "another version of chute", "chute rm newer"),
    ("stat newer",                               1, "another version of chute", "chute rm newer"),
    ("put elsewhere 1",                          1, "another PID namespace", "--pid=container"),
]


def overwrite(name, offset, data):
    with open(tool.directory / name, "r+b") as file:
        file.seek(offset)
        file.write(data)


def make_a_wrong_world():
    """Queues and other files, by the names that the table uses."""
    here = tool.directory
    for name in ("q", "closed", "newer", "short", "elsewhere"):
        chute("create", name)
    chute("create", "small", "--maxsize", 1, "--memory", "4K")
    chute("close", "closed")
    (here / "noise").write_bytes(os.urandom(70000))
    (here / "directory").mkdir()
    (here / "link").symlink_to(here / "q")
    os.truncate(here / "short", 4096)
    # The label: magic, a number made of the layout, the PID namespace.
    overwrite("newer", 8, struct.pack("=Q", 1))
    overwrite("elsewhere", 16, struct.pack("=Q", 1))


@test
def each_wrong_use_is_answered():
    make_a_wrong_world()
    stdins = {"<big": b"x" * 100000, "<latin1": b"caf\xe9\n"}
    flaws = []
    for words, status, happened, advice in WRONG:
        words = words.split()
        stdin = stdins.get(words[-1] if words else "", b"")
        words = ["" if word == "''" else word for word in words if word not in stdins]
        o = chute(*words, stdin=stdin, status=None)
        if (o.status, o.out) != (status, "") or happened not in o.err or advice not in o.err:
            flaws.append(f"{status}, {happened!r} and {advice!r} expected of\n{o}")
        # Nothing of this may harm the queue.
        if chute("drain", "small", "--quiet").status or chute("drain", "q", "-q").status:
            flaws.append(f"after\n{o}")
    assert not flaws, "\n".join([f"{len(flaws)} of {len(WRONG)} rows"] + flaws)


@test
def every_verb_and_every_word_of_help_is_in_the_table():
    """A new verb has rows, too."""
    verbs = [line.split()[0] for line in chute("--help").out.split("\n\n")[1].splitlines()]
    used = {row[0].split()[0] for row in WRONG if row[0]}
    # `ls` and `doctor` have no word to get wrong, and stand below.
    assert set(verbs) - used == {"ls", "doctor"}, set(verbs) - used
    for verb in ("ls", "doctor"):
        chute(verb, "--frob", status=2, err="no option '--frob'")


# -- rights --------------------------------------------------------------------------


def as_ordinary_user(*words, **how):
    """Root, but for what makes root able to go round a file's mode."""
    if os.geteuid() != 0:
        raise Skip("takes root")
    setpriv = shutil.which("setpriv")
    if not setpriv:
        raise Skip("no setpriv")
    drop = "-dac_override,-dac_read_search,-fowner"
    return chute("--bounding-set", drop, "--inh-caps", drop, PROGRAM, *words,
                 program=setpriv, **how)


@test
def queues_of_somebody_else():
    chute("create", "q")
    as_ordinary_user("put", "q", "1")
    os.chown(tool.directory / "q", 1000, 1000)
    for words in (("put", "q", "1"), ("get", "q"), ("peek", "q"), ("stat", "q"), ("close", "q")):
        o = as_ordinary_user(*words, status=1, out="")
        assert "it belongs to " in o.err and "mode 0600" in o.err and "0660" in o.err, o
    lines = as_ordinary_user("ls", "-l").lines
    assert "permission denied" in lines[1] and lines[1].split()[0] == "?", lines


@test
def a_directory_that_cannot_be_trusted():
    chute("create", "q")
    tool.directory.chmod(0o777)
    for words in (("get", "q"), ("create", "p"), ("ls",), ("rm", "q")):
        o = chute(*words, status=1, out="")
        assert "writable for all" in o.err and "chmod o-w" in o.err, o
    assert "BAD" in chute("doctor", status=1).out
    # One that everybody shares has to stay so.
    tool.directory.chmod(0o1777)
    o = chute("get", "q", status=1, out="")
    assert "mkdir -m 700" in o.err and "chmod o-w" not in o.err, o
    assert "mkdir -m 700" in chute("doctor", status=1).out
    if os.geteuid() == 0:
        tool.directory.chmod(0o700)
        os.chown(tool.directory, 1000, 1000)
        o = chute("get", "q", status=1)
        assert "belongs to" in o.err and "CHUTE_DIR" in o.err, o
        os.chown(tool.directory, 0, 0)


@test
def a_directory_without_rights():
    chute("create", "q")
    tool.directory.chmod(0o500)
    try:
        for words in (("create", "p"), ("rm", "q")):
            o = as_ordinary_user(*words, status=1)
            assert "no permission to make and open files there" in o.err, o
    finally:
        tool.directory.chmod(0o700)


@test
def a_directory_that_is_none():
    nowhere = {"CHUTE_DIR": tool.directory / "nowhere"}
    for words in (("get", "q"), ("create", "q"), ("put", "q", "1", "-c")):
        o = chute(*words, env=nowhere, status=6)
        assert "no directory" in o.err and "mkdir" in o.err, o
    file = tool.directory / "file"
    file.write_text("")
    o = chute("get", "q", env={"CHUTE_DIR": file}, status=1)
    assert "is no directory" in o.err and "CHUTE_DIR" in o.err, o
    assert chute("doctor", env=nowhere, status=1).out.startswith("BAD")


# -- room ----------------------------------------------------------------------------


def mounted(size, *script):
    """Run a script where `d` is a tmpfs of that size."""
    place = tool.directory / "tmpfs"
    place.mkdir(mode=0o700)
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    lines = [f"mount -t tmpfs -o size={size},mode=700 none {place} || exit 99",
             f"export CHUTE_DIR={place}", f"chute() {{ {PROGRAM} \"$@\"; }}", *script]
    done = subprocess.run([*unshare, "sh", "-c", "\n".join(lines)], capture_output=True,
                          text=True, timeout=60, env=tool.environment())
    if done.returncode == 99 or done.stderr.startswith("unshare:"):
        raise Skip("cannot mount")
    return done


@test
def a_full_disk():
    done = mounted("1m",
                   "chute create q || exit 1",
                   "head -c 400000 /dev/zero | chute put q -bw || exit 2",
                   "head -c 3000000 /dev/zero | chute put q -bw; echo $?",
                   "chute create p; chute create r; seq 100000 | chute put p; echo $?",
                   "chute get q -bw | wc -c",
                   "seq 10 | chute put q; echo $?; chute drain q | wc -l",
                   "chute doctor | grep ^BAD; chute doctor --json | grep -c '\"BAD\"'")
    lines = done.stdout.splitlines()
    assert lines[0] == "1" and lines[1] == "1", done
    assert lines[2:5] == ["400000", "0", "10"], done
    for part in ("is full (", "of 1.0M", "--shm-size", "chute gc", "CHUTE_DIR"):
        assert part in done.stderr, (part, done)


@test
def no_room_at_all():
    done = mounted("4k", "chute create q; echo $?; chute ls -l; echo $?; chute doctor; echo $?")
    lines = done.stdout.splitlines()
    assert lines[0] == "1" and "is full (" in done.stderr, done
    assert lines[2] == "0" and lines[-1] == "1", done
    assert any(line.startswith("BAD") and "--shm-size" in line for line in lines), done


@test
def limits_of_the_process():
    def limited(limit, *words):
        done = subprocess.run(["sh", "-c", f'ulimit {limit}; exec "$@"', "sh", PROGRAM, *words],
                              capture_output=True, text=True, timeout=60, env=tool.environment(),
                              input="x" * 900000)
        return done
    chute("create", "q")
    done = limited("-f 600", "put", "q", "-bw")  # blocks of 512 bytes
    assert done.returncode == 1 and "ulimit -f" in done.stderr, done
    done = limited("-f 600", "doctor")
    assert done.returncode == 1 and "ulimit -f" in done.stdout, done
    done = limited("-n 4", "get", "q")
    assert done.returncode == 1 and "ulimit -n" in done.stderr, done
    chute("put", "q", "1")
    chute("get", "q", out="1\n")


@test
def file_systems_that_will_not_do():
    for kind, part in (("sysfs", "O_TMPFILE"), ("ramfs", "fallocate")):
        place = tool.directory / kind
        place.mkdir(mode=0o700)
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", f"mount -t {kind} none {place} || exit 99; "
             f"chmod 700 {place}; export CHUTE_DIR={place}; {PROGRAM} create q; echo $?; "
             f"{PROGRAM} doctor; echo $?"],
            capture_output=True, text=True, timeout=60, env=tool.environment())
        if done.returncode == 99 or done.stderr.startswith("unshare:"):
            raise Skip("cannot mount")
        lines = done.stdout.splitlines()
        assert (lines[0], lines[-1]) == ("1", "1"), done
        assert part in done.stderr and "tmpfs" in done.stderr, done
        assert any(line.startswith("BAD") and part in line for line in lines), done


# -- other versions --------------------------------------------------------------------


@test
def other_layouts_are_told_from_noise():
    chute("create", "q")
    chute("put", "q", "1")
    overwrite("q", 8, struct.pack("=Q", 12345))
    lines = chute("ls", "-l").lines
    assert "another layout" in lines[1], lines
    out = chute("doctor", status=None).out
    assert "'q' cannot be opened" in out and "chute rm" in out, out
    chute("gc", "--age", "0", "-m", out="", err="cannot read")
    assert (tool.directory / "q").exists()
    chute("gc", "--age", "0", "--broken", out="q\n", err="")


tool.main()
