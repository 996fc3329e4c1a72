# SPDX-License-Identifier: Apache-2.0
"""postern-bench against Postern: does it count what was done?"""
import json
import os
import re
import socket
import subprocess
import sys
import threading

import pytest

from ports import free_port
from postern import BUILD, ROOT, Listener

sys.path.insert(0, str(ROOT / "bench"))
from suite import cells as suite_cells  # noqa: E402
from suite import marks  # noqa: E402
from suite import report as suite_report  # noqa: E402

BENCH = BUILD / "bench" / "postern-bench"


def run(*words, timeout=120):
    return subprocess.run(
        [BENCH, *map(str, words)], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=timeout)


def measure(*words):
    """The JSON of a run in which nothing failed."""
    result = run("--json", "-", *words)
    assert result.returncode == 0, (result.stdout, result.stderr)
    return json.loads(result.stdout)


def target(postern, listener=0):
    return f"127.0.0.1:{postern.listeners[listener].port}"


def counted(postern, *names):
    postern.settle()
    status = postern.status()
    return [status[name] for name in names]


def test_full_handshakes_are_counted(postern):
    before = counted(postern, "handshakes_done", "handshakes_resumed")
    report = measure("--count", 40, "--connections", 8, "--threads", 2,
                     "--protocol", "TLSv1.3", "--groups", "P-256",
                     "handshake", target(postern))
    job = report["jobs"][0]
    assert (job["units"], job["all_sessions"]) == (40, 40)
    assert job["all_full_handshakes"] == 40
    assert job["all_resumed_handshakes"] == 0
    assert job["latency_us"]["count"] == 40
    assert 0 < job["latency_us"]["p50"] <= job["latency_us"]["max"]
    assert job["tls"]["protocol"] == "TLSv1.3"
    assert job["tls"]["key_exchange"] == "EC prime256v1"
    assert job["tls"]["certificate"] == "RSA 2048 bits"
    assert counted(postern, "handshakes_done", "handshakes_resumed") == [
        before[0] + 40, before[1]]


@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_resumed_handshakes_are_counted(postern, protocol):
    before = counted(postern, "handshakes_done", "handshakes_resumed",
                     "handshakes_failed")
    report = measure("--count", 30, "--connections", 4, "--resume",
                     "--protocol", protocol, "handshake", target(postern))
    job = report["jobs"][0]
    assert (job["units"], job["all_resumed_handshakes"]) == (30, 30)
    # Each connection makes one session that it then resumes.
    assert job["all_full_handshakes"] == 4
    assert counted(postern, "handshakes_done", "handshakes_resumed",
                   "handshakes_failed") == [
        before[0] + 34, before[1] + 30, before[2]]


def test_edh_and_a_suite_are_what_was_asked_for(postern):
    report = measure("--count", 4, "--connections", 2, "--protocol",
                     "TLSv1.2", "--ciphers", "DHE-RSA-AES128-GCM-SHA256",
                     "handshake", target(postern))
    tls = report["jobs"][0]["tls"]
    assert tls["cipher"] == "DHE-RSA-AES128-GCM-SHA256"
    assert tls["key_exchange"].startswith("DH ")


@pytest.mark.parametrize("how", [
    [], ["--pipeline"], ["--bdat"], ["--bdat", "--pipeline"]],
    ids=lambda how: "".join(how) or "plain")
def test_messages_are_counted(make_postern, how):
    wrapped = Listener(smtpd_tls_wrappermode="yes")
    postern = make_postern(listeners=[wrapped]).start()
    report = measure("--tls", "implicit", "--count", 25, "--messages", 4,
                     "--connections", 3, "--size", 70000, *how, "relay",
                     target(postern))
    job = report["jobs"][0]
    assert (job["units"], job["octets"]) == (25, 25 * 70000)
    assert job["all_sessions"] == job["all_full_handshakes"]
    assert 7 <= job["all_sessions"] <= 9  # the last of each may be short
    assert counted(postern, "messages_accepted", "sink_messages") == [25, 25]
    assert postern.counter("sink_bytes") == 25 * 70000


def test_a_relay_without_tls(postern):
    report = measure("--tls", "none", "--count", 6, "--connections", 2,
                     "relay", target(postern))
    assert report["jobs"][0]["units"] == 6
    assert counted(postern, "messages_accepted", "handshakes_done") == [6, 0]


