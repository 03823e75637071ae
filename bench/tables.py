"""tables.py - the figures as tables, for a terminal and for PERFORMANCE.md."""
from runs import PLACES, WORKLOADS


def readable(n):
    """Three digits: 1.23 M, 45.6 k, 789."""
    for unit, name in ((1e6, " M"), (1e3, " k"), (1, "")):
        if n >= unit:
            digits = max(0, 2 - len(str(int(n / unit))) + 1)
            return f"{n / unit:.{digits}f}{name}"
    return f"{n:.2g}"


def cell(figures, key, show):
    if figures is None:
        return ""
    if "failed" in figures:
        return "failed"
    return show(figures[key]) if key in figures else "-"


def table_of(results, workloads, head, columns):
    """(head, rows): the peers that have a figure, the best first column first.
    A column is (title, workload, key, how to show it)."""
    columns = [c for c in columns if c[1] in results]
    if not columns:
        return None
    peers = {p: None for c in columns for p in results[c[1]]}

    def has_any(peer):
        return any(key in results[w].get(peer, {}) or
                   "failed" in results[w].get(peer, {}) for _, w, key, _ in columns)

    def rank(peer):
        """By the column with which the table is about."""
        _, w, key, _ = columns[min(workloads, len(columns) - 1)]
        figure = results[w].get(peer, {}).get(key)
        if figure is None:
            return float("inf")
        return -figure if key == "rate" else figure

    rows = [[p] + [cell(results[w].get(p), key, show)
                   for _, w, key, show in columns]
            for p in sorted(filter(has_any, peers), key=rank)]
    return [head] + [c[0] for c in columns], rows


def name_of(size):
    for unit, name in ((1 << 20, " Mi"), (1 << 10, " Ki"), (1, "")):
        if size >= unit:
            return f"{size // unit}{name}"
    return str(size)


def microseconds(x):
    return f"{x:.3g}" if x < 1000 else f"{x:.0f}"


def tables(results):
    """(title, head, rows) of each table that there are figures for."""
    pairs = [w for w in WORKLOADS.values() if w.kind == "pair"]
    many = [w for w in WORKLOADS.values() if w.kind == "many"]
    made = [
        ("One putter, one getter, on two processors: messages a second",
         table_of(results, 1, "bytes", [
             (name_of(w.arguments[1]), w.name, "rate", readable) for w in pairs])),
        ("Many putters x getters, 64 bytes: messages a second",
         table_of(results, 1, "", [
             (w.name.split(":")[0], w.name, "rate", readable) for w in many])),
        ("Processor time of both sides: us for a message, seconds for a million",
         table_of(results, 1, "", [
             (w.name, w.name, "cpu_us", microseconds)
             for w in pairs + many if w.name.endswith(":64")
             or w.name == "1x1:1048576"])),
        ("Round trip of 64 bytes, us: p50 / p99 / p99.9",
         table_of(results, 0, "", [
             (f"{place} {title}", f"trip:{place}", key, microseconds)
             for place in PLACES
             for title, key in (("p50", "p50"), ("p99", "p99"),
                                ("p99.9", "p999"))])),
        ("Values: [42, None, 'hello'] a second",
         table_of(results, 0, "", [("values", "value", "rate", readable)])),
        ("A getter that waits: percent of a processor",
         table_of(results, 0, "", [
             ("idle", "idle", "idle_percent", lambda x: f"{x:.3f}")])),
    ]
    return [(title, *table) for title, table in made if table]


def plain(title, head, rows):
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [title]
    for row in [head, *rows]:
        lines.append("  " + row[0].ljust(widths[0]) + "".join(
            "  " + text.rjust(width) for text, width in zip(row[1:], widths[1:])))
    return "\n".join(lines)


def markdown(title, head, rows):
    lines = [f"**{title}**", "", "| " + " | ".join(head) + " |",
             "|---" + "|---:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def left_out(results):
    """{reason: the peers and workloads}, where a peer cannot do something."""
    reasons = {}
    for workload, by_peer in results.items():
        for peer, figures in by_peer.items():
            if "left_out" in figures:
                reasons.setdefault(f"{peer}: {figures['left_out']}", []).append(workload)
    return reasons
