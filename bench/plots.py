#!/usr/bin/python3
"""plots.py FIGURES [PYTHON] - draw what was measured, and put it into words.

Of what compare.py and python.py wrote (--json), it makes docs/*.svg by gnuplot, and
writes the tables in PERFORMANCE.md anew, between lines <!-- figures: NAME --> and
<!-- end -->. Nothing else of that page changes.
"""
import pathlib
import re
import subprocess
import sys

import goals
import runs
import tables

ROOT = pathlib.Path(__file__).parent.parent
DOCS, PAGE = ROOT / "docs", ROOT / "PERFORMANCE.md"

# chute's own stand out; the raw rings, which are a limit and no peer, are grey.
COLOURS = {
    "chute": "#c1121f", "chute-many": "#e85d04", "chute-get-many": "#f48c06",
    "chute-uncopied": "#9d0208", "chute-conn": "#c1121f", "chute-value": "#c1121f",
    "raw-ring": "#6c757d", "raw-ring-uncopied": "#adb5bd", "raw-slots": "#495057",
    "boost": "#1d3557", "zmq": "#457b9d", "nng": "#a8dadc", "ck": "#2a9d8f",
    "ck-many": "#52b788", "pipe": "#7b2cbf", "mq": "#c77dff", "stream": "#8d6e63",
    "seqpacket": "#bc8a5f", "socketpair": "#8d6e63",
}
ELSE = "#457b9d"

PRELUDE = """
set terminal svg size 760,{height} dynamic font 'sans-serif,13' background '#ffffff'
set output '{output}'
set title "{title}\\n{{/*0.75 {machine}}}"
set encoding utf8
set micro
set border 3 lw 0.8
set tics nomirror
set grid {grid} lt 1 lc '#dddddd' lw 0.6
"""


def colour(peer):
    if peer in COLOURS:
        return COLOURS[peer]
    return COLOURS["chute"] if peer.startswith("chute") else ELSE


def described(machine):
    return (f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, "
            f"{machine['date']}")


def draw(name, title, machine, commands, height=460, grid="ytics"):
    DOCS.mkdir(exist_ok=True)
    prelude = PRELUDE.format(output=DOCS / f"{name}.svg", title=title, height=height,
                             machine=described(machine), grid=grid)
    subprocess.run(["gnuplot", "-"], input=prelude + commands, text=True, check=True)


def block(name, rows):
    """Data that a plot command can name."""
    return f"${name} << EOD\n" + "\n".join(
        " ".join(map(str, row)) for row in rows) + "\nEOD\n"


def one_to_one(machine, results):
    pairs = [w for w in runs.WORKLOADS.values()
             if w.kind == "pair" and w.name in results]
    by_peer = {}
    for w in pairs:
        for peer, figures in results[w.name].items():
            if "rate" in figures:
                by_peer.setdefault(peer, []).append((w.arguments[1], figures["rate"]))
    if not by_peer:
        return
    commands, lines = "set logscale xy\nset key outside right reverse Left\n", []
    commands += "set xlabel 'bytes in a message'\nset ylabel 'messages a second'\n"
    commands += "set format y '%.0s %c'\nset xtics (" + ", ".join(
        f"'{tables.name_of(w.arguments[1])}' {w.arguments[1]}" for w in pairs) + ")\n"
    for i, (peer, points) in enumerate(
            sorted(by_peer.items(), key=lambda item: -item[1][0][1])):
        commands += block(f"p{i}", points)
        width = 3 if peer.startswith("chute") else 1.4
        dash = 2 if peer.startswith("raw") else 1
        lines.append(f"$p{i} with linespoints title '{peer}' lw {width} dt {dash} "
                     f"pt 7 ps 0.5 lc '{colour(peer)}'")
    draw("one-to-one", "One putter, one getter, on two processors", machine,
         commands + "plot " + ", ".join(lines) + "\n", grid="xtics ytics")


def bars(name, title, machine, groups, unit, *, log=False, more=None):
    """Bars across, by group: [(group, [(peer, figure)])], from the top down.
    more: {(group, peer): figure} to be marked beyond the bar's end."""
    y, rows, marks, labels, heads = 0.0, [], [], [], []
    for group, figures in groups:
        heads.append(f"set label \"{{/:Bold {group}}}\" at graph 0.01, first {-y} left "
                     "front\n")
        y += 1
        for peer, figure in figures:
            rows.append((figure, -y, colour(peer).replace("#", "0x")))
            labels.append(f"'{peer}' {-y}")
            if more and (group, peer) in more:
                marks.append((more[group, peer], -y))
            y += 1
        y += 0.4
    if not rows:
        return
    low = min(r[0] for r in rows) / 3 if log else 0
    commands = ("set logscale x\n" if log else "") + "".join(heads)
    commands += f"set xlabel '{unit}'\nset format x '%.0s %c'\nset yrange [{-y}:1]\n"
    commands += "set xrange [{}:]\nset ytics ({}) font ',11' scale 0\n".format(
        low or "0", ", ".join(labels))
    commands += "unset key\nset style fill solid\n"
    commands += block("bars", [(low, x, yy, c) for x, yy, c in rows])
    commands += block("marks", marks or [("NaN", 0)])
    commands += (f"plot $bars using 1:3:({low}):2:($3-0.4):($3+0.4):4 with boxxyerror "
                 "lc rgb variable, $marks using 1:2 with points pt 2 ps 0.6 "
                 "lc '#000000'\n")
    draw(name, title, machine, commands, height=int(120 + 17 * y), grid="xtics")


