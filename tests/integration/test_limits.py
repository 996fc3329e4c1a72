# SPDX-License-Identifier: Apache-2.0
"""Time limits, and what happens when something runs out."""
import contextlib
import os
import resource
import ssl
import threading
import time

import pytest

from backend import HANG
from client import Client, eventually, took_between
from postern import Listener

LATEST = 12  # seconds until a limit of 2 s must have worked on a busy machine


def reason(postern):
    line = postern.wait_for_log(r"\breason=\w+")
    return line.split("reason=")[1].split()[0]


# Time.


def say_nothing(client):
    pass


def drip(data, seconds=0.4):
    def act(client):
        with contextlib.suppress(OSError):
            for byte in data:
                client.send_raw(bytes([byte]))
                time.sleep(seconds)
    return act


@pytest.mark.both_rings
@pytest.mark.parametrize("act", [say_nothing, drip(b"EHLO client.example.t")],
                         ids=["silent", "one byte now and then"])
def test_command(make_postern, act):
    postern = make_postern(settings={"smtpd_timeout": "2s"}).start()
    with postern.connect() as client:
        client.greeting()
        with took_between(1, LATEST):
            act(client)
            rest = client.rest()
    assert rest == b"" or rest == (
        b"421 4.4.2 mx.example.test Error: timeout exceeded\r\n")
    assert reason(postern) == "TIMED_OUT"
    assert postern.counter("timeouts") == 1


def half_hello(client):
    client.begin_tls()
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    hello = client.outgoing.read()
    client.tls = None
    client.send_raw(hello[:100])


def dripped_hello(client):
    client.begin_tls()
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    hello = client.outgoing.read()
    client.tls = None
    drip(hello[:20])(client)


@pytest.mark.both_rings
@pytest.mark.parametrize("wrapped", [False, True],
                         ids=["STARTTLS", "wrappermode"])
@pytest.mark.parametrize("act", [say_nothing, half_hello, dripped_hello])
def test_handshake(make_postern, act, wrapped):
    postern = make_postern(
        settings={"smtpd_starttls_timeout": "2s"},
        listeners=[Listener(smtpd_tls_wrappermode="yes" if wrapped else "no")])
    postern.start()
    with postern.connect() as client:
        if not wrapped:
            client.greeting()
            client.expect("STARTTLS", 220)
        with took_between(1, LATEST):
            act(client)
            client.rest()
    assert reason(postern) == "TIMED_OUT"
    postern.wait_for_log(
        r"^SSL_accept error from unknown\[127\.0\.0\.1\]: Connection timed out")


@pytest.mark.both_rings
def test_idle_relay(make_postern, backend):
    postern = make_postern(backend, settings={"smtpd_timeout": "2s"}).start()
    with postern.secured() as client:
        with took_between(1, LATEST):
            rest = client.rest()
    assert rest.startswith(b"421 4.4.2 ")
    assert reason(postern) == "TIMED_OUT"
    postern.wait_for_log("^timeout after EHLO from ")


def test_an_active_session_lives_on(make_postern, backend):
    """A limit is per state, not for the whole session."""
    postern = make_postern(backend, settings={"smtpd_timeout": "2s"}).start()
    with postern.secured() as client:
        for _ in range(8):
            time.sleep(0.5)
            client.expect("NOOP", 250)
        client.quit()


def test_a_body_that_drips(make_postern, backend):
    postern = make_postern(backend, settings={"smtpd_timeout": "2s"}).start()
    with postern.connect() as client:
        client.greeting()
        client.envelope()
        client.expect("DATA", 354)
        with took_between(1, LATEST):
            drip(b"x" * 25)(client)
            rest = client.rest()
    assert b"250" not in rest
    assert reason(postern) == "TIMED_OUT"
    eventually(lambda: backend.of_clients()[-1].ended)
    assert backend.messages() == []


def test_a_body_that_stops(make_postern, backend):
    postern = make_postern(backend, settings={"smtpd_timeout": "2s"}).start()
    with postern.secured() as client:
        client.envelope()
        client.expect("DATA", 354)
        client.send(b"begun\r\n")
        with took_between(1, LATEST):
            assert b"250" not in client.rest()
    assert reason(postern) == "TIMED_OUT"


