"""install.py - `meson install` puts everything where it belongs, and takes it away.

    install.py PROGRAM BUILD

Into a directory by DESTDIR; then a program is compiled against what lies there,
by pkg-config, and the tool runs from there.
"""
import json
import re
import shutil
import subprocess
import sys

import tool
from tool import ROOT, test

BUILD = sys.argv.pop(2)

HELLO = r'''
#include <chute.h>
int main(void)
{
    chute_value *v = chute_str("it works");
    int r = chute_value_print(v, stdout);
    chute_value_free(v);
    return r < 0;
}
'''


def run(*command, **env):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120,
                          env=tool.environment(**env))
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def installed(dest):
    return {str(path.relative_to(dest)) for path in dest.rglob("*") if not path.is_dir()}


def prefix():
    listed = run("meson", "introspect", "--buildoptions", BUILD)
    options = {option["name"]: option["value"] for option in json.loads(listed)}
    return options["prefix"].lstrip("/"), options["libdir"]


@test
def everything_has_its_place():
    dest = tool.directory / "dest"
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", dest)
    there, (usr, libdir) = installed(dest), prefix()
    for name in ("bin/chute", "include/chute.h", "include/chute/queue.h",
                 f"{libdir}/libchute.so", f"{libdir}/libchute.a", f"{libdir}/libchute-net.so",
                 f"{libdir}/pkgconfig/chute.pc", f"{libdir}/pkgconfig/chute-net.pc",
                 "share/bash-completion/completions/chute", "share/zsh/site-functions/_chute",
                 "share/fish/vendor_completions.d/chute.fish"):
        assert f"{usr}/{name}" in there, (name, sorted(there))
    for name in there:
        assert re.match(rf"{usr}/(bin|include|share|lib)", name), f"{name} lies elsewhere"
        assert not re.search(r"test|mover|bench|harness|\.py[co]?$", name) or "python" in name, name


@test
def programs_find_it():
    dest = tool.directory / "dest"
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", dest)
    usr, libdir = prefix()
    lib = dest / usr / libdir
    source = tool.directory / "hello.c"
    source.write_text(HELLO)
    env = {"PKG_CONFIG_LIBDIR": lib / "pkgconfig", "PKG_CONFIG_SYSROOT_DIR": dest,
           "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1", "PKG_CONFIG_ALLOW_SYSTEM_LIBS": "1"}
    for static in (False, True):
        flags = run("pkg-config", *(["--static"] if static else []), "--cflags", "--libs", "chute",
                    **env).split()
        program = tool.directory / "hello"
        if static:
            flags = [str(lib / "libchute.a") if flag == "-lchute" else flag for flag in flags]
        run("cc", "-Werror", source, "-o", program, *flags)
        assert run(program, LD_LIBRARY_PATH=lib) == "'it works'"
        needed = run("readelf", "-d", program)
        assert ("libchute.so" in needed) != static, needed
    assert run(dest / usr / "bin/chute", "--version", LD_LIBRARY_PATH=lib).startswith("chute ")


@test
def what_was_installed_is_taken_away():
    dest = tool.directory / "dest"
    front = ["make", "-s", "-C", ROOT, f"DESTDIR={dest}", "PREFIX=/opt/chute",
             f"INSTALL_BUILD={tool.directory}/build"]
    if not shutil.which("make"):
        raise tool.Skip("no make")
    run(*front, "install")
    there = installed(dest)
    assert "opt/chute/bin/chute" in there, sorted(there)
    assert all(name.startswith("opt/chute/") for name in there), sorted(there)
    run(*front, "uninstall")
    assert installed(dest) == set(), installed(dest)


tool.main()