def test_the_servers_processor_time_and_memory(postern):
    pid = postern.process.pid
    report = measure("--server-pid", pid, "--count", 20, "handshake",
                     target(postern))
    server = report["server"]
    assert server["cpu_us"] > 0
    assert server["cpu_us_per_unit"] == pytest.approx(server["cpu_us"] / 20)
    assert server["processes"] == 1 + len(postern.process_tree())
    report = measure("--server-pid", pid, "--sessions", "10,30", "--settle",
                     0, "idle", target(postern))
    assert [row["held"] for row in report["server"]["memory"]] == [0, 10, 30]
    assert all(row["pss_bytes"] > 0 for row in report["server"]["memory"])
    assert counted(postern, "sessions_accepted")[0] >= 50


def test_an_open_loop_keeps_its_rate(postern):
    """Units, not time: the rate is what the schedule gives, so a slow machine
    only lags behind, and every unit begun is done."""
    report = measure("--rate", 50, "--count", 30, "--threads", 2,
                     "--connections", 6, "handshake", target(postern))
    job = report["jobs"][0]
    assert job["units"] == 30
    # 15 units of each thread, 40 ms apart: the last is due after 560 ms.
    assert report["wall_s"] >= 0.56


def test_mixed_work_is_told_apart(postern):
    report = measure("--mix", "full:2,resumed:1,relay:2,noop:1", "--count",
                     12, "mixed", target(postern))
    assert [(job["work"], job["units"]) for job in report["jobs"]] == [
        ("full", 12), ("resumed", 12), ("relay", 12), ("noop", 12)]
    assert counted(postern, "messages_accepted") == [12]


def test_the_table_names_machine_and_options(postern):
    result = run("--count", 5, "--size", "2K", "relay", target(postern))
    assert result.returncode == 0
    assert f"Linux {os.uname().release}" in result.stdout
    assert "OpenSSL 3" in result.stdout
    assert "size=2048" in result.stdout
    assert "relay: 5 messages" in result.stdout


def test_the_manual_has_each_option():
    manual = (ROOT / "conf/man/postern-bench.1.scd").read_text()
    options = re.findall(r"^  (--[a-z-]+)", run("--help").stdout, re.M)
    assert len(options) > 30
    for option in options:
        assert f"*{option}*" in manual or option == "--help", option


class Scripted:
    """A server that says one thing to each client."""

    def __init__(self, words, close=True):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.words, self.close, self.kept = words, close, []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            client.sendall(self.words)
            if self.close:
                client.close()
            else:
                self.kept.append(client)


@pytest.mark.parametrize("words, close, error, told", [
    (b"554 5.7.1 go away\r\n", True, "answer",
     "the server answered the greeting with: 554 5.7.1 go away"),
    (b"HTTP/1.1 400 Bad\r\n", True, "answer", "this is no SMTP reply: HTTP"),
    (b"", True, "closed", "the server closed the connection early"),
    (b"", False, "timed_out", "the server did nothing for 0.2 s"),
    (b"220 a\r\n250 b\r\n220 c\r\nno TLS\r\n", False, "answer",
     "the server said unasked: 250 b"),
])
def test_errors_of_a_server_are_told(words, close, error, told):
    server = Scripted(words, close)
    result = run("--count", 3, "--connections", 1, "--timeout", 0.2, "--json",
                 "-", "handshake", f"127.0.0.1:{server.port}")
    assert result.returncode == 1
    job = json.loads(result.stdout)["jobs"][0]
    assert job["errors"][error] == 1, job
    assert told in job["first_error"]
    assert told in result.stderr


@pytest.mark.parametrize("words, status, told", [
    (["handshake", "127.0.0.1:{free}"], 1, "no connection: Connection refu"),
    (["handshake", "no.such.host.invalid:25"], 1, "no.such.host.invalid:25: "),
    (["--server-pid", 4194304, "handshake", "127.0.0.1:{free}"], 1,
     "--server-pid 4194304: there is no such process"),
    (["--groups", "X448:nonsense", "handshake", "127.0.0.1:{free}"], 1,
     "--groups: this OpenSSL"),
    (["--json", "/nonexistent/x", "--max-errors", 99, "--count", 1,
      "handshake", "127.0.0.1:{free}"], 1, "cannot write /nonexistent/x"),
    (["handshake"], 2, "give a WORK and a HOST:PORT"),
    (["--size", "0", "relay", "127.0.0.1:25"], 2, "--size 0: must be"),
])
def test_errors_of_the_command_line_are_told(words, status, told):
    port = free_port()
    result = run(*[str(word).format(free=port) for word in words])
    assert result.returncode == status, result
    assert told in result.stderr


