# SPDX-License-Identifier: Apache-2.0
"""Runs: rounds in which the servers take turns, cell by cell."""
import json
import os
import re
import shutil
import signal
import subprocess
import time

from . import servers
from .packages import Missing

CALLGRIND_FEW, CALLGRIND_MANY = 10, 60


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
        self.machine, self.number = None, 0
        self.done, self.all = 0, 1
        self.started = []

    def close(self):
        """Whatever happened, nothing of ours is left."""
        for server in self.started:
            server.stop()
        self.sink.stop()

    # One measurement.

    def bench(self, server, *words):
        """The JSON of one run of postern-bench, or None: it failed."""
        command = [self.build / "bench" / "postern-bench", "--tls",
                   server.tls, "--server-pid", server.pid, "--cpus",
                   self.client_cpus, "--timeout", 20, "--json", "-", "--quiet",
                   *words, f"127.0.0.1:{server.port}"]
        result = subprocess.run(
            list(map(str, command)), capture_output=True, text=True,
            stdin=subprocess.DEVNULL)
        if result.returncode:
            self.say(f"{server.name}: {result.stderr.strip()[-200:]}")
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
            server = kind(directory, setup, self.files, self.sink.port)
            self.started.append(server)
            return server.start(cpus or self.server_cpus)
        except (Missing, OSError, subprocess.SubprocessError) as reason:
            if kind is servers.Postern:
                raise Missing(f"Postern does not start: {reason}") from None
            self.skipped[kind.name] = str(reason)[-300:]
            self.say(f"{kind.name} is skipped: {reason}")
            if server:
                server.stop()
            return None

    def _note(self, cell, server, report):
        row = self.cells.setdefault(cell.name, {
            "work": cell.work, "unit": cell.unit, "must": cell.must,
            "aim": cell.aim, "size": cell.size, "servers": {}})
        figures = row["servers"].setdefault(server.name, {
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

    def _measure(self, cell, server):
        connections = 8 if cell.work == "relay" else 16
        threads = min(cell.workers, len(self.client_cpus.split(",")))
        report = self.bench(
            server, "--duration", self.plan.window_s, "--warmup",
            self.plan.warmup_s, "--connections", connections, "--threads",
            threads, *cell.words(), cell.work)
        self._note(cell, server, report)
        self.done += 1
        self.say(None)

    # The matrix.

    def run_cells(self, wanted):
        """`wanted`: {cell: [kinds of servers]}. Cells of one setup share the
        servers, which run together for all rounds."""
        setups = {}
        for cell, kinds in wanted.items():
            setups.setdefault(cell.setup, {})[cell] = kinds
        self.done = 0
        self.all = self.plan.rounds * sum(map(len, wanted.values()))
        for setup, cells in setups.items():
            self._run_setup(setup, cells)

    def _run_setup(self, setup, cells):
        kinds = list(dict.fromkeys(
            kind for some in cells.values() for kind in some))
        cpus = None
        if setup.workers > 1:
            cpus = f"{self.server_cpus},{self.client_cpus}"
        running = {kind: self.start(kind, setup, cpus) for kind in kinds}
        try:
            for number in range(self.plan.rounds):
                for cell, some in cells.items():
                    turn = number % len(some)
                    for kind in some[turn:] + some[:turn]:
                        if running[kind]:
                            self._measure(cell, running[kind])
        finally:
            for server in running.values():
                if server:
                    server.stop()

    def run_flood(self, cells):
        """How soon a NOOP on an established session comes back while one
        worker has more handshakes to do than it can. {cell: [p99 in us]}"""
        found = {}
        for cell in cells:
            server = self.start(servers.Postern, cell.setup)
            if server is None:
                return found
            words = cell.words()
            for _ in range(self.plan.rounds):
                report = self.bench(
                    server, "--duration", 2 * self.plan.window_s, "--warmup",
                    self.plan.warmup_s, "--messages", 1000000, "--mix",
                    "full:64,noop:2@100", *words, "mixed")
                if report:
                    noop = report["jobs"][1]["latency_us"]["p99"]
                    found.setdefault(cell.name, []).append(noop)
            server.stop()
        return found

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
        command = ["taskset", "-c", self.server_cpus + "," + self.client_cpus,
                   self.build / "bench" / "limit", "--json", "--rounds",
                   self.plan.rounds, "--count", self.plan.limit_count,
                   *names]
        if any("custom" in name for name in names):
            command[5:5] = ["--dh", self.files.dh("custom")]
        result = subprocess.run(list(map(str, command)), capture_output=True,
                                text=True)
        if result.returncode:
            self.say("the limit: " + result.stderr.strip())
            return {}
        limits = json.loads(result.stdout)["cells"]
        limits["session_bytes"] = self._bare_sessions()
        return limits

    def _bare_sessions(self):
        result = subprocess.run(
            [self.build / "bench" / "limit", "--json", "--rounds", "1",
             "--count", "1", "--memory", "1000",
             "TLSv1.3/X25519/ecdsa-p256/full"],
            capture_output=True, text=True)
        if result.returncode:
            return 0
        (cell,) = json.loads(result.stdout)["cells"].values()
        return cell["session_bytes"]

    # Instructions.

    def run_instructions(self):
        """Of Postern's processes under callgrind, for one unit: what many cost
        more than a few. No clock is in it, so it can be repeated."""
        if shutil.which("valgrind") is None:
            self.skipped["callgrind"] = "valgrind is not installed"
            return {}
        found = {}
        for work in ("handshake", "relay"):
            totals = [self._instructions(work, count)
                      for count in (CALLGRIND_FEW, CALLGRIND_MANY)]
            if None in totals:
                return found
            unit = "handshake" if work == "handshake" else "message"
            found[unit] = round((totals[1] - totals[0])
                                / (CALLGRIND_MANY - CALLGRIND_FEW))
        return found

    def _instructions(self, work, count):
        from .cells import Setup
        self.number += 1
        directory = self.directory / f"{self.number}"
        output = self.directory / f"callgrind-{self.number}"
        output.mkdir()
        output.chmod(0o777)
        server = Instrumented(directory, Setup("ecdsa-p256"), self.files,
                              self.sink.port)
        server.counts = output
        self.started.append(server)
        try:
            server.start(self.server_cpus)
        except Missing as reason:
            self.skipped["callgrind"] = str(reason)[-300:]
            return None
        # A session of its own for the few messages: it is in both.
        report = self.bench(
            server, "--count", count, "--connections", 1, "--messages", 1000,
            "--protocol", "TLSv1.3", "--groups", "X25519", work)
        server.end()
        totals = [int(number) for path in output.iterdir()
                  for number in re.findall(r"^totals: (\d+)",
                                           path.read_text(), re.M)]
        return sum(totals) if report and totals else None


class Instrumented(servers.Postern):
    """Postern under callgrind, which cannot live in a sandbox."""

    counts = None

    def configure(self):
        command = super().configure()
        with open(self.directory / "main.cf", "a", encoding="ascii") as main:
            main.write("proxy_sandbox = no\n")
        return ["valgrind", "--tool=callgrind", "--trace-children=yes",
                f"--callgrind-out-file={self.counts}/%p", *command]

    def end(self):
        """Gently: what is killed writes no counts."""
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        self.stop()
