#!/usr/bin/env python3
"""render.py PAGE.scd - a page for scdoc, with its synopsis taken from the headers.

A line `@SYNOPSIS queue.h@` becomes the declarations of that header, without their
comments: so there is no prototype in two places.

    render.py --names HEADER...     the functions of headers, a line each
"""
import re
import sys
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[1] / "include" / "chute"
COMMENT = re.compile(r"/\*.*?\*/", re.S)
PROTOTYPE = re.compile(r"^CHUTE_API\s+([^;]+;)", re.M)
FUNCTION = re.compile(r"\b(chute_\w+)\s*\(")
STRUCT = re.compile(r"^struct \w+ \{\n.*?^\};", re.M | re.S)


def code_of(header):
    return COMMENT.sub("", (INCLUDE / header).read_text())


def names(header):
    return [FUNCTION.search(p).group(1) for p in PROTOTYPE.findall(code_of(header))]


def synopsis(header):
    include = "<chute/net.h>" if header == "net.h" else "<chute.h>"
    lines = [f"#include {include}"]
    code = code_of(header)
    for struct in STRUCT.findall(code):
        body = [re.sub(r"\s+", " ", line.replace("\n", " ")).strip() + ";"
                for line in struct[struct.index("{") + 1:struct.rindex("}")].split(";")
                if line.strip()]
        lines += ["", struct[:struct.index("{") + 1]] + ["    " + line for line in body] + ["};"]
    lines.append("")
    for prototype in PROTOTYPE.findall(code):
        lines += prototype.replace("\n          ", "\n").splitlines()
    return "```\n" + "\n".join(lines) + "\n```"


def main():
    if sys.argv[1] == "--names":
        for header in sys.argv[2:]:
            print(*names(header), sep="\n")
        return
    page = Path(sys.argv[1]).read_text()
    sys.stdout.write(re.sub(r"^@SYNOPSIS (.*)@$", lambda m: "\n\n".join(
        map(synopsis, m[1].split())), page, flags=re.M))


if __name__ == "__main__":
    main()