def test_a_client_that_does_not_read(make_postern, backend):
    postern = make_postern(backend, settings={"smtpd_timeout": "2s"}).start()
    with postern.connect(receive_buffer=4096) as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.expect("MAIL FROM:<a@example.test>", 250)
        client.socket.settimeout(LATEST + 5)
        with took_between(1, LATEST + 10), contextlib.suppress(OSError):
            client.socket.sendall(b"NOOP\r\n" * 3000000)
        assert reason(postern) == "TIMED_OUT"


@pytest.mark.both_rings
@pytest.mark.parametrize("phase", ["MAIL", "DATA", "dot"])
def test_backend_reply(make_postern, backend, phase):
    postern = make_postern(
        backend, settings={"proxy_backend_reply_timeout": "2s"}).start()
    with postern.secured() as client:
        backend.on[phase] = HANG
        with took_between(1, LATEST):
            client.send(b"MAIL FROM:<a@example.test>\r\n")
            if phase != "MAIL":
                client.reply()
                client.expect("RCPT TO:<user@box.test>", 250)
                client.send(b"DATA\r\n")
            if phase == "dot":
                client.reply()
                client.send(b"text\r\n.\r\n")
            reply = client.reply()
        assert reply.code in (421, 451), reply
    assert postern.counter("messages_accepted") == 0


@pytest.mark.parametrize("phase", ["banner", "EHLO"])
def test_backend_opening(make_postern, backend, phase):
    postern = make_postern(backend, settings={
        "smtp_helo_timeout": "2s", "proxy_backend_reply_timeout": "2s"}).start()
    with postern.connect() as client:
        client.greeting()
        client.starttls()
        backend.on[phase] = HANG
        client.send(b"EHLO c.example.test\r\n")
        with took_between(1, LATEST):
            assert client.reply().code in (421, 451)


# Sessions.


@pytest.mark.parametrize("what", ["maxproc", "proxy_client_connection_limit"])
def test_sessions(make_postern, what):
    if what == "maxproc":
        postern = make_postern(listeners=[Listener(maxproc=3)])
    else:
        postern = make_postern(settings={what: "3"})
    postern.start()
    clients = [postern.connect() for _ in range(3)]
    for client in clients:
        client.greeting()
    for _ in range(20):
        with postern.connect() as refused:
            assert refused.reply().text.startswith("421 4.")
            assert refused.closed()
    assert postern.counter("sessions_refused") == 20
    assert len([text for text in postern.messages()
                if text.startswith("warning:")]) <= 3, "once, not per event"
    clients.pop().quit()
    eventually(lambda: postern.counter("sessions_open") == 2)
    with postern.connect() as client:
        client.greeting()
        client.quit()
    for client in clients:
        client.quit()


# Descriptors.


def cpu_seconds(pid):
    with open(f"/proc/{pid}/schedstat") as schedstat:
        return int(schedstat.read().split()[0]) / 1e9


def connect_many(postern, count):
    clients = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            clients.append(Client(postern.port, timeout=5))
    return clients


def busy_share(pid, seconds=2.5):
    """Of one core, while nothing is to be done."""
    time.sleep(1)
    before, start = cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / (time.monotonic() - start)


def descriptors_needed(postern):
    """One more than the highest that any of its processes has open."""
    pids = [postern.process.pid, *postern.process_tree()]
    return 1 + max(int(number) for pid in pids
                   for number in os.listdir(f"/proc/{pid}/fd"))


@pytest.mark.both_rings
def test_descriptors_run_out(make_postern):
    """The kernel's own EMFILE, before our limit on sessions is reached."""
    measured = make_postern().start()
    limit = descriptors_needed(measured) + 6
    measured.stop()
    measured.expect_clean = False  # it has ended
    postern = make_postern()
    postern.limits = lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (limit, limit))
    postern.start()
    worker = postern.workers()[0]
    first = postern.connect()
    first.greeting()
    clients = connect_many(postern, 60)
    eventually(lambda: postern.counter("descriptors_exhausted") > 0)
    assert busy_share(worker.pid) < 0.02
    assert worker.descriptors() == limit
    # Who is in is served, meanwhile.
    first.expect("NOOP", 250)
    assert len([text for text in postern.messages()
                if text.startswith("warning:")]) <= 3, "once, not per event"
    for client in clients:
        client.close()
    first.quit()
    postern.settle(20)
    with postern.secured() as client:
        client.mail()
        client.quit()


