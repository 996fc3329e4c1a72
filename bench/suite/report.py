# SPDX-License-Identifier: Apache-2.0
"""What was measured, for people: Markdown, and a summary for the README."""
import re

from . import marks, plots
from .marks import OURS, known, limit_of, median, show, spread

PERCENTILES = plots.PERCENTILES


def cpu_of(row, name):
    figures = row["servers"].get(name)
    return median(figures["cpu_us"]) if figures else None


def marks_table(results):
    return ["## What it must reach", "",
            "Server's processor time per unit against the best peer of the "
            "cell: medians, and the median ± median deviation of the ratios "
            "within each round. Below: messages a second, memory (PSS), what "
            "Postern adds to the limit, more workers than one, and how soon a "
            "NOOP comes back under a flood of handshakes.", "",
            *marks.table(results), ""]


def peers_table(results):
    names = sorted({name for row in results["cells"].values()
                    for name in row["servers"] if name != OURS})
    if not names:
        return []
    names = [OURS, *names]
    lines = ["## All programs", "",
             "Server's processor time per unit in µs (median ± median "
             "deviation); for messages, per message.", "",
             "| cell | " + " | ".join(names) + " |",
             "|---|" + "--:|" * len(names)]
    for name, row in results["cells"].items():
        if len(row["servers"]) < 2:
            continue
        cells = []
        for server in names:
            figures = row["servers"].get(server, {"cpu_us": []})
            value = median(figures["cpu_us"])
            cells.append("–" if value is None else
                         f"{value:.0f} ± {spread(figures['cpu_us']):.0f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines + [""]


def limit_table(results):
    lines = ["## Against the limit", "",
             "In memory: the handshake of the same OpenSSL between two "
             "buffers, server's side alone. Floor: the same dialogue and sizes "
             "over a ring, without TLS and without parsing. Above: what "
             "Postern takes more than their sum.", "",
             "| cell | signature | exchange | in memory | floor | Postern | "
             "above | of the limit | per second | p50 µs | p99 µs | p99.9 µs |",
             "|---|" + "--:|" * 11]
    for name, row in results["cells"].items():
        total = limit_of(results, name)
        ours = cpu_of(row, OURS)
        if total is None or ours is None:
            continue
        limit, figures = results["limit"][name], row["servers"][OURS]
        parts = [show(limit[key], 1) for key in
                 ("signature_us", "exchange_us", "memory_us", "floor_us")]
        parts += [show(ours, 1), show(ours - total, 1),
                  show(ours / total, 2), show(median(figures["per_s"]))]
        parts += [show(median(figures[key])) for key in PERCENTILES]
        lines.append(f"| {name} | " + " | ".join(parts) + " |")
    return lines + [""]


def latency_table(results):
    lines = ["## Throughput and latency", "",
             "On a wall clock, with the client on the other processors: often "
             "the client's limit, not the server's.", "",
             "| cell | program | per second | p50 µs | p99 µs | p99.9 µs |",
             "|---|---|--:|--:|--:|--:|"]
    for name, row in results["cells"].items():
        if name in results["limit"] and len(row["servers"]) < 2:
            continue  # stands in the table above
        for server, figures in row["servers"].items():
            parts = [show(median(figures[key]))
                     for key in ["per_s", *PERCENTILES]]
            lines.append(f"| {name} | {server} | " + " | ".join(parts) + " |")
    return lines + [""]


def memory_table(results):
    if not results["memory"]:
        return []
    lines = ["## Memory", "",
             "Proportional set size per held TLS 1.3 session, in kB (1024 "
             "octets); the buffers of the kernel are not in it. ehlo: after "
             "EHLO in TLS; rcpt: after RCPT, with the backend connected. The "
             "bare server session in memory: "
             f"{results['limit'].get('session_bytes', 0) / 1024:.1f} kB.", "",
             "| program | stage | held | kB per session |",
             "|---|---|--:|--:|"]
    for row in results["memory"]:
        lines.append(f"| {row['server']} | {row['stage']} | {row['held']} | "
                     f"{row['bytes'] / 1024:.1f} |")
    return lines + [""]


def workers_table(results):
    if not results["workers"]:
        return []
    lines = ["## More workers", "",
             "Several workers and one take turns; client and sink share a "
             "processor with the second worker.", "",
             "| cell | workers' µs | one worker's | workers' handshakes per "
             "second | one worker's |", "|---|--:|--:|--:|--:|"]
    for name, row in results["workers"].items():
        values = [show(median(row[key]), 1) for key in (
            "many_us", "one_us", "many_per_s", "one_per_s")]
        lines.append(f"| {name} | " + " | ".join(values) + " |")
    return lines + [""]


def flood_table(results):
    if not results["flood"]:
        return []
    lines = ["## Under a flood of handshakes", "",
             "p99 of a NOOP that is relayed on an established session, 200 a "
             "second, while 64 connections do nothing but handshakes.", "",
             "| handshakes | p99 ms | without the flood | handshakes per "
             "second |", "|---|--:|--:|--:|"]
    for name, row in results["flood"].items():
        parts = [[value / 1000 for value in known(row[key])]
                 for key in ("p99_us", "alone_p99_us")]
        lines.append(f"| {name} | {show(median(parts[0]), 2)} | "
                     f"{show(median(parts[1]), 2)} | "
                     f"{show(median(row['handshakes_per_s']))} |")
    return lines + [""]


def crossings_table(results):
    if not results["crossings"]:
        return []
    lines = ["## Kernel crossings", "",
             "System calls of all the server's threads for one unit, counted "
             "by strace in a run of their own: with one connection, and with "
             "16, where a ring takes many at a turn. Beside them those that "
             "are most, with one connection.", "",
             "| cell | program | one connection | 16 | |",
             "|---|---|--:|--:|---|"]
    for name, row in results["crossings"].items():
        for server, figures in row.items():
            most = sorted(figures["calls"].items(), key=lambda item: -item[1])
            lines.append(
                f"| {name} | {server} | {figures['alone']:.1f} | "
                f"{figures['busy']:.1f} | " + ", ".join(
                    f"{call} {count:.1f}" for call, count in most[:5]) + " |")
    return lines + [""]


def heading(results):
    machine = results["machine"] or {}
    lines = [
        "# Postern's benchmark", "",
        f"- command: `{results['command']}`, {results['date']}",
        f"- machine: {machine.get('processor')}, "
        f"{machine.get('processors')} processors, "
        f"{machine.get('architecture')}",
        f"- {machine.get('kernel')}, {machine.get('openssl')}, liburing "
        f"{machine.get('liburing')}",
        f"- {results['rounds']} rounds that take turns, windows of "
        f"{results['window_s']} s where there are marks and of "
        f"{results['short_s']} s elsewhere, {results['seconds'] // 60} minutes "
        f"in all; server on processor {results['server_cpus']}, client and "
        f"sink on {results['client_cpus']}",
        f"- behind all of them: {results['sink']}",
        "- equal terms: one worker, the same certificate, groups, prime and "
        "suites, one ticket, no session cache; the peers write no log, and "
        "Postern, whose log cannot be switched off, writes it to /dev/null",
        "- relaying is measured of proxies alone: what a mail server does with "
        "a message is other work",
        "- versions: " + ", ".join(
            f"{name} {version}"
            for name, version in results["versions"].items()),
    ]
    lines += [f"- skipped: {name}: {reason}"
              for name, reason in results["skipped"].items()]
    lines += [f"- **failed**: {text}" for text in results["failures"]]
    for unit, count in results["instructions"].items():
        lines.append(f"- instructions per {unit} (callgrind, TLS 1.3, X25519, "
                     f"ECDSA P-256): {count:,}")
    return lines + [""]


def markdown(results):
    return (heading(results) + marks_table(results) + limit_table(results)
            + peers_table(results) + latency_table(results)
            + workers_table(results) + flood_table(results)
            + crossings_table(results) + memory_table(results))


def write(results, directory):
    directory.mkdir(parents=True, exist_ok=True)
    drawn, lines = plots.draw(results, directory)
    lines = markdown(results) + lines + [
        f"![{name}]({name}.svg)" for name in drawn] + [""]
    (directory / "report.md").write_text("\n".join(lines), encoding="utf-8")


# The README's summary.

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
HEADING = "## The benchmark\n"
DRAWINGS = "bench/report"


def summary(results, drawn):
    machine = results["machine"] or {}
    lines = [
        BEGIN, "### A full run", "",
        f"`{results['command']}`, {results['date']}: "
        f"{machine.get('processor')}, {machine.get('processors')} processors, "
        f"{machine.get('kernel')}, {machine.get('openssl')}; "
        f"{results['rounds']} rounds, {results['seconds'] // 60} minutes. "
        "Peers: " + ", ".join(
            f"{name} {version}"
            for name, version in results["versions"].items()) + ".", ""]
    for unit, count in results["instructions"].items():
        lines += [f"Instructions per {unit} (callgrind): {count:,}.", ""]
    lines += [line for text in results["failures"]
              for line in (f"**Failed**: {text}", "")]
    lines += [*marks.table(results), ""]
    lines += [line for name in drawn
              for line in (f"![{name}]({DRAWINGS}/{name}.svg)", "")]
    return "\n".join([*lines, END, ""])


def write_readme(results, drawings, readme):
    """Between the two markers, or, where there are none, as the last part of
    the benchmark's section; plots go beside the suite."""
    text = readme.read_text(encoding="utf-8")
    target = readme.parent / DRAWINGS
    target.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name in plots.PLOTS:
        source = drawings / f"{name}.svg"
        if source.exists():
            (target / source.name).write_bytes(source.read_bytes())
            drawn.append(name)
    new = summary(results, drawn)
    if BEGIN in text and END in text:
        before, rest = text.split(BEGIN, 1)
        after = rest.split(END, 1)[1].removeprefix("\n")
    else:
        start = text.find(HEADING)
        found = re.search(r"^## ", text[start + 3:], re.M) \
            if start >= 0 else None
        at = start + 3 + found.start() if found else len(text)
        before, after = text[:at], "\n" + text[at:]
    readme.write_text(before + new + after, encoding="utf-8")


# What moved since another run.

def compare(old, new):
    """Lines: what moved beyond the noise of both runs together. The noise is
    three median deviations of each, and never less than 3 %."""
    lines = []
    for name, row in new["cells"].items():
        before = old["cells"].get(name, {"servers": {}})["servers"]
        for server, figures in row["servers"].items():
            if server not in before:
                continue
            was, is_now = before[server]["cpu_us"], figures["cpu_us"]
            a, b = median(was), median(is_now)
            if not a or not b:
                continue
            noise = max(3 * (spread(was) + spread(is_now)), 0.03 * a)
            if abs(b - a) > noise:
                lines.append(f"{name}, {server}: {a:.1f} -> {b:.1f} us "
                             f"({(b / a - 1) * 100:+.1f} %, noise "
                             f"{noise / a * 100:.1f} %)")
    for unit, count in new["instructions"].items():
        was = old["instructions"].get(unit)
        if was and abs(count / was - 1) > 0.005:
            lines.append(f"instructions per {unit}: {was:,} -> {count:,} "
                         f"({(count / was - 1) * 100:+.2f} %)")
    memory = {(row["server"], row["stage"], row["held"]): row["bytes"]
              for row in old["memory"]}
    for row in new["memory"]:
        was = memory.get((row["server"], row["stage"], row["held"]))
        if was and abs(row["bytes"] / was - 1) > 0.03:
            lines.append(f"memory of {row['server']}, {row['stage']}, "
                         f"{row['held']} held: {was / 1024:.1f} -> "
                         f"{row['bytes'] / 1024:.1f} kB per session")
    for name, row in new.get("crossings", {}).items():
        before = old.get("crossings", {}).get(name, {}).get(OURS)
        now = row.get(OURS)
        if before and now and abs(now["alone"] - before["alone"]) >= 0.5:
            lines.append(f"kernel crossings, {name}: {before['alone']:.1f} -> "
                         f"{now['alone']:.1f}")
    return lines or ["nothing moved beyond the noise"]
