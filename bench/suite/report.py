# SPDX-License-Identifier: Apache-2.0
"""What was measured, for people: Markdown, and plots by gnuplot."""
import shutil
import statistics
import subprocess

OURS = "postern"
PERCENTILES = ["p50_us", "p99_us", "p99_9_us"]


def known(values):
    return [value for value in values if value is not None]


def median(values):
    values = known(values)
    return statistics.median(values) if values else None


def spread(values):
    """The median distance to the median."""
    values = known(values)
    if not values:
        return 0
    middle = statistics.median(values)
    return statistics.median(abs(value - middle) for value in values)


def paired_ratio(ours, theirs):
    """The median of the ratios within each round."""
    pairs = [a / b for a, b in zip(ours, theirs) if a and b]
    return statistics.median(pairs) if pairs else None


def best_peer(row):
    """(name, median of its processor time); (None, None) without peers."""
    medians = {name: median(figures["cpu_us"])
               for name, figures in row["servers"].items() if name != OURS}
    medians = {name: value for name, value in medians.items() if value}
    if not medians:
        return None, None
    name = min(medians, key=medians.get)
    return name, medians[name]


def show(value, digits=0):
    return "–" if value is None else f"{value:.{digits}f}"


def cpu_of(row, name):
    figures = row["servers"].get(name)
    return median(figures["cpu_us"]) if figures else None


def verdict(row, ratio):
    if not row["must"] or ratio is None:
        return ""
    return "met" if ratio <= row["must"] else "short"


def marks_table(results):
    lines = ["## Against the best peer", "",
             "Server's processor time per unit: medians, and the median of the "
             "ratios of each round.", "",
             "| cell | Postern µs | best peer | its µs | ratio | must | aim | |",
             "|---|--:|---|--:|--:|--:|--:|---|"]
    for name, row in results["cells"].items():
        peer, peer_us = best_peer(row)
        if peer is None or OURS not in row["servers"]:
            continue
        ratio = paired_ratio(row["servers"][OURS]["cpu_us"],
                             row["servers"][peer]["cpu_us"])
        lines.append(
            f"| {name} | {show(cpu_of(row, OURS), 1)} | {peer} | "
            f"{show(peer_us, 1)} | {show(ratio, 3)} | {row['must'] or '–'} | "
            f"{row['aim'] or '–'} | {verdict(row, ratio)} |")
    return lines + [""]


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


def limit_of(results, name):
    limit = results["limit"].get(name)
    return limit["memory_us"] + limit["floor_us"] if limit else None


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
    lines = ["## More workers", "",
             "Client and sink share the processors then: the figure is the "
             "processor time, beside that of one worker.", "",
             "| cell | Postern µs | with one worker | ratio |",
             "|---|--:|--:|--:|"]
    found = False
    for name, row in results["cells"].items():
        one = results["cells"].get(name.rsplit("/", 1)[0])
        if not name.endswith(" workers") or one is None:
            continue
        ours, alone = cpu_of(row, OURS), cpu_of(one, OURS)
        if ours and alone:
            found = True
            lines.append(f"| {name} | {show(ours, 1)} | {show(alone, 1)} | "
                         f"{ours / alone:.3f} |")
    return lines + [""] if found else []


def flood_table(results):
    if not results["flood"]:
        return []
    lines = ["## Under a flood of handshakes", "",
             "p99 of a NOOP that is relayed on an established session, 100 a "
             "second, while 64 connections do nothing but handshakes.", "",
             "| handshakes | p99 µs |", "|---|--:|"]
    lines += [f"| {name} | {show(median(values))} |"
              for name, values in results["flood"].items()]
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
        f"- {results['rounds']} rounds that take turns, {results['window_s']} "
        f"s each; server on processor {results['server_cpus']}, client and "
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
    for unit, count in results["instructions"].items():
        lines.append(f"- instructions per {unit} (callgrind, TLS 1.3, X25519, "
                     f"ECDSA P-256): {count:,}")
    return lines + [""]


PLOT = """\
set terminal svg size 1000,500 font "sans,11"
set output "{output}"
set title "{title}"
set key outside right top
set grid ytics
{more}
"""


def plot_bars(directory, name, title, unit, table, servers):
    """`table`: {label: {server: value}}; one group of bars for each label."""
    data = directory / f"{name}.dat"
    with open(data, "w", encoding="utf-8") as file:
        print("cell", *(f'"{server}"' for server in servers), file=file)
        for label, values in table.items():
            print(f'"{label}"', *(values.get(server) or "?"
                                  for server in servers), file=file)
    columns = ", ".join(
        f'"{data.name}" using {i + 2}{":xtic(1)" if i == 0 else ""} '
        f'title "{server}"' for i, server in enumerate(servers))
    more = (f'set ylabel "{unit}"\nset style data histogram\n'
            "set style histogram clustered gap 1\nset style fill solid 0.8\n"
            'set datafile missing "?"\nset xtics rotate by -25\n'
            f"set yrange [0:*]\nplot {columns}")
    return PLOT.format(output=f"{name}.svg", title=title, more=more)


