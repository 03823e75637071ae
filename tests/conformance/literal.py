#!/usr/bin/python3
"""CPython's ast.literal_eval is the oracle for chute_literal_eval.

    tests/conformance/literal.py DRIVER [--objects N] [--seed N]

DRIVER is literal-driver.c, built. Both read the same texts, and have to agree:
whether it is a literal, and of which value. The texts are tables; then objects at
random, as repr() writes them and in whatever other way one may write them; then
the same with random damage.

Where chute differs on purpose the oracle is told so: nan, inf, frozenset and
bytearray are put in as constants, and around the literal a line may be indented.
"""

import sys

sys.path.append(sys.path.pop(0))  # last, for "pickle" is not pickle.py

import argparse
import ast
import pickle
import re
import warnings

from codec_maker import Maker
from codec_oracle import ELIMIT, ENOTPLAIN, Driver, same

ESYNTAX = -4108

# Texts, in Python's own escapes, one a line.
TEXTS = r"""
None
True
False
none
Ellipsis
...
0
00
0_0
007
0_7
1_000
1__0
1_
_1
+1
-1
- 1
--1
+-1
-(1)
-((1))
-(-1)
-(+1)
-(1,)
-[1]
-True
-None
-'a'
-\n1
-\\\n1
(-\n1)
9223372036854775807
9223372036854775808
-9223372036854775808
-9223372036854775809
-18446744073709551616
0x0
0X1f
0x_f
0x__f
0xf_f
0xf_
0x
0xg
0o17
0O17
0o8
0b101
0b12
0b
-0xFFFFFFFFFFFFFFFF
0o7777777777777777777777777777
0b1111111111111111111111111111111111111111111111111111111111111111111111
1.
.5
.
1.5
1..
1._5
1_.5
1_0.0_1e1_0
01.5
09e1
09
1e5
1e+5
1E-5
1e
1e+
1e_5
1e5_
1e400
-1e400
1e-400
4.9e-324
2.2250738585072011e-308
1.7976931348623158e308
1.7976931348623159e308
9007199254740993.0
0.1e1000000000000000000000000000000
0.0e-1000000000000000000000000000000
1j
1.5J
1+2j
-1-2j
1+2
1 if 1 else 2
1if 1 else 2
1or 2
1 2
1;
1,
1,2
1,2,
,
,1
()
( )
(,)
(1)
(1,)
(1,2)
(1,,)
((1),)
[]
[1]
[1,]
[,]
[1 2]
[1]]
[[]
[)
{}
{,}
{1}
{1,}
{1:2}
{1:2,}
{1:2,3}
{1,2:3}
{1:}
{:1}
{1:2:3}
{(1,2):[3]}
{[]}
{[]:1}
{(1,[])}
{1:[]}
{{}}
{1,True,1.0}
{1:'a',True:'b'}
{'a':1,'a':2}
{**{}}
[*()]
set()
set ( )
set(\n)
set
set([])
set(1)
set()()
frozenset()
frozenset({1, 2})
frozenset({1},)
frozenset({1},{2})
frozenset(,)
frozenset([1])
frozenset(frozenset())
frozenset(set())
frozenset({})
{frozenset({frozenset()})}
bytearray()
bytearray(b'a')
bytearray(b'a' b'b')
bytearray('a')
bytearray(1)
nan
-nan
inf
-inf
[nan, inf]
nano
''
""
''''''
'''a'''
'''a''b'''
'''a''
'''a'\n'b'''
'''a\r\nb\rc\nd'''
'a
'a\n'
'a\\\nb'
'a\\\r\nb'
r'a\\\r\nb'
'a' 'b'
'a''b'
'a' \\\n'b'
'a'\n'b'
('a'\n'b')
['a' 'b', 'c']
'a' b'b'
b'a' b'b'
u'a' r'\\n' R"b"
b'a' rb'\\' br'\\n' Rb'' bR''
ur'a'
bu'a'
f'a'
'a' f'b'
rr'a'
bb'a'
b 'a'
'\\\\\\'\\"\\a\\b\\f\\n\\r\\t\\v'
'\\0\\7\\77\\777\\8\\400'
b'\\0\\7\\77\\777\\8\\400'
'\\x41\\xff'
'\\x4'
'\\x'
'\\xg0'
b'\\x41\\xff'
b'\\x4'
'\\u0041\\ud800\\udfff\\uffff'
'\\u004'
b'\\u0041'
'\\U0001f600\\U0010ffff'
'\\U00110000'
'\\U0001f60'
b'\\U0001f600'
'\\N{DIGIT ONE}'
b'\\N{DIGIT ONE}'
r'\\N{x}\\x\\u'
'\\z\\é\\ '
'\\
r'\\'
r'\\\\'
r'\''
r'\\'a'
'é中\U0001f600'
b'é'
'\ud800'
'\0'
1\0
\ufeff1
é
1é
\xa01
\x0c1
\x0b1
1\x0c
 1
\t1
\n1
\n 1
\\\n1
1\n
1\n\n
1\n 
1\n2
1\n#c
1\n \\\n
1\\
1\\\n
1\\\n\n
1#c
#c\n1
#c\n  1
#c

\n
(#c\n1)
(1 # )\n)
[1, # one\n 2 # two\n]
(\\ \n1)
[\\\n1]
$
`1`
"""


