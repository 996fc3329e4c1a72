# SPDX-License-Identifier: Apache-2.0
"""What can be counted, and so repeated: instructions and kernel crossings.
Both need runs of their own, which disturb no window that is timed."""
import os
import re
import shutil
import signal
import subprocess
import time

from . import servers
from .packages import Missing

CALLGRIND_FEW, CALLGRIND_MANY = 10, 60
CROSSED = 200  # units
ATTACHED_S = 10


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


def instructions(runner):
    """{unit: of Postern's processes under callgrind, for one}: what many cost
    more than a few. No clock is in it."""
    if shutil.which("valgrind") is None:
        runner.skipped["callgrind"] = "valgrind is not installed"
        return {}
    found = {}
    for work in ("handshake", "relay"):
        totals = [_instructions(runner, work, count)
                  for count in (CALLGRIND_FEW, CALLGRIND_MANY)]
        if None in totals:
            runner.fail(f"callgrind counted no {work}")
            continue
        unit = "handshake" if work == "handshake" else "message"
        found[unit] = round((totals[1] - totals[0])
                            / (CALLGRIND_MANY - CALLGRIND_FEW))
    return found


def _instructions(runner, work, count):
    from .cells import Setup
    runner.number += 1
    output = runner.directory / f"callgrind-{runner.number}"
    output.mkdir()
    output.chmod(0o777)
    server = Instrumented(runner.directory / f"{runner.number}",
                          Setup("ecdsa-p256"), runner.files, runner.sink.port)
    server.counts = output
    runner.started.append(server)
    try:
        server.start(runner.server_cpus)
    except Missing as reason:
        runner.skipped["callgrind"] = str(reason)[-300:]
        return None
    # A session of its own for the few messages: it is in both.
    report = runner.bench(
        server, "--count", count, "--connections", 1, "--messages", 1000,
        "--protocol", "TLSv1.3", "--groups", "X25519", work)
    server.end()
    totals = [int(number) for path in output.iterdir()
              for number in re.findall(r"^totals: (\d+)",
                                       path.read_text(), re.M)]
    return sum(totals) if report and totals else None


# Kernel crossings.

def crossings(runner, kinds, cells):
    """{cell: {server: {"alone": calls a unit, "busy": …, "calls": {name: calls
    a unit, alone}}}}. strace sees each call of every thread. Alone is one
    connection at a time; busy, 16, where a ring takes many at a turn."""
    if shutil.which("strace") is None:
        runner.skipped["kernel crossings"] = "strace is not installed"
        return {}
    found = {}
    for cell in cells:
        for kind in kinds:
            server = runner.start(kind, cell.setup)
            if server is None:
                continue
            alone, busy = (_crossings(runner, server, cell, number)
                           for number in (1, 16))
            server.stop()
            if alone and busy:
                found.setdefault(cell.name, {})[server.name] = {
                    "alone": round(sum(alone.values()), 2),
                    "busy": round(sum(busy.values()), 2), "calls": alone}
    return found


def descendants(pid):
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children",
                  encoding="ascii") as children:
            for child in children.read().split():
                found += descendants(int(child))
    return found


def _crossings(runner, server, cell, connections):
    """{name: calls for one unit}; None, and said, when it cannot be had."""
    output = runner.directory / "strace"
    output.unlink(missing_ok=True)
    pids = [word for pid in descendants(server.pid)
            for word in ("-p", str(pid))]
    with subprocess.Popen(
            ["strace", "-f", "-c", "-U", "calls,name", "-o", output, *pids],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True) as tracer:
        report = None
        if _is_attached(tracer, descendants(server.pid)):
            report = runner.bench(
                server, "--count", CROSSED, "--connections", connections,
                *cell.words(), cell.work)
        tracer.send_signal(signal.SIGINT)
        try:
            _, errors = tracer.communicate(timeout=ATTACHED_S)
        except subprocess.TimeoutExpired:
            tracer.kill()
            errors = "strace does not end"
    if not report or not output.exists():
        runner.fail(f"{server.name}: kernel crossings are not counted: "
                    + errors.strip()[-200:])
        return None
    return {name: int(calls) / CROSSED for calls, name in re.findall(
        r"^\s*(\d+)\s+(\w+)$", output.read_text(), re.M)
        if name != "total" and int(calls) >= CROSSED / 20}


def _is_attached(tracer, pids):
    deadline = time.monotonic() + ATTACHED_S
    while tracer.poll() is None and time.monotonic() < deadline:
        states = []
        for pid in pids:
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                states.append("TracerPid:\t0" in status.read())
        if not any(states):
            time.sleep(0.2)
            return True
        time.sleep(0.05)
    return False
