# SPDX-License-Identifier: Apache-2.0
"""The backend learns who the client is: from us, in each way that it knows."""
import base64
import re

import pytest

from client import eventually
from postern import Listener
from told import CLIENT, MESSAGE, newest, send_message, session, told_postfix


@pytest.fixture(scope="module")
def postfix(certificate):
    with told_postfix(certificate) as made:
        yield made



def test_postfix_by_xclient(make_postern, postfix):
    postern = make_postern(f"inet:127.0.0.1:{postfix.port}",
                           settings={"proxy_backend_handover": "auto"}).start()
    known = set(postfix.box())
    session(postern)
    message = newest(postfix, known)
    assert re.match(rb"(?s).*?Received: from client\.example\.test "
                    rb"\(unknown \[127\.0\.0\.77\]\)", message), message
    assert f"client=unknown[{CLIENT}]" in postfix.log()
    assert "improper command pipelining" not in postfix.log()


@pytest.mark.parametrize("way", ["proxy1", "proxy2"])
def test_postfix_by_proxy_header(make_postern, postfix, way):
    postern = make_postern(f"inet:127.0.0.1:{postfix.proxy_port}",
                           settings={"proxy_backend_handover": way}).start()
    known = set(postfix.box())
    session(postern)
    message = newest(postfix, known)
    assert b"(unknown [127.0.0.77])" in message
    assert "haproxy read" not in postfix.log()


def test_a_client_in_clear_is_handed_over_too(make_postern, postfix):
    postern = make_postern(f"inet:127.0.0.1:{postfix.port}",
                           settings={"proxy_backend_handover": "xclient"}
                           ).start()
    known = set(postfix.box())
    with postern.connect(source=CLIENT) as client:
        client.greeting()
        client.expect("EHLO in.clear.example.test", 250)
        assert send_message(client).code == 250
        client.expect("QUIT", 221)
    message = newest(postfix, known)
    assert (b"Received: from in.clear.example.test (unknown [127.0.0.77])"
            in message)


def test_who_cannot_be_told_serves_nobody(make_postern, postfix):
    """Never an open relay by silence."""
    postern = make_postern(f"inet:127.0.0.1:{postfix.plain_port}",
                           settings={"proxy_backend_handover": "auto"}).start()
    # The health check has said it before anybody came.
    assert postern.text().count("does not offer XCLIENT with ADDR") == 1
    with postern.connect(source=CLIENT) as client:
        client.greeting()
        client.expect("STARTTLS", 220)
        client.handshake()
        reply = client.expect("EHLO client.example.test", 451)
        assert reply.text.startswith("451 4.3.0 ")
        client.expect("MAIL FROM:<sender@example.test>", 451)
        client.expect("QUIT", 221)
    line = postern.wait_for_log("does not offer XCLIENT with ADDR")
    assert "smtpd_authorized_xclient_hosts" in line
    assert "proxy_backend_handover" in line


def test_a_log_alone_is_not_enough(make_postern, postfix):
    postern = make_postern(f"inet:127.0.0.1:{postfix.port}",
                           settings={"proxy_backend_handover": "xforward"}
                           ).start()
    with postern.connect(source=CLIENT) as client:
        client.greeting()
        client.expect("EHLO client.example.test", 250)
        client.expect("MAIL FROM:<sender@example.test>", 451)
        client.expect("QUIT", 221)
    assert "proxy_backend_handover" in postern.wait_for_log("session from")
    assert "proxy_backend_handover = xforward" in postern.text()


def test_xclient_is_said_once_and_nothing_behind_it(make_postern, backend):
    seen = []

    def ehlo(session, _line):
        return (b"250-backend.example.test\r\n250-PIPELINING\r\n"
                b"250-SIZE 1000\r\n250 XCLIENT NAME ADDR PORT PROTO HELO "
                b"LOGIN DESTADDR DESTPORT\r\n")

    def xclient(session, line):
        assert session.pending == b""
        seen.append(line.decode())
        return b"220 backend.example.test ESMTP\r\n"

    backend.on["EHLO"] = ehlo
    backend.on["XCLIENT"] = xclient
    postern = make_postern(backend, settings={
        "proxy_backend_handover": "auto"}).start()
    with postern.secured(source=CLIENT) as client:
        port = client.port
        client.expect("MAIL FROM:<sender@example.test>", 250)
        client.expect("QUIT", 221)
    assert seen == [
        f"XCLIENT DESTADDR=127.0.0.1 DESTPORT={postern.port} "
        f"HELO=client.example.test PROTO=ESMTP NAME=[UNAVAILABLE] PORT={port} "
        f"ADDR={CLIENT}"]
    assert backend.verbs() == ["EHLO", "XCLIENT", "EHLO", "MAIL", "QUIT"]