# -- the oracle --------------------------------------------------------------

BEFORE = re.compile(r"\A(?:[ \t\f\r\n]|#[^\r\n]*(?=[\r\n])|\\(?:\r\n|\r|\n))*")


class Additions(ast.NodeTransformer):
    """What repr() writes and literal_eval refuses."""

    def visit_Call(self, node):
        self.generic_visit(node)
        name = getattr(node.func, "id", None)
        if name not in ("frozenset", "bytearray") or node.keywords or len(node.args) > 1:
            return node
        x = [ast.literal_eval(arg) for arg in node.args]
        if x and type(x[0]) is not {"frozenset": set, "bytearray": bytes}[name]:
            raise ValueError
        made = ast.Constant({"frozenset": frozenset, "bytearray": bytearray}[name](*x))
        return ast.copy_location(made, node)

    def visit_Name(self, node):
        if node.id in ("nan", "inf"):
            return ast.copy_location(ast.Constant(float(node.id)), node)
        return node


def parse(text):
    try:
        return ast.parse(text.lstrip(" \t"), mode="eval")
    except IndentationError:
        return ast.parse(BEFORE.sub("", text) + "\n", mode="eval")


def oracle(text):
    return ast.literal_eval(Additions().visit(parse(text)))


def is_plain(x):
    """No complex number, no Ellipsis."""
    if type(x) is dict:
        return all(map(is_plain, x.keys())) and all(map(is_plain, x.values()))
    if type(x) in (list, tuple, set, frozenset):
        return all(map(is_plain, x))
    return type(x) in (type(None), bool, int, float, str, bytes, bytearray)


# -- other ways to write an object -------------------------------------------


class Writer:
    """Writes objects as a person might."""

    def __init__(self, random):
        self.random = random

    def maybe(self, text, chance=0.1):
        return text if self.random.random() < chance else ""

    def space(self):
        return self.random.choice(("",) * 12 + (" ", "  ", "\t", "\n", "\r\n", "\f", "\\\n", " # c)'\n", "\\\r\n"))

    def integer(self, i):
        sign = "-" + self.space() if i < 0 else self.maybe("+")
        text = self.random.choice((str, str, hex, oct, bin))(abs(i))
        if self.random.random() < 0.3:
            text = re.sub(r"(?<=[0-9a-f])(?=[0-9a-f])", lambda m: self.maybe("_", 0.3), text)
        return sign + self.maybe("(" + text + ")") if self.random.random() < 0.05 else sign + text

    def real(self, x):
        text = repr(x)
        if "n" not in text and self.random.random() < 0.3:
            text = "%.*e" % (self.random.randrange(30), x)
        if "n" not in text and self.random.random() < 0.2:
            text = "-" * (text[0] == "-") + "0" * self.random.randrange(4) + text.lstrip("-")
        return text

    def escape(self, c, is_bytes):
        """c as an escape, of the many ways."""
        code = ord(c)
        ways = ["\\x%02x" % code, "\\%03o" % code] if code < 256 else []
        if not is_bytes:
            ways += ["\\U%08x" % code] + (["\\u%04X" % code] if code < 65536 else [])
        return self.random.choice(ways)

    def piece(self, text, is_bytes):
        quote = self.random.choice(("'", '"', "'''", '"""'))
        prefix = "b" if is_bytes else self.maybe("u", 0.05)
        out = ""
        for c in text:
            must = c in "\\\r" + quote[0] or c == "\n" and len(quote) == 1 or c == "\0"
            must = must or 0xd800 <= ord(c) < 0xe000 or is_bytes and ord(c) >= 128
            out += self.escape(c, is_bytes) if must or self.random.random() < 0.1 else c
        if "\\" not in out and self.random.random() < 0.3:
            prefix += "r"
        if len(prefix) == 2 and prefix[0] == "u":
            prefix = "r"
        return self.random.choice((prefix, prefix.upper(), prefix[::-1])) + quote + out + self.maybe("\\\n" * ("r" not in prefix)) + quote

    def string(self, text, is_bytes):
        n = self.random.choice((1, 1, 1, 2, 3))
        cuts = sorted(self.random.randrange(len(text) + 1) for _ in range(n - 1))
        pieces = [text[i:j] for i, j in zip([0] + cuts, cuts + [len(text)])]
        return self.space().join(self.piece(p, is_bytes) for p in pieces)

    def items(self, items, comma):
        items = [self.space() + item + self.space() for item in items]
        return ",".join(items) + comma

    def box(self, x):
        comma = self.maybe(",") if len(x) > 0 else ""
        if type(x) is dict:
            pairs = [self.value(k) + self.space() + ":" + self.space() + self.value(v) for k, v in x.items()]
            return "{" + self.items(pairs, comma) + self.space() + "}"
        values = [self.value(item) for item in x]
        if type(x) is tuple:
            return "(" + self.items(values, "," if len(x) == 1 else comma) + self.space() + ")"
        if type(x) is list:
            return "[" + self.items(values, comma) + self.space() + "]"
        text = "{" + self.items(values, comma) + "}" if len(x) > 0 else "set()"
        if type(x) is set:
            return text
        return "frozenset" + self.space() + "(" + (text if len(x) > 0 else "") + self.space() + ")"

    def value(self, x):
        if type(x) is int:
            text = self.integer(x)
        elif type(x) is float:
            text = self.real(x)
        elif type(x) is str:
            text = self.string(x, False)
        elif type(x) is bytes:
            text = self.string(x.decode("latin-1"), True)
        elif type(x) is bytearray:
            text = "bytearray(" + self.string(x.decode("latin-1"), True) + ")"
        elif x is None or type(x) is bool:
            text = repr(x)
        else:
            text = self.box(x)
        return "(" + self.space() + text + ")" if self.random.random() < 0.03 else text

    SNIPPETS = list("()[]{},:'\"\\\n\r\t #+-.0123456789_abeflnorsuxjJNTF\0é\ud800") + [
        "'''", "set", "set()", "()", "None", "nan", "inf", "b'", "r'", "0x", "1e", "frozenset(", "\\\n", "#\n"]

    def damage(self, text):
        for _ in range(self.random.randint(1, 3)):
            i = self.random.randrange(len(text) + 1)
            j = min(len(text), i + self.random.choice((0, 0, 1, 1, 2, 5)))
            k = self.random.randrange(len(text) + 1)
            middle = self.random.choice((
                "", self.random.choice(self.SNIPPETS), self.random.choice(self.SNIPPETS), text[k:k + 5]))
            text = text[:i] + middle + text[j:]
        return text


