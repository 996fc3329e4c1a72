# SPDX-License-Identifier: Apache-2.0
"""Plots of what was measured, by gnuplot."""
import re
import shutil
import subprocess

from .marks import OURS, limit_of, median

PERCENTILES = ["p50_us", "p99_us", "p99_9_us"]

PLOT = """\
set terminal svg size 1000,480 font "sans,12" background "#ffffff"
set encoding utf8
set output "{output}"
set title "{title}"
set key outside right top
set grid ytics
{more}
"""
# Ours in red and thick; the others told apart by colour and point.
COLOURS = ["#d62728", "#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b",
           "#e377c2", "#7f7f7f", "#17becf", "#bcbd22", "#000000"]


def short(name):
    """TLSv1.3/X25519/ecdsa-p256/full -> 1.3 X25519 ECDSA."""
    protocol, group, key, kind = name.split("/")[:4]
    words = [protocol.removeprefix("TLSv"), group,
             "" if kind == "resumed" else key.split("-")[0].upper(),
             kind if kind == "resumed" else ""]
    return " ".join(word for word in words if word)


def style(number, label):
    width = 3 if label.startswith(OURS) else 1.5
    return (f'linecolor rgb "{COLOURS[number % len(COLOURS)]}" '
            f"linewidth {width}")


def bars(directory, name, title, unit, table, servers):
    """`table`: {label: {server: value}}; one group of bars for each label."""
    data = directory / f"{name}.dat"
    with open(data, "w", encoding="utf-8") as file:
        print("cell", *(f'"{server}"' for server in servers), file=file)
        for label, values in table.items():
            print(f'"{label}"', *(values.get(server) or "?"
                                  for server in servers), file=file)
    columns = ", ".join(
        f'"{data.name}" using {i + 2}{":xtic(1)" if i == 0 else ""} '
        f'title "{server}" linecolor rgb "{COLOURS[i % len(COLOURS)]}"'
        for i, server in enumerate(servers))
    more = (f'set ylabel "{unit}"\nset style data histogram\n'
            "set style histogram clustered gap 1\nset style fill solid 0.9\n"
            'set datafile missing "?"\nset xtics rotate by -20 nomirror\n'
            f"set yrange [0:*]\nset xrange [-0.6:{len(table) - 0.4:.1f}]\n"
            f"plot {columns}")
    return PLOT.format(output=f"{name}.svg", title=title, more=more)


def curves(directory, name, title, axes, series, more):
    """`series`: {title: [(x, y)]}."""
    parts = []
    for number, (label, points) in enumerate(series.items()):
        data = directory / f"{name}-{number}.dat"
        data.write_text("".join(f"{x} {y}\n" for x, y in sorted(points)))
        parts.append(f'"{data.name}" with linespoints title "{label}" '
                     f"pointtype {number + 4} {style(number, label)}")
    more = (f'set xlabel "{axes[0]}"\nset ylabel "{axes[1]}"\n'
            f"{more}\nplot " + ", ".join(parts))
    return PLOT.format(output=f"{name}.svg", title=title, more=more)


def handshakes(results, directory):
    table, names = {}, [OURS]
    for name, row in results["cells"].items():
        if row["work"] != "handshake" or len(row["servers"]) < 2 or \
                not row["tickets"]:
            continue
        for server, figures in row["servers"].items():
            value = median(figures["cpu_us"])
            if value:
                table.setdefault(short(name), {})[server] = round(1e6 / value)
                names.append(server)
    names = list(dict.fromkeys(names))
    return table and bars(
        directory, "handshakes", "Handshakes per second of processor time",
        "handshakes per CPU second", table, names)


def latency(results, directory):
    series = {}
    for name, row in results["cells"].items():
        figures = row["servers"].get(OURS)
        if row["work"] != "handshake" or not row["must"] or not figures or \
                not row["tickets"]:
            continue
        points = [(x, median(figures[key])) for x, key in
                  enumerate(PERCENTILES)]
        if all(value for _, value in points):
            series[short(name)] = [(x, value / 1000) for x, value in points]
    return series and curves(
        directory, "latency", "Postern: latency of handshakes, 16 at a time "
        "against one worker", ("percentile", "ms"), series,
        'set xtics ("p50" 0, "p99" 1, "p99.9" 2)\nset xrange [-0.2:2.2]\n'
        "set logscale y\nset grid xtics")


def primes(results, directory):
    series = {}
    for size in (2048, 3072, 4096):
        row = results["cells"].get(f"TLSv1.2/ffdhe{size}/rsa-2048/full")
        for server, figures in (row["servers"] if row else {}).items():
            value = median(figures["cpu_us"])
            if value:
                series.setdefault(server, []).append((size, value / 1000))
        limit = limit_of(results, f"TLSv1.2/ffdhe{size}/rsa-2048/full")
        if limit:
            series.setdefault("the limit", []).append((size, limit / 1000))
    return series and curves(
        directory, "primes", "EDH: processor time by the size of the prime",
        ("bits", "ms per handshake"), series,
        "set xtics (2048, 3072, 4096)\nset xrange [1900:4250]\n"
        "set yrange [0:*]")


def memory(results, directory):
    series = {}
    for row in results["memory"]:
        stage = "EHLO" if row["stage"] == "ehlo" else "with backend"
        label = f"{row['server']}, {stage}"
        series.setdefault(label, []).append(
            (row["held"], row["bytes"] / 1024))
    return series and curves(
        directory, "memory", "Memory of a held TLS session",
        ("sessions held", "kB per session"), series,
        "set logscale xy\nset xtics (100, 200, 500, 2000, 10000)\n"
        "set ytics (10, 15, 20, 30, 50, 100, 200, 500, 1000, 2000)\n"
        "set yrange [10:*]\nset xrange [80:12500]")


def sizes(results, directory):
    series = {}
    for name, row in results["cells"].items():
        if row["work"] != "relay" or not row["tickets"] or \
                re.search(r"/1 per session", name):
            continue
        for server, figures in row["servers"].items():
            rate = median(figures["per_s"])
            if rate:
                series.setdefault(server, []).append(
                    (row["size"] / 1024, rate * row["size"] / 1e6))
    return series and curves(
        directory, "sizes", "Relaying: throughput by the size of messages",
        ("KiB of a message", "MB/s"), series,
        "set logscale x 2\nset xtics (4, 16, 64, 256, 1024)\n"
        "set yrange [0:*]\nset xrange [3:1400]")


PLOTS = {"handshakes": handshakes, "latency": latency, "primes": primes,
         "memory": memory, "sizes": sizes}


def draw(results, directory):
    """(names of the plots that are there, lines about those that are not)."""
    if shutil.which("gnuplot") is None:
        return [], ["No plots: gnuplot is not installed (gnuplot-nox).", ""]
    drawn, lines = [], []
    for name, make in PLOTS.items():
        script = make(results, directory)
        if not script:
            continue
        path = directory / f"{name}.gnuplot"
        path.write_text(script, encoding="utf-8")
        done = subprocess.run(["gnuplot", path.name], cwd=directory,
                              capture_output=True, text=True)
        if done.returncode:
            lines += [f"gnuplot failed: {done.stderr.strip()[-200:]}", ""]
        else:
            drawn.append(name)
    return drawn, lines