def test_xclient_is_refused(make_postern, make_backend):
    backend = make_backend()
    backend.on["EHLO"] = b"250-b\r\n250 XCLIENT NAME ADDR\r\n"
    backend.on["XCLIENT"] = b"550 5.7.0 Error: insufficient authorization\r\n"
    postern = make_postern(backend, settings={
        "proxy_backend_handover": "auto"}).start()
    with postern.connect() as client:
        client.greeting()
        client.expect("EHLO client.example.test", 250)
        client.expect("MAIL FROM:<sender@example.test>", 451)
    postern.wait_for_log(r"refused XCLIENT: 550 5\.7\.0 .*smtpd_authorized")


def test_an_address_that_the_backend_does_not_know(make_postern, make_backend):
    """As Postfix answers whose inet_protocols have no IPv6."""
    backend = make_backend(keywords=["XCLIENT ADDR"])
    backend.on["XCLIENT"] = b"501 5.5.4 Bad ADDR syntax: IPV6:::1\r\n"
    postern = make_postern(backend, settings={
        "inet_protocols": "all", "proxy_backend_handover": "auto"},
        listeners=[Listener(), Listener(host="::1")]).start()
    for listener, remedy in enumerate(("smtpd_authorized_xclient_hosts",
                                       "set its inet_protocols = all")):
        with postern.connect(listener) as client:
            client.greeting()
            client.expect("EHLO client.example.test", 250)
            client.expect("MAIL FROM:<sender@example.test>", 451)
            client.quit()
        postern.wait_for_log(rf"refused XCLIENT: 501 .*{remedy}")


def test_probes_say_local(make_postern, make_backend):
    """A health check has no client: LOCAL in version 2; in version 1, where
    Postfix refuses UNKNOWN, it is of ourselves."""
    heads = []

    def head(session, _line):
        while len(session.pending) < 16:
            session.pending += session.more()
        if session.pending.startswith(b"PROXY "):
            heads.append(session.line() + b"\r\n")
        else:
            length = 16 + int.from_bytes(session.pending[14:16], "big")
            while len(session.pending) < length:
                session.pending += session.more()
            heads.append(session.pending[:length])
            session.pending = session.pending[length:]

    for way, probe, real in (
            ("proxy1", rb"PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\n",
             rb"PROXY TCP4 127\.0\.0\.77 127\.0\.0\.1 \d+ \d+\r\n"),
            ("proxy2", rb"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
             rb"(?s)\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x4d\x7f\0\0\x01"
             rb"....")):
        heads.clear()
        backend = make_backend()
        backend.on["connect"] = head
        postern = make_postern(backend, settings={
            "proxy_backend_handover": way}).start()
        assert re.fullmatch(probe, heads[0]), heads
        with postern.secured(source=CLIENT) as client:
            client.expect("QUIT", 221)
        assert re.fullmatch(real, heads[-1]), heads


def test_proxy_header_tells_of_tls(make_postern, make_backend):
    """Version, cipher and the like, in one segment and before all else; what
    does not fit is left out."""
    heads = []

    def head(session, _line):
        session.pending = session.connection.recv(4096)
        length = 16 + int.from_bytes(session.pending[14:16], "big")
        heads.append(session.pending[:length])
        assert len(session.pending) == length
        session.pending = b""

    backend = make_backend()
    backend.on["connect"] = head
    postern = make_postern(backend, settings={
        "proxy_backend_handover": "proxy2",
        "proxy_backend_proxy_tlvs": "all"}, listeners=[
            Listener(),
            Listener(proxy_backend_proxy_header_limit="60")]).start()
    with postern.secured(source=CLIENT) as client:
        client.expect("QUIT", 221)
    for expected in (b"\x21\0\x07TLSv1.3", b"TLS_AES_256_GCM_SHA384",
                     b"\x02\0\x0fmx.example.test", b"\x26\0\x06X25519",
                     b"\x25\0\x07RSA2048", b"\x24\0\x0aRSA-SHA256"):
        assert expected in heads[-1], heads[-1]
    with postern.secured(1, source=CLIENT) as client:
        client.expect("QUIT", 221)
    assert len(heads[-1]) <= 60
    assert b"TLSv1.3" in heads[-1]
    assert b"TLS_AES" not in heads[-1]
    line = postern.wait_for_log("has no room")
    assert "ssl-cipher" in line


