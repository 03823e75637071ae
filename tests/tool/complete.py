"""complete.py - what bash, zsh and fish offer when one presses Tab."""
import os
import shutil
import subprocess

import tool
from tool import PROGRAM, ROOT, Skip, chute, test, until

COMPLETIONS = ROOT / "tools" / "completions"

#   typed                  what is offered, or a part of it
CASES = [
    ("chute g",            {"get", "gc"}),
    ("chute get j",        {"jobs", "junk"}),
    ("chute stat jobs l",  {"letters"}),
    ("chute put --text l", {"letters"}),
    ("chute get --t",      {"--timeout", "--text"}),
    ("chute top --sort d", {"depth"}),
    ("chute pickle l",     {"loads"}),
    ("chute help dr",      {"drain"}),
]


def environment():
    """The program under the name that one types."""
    bin = tool.directory / ".bin"
    bin.mkdir()
    (bin / "chute").symlink_to(PROGRAM)
    for name in ("jobs", "junk", "letters"):
        chute("create", name)
    return tool.environment(PATH=f"{bin}:{os.environ['PATH']}", HOME=tool.directory / ".bin",
                            XDG_DATA_HOME=bin, XDG_CONFIG_HOME=bin)


def shell(name):
    path = shutil.which(name)
    if not path:
        raise Skip(f"no {name}")
    return path


def output(env, *command):
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, done
    return done.stdout


@test
def bash():
    program, env = shell("bash"), environment()
    script = '''source "$1"; read -ra COMP_WORDS <<<"$2"
        [[ $2 != *" " ]] || COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _chute; printf '%s\\n' "${COMPREPLY[@]}"'''
    for typed, expected in CASES:
        got = output(env, program, "-c", script, "bash", COMPLETIONS / "chute.bash", typed)
        assert set(got.split()) == expected, (typed, got)
    got = output(env, program, "-c", script, "bash", COMPLETIONS / "chute.bash", "chute put jobs ")
    assert got.split() == [], got


@test
def fish():
    program, env = shell("fish"), environment()
    for typed, expected in CASES:
        got = output(env, program, "--no-config", "-c",
                     f'source {COMPLETIONS}/chute.fish; complete -C "{typed}"')
        assert {line.split("\t")[0] for line in got.splitlines()} == expected, (typed, got)


@test
def zsh():
    """zsh completes in its line editor only; so it gets a terminal."""
    program, env = shell("zsh"), environment()
    if not shutil.which("tmux"):
        raise Skip("no tmux")
    tool.need_terminal()
    socket = f"{tool.directory}.tmux"

    def tmux(*words):
        return subprocess.run(["tmux", "-S", socket, *words], check=True, env=env, text=True,
                              capture_output=True, timeout=20).stdout

    tmux("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", f"{program} -f")
    try:
        tmux("send-keys", "-l", f"PS1='%% '; fpath=({COMPLETIONS} $fpath); autoload -U compinit; "
             "compinit -u -D; setopt no_list_beep; echo rea''dy\n")
        until(lambda: "\nready" in tmux("capture-pane", "-p"), "zsh")
        for typed, expected in CASES:
            tmux("send-keys", "C-e", "C-u")
            tmux("send-keys", "-l", "clear\n")
            until(lambda: tmux("capture-pane", "-p").strip() == "%", "an empty screen")
            tmux("send-keys", "-l", f"{typed}\t")
            if len(expected) > 1:
                tmux("send-keys", "-l", "\t")

            def offered():
                screen = tmux("capture-pane", "-p")
                return all(word in screen for word in expected) and screen
            screen = until(offered, f"{typed!r}: {expected} of {tmux('capture-pane', '-p')}")
            if len(expected) == 1:
                words = typed.split()[:-1] + list(expected)
                assert " ".join(words) in screen, screen
    finally:
        tmux("kill-server")
        os.unlink(socket)


tool.main()
