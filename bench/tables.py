"""tables.py - the figures as tables, for a terminal and for PERFORMANCE.md."""
from runs import PLACES, WORKLOADS


def three_digits(x):
    return f"{x:#.3g}".rstrip(".") if x < 999.5 else f"{x:.0f}"


def readable(n):
    """1.23 M, 45.6 k, 789."""
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if n >= 0.9995 * unit:
            return three_digits(n / unit) + name
    return three_digits(n)


def cell(figures, keys, show):
    """One figure, or several: p50 / p99 / p99.9."""
    if figures and "failed" in figures:
        return "failed"
    if not figures or keys[0] not in figures:
        return "-"
    return " / ".join(show(figures[key]) for key in keys)


def table_of(results, head, columns):
    """(head, rows): the peers that have a figure, the best in the column that is
    called first. A column is (title, workload, keys, how to show a figure)."""
    columns = [c for c in columns if c[1] in results]
    peers = {p: None for _, workload, keys, _ in columns
             for p, figures in results[workload].items()
             if "failed" in figures or keys[0] in figures}

    def rank(peer):
        """Where there is no figure in the first column, by the next, and last."""
        figures = [results[workload].get(peer, {}).get(keys[0])
                   for _, workload, keys, _ in columns]
        return [(f is None, f and (-f if columns[i][2][0] == "rate" else f))
                for i, f in enumerate(figures)]

    rows = [[peer] + [cell(results[workload].get(peer), keys, show)
                      for _, workload, keys, show in columns]
            for peer in sorted(peers, key=rank)]
    return ([head] + [c[0] for c in columns], rows) if rows else None


def name_of(size):
    for unit, name in ((1 << 20, " Mi"), (1 << 10, " Ki"), (1, "")):
        if size >= unit:
            return f"{size // unit}{name}"
    return str(size)


def tables(results):
    """(name, title, head, rows) of each table that there are figures for."""
    pairs = [w for w in WORKLOADS.values() if w.kind == "pair"]
    many = [w for w in WORKLOADS.values() if w.kind == "many"]
    small = [w for w in pairs + many if w.name.endswith(":64")]
    made = [
        ("one-to-one", "One putter, one getter, on two processors: messages a second",
         table_of(results, "bytes", [
             (name_of(w.arguments[1]), w.name, ["rate"], readable) for w in pairs])),
        ("many-to-many", "Putters x getters, 64 bytes: messages a second",
         table_of(results, "", [
             (w.name.split(":")[0], w.name, ["rate"], readable) for w in many])),
        ("round-trip", "Round trip of 64 bytes, us: p50 / p99 / p99.9",
         table_of(results, "", [
             (where, f"trip:{place}", ["p50", "p99", "p999"], three_digits)
             for place, where in PLACES.items()])),
        ("processor-time", "Processor time of both sides, 64 bytes: us for a message, "
         "or seconds for a million",
         table_of(results, "", [
             (w.name.split(":")[0], w.name, ["cpu_us"], three_digits) for w in small])),
        ("idle", "A getter that waits: percent of a processor",
         table_of(results, "", [
             ("idle", "idle", ["idle_percent"], lambda x: f"{x:.3f}")])),
        ("values", "[42, None, 'hello']: values a second",
         table_of(results, "", [("C", "value", ["rate"], readable)])),
    ]
    return [(name, title, *table) for name, title, table in made if table]


def plain(title, head, rows):
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [title]
    for row in [head, *rows]:
        lines.append("  " + row[0].ljust(widths[0]) + "".join(
            "  " + text.rjust(width) for text, width in zip(row[1:], widths[1:])))
    return "\n".join(lines)


def markdown(title, head, rows, n_words=1):
    """The first n_words columns are words, the others figures."""
    sides = ["---" if i < n_words else "---:" for i in range(len(head))]
    lines = [f"**{title}**", ""] if title else []
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in [
        head, sides, *([bold(row[0])] + row[1:] for row in rows)]])


def bold(name):
    return f"**{name}**" if name.startswith("chute") else name


def left_out(results):
    """{reason: the peers and workloads}, where a peer cannot do something."""
    reasons = {}
    for workload, by_peer in results.items():
        for peer, figures in by_peer.items():
            if "left_out" in figures:
                reasons.setdefault(f"{peer}: {figures['left_out']}", []).append(workload)
    return reasons