def test_postfix_log_by_xforward(make_postern, postfix):
    """Before each message; the client hears nothing of it."""
    postern = make_postern(f"inet:127.0.0.1:{postfix.port}", settings={
        "proxy_backend_handover": "none, xforward"}).start()
    with postern.secured(source="127.0.0.66") as client:
        assert send_message(client).code == 250
        client.expect("RSET", 250)
        client.send(b"MAIL FROM:<sender@example.test>\r\n"
                    b"RCPT TO:<user@box.test>\r\nDATA\r\n")
        assert [client.reply().code for _ in range(3)] == [250, 250, 354]
        client.send(MESSAGE)
        assert client.reply().code == 250
        client.expect("QUIT", 221)
    eventually(lambda: postfix.log().count(
        "orig_client=unknown[127.0.0.66]") == 2, 10, "both messages")
    assert "client=unknown[127.0.0.1], orig_" in postfix.log() or \
        "client=localhost[127.0.0.1], orig_" in postfix.log()


def test_xforward_goes_with_its_backend(make_postern, make_backend):
    """Killed before it answered: one reply for MAIL, none for XFORWARD."""
    backend = make_backend()
    backend.on["EHLO"] = b"250-b\r\n250 XFORWARD NAME ADDR SOURCE\r\n"
    backend.on["XFORWARD"] = b"550 5.7.0 no\r\n"
    postern = make_postern(backend, settings={
        "proxy_backend_handover": "none xforward"}).start()
    with postern.secured(source=CLIENT) as client:
        client.expect("MAIL FROM:<sender@example.test>", 250)
        client.expect("QUIT", 221)
    line = backend.of_clients()[-1].commands[1]
    assert line == (b"XFORWARD SOURCE=REMOTE NAME=[UNAVAILABLE] ADDR="
                    + CLIENT.encode())
    backend.on["XFORWARD"] = "die"
    with postern.secured(source=CLIENT) as client:
        client.expect("MAIL FROM:<sender@example.test>", 421)
        assert client.closed()


def test_two_listeners_tell_in_two_ways(make_postern, postfix):
    listeners = [Listener(proxy_backend_handover="xclient",
                          proxy_backend=f"inet:127.0.0.1:{postfix.port}"),
                 Listener(proxy_backend_handover="proxy2",
                          proxy_backend=f"inet:127.0.0.1:{postfix.proxy_port}")]
    postern = make_postern(listeners=listeners).start()
    for listener, source in ((0, "127.0.0.31"), (1, "127.0.0.32")):
        known = set(postfix.box())
        session(postern, source=source, listener=listener)
        assert f"[{source}]".encode() in newest(postfix, known)


def test_the_sink_is_told(make_postern):
    """As in the quick start, where nothing is set."""
    postern = make_postern(settings={"proxy_backend_handover": "auto"}).start()
    session(postern)
    assert "handover=xclient" in postern.wait_for_log("^session=.*messages=1")


@pytest.mark.parametrize("phase", ["connect", "banner", "XCLIENT", "EHLO"])
def test_a_backend_dies_while_it_is_told(make_postern, make_backend, phase):
    """Nothing was promised yet, so the next one serves, and is told anew."""
    ehlo = b"250-b\r\n250-PIPELINING\r\n250 XCLIENT NAME ADDR\r\n"
    backends = make_backend(), make_backend()
    for one in backends:
        one.on["EHLO"] = ehlo
        one.on["XCLIENT"] = b"220 b ESMTP\r\n"
    postern = make_postern(*backends, settings={
        "proxy_backend_handover": "auto"}).start()
    backends[0].on[phase] = "die"
    for _ in range(2):  # both are asked first once
        session(postern)
    assert len(backends[0].messages()) == 0
    assert len(backends[1].messages()) == 2
    told = [line for one in backends[1].of_clients() for line in one.commands
            if line.startswith(b"XCLIENT")]
    assert told == [b"XCLIENT NAME=[UNAVAILABLE] ADDR=" + CLIENT.encode()] * 2


