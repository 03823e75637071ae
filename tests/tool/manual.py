"""manual.py - the manual is sound, complete and true.

    manual.py PROGRAM BUILD

Each page is free of what mandoc calls an error; each function has one page; each
example that says what it prints is run, and prints that.
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

import tool
from tool import PROGRAM, ROOT, Skip, chute, test

BUILD = Path(sys.argv.pop(2)).resolve()
PAGES = sorted((ROOT / "man").glob("*.scd"))
SECTIONS = ["NAME", "SYNOPSIS", "DESCRIPTION", "RETURN VALUE", "CONDITIONS", "CONCURRENCY",
            "FORK AND DEATH", "EXAMPLE", "SEE ALSO"]
EXAMPLE = re.compile(r"^```\n((?:(?!```).*\n)*)```\n\nprints\n\n```\n((?:(?!```).*\n)*)```", re.M)
# What scdoc makes of any page, and mandoc thinks superfluous.
HARMLESS = re.compile(r"skipping paragraph macro|input text line longer than 80|"
                      r"lower case character in document title|missing (date|manual name)|"
                      r"unable to open|\.so|STYLE|outdated")


def rendered(page):
    scdoc = shutil.which("scdoc")
    if not scdoc:
        raise Skip("no scdoc")
    text = subprocess.run([ROOT / "man" / "render.py", page], check=True,
                          capture_output=True).stdout
    done = subprocess.run([scdoc], input=text, capture_output=True)
    assert done.returncode == 0, (page, done.stderr)
    return text.decode(), done.stdout


def declared(text):
    """The functions of a synopsis."""
    synopsis = text.split("# SYNOPSIS")[1].split("# DESCRIPTION")[0] if "# SYN" in text else ""
    return re.findall(r"^[a-z].*?\b(chute_\w+)\(", synopsis, re.M)


@test
def pages_are_sound():
    mandoc = shutil.which("mandoc")
    if not mandoc:
        raise Skip("no mandoc")
    for page in PAGES:
        _, roff = rendered(page)
        done = subprocess.run([mandoc, "-T", "lint"], input=roff, capture_output=True)
        said = [line for line in done.stdout.decode().splitlines() if not HARMLESS.search(line)]
        assert not said, (page.name, said)
        # What is wrong is seen: a page that is cut off in a request.
        broken = subprocess.run([mandoc, "-T", "lint"], input=roff + b".RE\n.RE\n.RS\n.nosuch\n",
                                capture_output=True).stdout.decode()
        assert any(not HARMLESS.search(line) for line in broken.splitlines()), page


@test
def pages_of_functions_have_their_sections():
    for page in PAGES:
        if page.name.endswith(".3.scd"):
            assert re.findall(r"^# (.*)", page.read_text(), re.M) == SECTIONS, page.name


@test
def each_function_has_one_page():
    pages = {}
    for page in PAGES:
        text, _ = rendered(page)
        for name in declared(text):
            assert name not in pages, (name, page.name, pages[name])
            pages[name] = page.name
    exported = set()
    for file in ("libchute.map", "libchute-net.map"):
        exported |= set(re.findall(r"\b(chute_\w+);", (ROOT / "src" / file).read_text()))
    assert set(pages) == exported, set(pages) ^ exported


@test
def what_is_referred_to_is_there():
    have = {page.name[:-4] for page in PAGES}
    functions = {name for page in PAGES for name in declared(rendered(page)[0])}
    for page in PAGES:
        for name, section in re.findall(r"\*(chute\w*)\*\((\d)\)", page.read_text()):
            assert f"{name}.{section}" in have or section == "3" and name in functions, (page, name)


@test
def the_page_of_the_tool_has_each_verb_and_option():
    page = (ROOT / "man" / "chute.1.scd").read_text()
    for line in chute("--verbs").lines:
        verb = line.split("\t")[0]
        assert re.search(rf"^\*(pickle )?{verb}\b", page, re.M), verb
    known = {line.split("\t")[0] for verb in chute("--verbs").lines
             for line in chute("--options", verb.split("\t")[0]).lines}
    used = set(re.findall(r"--[a-z][a-z-]*", page))
    assert used <= known, used - known


@test
def examples_of_programs_print_what_they_say():
    n = 0
    for page in PAGES:
        for code, expected in EXAMPLE.findall(page.read_text()):
            if "#include" not in code:
                continue
            n += 1
            source, program = tool.directory / "example.c", tool.directory / "example"
            source.write_text(code.replace("\\\\", "\\"))
            libraries = ["-lchute-net"] if "net.h" in code else []
            done = subprocess.run(
                ["cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                 "-D_POSIX_C_SOURCE=200809L", f"-I{ROOT}/include", source, "-o", program,
                 f"-L{BUILD}", *libraries, "-lchute", f"-Wl,-rpath,{BUILD}"],
                capture_output=True, text=True)
            assert done.returncode == 0, (page.name, done.stderr)
            done = subprocess.run([program], capture_output=True, text=True, timeout=60)
            assert (done.returncode, done.stdout.rstrip("\n")) == (0, expected.rstrip("\n")), \
                (page.name, done)
    assert n == len([page for page in PAGES if page.name.endswith(".3.scd")]), n


@test
def examples_of_commands_print_what_they_say():
    n = 0
    for page in PAGES:
        for commands, expected in EXAMPLE.findall(page.read_text()):
            if "#include" in commands:
                continue
            n += 1
            here = tool.directory / f"example{n}"
            here.mkdir(mode=0o700)
            (here / "q").mkdir(mode=0o700)
            done = subprocess.run(
                ["sh", "-e", "-c", f'chute() {{ {PROGRAM} "$@"; }}\n{commands}'], cwd=here,
                env=tool.environment(CHUTE_DIR=here / "q"), capture_output=True, text=True,
                timeout=60)
            assert (done.returncode, done.stdout, done.stderr) == (0, expected, ""), \
                (page.name, done)
    assert n >= 4, n


@test
def examples_of_help_run():
    """Those of each verb's --help, as far as they need nothing but queues."""
    ran = 0
    for line in chute("--verbs").lines:
        verb = line.split("\t")[0]
        text = chute(verb, "--help").out
        for command in re.findall(r"^  (chute .*?)(?:   .*)?$", text, re.M):
            if re.search(r"docker|python3|jq|/dev/shm|xargs|--follow|cat\.jpg|\bput\b.*[<]|"
                         r"state\.pickle|^chute (top|bench)( --sort.*)?$|top --json|bench -p",
                         command):
                continue
            for name in ("jobs", "log", "q"):
                chute("create", name, "-e")
            chute("put", "jobs", *["1"] * 120, status=None)
            if verb == "create":
                chute("rm", "jobs")
            done = subprocess.run(
                ["sh", "-c", f'chute() {{ {PROGRAM} "$@"; }}\n{command}'], cwd=tool.directory,
                env=tool.environment(), capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, (command, done)
            ran += 1
            chute("rm", "-f", "jobs", "log", "q")
    assert ran >= 15, ran


tool.main()
