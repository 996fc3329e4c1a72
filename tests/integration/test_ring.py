# SPDX-License-Identifier: Apache-2.0
"""What the ring, the custom BIO and their traps promise."""
import contextlib
import ctypes
import os
import socket
import ssl
import threading
import time

import pytest

from client import Client, eventually, tls_context
from postern import Listener, sanitized

pytestmark = pytest.mark.both_rings


@pytest.mark.parametrize("wrapped", [False, True],
                         ids=["STARTTLS", "wrappermode"])
def test_data_in_the_segment_of_finished_is_served_at_once(
        make_postern, backend, wrapped):
    postern = make_postern(backend, listeners=[
        Listener(smtpd_tls_wrappermode="yes" if wrapped else "no")]).start()
    for _ in range(6):
        with postern.connect(timeout=5) as client:
            if not wrapped:
                client.greeting()
                client.expect("STARTTLS", 220)
            client.handshake(together=b"EHLO c.example.test\r\n")
            if wrapped:
                client.greeting()
            assert client.reply().keywords
            client.mail()
            client.quit()


def test_data_in_the_segment_of_finished_when_resumed(postern):
    context = tls_context(maximum=ssl.TLSVersion.TLSv1_2)
    session = None
    for _ in range(3):
        with postern.connect(timeout=5) as client:
            client.greeting()
            client.expect("STARTTLS", 220)
            client.handshake(context, session=session,
                             together=b"NOOP\r\nEHLO c.example.test\r\n")
            assert client.reply().code == 250
            assert client.reply().code == 250
            assert client.tls.session_reused == (session is not None)
            session = client.tls.session
            client.quit()
    assert postern.counter("handshakes_resumed") == 2


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("step", [1, 5, 100])
def test_handshake_in_pieces(postern, version, step):
    with postern.connect() as client:
        client.greeting()
        client.starttls(tls_context(version, version), step=step,
                        together=b"EHLO c.example.test\r\n")
        assert client.reply().code == 250
        client.mail()
        client.quit()


def test_many_records_in_one_segment(postern):
    with postern.secured() as client:
        wire = b"".join(client.seal(b"NOOP\r\n") for _ in range(300))
        client.send_raw(wire)
        for _ in range(300):
            assert client.reply().code == 250
        client.quit()


def test_a_record_that_is_broken_ends_the_session(postern):
    with postern.secured() as client:
        wire = bytearray(client.seal(b"NOOP\r\n"))
        wire[-1] ^= 1
        client.send_raw(bytes(wire))
        with contextlib.suppress(ssl.SSLError):
            assert client.rest() == b""
    assert "reason=TLS_BROKEN" in postern.wait_for_log("reason=")


def test_a_fatal_alert_in_the_handshake(postern):
    with postern.connect() as client:
        client.greeting()
        client.expect("STARTTLS", 220)
        client.send_raw(b"\x15\x03\x01\x00\x02\x02\x28")
        client.rest()
    assert "reason=HANDSHAKE_FAILED" in postern.wait_for_log("reason=")


@pytest.mark.parametrize("cut", range(0, 260, 37))
def test_the_client_leaves_in_the_handshake(postern, cut):
    with postern.connect() as client:
        client.greeting()
        client.expect("STARTTLS", 220)
        client.begin_tls()
        with pytest.raises(ssl.SSLWantReadError):
            client.tls.do_handshake()
        client.send_raw(client.outgoing.read()[:cut])
        client.half_close()
        client.tls = None
        client.rest()
    postern.wait_for_log(r"^SSL_accept error from unknown\[127\.0\.0\.1\]: ")
    postern.settle()


def test_close_notify_is_answered(postern):
    with postern.secured() as client:
        client.expect("QUIT", 221)
        assert client.receive() == b""
        assert client.tls.read(1) == b""  # a bare FIN would be a want of more


def test_many_sessions_at_once(make_postern):
    postern = make_postern(settings={"proxy_worker_processes": "2"}).start()
    clients = [postern.secured() for _ in range(150)]
    for client in clients:
        client.envelope()
    for client in clients:
        client.expect("DATA", 354)
    for client in clients:
        client.send(b"text\r\n.\r\n")
    for client in clients:
        assert client.reply().code == 250
        client.quit()
    assert postern.counter("sink_messages") == 150


