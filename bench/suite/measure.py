# SPDX-License-Identifier: Apache-2.0
"""Runs: rounds in which the servers take turns, cell by cell."""
import json
import os
import statistics
import subprocess
import time

from . import servers
from .packages import Missing

# A peer that takes so much more than the best one decides nothing: it gets
# short windows.
FAR_BEHIND = 1.3
# With EDH a handshake keeps the client busy for many milliseconds. With few at
# a time and longer windows, those that a window cuts are few beside the rest.
EDH_CONNECTIONS, EDH_LONGER = 4, 2
# Beyond the window; a run that takes longer hangs.
BENCH_S = 90
LIMIT_S = 600
NOOPS_PER_S = 200


def processors():
    """(server's, client's and sink's): never the same where there are two."""
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) == 1:
        return str(mine[0]), str(mine[0])
    return str(mine[0]), ",".join(map(str, mine[1:]))


class Runner:
    def __init__(self, build, directory, plan, say):
        self.build, self.directory, self.plan = build, directory, plan
        self.say = say
        self.server_cpus, self.client_cpus = processors()
        servers.Postern.program = build / "proxy" / "postern"
        self.files = servers.Files(directory / "files")
        self.sink = servers.Sink(directory, self.files, self.client_cpus)
        self.cells, self.memory, self.skipped = {}, [], {}
        self.flood, self.workers, self.failures = {}, {}, []
        self.machine, self.number = None, 0
        self.done, self.all = 0, 1
        self.started = []

    def close(self):
        """Whatever happened, nothing of ours is left."""
        for server in self.started:
            server.stop()
        self.sink.stop()

    def fail(self, text):
        """Kept for the report: a figure is missing, and this is why."""
        self.say(text)
        if text not in self.failures:
            self.failures.append(text)

    # One measurement.

    def command(self, server, *words):
        return list(map(str, [
            self.build / "bench" / "postern-bench", "--tls", server.tls,
            "--cpus", self.client_cpus, "--timeout", 20, "--json", "-",
            "--quiet", *words, f"127.0.0.1:{server.port}"]))

    def bench(self, server, *words, ahead=()):
        """The JSON of one run of postern-bench, or None: it failed."""
        command = self.command(server, "--server-pid", server.pid, *words)
        try:
            result = subprocess.run(
                [*ahead, *command], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=BENCH_S)
        except subprocess.TimeoutExpired:
            self.fail(f"{server.name}: no end of {words[-1]}")
            return None
        if result.returncode:
            self.fail(f"{server.name}: {result.stderr.strip()[-200:]}")
            return None
        report = json.loads(result.stdout)
        self.machine = report["machine"]
        return report

    def start(self, kind, setup, cpus=None):
        """None, and noted, when it cannot be had."""
        if kind.name in self.skipped:
            return None
        self.number += 1
        directory = self.directory / f"{self.number}"
        server = None
        try:
            self.sink.mend(self.client_cpus)
            server = kind(directory, setup, self.files, self.sink.port)
            self.started.append(server)
            return server.start(cpus or self.server_cpus)
        except (Missing, OSError, subprocess.SubprocessError) as reason:
            if server:
                server.stop()
            if issubclass(kind, servers.Postern):
                raise Missing(f"Postern does not start: {reason}") from None
            self.skipped[kind.name] = str(reason)[-300:]
            self.say(f"{kind.name} is skipped: {reason}")
            return None

    def again(self, server, cpus=None):
        """The same, or one in its place if it has died."""
        if server.process is not None and server.process.poll() is None:
            return server
        self.fail(f"{server.name} has died, and is started anew: "
                  + server.last_words()[-200:])
        server.stop()
        return self.start(type(server), server.setup, cpus)

    def row(self, cell):
        return self.cells.setdefault(cell.name, {
            "work": cell.work, "unit": cell.unit, "must": cell.must,
            "aim": cell.aim, "size": cell.size, "tickets": cell.tickets,
            "servers": {}})

    def note(self, cell, server, report):
        figures = self.row(cell)["servers"].setdefault(server.name, {
            "cpu_us": [], "per_s": [], "p50_us": [], "p99_us": [],
            "p99_9_us": []})
        job = report["jobs"][0] if report else None
        if job is None or not job["units"]:
            for values in figures.values():
                values.append(None)
            return
        latency = job["latency_us"]
        for name, value in (
                ("cpu_us", report["server"]["cpu_us_per_unit"]),
                ("per_s", job["units_per_s"]), ("p50_us", latency["p50"]),
                ("p99_us", latency["p99"]),
                ("p99_9_us", latency["p99_9"])):
            figures[name].append(value)

    def measure(self, cell, server, window_s):
        connections = 8 if cell.work == "relay" else 16
        if cell.edh and cell.kind == "full":
            connections = EDH_CONNECTIONS
        threads = min(cell.workers, len(self.client_cpus.split(",")))
        report = self.bench(
            server, "--duration", window_s, "--warmup", self.plan.warmup_s,
            "--connections", connections, "--threads", threads,
            *cell.words(), cell.work)
        self.done += 1
        self.say(None)
        return report

    # The matrix.

    def run_cells(self, wanted):
        """`wanted`: {cell: [kinds of servers]}. Cells of one setup share the
        servers, which run together for all rounds."""
        setups = {}
        for cell, kinds in wanted.items():
            self.row(cell)
            setups.setdefault(cell.setup, {})[cell] = kinds
        self.done = 0
        self.all = self.plan.rounds * sum(map(len, wanted.values()))
        for setup, cells in setups.items():
            self._run_setup(setup, cells)

    def _run_setup(self, setup, cells):
        kinds = list(dict.fromkeys(
            kind for some in cells.values() for kind in some))
        running = {}
        try:
            for kind in kinds:
                running[kind] = self.start(kind, setup)
            for number in range(self.plan.rounds):
                for cell, some in cells.items():
                    self._run_round(number, cell, some, running)
        finally:
            for server in running.values():
                if server:
                    server.stop()

    def _so_far(self, cell, kind):
        figures = self.row(cell)["servers"].get(kind.name)
        known = [value for value in figures["cpu_us"]
                 if value] if figures else []
        return statistics.median(known) if known else float("inf")

    def _run_round(self, number, cell, kinds, running):
        """Postern beside the best so far, then those behind it; every other
        round is backwards."""
        peers = sorted(kinds[1:], key=lambda kind: self._so_far(cell, kind))
        best = self._so_far(cell, peers[0]) if peers else 0
        order = [kinds[0], *peers]
        for kind in order[::-1] if number % 2 else order:
            if running[kind]:
                running[kind] = self.again(running[kind])
            if not running[kind]:
                continue
            short_s = self.plan.short_s
            if cell.edh:
                short_s *= EDH_LONGER
            window_s = self.plan.window_s if cell.must else short_s
            if kind in peers and number and \
                    self._so_far(cell, kind) > FAR_BEHIND * best:
                window_s = short_s
            server = running[kind]
            self.note(cell, server, self.measure(cell, server, window_s))

    # More workers than one.

    def run_workers(self, pairs):
        """`pairs`: {cell for several workers: the same for one}; they take
        turns, on the same processors."""
        cpus = f"{self.server_cpus},{self.client_cpus}"
        for many, one in pairs.items():
            both = {}
            try:
                for cell in (many, one):
                    both[cell] = self.start(servers.Postern, cell.setup, cpus)
                for number in range(self.plan.rounds):
                    order = [many, one] if number % 2 else [one, many]
                    for cell in order:
                        report = self.measure(
                            many, both[cell], self.plan.window_s)
                        self._note_workers(many, cell is many, report)
            finally:
                for server in both.values():
                    server.stop()

    def _note_workers(self, cell, is_many, report):
        row = self.workers.setdefault(cell.name, {
            "workers": cell.workers, "one_us": [], "many_us": [],
            "one_per_s": [], "many_per_s": []})
        who = "many" if is_many else "one"
        row[f"{who}_us"].append(
            report and report["server"]["cpu_us_per_unit"])
        row[f"{who}_per_s"].append(
            report and report["jobs"][0]["units_per_s"])

    # A flood.

    def run_flood(self, cells):
        """How soon a NOOP on an established session comes back while one
        worker has more handshakes to do than it can. The NOOP's client and
        the sink go before the flood's client, which has their processor when
        they leave it: else what is measured is how long they wait for it."""
        for cell in cells:
            server = self.start(servers.Postern, cell.setup)
            row = self.flood[cell.name] = {
                "p99_us": [], "alone_p99_us": [], "handshakes_per_s": []}
            with self.sink.ahead():
                for _ in range(self.plan.rounds):
                    row["alone_p99_us"].append(self._noops(server))
                    self._flood(server, cell, row)
            server.stop()

    def _noops(self, server):
        report = self.bench(
            server, "--duration", self.plan.flood_s, "--warmup", 0.2,
            "--connections", 2, "--rate", NOOPS_PER_S, "--messages", 1000000,
            "noop", ahead=["chrt", "--fifo", "10"])
        return report and report["jobs"][0]["latency_us"]["p99"]

    def _flood(self, server, cell, row):
        command = self.command(
            server, "--connections", 64, "--duration", self.plan.flood_s + 2,
            "--warmup", 0, *cell.words(), "handshake")
        with subprocess.Popen(
                ["chrt", "--idle", "0", *command], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True) as flood:
            time.sleep(0.5)
            p99 = self._noops(server)
            ended = flood.poll() is not None
            try:
                output, errors = flood.communicate(timeout=BENCH_S)
            except subprocess.TimeoutExpired:
                flood.kill()
                output, errors = "", "no end"
        if flood.returncode or ended:
            self.fail(f"{cell.name}: the flood: {errors.strip()[-200:]}")
            return
        row["p99_us"].append(p99)
        row["handshakes_per_s"].append(
            json.loads(output)["jobs"][0]["units_per_s"])

    # Memory.

    def run_memory(self, kinds, counts):
        from .cells import Setup
        for kind in kinds:
            most = min(kind.hold, servers.SESSIONS_MAX - 50)
            # Both those that were asked for and what this one can hold.
            held = sorted({min(count, most) for count in counts})
            if not kind.hold:
                continue
            for stage in kind.stages:
                server = self.start(kind, Setup("ecdsa-p256"))
                if server:
                    self._hold(server, stage, held)
                    server.stop()

    def _hold(self, server, stage, counts):
        report = self.bench(
            server, "--sessions", ",".join(map(str, counts)), "--hold",
            stage, "--protocol", "TLSv1.3", "--groups", "X25519",
            "--settle", 1, "idle")
        if report is None:
            return
        for row in report["server"]["memory"]:
            if row["held"]:
                self.memory.append({
                    "server": server.name, "stage": stage,
                    "held": row["held"],
                    "bytes": row["bytes_per_session"]})
        self.say(None)

    # The limit.

    def run_limit(self, cells):
        names = sorted({cell.name for cell in cells
                        if cell.work == "handshake" and cell.tickets
                        and cell.workers == 1})
        if not names:
            return {}
        words = ["--rounds", self.plan.rounds, "--count",
                 self.plan.limit_count, *names]
        if any("custom" in name for name in names):
            words[:0] = ["--dh", self.files.dh("custom")]
        limits = self._limit(*words)
        if limits:
            bare = self._limit("--rounds", 1, "--count", 1, "--memory", 1000,
                               "TLSv1.3/X25519/ecdsa-p256/full")
            limits["session_bytes"] = sum(
                cell["session_bytes"] for cell in bare.values())
        return limits

    def _limit(self, *words):
        # The floor's clients are on the other processor, as postern-bench is.
        command = ["taskset", "-c", self.server_cpus + "," + self.client_cpus,
                   self.build / "bench" / "limit", "--json", *words]
        try:
            result = subprocess.run(
                list(map(str, command)), capture_output=True, text=True,
                timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            self.fail("the limit: no end")
            return {}
        if result.returncode:
            self.fail("the limit: " + result.stderr.strip()[-200:])
            return {}
        return json.loads(result.stdout)["cells"]