def test_descriptors_are_few_from_the_start(make_postern):
    postern = make_postern()
    postern.limits = lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (64, 64))
    postern.start()
    worker = postern.workers()[0]
    clients = connect_many(postern, 150)
    assert busy_share(worker.pid) < 0.02
    greeted = refused = 0
    for client in clients:
        client.socket.settimeout(0.2)
        with contextlib.suppress(OSError, EOFError):
            code = client.reply().code
            greeted += code == 220
            refused += code == 421
    assert greeted > 4, (greeted, refused)
    assert worker.descriptors() <= 64
    for client in clients:
        client.close()
    postern.settle(20)
    # Those who waited are served, and it goes on as before.
    with postern.secured() as client:
        client.mail()
        client.quit()


# Completions.


@pytest.mark.both_rings
def test_a_small_completion_queue(make_postern):
    postern = make_postern(settings={"proxy_completion_queue_size": "8"})
    postern.start()
    worker = postern.workers()[0]
    clients = [postern.secured() for _ in range(60)]
    # All at once: they wait while the worker stands still.
    for _ in range(3):
        worker.halt()
        for client in clients:
            client.send(b"NOOP\r\n")
        worker.go_on()
        for client in clients:
            assert client.reply().code == 250
    for client in clients:
        client.mail()
        client.quit()
    assert postern.counter("sink_messages") == 60
    assert len([text for text in postern.messages()
                if text.startswith("warning:")]) <= 3, "once, not per event"


# Buffers.


@pytest.mark.both_rings
def test_few_buffers(make_postern):
    """More sessions at work than buffers: all of them arrive."""
    postern = make_postern(settings={"proxy_buffer_count": "16"}).start()
    message = b"Subject: large\r\n\r\n" + b"x" * 998 * 200 + b"\r\n"
    failures = []

    def send():
        try:
            with postern.secured(timeout=60) as client:
                client.mail(message)
                client.quit()
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    threads = [threading.Thread(target=send) for _ in range(80)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    assert postern.counter("sink_messages") == 80
    postern.settle()
    assert postern.counter("buffers_in_use") == 0


def stands_still(postern):
    """Returns when no more bytes go to the clients."""
    def rests():
        before = postern.counter("client_sent_bytes")
        time.sleep(0.5)
        return postern.counter("client_sent_bytes") == before
    eventually(rests, 60)  # millions of commands; with sanitizers, long


def test_buffers_run_out_and_come_back(make_postern):
    """Clients that do not read hold every buffer, until their time is up."""
    postern = make_postern(settings={
        "proxy_buffer_count": "16", "smtpd_timeout": "15s"}).start()
    stuck = []
    for _ in range(24):
        client = postern.connect(receive_buffer=4096)
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.expect("MAIL FROM:<a@example.test>", 250)
        client.socket.settimeout(0.1)
        stuck.append(client)
    for client in stuck:
        with contextlib.suppress(OSError):
            client.socket.sendall(b"NOOP\r\n" * 400000)
    eventually(lambda: postern.counter("buffers_exhausted") > 0, 60)
    stands_still(postern)  # until then it has work to do
    worker = postern.workers()[0]
    before = cpu_seconds(worker.pid)
    time.sleep(1)
    assert cpu_seconds(worker.pid) - before < 0.5, "it spins"
    postern.settle(120)
    assert postern.counter("buffers_in_use") == 0
    with postern.secured() as client:
        client.mail()
        client.quit()
    for client in stuck:
        client.close()


def test_idle_sessions_hold_no_buffer(make_postern):
    postern = make_postern(settings={"proxy_buffer_count": "16"}).start()
    clients = [postern.secured() for _ in range(100)]
    eventually(lambda: postern.counter("buffers_in_use") == 0)
    assert postern.counter("sessions_open") == 100
    for client in clients:
        client.mail()
        client.quit()


# Lines.


def test_a_line_beyond_the_limit(postern):
    with postern.connect() as client:
        client.greeting()
        client.send(b"NOOP " + b"x" * 5000 + b"\r\nNOOP\r\n")
        first = client.reply()
        assert first.code in (250, 500)
        assert client.reply().code == 250
        client.quit()


def test_a_line_that_never_ends(postern):
    with postern.connect() as client:
        client.greeting()
        with contextlib.suppress(OSError):
            for _ in range(200):
                client.send_raw(b"x" * 65536)
        client.half_close()
        client.rest()
    postern.settle()