def test_bursts_of_connections(postern):
    """More than one accept may be waiting; each peer has its own port."""
    for _ in range(5):
        clients = [Client(postern.port) for _ in range(40)]
        for client in clients:
            client.greeting()
        for client in clients:
            client.quit()
    postern.settle()
    assert postern.counter("sessions_accepted") >= 200


def test_the_port_in_the_log_is_the_clients(make_postern):
    """A multishot accept's one address buffer would hold the last one's."""
    postern = make_postern(
        settings={"smtpd_client_port_logging": "yes"}).start()
    clients = [Client(postern.port) for _ in range(40)]
    ports = {client.port for client in clients}
    for client in clients:
        client.greeting()
        client.quit()
    eventually(lambda: ports == {
        int(text.rsplit(":", 1)[1]) for text in postern.messages()
        if text.startswith("connect from")})


def test_sessions_that_end_in_every_way_at_once(make_postern, backend):
    """Slots are used again at once, while completions are still under way."""
    postern = make_postern(backend).start()
    stop = time.monotonic() + 4

    def churn(number):
        while time.monotonic() < stop:
            with contextlib.suppress(OSError, EOFError, ssl.SSLError):
                client = postern.connect(timeout=5)
                client.greeting()
                if number % 4 == 0:
                    client.reset()
                    continue
                client.starttls()
                if number % 4 == 1:
                    client.reset()
                    continue
                client.expect("EHLO c.example.test", 250)
                client.envelope()
                client.send(b"DATA\r\n")
                if number % 4 == 2:
                    client.reset()
                    continue
                client.reply()
                client.send(b"x" * 50000)
                client.close()

    threads = [threading.Thread(target=churn, args=(number,))
               for number in range(8)]
    for thread in threads:
        thread.start()
    with postern.secured() as client:
        while time.monotonic() < stop:
            client.mail(b"steady\r\n")
        client.quit()
    for thread in threads:
        thread.join()
    postern.settle()
    assert set(backend.messages()) == {b"steady\r\n"}
    assert postern.status()["worker_restarts"] == 0


def socket_options(pid, level, option):
    """Of each TCP socket of another process that is connected."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.pidfd_open(pid)
    values = []
    for number in map(int, os.listdir(f"/proc/{pid}/fd")):
        copy = libc.syscall(438, handle, number, 0)  # pidfd_getfd
        if copy < 0:
            continue
        with contextlib.suppress(OSError):
            with socket.socket(fileno=copy) as one:
                one.getpeername()
                if one.family in (socket.AF_INET, socket.AF_INET6):
                    values.append(one.getsockopt(level, option))
    os.close(handle)
    return values


def test_no_delay_on_both_sides(fronted):
    with fronted.secured():
        values = socket_options(fronted.workers()[0].pid, socket.IPPROTO_TCP,
                                socket.TCP_NODELAY)
    assert len(values) == 2 and all(values), values


def test_sessions_are_ordinary_descriptors(postern):
    worker = postern.workers()[0]
    before = worker.descriptors()
    clients = [postern.connect() for _ in range(5)]
    for client in clients:
        client.greeting()
    assert worker.descriptors() == before + 5
    for client in clients:
        client.quit()


@pytest.mark.skipif(sanitized(), reason="sanitizers bring their own allocator")
def test_jemalloc_is_linked(postern):
    with open(f"/proc/{postern.workers()[0].pid}/maps") as maps:
        assert "libjemalloc" in maps.read()


def test_workers_draw_different_random_bytes(make_postern):
    """They are forked from one process; no session key may repeat."""
    postern = make_postern(settings={"proxy_worker_processes": "3"}).start()
    randoms = set()
    for _ in range(24):
        with postern.connect() as client:
            client.greeting()
            client.expect("STARTTLS", 220)
            client.begin_tls()
            with pytest.raises(ssl.SSLWantReadError):
                client.tls.do_handshake()
            client.send_raw(client.outgoing.read())
            data = b""
            while len(data) < 43:
                data += client.socket.recv(4096)
            randoms.add(data[11:43])  # ServerHello.random
            client.tls = None
    assert len(randoms) == 24
