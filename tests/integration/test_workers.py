# SPDX-License-Identifier: Apache-2.0
"""The processes: one dies, another takes its place."""
import os
import pathlib
import re
import signal
import time

import pytest

from client import Client, eventually
from postern import Worker


def restarts(postern):
    return postern.counter("worker_restarts")


def state_of(pid):
    return Worker({"worker": 0, "pid": pid, "generation": 0,
                   "sessions": 0}).state()


def field_of(pid, name):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return re.search(rf"(?m)^{name}:\s*(\S+)", text)[1]


def user_of(pid):
    with open(f"/proc/{pid}/status") as status:
        return {line.split()[0]: line.split()[1:] for line in status
                if line.startswith(("Uid", "Gid", "Groups", "CapEff",
                                    "CapPrm", "NoNewPrivs"))}


@pytest.mark.both_rings
def test_a_killed_worker_costs_only_its_sessions(make_postern):
    postern = make_postern(settings={"proxy_worker_processes": "2"}).start()
    doomed, other = postern.workers()
    clients = []
    while min(worker.sessions for worker in postern.workers()) < 3:
        clients.append(postern.secured())
        assert len(clients) < 200
    of_doomed, of_other = (worker.sessions for worker in postern.workers())
    doomed.kill()
    eventually(lambda: restarts(postern) == 1)
    lost = kept = 0
    for client in clients:
        try:
            client.expect("NOOP", 250)
            client.mail()
            client.quit()
            kept += 1
        except (EOFError, OSError):
            lost += 1
    assert (lost, kept) == (of_doomed, of_other)
    workers = eventually(
        lambda: len(postern.workers()) == 2 and postern.workers())
    pids = {worker.pid for worker in workers}
    assert other.pid in pids and doomed.pid not in pids
    for _ in range(20):
        with postern.secured() as client:
            client.mail()
            client.quit()
    assert [text for text in postern.text().splitlines()
            if str(doomed.pid) in text and "signal 9" in text]


@pytest.mark.both_rings
@pytest.mark.parametrize("count", [1, 2])
def test_connections_in_the_backlog_outlive_the_worker(make_postern, count):
    postern = make_postern(
        settings={"proxy_worker_processes": str(count)}).start()
    for _ in range(3):
        workers = postern.workers()
        for worker in workers:
            worker.halt()
        clients = [Client(postern.port) for _ in range(20)]
        for worker in workers:
            worker.kill()
        for client in clients:
            client.greeting()
            assert not client.was_reset
            client.expect("EHLO c.example.test", 250)
            client.mail()
            client.quit()
        eventually(lambda: len(postern.workers()) == count)


def test_counters_outlive_a_worker(postern):
    for _ in range(3):
        with postern.secured() as client:
            client.mail()
            client.quit()
    before = postern.status()
    held = postern.connect()
    held.greeting()
    postern.workers()[0].kill()
    eventually(lambda: restarts(postern) == 1)
    after = eventually(
        lambda: postern.status() if postern.workers() else None)
    assert after["sink_messages"] == before["sink_messages"] == 3
    assert after["sessions_open"] == 0
    held.close()


def test_workers_that_die_at_once_are_not_replaced_without_pause(
        make_postern):
    """A fault that comes back must not cost the machine."""
    postern = make_postern().start()
    stop = time.monotonic() + 3
    kills = 0
    while time.monotonic() < stop:
        for worker in postern.workers():
            try:
                worker.kill()
                kills += 1
            except ProcessLookupError:
                pass
    assert kills < 600
    eventually(lambda: len(postern.workers()) == 1, 20)
    eventually(lambda: _serves(postern), 20)


def _serves(postern):
    try:
        with Client(postern.port, timeout=3) as client:
            client.greeting()
            client.quit()
            return True
    except (OSError, EOFError):
        return False


def test_workers_are_unprivileged(make_postern):
    postern = make_postern(settings={"proxy_worker_processes": "2"}).start()
    for worker in postern.workers():
        user = user_of(worker.pid)
        assert set(user["Uid:"]) == {"65534"}
        assert set(user["Gid:"]) == {"65534"}
        assert user.get("Groups:", []) in ([], ["65534"])
        assert user["CapEff:"] == ["0000000000000000"]
        assert user["CapPrm:"] == ["0000000000000000"]


def test_workers_are_confined(make_postern):
    """Seccomp: 2 is a filter. Sanitizers and coverage do without."""
    postern = make_postern(settings={"proxy_worker_processes": "2"}).start()
    seccomp = {int(field_of(pid, "Seccomp")) for pid in postern.process_tree()}
    if seccomp == {0}:
        pytest.skip("built without a sandbox, or a kernel that has none")
    assert seccomp == {2}
    with postern.secured() as client:
        client.mail()
        client.quit()
    open_one = make_postern(settings={"proxy_sandbox": "no"}).start()
    assert field_of(open_one.workers()[0].pid, "Seccomp") == "0"


def test_no_worker_outlives_the_master(make_postern):
    postern = make_postern(settings={"proxy_worker_processes": "2"}).start()
    postern.expect_clean = False
    children = postern.process_tree()
    assert len(children) >= 2
    os.kill(postern.process.pid, signal.SIGKILL)
    postern.process.wait()

    eventually(lambda: all(state_of(pid) in ("", "Z") for pid in children), 20)


@pytest.mark.both_rings
def test_a_stop_lets_a_transaction_end(make_postern, backend):
    postern = make_postern(
        backend, settings={"proxy_drain_timeout": "20s"}).start()
    with postern.secured() as busy, postern.secured() as idle:
        busy.envelope()
        busy.expect("DATA", 354)
        busy.send(b"first\r\n")
        postern.process.send_signal(signal.SIGTERM)
        assert idle.reply().code == 421
        assert idle.closed()
        time.sleep(0.5)
        busy.send(b"second\r\n.\r\n")
        assert busy.reply().code == 250
    assert postern.process.wait(30) == 0
    assert backend.messages() == [b"first\r\nsecond\r\n"]


def test_a_stop_does_not_wait_for_ever(make_postern, backend):
    postern = make_postern(
        backend, settings={"proxy_drain_timeout": "1s"}).start()
    with postern.secured() as client:
        client.envelope()
        client.expect("DATA", 354)
        start = time.monotonic()
        postern.process.send_signal(signal.SIGTERM)
        assert postern.process.wait(20) == 0
        assert time.monotonic() - start < 15
    assert backend.messages() == []


@pytest.mark.both_rings
def test_start_status_stop(make_postern, scratch):
    """The verbs that put it into the background and end it."""
    log = scratch / "maillog"
    postern = make_postern(settings={"maillog_file": str(log)})
    postern.write()
    assert postern.verb("status").returncode != 0
    started = postern.verb("start")
    assert started.returncode == 0, started.stderr
    try:
        status = eventually(lambda: postern.verb("status").stdout)
        assert "worker 0 pid " in status
        eventually(lambda: _serves(postern))
        with postern.secured() as client:
            client.mail()
            client.quit()
        again = postern.verb("start")
        assert again.returncode != 0
        assert "running" in again.stderr
    finally:
        stopped = postern.verb("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert postern.verb("status").returncode != 0
    assert not _serves(postern)
    assert postern.verb("stop").returncode != 0
    assert "AddressSanitizer" not in log.read_text()