def test_errors_up_to_a_number_are_borne(postern):
    result = run("--count", 6, "--connections", 2, "--max-errors", 6,
                 "--protocol", "TLSv1.1", "--json", "-",
                 "--ciphers", "ALL:@SECLEVEL=0", "handshake", target(postern))
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["failed"], report["jobs"][0]["units"]) == (6, 0)
    assert report["jobs"][0]["errors"]["tls"] == 6


def test_the_limit_of_each_kind_of_cell():
    cells = ["TLSv1.3/X25519/ecdsa-p256/full",
             "TLSv1.2/X25519/ecdsa-p256/resumed",
             "TLSv1.2/ffdhe2048/rsa-2048/full"]
    result = subprocess.run(
        [BUILD / "bench" / "limit", "--rounds", "1", "--count", "2", "--json",
         *cells], capture_output=True, text=True, timeout=120, check=True)
    report = json.loads(result.stdout)
    assert sorted(report["cells"]) == sorted(cells)
    full, resumed, edh = (report["cells"][cell] for cell in cells)
    assert full["memory_us"] > full["exchange_us"] > 0
    assert full["floor_us"] > 0
    # TLS 1.2 resumes without a signature and without a new key exchange.
    assert (resumed["signature_us"], resumed["exchange_us"]) == (0, 0)
    assert edh["memory_us"] > edh["signature_us"] > 0