OFFERED = ("NAME ADDR PORT PROTO HELO LOGIN REVERSE_NAME DESTADDR DESTPORT "
           "DESTNAME SESSION CLIENT-TRANSPORT TTL TIMEOUT FORWARD TRANSPORT")


@pytest.mark.parametrize("offered", ["each", "all"])
def test_all_that_is_offered_is_said(make_postern, make_backend, offered):
    """Each alone beside ADDR, and all together. TRANSPORT is nobody's."""
    offers = [OFFERED] if offered == "all" else OFFERED.split()
    backends = [make_backend(keywords=[f"XCLIENT {words} ADDR"])
                for words in offers]
    for backend in backends:
        backend.on["XCLIENT"] = b"220 backend.example.test ESMTP\r\n"
    postern = make_postern(*backends, settings={
        "proxy_backend_balance": "round-robin",
        "proxy_backend_reply_timeout": "77s",
        "proxy_backend_handover": "auto"}).start()

    def said(backend):
        [session] = backend.of_clients()
        return dict(pair.split(b"=", 1) for line in session.commands
                    if line.startswith(b"XCLIENT ")
                    for pair in line.split()[1:])

    expected = {
        "NAME": "[UNAVAILABLE]", "REVERSE_NAME": "[UNAVAILABLE]",
        "PROTO": "ESMTP", "HELO": "client.example.test",
        "DESTADDR": "127.0.0.1", "DESTPORT": str(postern.port),
        "DESTNAME": "mx.example.test", "CLIENT-TRANSPORT": "TLS",
        "TTL": "4", "TIMEOUT": "77", "ADDR": CLIENT}
    facts = (b"tls=TLSv1.3\ttls_cipher=TLS_AES_256_GCM_SHA384\t"
             b"tls_group=X25519\ttls_forward_secrecy=yes\t"
             b"tls_sni=mx.example.test")
    seen = {}
    for backend in backends:
        with postern.secured(source=CLIENT) as client:
            port = client.port
            client.expect("MAIL FROM:<sender@example.test>", 250)
            client.quit()
        found = said(backend)
        assert found[b"ADDR"] == CLIENT.encode()
        if b"PORT" in found:
            assert found.pop(b"PORT") == str(port).encode()
            seen[b"PORT"] = b""
        seen.update(found)
    forward = seen.pop(b"FORWARD").replace(b"+3D", b"=").replace(b"+2B", b"+")
    assert base64.b64decode(forward) == facts
    session = seen.pop(b"SESSION").decode()
    postern.wait_for_log(f"session={session} ")
    assert seen.pop(b"PORT") == b""
    assert seen == {name.encode(): value.encode()
                    for name, value in expected.items()}


@pytest.mark.parametrize("switch", ["yes", "no"])
def test_what_is_said_of_a_client_in_clear(make_postern, make_backend, switch):
    """… and of TLS nothing, if the operator wants it so."""
    backend = make_backend(keywords=[f"XCLIENT {OFFERED}"])
    backend.on["XCLIENT"] = b"220 backend.example.test ESMTP\r\n"
    postern = make_postern(backend, settings={
        "proxy_backend_xclient_tls": switch,
        "proxy_backend_handover": "auto"}).start()
    with postern.connect(source=CLIENT) as client:
        client.greeting()
        # No name: Dovecot 2.4 would refuse the whole command for it.
        client.expect("EHLO a..b", 250)
        client.expect("MAIL FROM:<sender@example.test>", 250)
        client.quit()
    line = b" ".join(line for line in backend.of_clients()[-1].commands
                     if line.startswith(b"XCLIENT "))
    told = [b" CLIENT-TRANSPORT=insecure ",
            b" FORWARD=" + base64.b64encode(b"tls=none").replace(b"=", b"+3D")]
    assert [words in line for words in told] == [switch == "yes"] * 2
    assert b"HELO" not in line and b"DESTNAME" not in line
    assert b"EHLO a..b" in backend.of_clients()[-1].commands
    assert b"LOGIN" not in line