# -- the checks --------------------------------------------------------------


class Check:
    def __init__(self, driver):
        self.driver = driver
        self.n_texts = 0
        self.n_taken = 0
        self.n_differences = 0

    def differs(self, what, *details):
        self.n_differences += 1
        if self.n_differences <= 20:
            print("DIFFERENCE", what, *(ascii(d)[:400] for d in details))

    def text(self, text, x=None):
        self.n_texts += 1
        data = text.encode("utf-8", "surrogatepass")
        r, position, printed, again = self.driver.ask(data)
        if r < 0 and position > len(data):
            return self.differs("position", text, r, position)
        try:
            expected = oracle(text)
        except (RecursionError, MemoryError):
            return None
        except Exception as e:
            if r not in (ESYNTAX, ENOTPLAIN, ELIMIT):
                self.differs("taken", text, r, printed, e)
            return None
        if x is not None and not same(expected, x):
            return self.differs("the test itself", text, x)
        if not is_plain(expected) or (r == ENOTPLAIN and "\\N{" in text):
            if r not in (ESYNTAX, ENOTPLAIN):
                self.differs("not plain", text, r, printed)
            return None
        if r != 0:
            return self.differs("refused", text, r, position, expected)
        self.n_taken += 1
        if not same(pickle.loads(again), expected):
            return self.differs("read", text, printed, expected)
        return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--objects", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")

    check = Check(Driver(options.driver))
    for text in TEXTS.split("\n"):
        text = re.sub(r"\\(?:[\\nrt0]|x..|u....|U.{8})", lambda m: ast.literal_eval("'%s'" % m.group()), text)
        check.text(text)
    for n in (20, 50, 200):
        check.text("(" * 60 + "1" * n + ")" * 60)
        check.text("1" * n + "." + "3" * n + "e-%d" % n)
        check.text("0" * n + "." + "0" * n + "7e%d" % n)
        check.text("0." + "0" * 20 * n + "7e%d" % (20 * n))
        check.text("7" + "0" * 20 * n + "e-%d" % (20 * n))
    for n in (4300, 4301):
        for text in ("1" * n, "0" * n, "-" + "9" * n, "0x" + "f" * n, "0b" + "1" * n, "_".join("1" * n)):
            check.text(text)

    maker = Maker(options.seed)
    writer = Writer(maker.random)
    for _ in range(options.objects):
        x = maker.object()
        if len(repr(x)) > 5000:
            continue
        check.text(repr(x))
        text = writer.value(x)
        check.text("(" + text + ")")
        check.text(writer.damage(text))
        check.text(writer.damage(repr(x)))
    status = check.driver.close()
    if status != 0:
        check.differs("the driver ended with", status)
    print("%d texts, %d of them literals, %d differences" % (
        check.n_texts, check.n_taken, check.n_differences))
    sys.exit(check.n_differences != 0)


main()