def test_a_limit_that_is_no_cell_is_told():
    result = subprocess.run(
        [BUILD / "bench" / "limit", "TLSv1.3/X25519/full"],
        capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "must be PROTOCOL/GROUP/KEY/KIND" in result.stderr


# bench/run: the matrix, and what it makes of it.

def results(cpu_us, instructions=1000000, held_bytes=20000):
    """A report with one cell, and processor times by program."""
    rows = {name: {"cpu_us": values, "per_s": values, "p50_us": values,
                   "p99_us": values, "p99_9_us": values}
            for name, values in cpu_us.items()}
    return {"cells": {"a": {"work": "handshake", "unit": "handshake",
                            "must": 0.5, "aim": 0.4, "size": 0,
                            "tickets": True, "servers": rows}},
            "instructions": {"handshake": instructions}, "crossings": {},
            "limit": {}, "flood": {}, "workers": {}, "failures": [],
            "machine": None, "command": "bench/run", "date": "2026-01-01",
            "rounds": 2, "seconds": 61, "versions": {"x": "1"},
            "memory": [{"server": "postern", "stage": "ehlo", "held": 100,
                        "bytes": held_bytes}]}


def test_ratios_are_paired_by_round():
    # A noisy round hits both; the ratio of the medians would be 0.45.
    assert marks.paired_ratio([10, 40, 9], [20, 80, 20]) == 0.5
    assert marks.paired_ratio([10, None], [20, 30]) == 0.5
    assert marks.paired_ratio([None], [20]) is None


def test_the_best_peer_is_not_ours():
    row = results({"postern": [1], "x": [9, 7, 8], "y": [7, 6, 9]})
    assert marks.best_peer(row["cells"]["a"]) == ("y", 7)
    assert marks.best_peer(row["cells"]["a"], without=("y",)) == ("x", 8)


@pytest.mark.parametrize("ours, verdict", [
    ([4, 4], "aim reached"), ([5, 5], "reached"), ([6, 6], "short"),
    ([None, None], "not measured")])
def test_a_mark_is_reached_or_not(ours, verdict):
    (mark,) = marks.cells(results({"postern": ours, "x": [10, 10]}))
    assert mark.verdict == verdict
    assert marks.table(results({"postern": ours, "x": [10, 10]}))[2].endswith(
        f"| 0.5 | 0.4 | {verdict} |")


def marked(**more):
    """The one mark that `more` adds, by what it is about."""
    report = {**results({"postern": [10, 10], "x": [10, 10]}), **more}
    return {mark.what: mark for mark in marks.all_of(report)}


def test_each_kind_of_mark():
    found = marked(
        nagle="a", limit={"a": {"memory_us": 2.5, "floor_us": 1},
                          "session_bytes": 19000},
        flood={"f": {"p99_us": [4000, 6000, 4500], "alone_p99_us": [900]}},
        workers={"w": {"many_us": [21, 22], "one_us": [20, 20]}},
        memory=[{"server": name, "stage": "rcpt", "held": 2000,
                 "bytes": octets} for name, octets in
                (("postern", 20000), ("x", 25000), ("y", 40000))])
    what = "a: messages a second against nginx mail"
    assert found[what].verdict == "not measured"
    mark = found["memory of 2,000 sessions held with the backend"]
    assert (mark.peer, mark.value, mark.verdict) == ("x", 0.8, "reached")
    mark = found["the same, above the bare SSL object (kB)"]
    assert mark.value == pytest.approx(1000 / 1024)
    mark = found["a: above in memory + floor (µs)"]
    assert (mark.value, mark.verdict) == (6.5, "reached")
    mark = found["NOOP's p99 under a flood of f (ms)"]
    assert (mark.value, mark.verdict) == (4.5, "reached")
    mark = found["w"]
    assert (mark.value, mark.verdict) == (pytest.approx(1.075), "short")


def test_more_messages_than_a_peer_is_better():
    report = results({"postern": [30, 30], "nginx mail": [10, 10]})
    (mark,) = marks.nagle({**report, "nagle": "a"})
    assert (mark.value, mark.verdict) == (3, "reached")
    report = results({"postern": [20, 20], "nginx mail": [10, 10]})
    (mark,) = marks.nagle({**report, "nagle": "a"})
    assert mark.verdict == "short"


README = "# P\n\n## The benchmark\n\nWords.\n\n## The tree\n\nA tree.\n"


def test_the_summary_is_put_into_the_readme_and_replaced(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(README)
    drawings = tmp_path / "drawings"
    drawings.mkdir()
    (drawings / "sizes.svg").write_text("<svg/>")
    for cpu_us in (4, 6):
        suite_report.write_readme(
            results({"postern": [cpu_us], "x": [10]}), drawings, readme)
    text = readme.read_text()
    assert text.startswith("# P\n\n## The benchmark\n\nWords.\n\n<!--")
    assert text.endswith("<!-- bench: end -->\n\n## The tree\n\nA tree.\n")
    assert text.count("bench: begin") == text.count("bench: end") == 1
    assert "0.600" in text and "0.400" not in text
    assert "![sizes](bench/report/sizes.svg)" in text
    assert (tmp_path / "bench/report/sizes.svg").read_text() == "<svg/>"


@pytest.mark.parametrize("new, told", [
    (results({"postern": [100, 101, 99]}), "nothing moved"),
    (results({"postern": [102, 103, 101]}), "nothing moved"),
    (results({"postern": [110, 111, 109]}), "100.0 -> 110.0 us (+10.0 %"),
    (results({"postern": [90, 130, 100]}), "nothing moved"),
    (results({"postern": [70, 71, 69]}), "(-30.0 %"),
    (results({"postern": [100, 100, 100]}, instructions=1010000),
     "instructions per handshake: 1,000,000 -> 1,010,000 (+1.00 %)"),
    (results({"postern": [100, 100, 100]}, held_bytes=22000), "memory of"),
])
def test_what_moved_beyond_the_noise(new, told):
    old = results({"postern": [100, 101, 99]})
    assert told in "\n".join(suite_report.compare(old, new))


def test_the_matrix_has_the_cells_that_exist():
    names = [cell.name for cell in suite_cells.matrix()]
    assert len(names) == len(set(names)) == 92
    assert "TLSv1.2/custom/rsa-3072/full" in names
    assert "TLSv1.3/X448/ed25519/resumed" in names
    assert not [name for name in names if "ffdhe" in name and "rsa" not in name]
    assert not [name for name in names if name.startswith("TLSv1.3/custom")]
    table = {cell.name for cell in suite_cells.TABLE
             if cell.work == "handshake"}
    assert table <= set(names)
    assert suite_cells.NAGLE.size == 4096 and suite_cells.NAGLE.messages == 1


def test_a_report_of_few_cells(tmp_path):
    """The whole way, without peers but the sink."""
    result = subprocess.run(
        [ROOT / "bench" / "run", "--quick", "--peers", "none", "--cells",
         "resumed|4096", "--build", BUILD, "--report", tmp_path],
        capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["cells"]) == 2
    for cell in report["cells"].values():
        assert len(cell["servers"]["postern"]["cpu_us"]) == 3
        assert all(cell["servers"]["postern"]["cpu_us"]), result.stderr
    assert report["limit"]["TLSv1.2/X25519/rsa-2048/resumed"]["floor_us"] > 0
    assert [row["stage"] for row in report["memory"]] == ["ehlo", "rcpt"]
    text = (tmp_path / "report.md").read_text()
    assert "## Against the limit" in text
    assert report["failures"] == []
    assert "aim |" in text
    assert "Linux" in text
    again = subprocess.run(
        [ROOT / "bench" / "run", "--compare", tmp_path / "report.json",
         tmp_path / "report.json"], capture_output=True, text=True,
        check=True)
    assert again.stdout == "nothing moved beyond the noise\n"