def ranked(by_peer, key):
    figures = [(p, f[key]) for p, f in by_peer.items() if f.get(key)]
    return sorted(figures, key=lambda item: item[1], reverse=key == "rate")


def many(machine, results):
    bars("many-to-many", "Putters x getters, 64 bytes", machine,
         [(w.name.split(":")[0], ranked(results[w.name], "rate"))
          for w in runs.WORKLOADS.values()
          if w.kind == "many" and w.name in results], "messages a second")


def round_trip(machine, results):
    trips = {place: results[f"trip:{place}"] for place in runs.PLACES
             if f"trip:{place}" in results}
    bars("round-trip", "Round trip of 64 bytes: median, and 99 % (x)", machine,
         [(runs.PLACES[place], ranked(by_peer, "p50")) for place, by_peer in trips.items()],
         "seconds", log=True, more={
             (runs.PLACES[place], peer): figures["p99"]
             for place, by_peer in trips.items()
             for peer, figures in by_peer.items() if "p99" in figures})


def cpu(machine, results):
    bars("processor-time", "Processor time of both sides, 64 bytes", machine,
         [(name.split(":")[0], ranked(results[name], "cpu_us"))
          for name in ("1x1:64", "4x4:64") if name in results],
         "seconds for a message", log=True)


def python(machine, results):
    what = "python one to one: "
    bars("python", "Python: objects a second, one putter, one getter", machine,
         [(workload.removeprefix(what), ranked(by_peer, "rate"))
          for workload, by_peer in results.items() if workload.startswith(what)],
         "objects a second", log=True)


def in_seconds(results):
    """As gnuplot wants it, to write µ itself."""
    def scaled(figures):
        return {k: v * 1e-6 if k in ("p50", "p99", "cpu_us") else v
                for k, v in figures.items()}
    return {w: {p: scaled(f) for p, f in by_peer.items()}
            for w, by_peer in results.items()}


# -- PERFORMANCE.md ------------------------------------------------------------

PLOTS = {
    "one-to-one": "messages a second by size",
    "many-to-many": "messages a second of many putters and getters",
    "round-trip": "round trips",
    "processor-time": "processor time of a message",
    "python": "objects a second in Python",
}


def python_tables(results):
    """One for each thing that bench/python.py measures."""
    made = []
    for what, unit, key in (("one to one", "objects a second", "rate"),
                            ("four to four", "objects a second", "rate"),
                            ("round trip", "us", "p50"),
                            ("round trip, apart", "us", "p50")):
        prefix = f"python {what}: "
        show = tables.readable if key == "rate" else tables.three_digits
        table = tables.table_of(results, "", [
            (workload.removeprefix(prefix), workload, [key], show)
            for workload in results if workload.startswith(prefix)])
        if table:
            made.append(tables.markdown(f"Python, {what}: {unit}", *table))
    return made


def texts(figures, results):
    """{name: what stands between its two lines}."""
    made = {"machine": f"{described(figures['machine'])}; medians of "
                       f"{figures['rounds']} rounds of {figures['seconds']:g} s."}
    made |= {name: tables.markdown(*table) for name, *table in tables.tables(results)}
    if python_tables(results):
        made["python"] = "\n\n".join(python_tables(results))
    for name, what in PLOTS.items():
        if name in made:
            made[name] = f"![{what}](docs/{name}.svg)\n\n{made[name]}"
    made["goals"] = tables.markdown(
        "", goals.TITLES, [line for line, _ in goals.lines_of(results)], n_words=3)
    return made


def rewrite(made):
    page = PAGE.read_text(encoding="utf-8")
    for name, text in made.items():
        page = re.sub(rf"(<!-- figures: {re.escape(name)} -->\n).*?(<!-- end -->)",
                      lambda m, text=text: f"{m[1]}{text}\n{m[2]}", page, flags=re.S)
    unknown = set(re.findall(r"<!-- figures: (.*?) -->", page)) - set(made)
    for name in sorted(unknown):
        print(f"plots: there are no figures for '{name}'; it stays as it is")
    PAGE.write_text(page, encoding="utf-8")


def main():
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    figures = goals.load(sys.argv[1])
    results = figures["results"]
    if len(sys.argv) == 3:
        results |= goals.python_results(goals.load(sys.argv[2]))
    scaled = in_seconds(results)
    for plot in one_to_one, many, round_trip, cpu, python:
        plot(figures["machine"], scaled)
    rewrite(texts(figures, results))


if __name__ == "__main__":
    main()