def plot_lines(directory, name, title, axes, series, log="x"):
    """`series`: {title: [(x, y)]}."""
    parts = []
    for number, (label, points) in enumerate(series.items()):
        data = directory / f"{name}-{number}.dat"
        data.write_text("".join(f"{x} {y}\n" for x, y in sorted(points)))
        parts.append(f'"{data.name}" with linespoints title "{label}"')
    more = (f'set xlabel "{axes[0]}"\nset ylabel "{axes[1]}"\n'
            f"set logscale {log}\nset yrange [0:*]\nplot " + ", ".join(parts))
    return PLOT.format(output=f"{name}.svg", title=title, more=more)


def handshakes_plot(results, directory):
    table, names = {}, []
    for name, row in results["cells"].items():
        if row["work"] != "handshake" or len(row["servers"]) < 2:
            continue
        for server, figures in row["servers"].items():
            value = median(figures["cpu_us"])
            if value:
                table.setdefault(name, {})[server] = round(1e6 / value)
                names.append(server)
    names = list(dict.fromkeys(names))
    return table and plot_bars(
        directory, "handshakes", "Handshakes per second of processor time",
        "handshakes per CPU second", table, names)


def latency_plot(results, directory):
    series = {}
    for name, row in results["cells"].items():
        figures = row["servers"].get(OURS)
        if row["work"] != "handshake" or not row["must"] or not figures:
            continue
        points = [(share, median(figures[key])) for share, key in
                  zip((50, 99, 99.9), PERCENTILES)]
        if all(value for _, value in points):
            # 1 in so many sessions is slower.
            series[name] = [(100 / (100 - share), value)
                            for share, value in points]
    return series and plot_lines(
        directory, "latency", "Postern: latency of handshakes",
        ("one in so many is slower", "µs"), series)


def primes_plot(results, directory):
    series = {}
    for size in (2048, 3072, 4096):
        row = results["cells"].get(f"TLSv1.2/ffdhe{size}/rsa-2048/full")
        for server, figures in (row["servers"] if row else {}).items():
            value = median(figures["cpu_us"])
            if value:
                series.setdefault(server, []).append((size, value))
        limit = limit_of(results, f"TLSv1.2/ffdhe{size}/rsa-2048/full")
        if limit:
            series.setdefault("limit", []).append((size, limit))
    return series and plot_lines(
        directory, "primes", "EDH: processor time by the size of the prime",
        ("bits", "µs per handshake"), series, log="x 2")


def memory_plot(results, directory):
    series = {}
    for row in results["memory"]:
        label = f"{row['server']}, {row['stage']}"
        series.setdefault(label, []).append(
            (row["held"], row["bytes"] / 1024))
    return series and plot_lines(
        directory, "memory", "Memory of a held TLS session",
        ("sessions held", "kB per session"), series)


def sizes_plot(results, directory):
    series = {}
    for row in results["cells"].values():
        if row["work"] != "relay":
            continue
        for server, figures in row["servers"].items():
            rate = median(figures["per_s"])
            if rate:
                series.setdefault(server, {})[row["size"]] = max(
                    rate * row["size"] / 1e6,
                    series.get(server, {}).get(row["size"], 0))
    series = {server: sorted(points.items())
              for server, points in series.items()}
    return series and plot_lines(
        directory, "sizes", "Relaying: throughput by the size of messages",
        ("octets of a message", "MB/s"), series)


PLOTS = {"handshakes": handshakes_plot, "latency": latency_plot,
         "primes": primes_plot, "memory": memory_plot, "sizes": sizes_plot}


def draw(results, directory):
    """Markdown lines that show the plots."""
    if shutil.which("gnuplot") is None:
        return ["No plots: gnuplot is not installed (gnuplot-nox).", ""]
    lines = []
    for name, make in PLOTS.items():
        script = make(results, directory)
        if not script:
            continue
        path = directory / f"{name}.gnuplot"
        path.write_text(script, encoding="utf-8")
        done = subprocess.run(["gnuplot", path.name], cwd=directory,
                              capture_output=True, text=True)
        if done.returncode:
            lines.append(f"gnuplot failed: {done.stderr.strip()[-200:]}")
        else:
            lines.append(f"![{name}]({name}.svg)")
    return lines + [""]


def markdown(results):
    return (heading(results) + marks_table(results) + limit_table(results)
            + peers_table(results) + latency_table(results)
            + workers_table(results) + flood_table(results)
            + memory_table(results))


def write(results, directory):
    directory.mkdir(parents=True, exist_ok=True)
    lines = markdown(results) + draw(results, directory)
    (directory / "report.md").write_text("\n".join(lines), encoding="utf-8")


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
    return lines or ["nothing moved beyond the noise"]
