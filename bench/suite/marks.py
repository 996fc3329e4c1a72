# SPDX-License-Identifier: Apache-2.0
"""What is to be reached, and whether it was: one row for each mark."""
import dataclasses
import statistics

OURS = "postern"
WITH_GNUTLS = ("exim",)
EDH_OPENSSL = "TLSv1.2/ffdhe3072/rsa-2048/full"
EDH_OPENSSL_MUST = 0.25
MEMORY_MUST = 0.90
SESSION_ABOVE_MUST = 1.5  # kB above the bare SSL object
LIMIT_ABOVE_MUST = 10  # us above handshake in memory and floor
WORKERS_MUST = 1.05
FLOOD_MUST = 5  # ms
NAGLE_PEER = "nginx mail"
NAGLE_MUST = 2.5


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


def ratios(ours, theirs):
    return [a / b for a, b in zip(ours, theirs) if a and b]


def paired_ratio(ours, theirs):
    """The median of the ratios within each round."""
    return median(ratios(ours, theirs))


def best_peer(row, without=()):
    """(name, median of its processor time); (None, None) without peers."""
    medians = {name: median(figures["cpu_us"])
               for name, figures in row["servers"].items()
               if name != OURS and name not in without}
    medians = {name: value for name, value in medians.items() if value}
    if not medians:
        return None, None
    name = min(medians, key=medians.get)
    return name, medians[name]


@dataclasses.dataclass
class Mark:
    what: str
    unit: str
    must: float
    aim: float = 0
    ours: float = None
    peer: str = ""
    theirs: float = None
    # What is held against must and aim: a ratio, or a figure in `unit`.
    value: float = None
    spread: float = None
    at_least: bool = False
    digits: int = 3

    @property
    def verdict(self):
        if self.value is None:
            return "not measured"
        sign = -1 if self.at_least else 1
        if sign * self.value > sign * self.must:
            return "short"
        if self.aim and sign * self.value <= sign * self.aim:
            return "aim reached"
        return "reached"


def against_best(what, row, must, aim=0, without=()):
    mark = Mark(what, "µs", must, aim)
    # Large messages are paid by the octet.
    scale = 1
    if row["size"] >= 1 << 20:
        mark.unit, scale = "µs per MB", 1e6 / row["size"]
    ours = row["servers"].get(OURS)
    peer, theirs = best_peer(row, without)
    if ours and median(ours["cpu_us"]):
        mark.ours = median(ours["cpu_us"]) * scale
    if ours and peer:
        pairs = ratios(ours["cpu_us"], row["servers"][peer]["cpu_us"])
        mark.peer, mark.theirs = peer, theirs * scale
        mark.value, mark.spread = median(pairs), spread(pairs)
    return mark


def cells(results):
    found = []
    for name, row in results["cells"].items():
        if not row["must"]:
            continue
        found.append(against_best(name, row, row["must"], row["aim"]))
        if name == EDH_OPENSSL:
            found.append(against_best(
                f"{name}, best with OpenSSL", row, EDH_OPENSSL_MUST,
                without=WITH_GNUTLS))
    return found


def nagle(results):
    name = results.get("nagle")
    row = results["cells"].get(name)
    if not row:
        return []
    mark = Mark(f"{name}: messages a second against {NAGLE_PEER}", "1/s",
                NAGLE_MUST, at_least=True)
    ours, theirs = (row["servers"].get(who) for who in (OURS, NAGLE_PEER))
    if ours and theirs:
        pairs = ratios(ours["per_s"], theirs["per_s"])
        mark.ours, mark.theirs = median(ours["per_s"]), median(theirs["per_s"])
        mark.peer, mark.value = NAGLE_PEER, median(pairs)
        mark.spread = spread(pairs)
    return [mark]


def held_by(results, server):
    return {(row["stage"], row["held"]): row["bytes"] / 1024
            for row in results["memory"] if row["server"] == server}


def memory(results):
    found = []
    bare = results["limit"].get("session_bytes", 0) / 1024
    for (stage, held), ours in held_by(results, OURS).items():
        peers = {row["server"]: row["bytes"] / 1024
                 for row in results["memory"]
                 if (row["stage"], row["held"]) == (stage, held)
                 and row["server"] != OURS}
        when = "after EHLO in TLS" if stage == "ehlo" else "with the backend"
        mark = Mark(f"memory of {held:,} sessions held {when}", "kB",
                    MEMORY_MUST, ours=ours)
        if peers:
            mark.peer = min(peers, key=peers.get)
            mark.theirs = peers[mark.peer]
            mark.value = ours / mark.theirs
        found.append(mark)
        above = Mark("the same, above the bare SSL object (kB)", "kB",
                     SESSION_ABOVE_MUST, ours=ours, digits=2)
        if bare:
            above.peer, above.theirs = "bare SSL object", bare
            above.value = ours - bare
        found.append(above)
    return found


def limit_of(results, name):
    limit = results["limit"].get(name)
    return limit["memory_us"] + limit["floor_us"] if limit else None


def limit(results):
    found = []
    for name, row in results["cells"].items():
        if not row["must"] or row["work"] != "handshake" or \
                not row["tickets"]:
            continue
        mark = Mark(f"{name}: above in memory + floor (µs)", "µs",
                    LIMIT_ABOVE_MUST, digits=1)
        total = limit_of(results, name)
        ours = row["servers"].get(OURS, {"cpu_us": []})["cpu_us"]
        mark.ours = median(ours)
        if total and mark.ours:
            mark.peer, mark.theirs = "in memory + floor", total
            mark.value, mark.spread = mark.ours - total, spread(ours)
        found.append(mark)
    return found


def workers(results):
    found = []
    for name, row in results["workers"].items():
        pairs = ratios(row["many_us"], row["one_us"])
        found.append(Mark(
            name, "µs", WORKERS_MUST, ours=median(row["many_us"]),
            peer="one worker", theirs=median(row["one_us"]),
            value=median(pairs), spread=spread(pairs)))
    return found


def flood(results):
    found = []
    for name, row in results["flood"].items():
        values = [value / 1000 for value in known(row["p99_us"])]
        alone = median(row["alone_p99_us"])
        found.append(Mark(
            f"NOOP's p99 under a flood of {name} (ms)", "ms", FLOOD_MUST,
            ours=median(values), peer="without the flood",
            theirs=alone and alone / 1000, value=median(values),
            spread=spread(values), digits=2))
    return found


def all_of(results):
    found = []
    for part in (cells, nagle, memory, limit, workers, flood):
        found += part(results)
    return found


def show(value, digits=0):
    return "–" if value is None else f"{value:.{digits}f}"


def figure(value, unit):
    if value is None:
        return "–"
    digits = 2 if unit == "ms" else 1 if value < 1000 else 0
    return f"{value:.{digits}f} {unit}"


def table(results):
    """Markdown."""
    lines = ["| work | Postern | against | its figure | measured | must | aim "
             "| |", "|---|--:|---|--:|--:|--:|--:|---|"]
    for mark in all_of(results):
        value = show(mark.value, mark.digits)
        if mark.spread is not None and mark.value is not None:
            value += f" ± {mark.spread:.{mark.digits}f}"
        lines.append(
            f"| {mark.what} | {figure(mark.ours, mark.unit)} | "
            f"{mark.peer or '–'} | {figure(mark.theirs, mark.unit)} | {value} "
            f"| {'≥ ' if mark.at_least else ''}{mark.must} | "
            f"{mark.aim or '–'} | {mark.verdict} |")
    return lines
