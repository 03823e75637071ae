#!/usr/bin/python3
"""Write src/codec/unicode-table.h: the code points that repr() escapes.

    scripts/make-unicode-table.py > src/codec/unicode-table.h

Python asks str.isprintable(), which its unicodedata decides; so the table is
that of the Python that runs this script.
"""

import sys
import unicodedata

HEAD = """\
/* unicode-table.h - which code points Python's repr() escapes.
 *
 * Made by scripts/make-unicode-table.py from Unicode {version} (Python {python});
 * do not edit. Code points from UNPRINTABLE[0] up are not printable, from
 * UNPRINTABLE[1] up they are, and so on in turn.
 */
#ifndef CODEC_UNICODE_TABLE_H
#define CODEC_UNICODE_TABLE_H

#include <stdint.h>

/* clang-format off */
static const uint32_t UNPRINTABLE[] = {{
"""

TAIL = """\
};
/* clang-format on */

#endif
"""


def turns():
    """Each code point that differs in this from the one before it."""
    printable = True
    for c in range(sys.maxunicode + 1):
        if chr(c).isprintable() != printable:
            printable = not printable
            yield c


def main():
    python = "%d.%d" % sys.version_info[:2]
    out = sys.stdout
    out.write(HEAD.format(version=unicodedata.unidata_version, python=python))
    line = "   "
    for c in turns():
        word = " 0x%x," % c
        if len(line) + len(word) > 80:
            out.write(line + "\n")
            line = "   "
        line += word
    out.write(line + "\n" + TAIL)


main()
