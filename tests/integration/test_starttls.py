# SPDX-License-Identifier: Apache-2.0
"""The border between clear and TLS (RFC 3207, 4.2; CVE-2011-0411)."""
import ssl
import time

import pytest

from client import Client, eventually, tls_context
from postern import Listener

pytestmark = pytest.mark.both_rings

TAILS = {
    "rset": b"RSET\r\n",
    "two": b"RSET\r\nNOOP\r\n",
    "mail": b"MAIL FROM:<evil@example.test>\r\nRCPT TO:<user@box.test>\r\n",
    "half": b"MAIL FROM:<evil@exam",
    "line end": b"\r\n",
    "bare lf": b"NOOP\n",
    "again": b"STARTTLS\r\n",
    "ehlo": b"EHLO evil.example.test\r\n",
    "nul": b"\0\0\0\0",
    "quit": b"QUIT\r\n",
    "long": b"NOOP\r\n" * 500,
}


@pytest.mark.parametrize("command", [b"STARTTLS\r\n", b"starttls  \r\n"])
@pytest.mark.parametrize("name", TAILS)
def test_bytes_behind_starttls_are_dropped(fronted, backend, name, command):
    with fronted.connect() as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.send_raw(command + TAILS[name])
        assert client.reply().raw == b"220 2.0.0 Ready to start TLS\r\n"
        client.handshake()
        assert client.silent_for(0.3), "the injected command was answered"
        reply = client.expect("EHLO c.example.test", 250)
        assert reply.lines[0].split()[0] == "mx.example.test"
        client.expect("RCPT TO:<user@box.test>", 250)
        client.quit()
    assert backend.of_clients()[-1].verbs == ["EHLO", "RCPT", "QUIT"]
    assert fronted.counter("starttls_discarded_bytes") == len(TAILS[name])
    assert "evil" not in fronted.text()


@pytest.mark.parametrize("delay_ms", [0, 1, 2, 3, 5])
def test_bytes_soon_after_starttls_are_never_obeyed(fronted, backend,
                                                    delay_ms):
    """They come as a segment of their own: a receive may be under way."""
    for _ in range(5):
        with fronted.connect() as client:
            client.greeting()
            client.send_raw(b"STARTTLS\r\n")
            time.sleep(delay_ms / 1000)
            client.send_raw(b"RSET\r\nMAIL FROM:<evil@example.test>\r\n")
            clear = client.line()
            assert clear == b"220 2.0.0 Ready to start TLS\r\n"
            try:
                client.handshake()
            except (ssl.SSLError, EOFError, ConnectionError):
                continue  # they were taken for TLS, and are none
            assert client.silent_for(0.2)
            client.expect("EHLO c.example.test", 250)
            client.quit()
    assert "MAIL" not in backend.verbs()


@pytest.mark.parametrize("text", [
    b"EHLO evil.example.test\r\n", b"QUIT\r\n", b"\x80\x2e\x01\x03\x01" + b"A" * 60,
    b"\x16\x03\x01\xff\xff" + b"A" * 300])
def test_clear_text_after_the_220_ends_the_session(fronted, text):
    with fronted.connect() as client:
        client.greeting()
        client.expect("STARTTLS", 220)
        client.send_raw(text)
        rest = client.rest()
        assert b"250" not in rest and b"221" not in rest
        # All that may come is a TLS alert.
        assert rest == b"" or rest[0] == 21, rest
    fronted.wait_for_log(r"^SSL_accept error from unknown\[127\.0\.0\.1\]: -1$")
    eventually(lambda: fronted.counter("handshakes_failed") == 1)


def test_a_client_hello_that_comes_with_starttls_is_dropped(fronted):
    """It came in clear, so it must not count: the client has to wait."""
    with fronted.connect() as client:
        client.greeting()
        client.begin_tls()
        with pytest.raises(ssl.SSLWantReadError):
            client.tls.do_handshake()
        hello = client.outgoing.read()
        client.tls = None
        client.send_raw(b"STARTTLS\r\n" + hello)
        assert client.line() == b"220 2.0.0 Ready to start TLS\r\n"
        assert client.silent_for(0.5)
        client.handshake()
        client.expect("NOOP", 250)


def test_what_was_learnt_in_clear_is_forgotten(fronted, backend):
    with fronted.connect() as client:
        client.greeting()
        client.expect("EHLO clear.example.test", 250)
        client.expect("MAIL FROM:<clear@example.test>", 250)
        client.expect("RCPT TO:<user@box.test>", 250)
        client.starttls()
        client.expect("EHLO tls.example.test", 250)
        client.expect("RSET", 250)
        client.quit()
    first, second = backend.of_clients()
    assert first.verbs[:3] == ["EHLO", "MAIL", "RCPT"]
    assert "DATA" not in first.verbs
    assert first.ended and first.messages == []
    assert second.commands == [b"EHLO tls.example.test", b"RSET", b"QUIT"]


def test_a_transaction_does_not_cross(postern):
    with postern.connect() as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.envelope()
        client.starttls()
        client.expect("EHLO c.example.test", 250)
        client.expect("DATA", 503)
        client.quit()


def test_injection_into_a_session_that_has_a_backend(fronted, backend):
    with fronted.connect() as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.expect("MAIL FROM:<a@example.test>", 250)
        client.send_raw(b"STARTTLS\r\nRCPT TO:<evil@example.test>\r\n")
        assert client.line() == b"220 2.0.0 Ready to start TLS\r\n"
        client.handshake()
        assert client.silent_for(0.3)
        client.expect("EHLO c.example.test", 250)
        client.quit()
    assert "RCPT" not in backend.verbs()


def test_twice(postern):
    with postern.connect() as client:
        client.greeting()
        client.starttls()
        assert client.command("STARTTLS").raw == (
            b"554 5.5.1 Error: TLS already active\r\n")
        reply = client.expect("EHLO c.example.test", 250)
        assert "STARTTLS" not in reply.keywords
        assert client.command("STARTTLS").raw == (
            b"554 5.5.1 Error: TLS already active\r\n")
        client.quit()


def test_with_an_argument(postern):
    with postern.connect() as client:
        client.greeting()
        assert client.command("STARTTLS please").raw == (
            b"501 5.5.4 Syntax: STARTTLS\r\n")
        client.starttls()


def test_after_helo(postern):
    with postern.connect() as client:
        client.greeting()
        client.expect("HELO c.example.test", 250)
        client.starttls()
        client.expect("NOOP", 250)
        client.quit()


def test_pipelined_in_front_of_it(postern):
    """What comes before STARTTLS in one segment is answered."""
    with postern.connect() as client:
        client.greeting()
        client.send_raw(b"EHLO c.example.test\r\nRSET\r\nSTARTTLS\r\nNOOP\r\n")
        assert client.reply().code == 250
        assert client.reply().code == 250
        assert client.reply().raw == b"220 2.0.0 Ready to start TLS\r\n"
        client.handshake()
        assert client.silent_for(0.3)


def test_clear_text_to_a_wrappermode_port(make_postern):
    postern = make_postern(
        listeners=[Listener(smtpd_tls_wrappermode="yes")]).start()
    with postern.connect() as client:
        client.send_raw(b"EHLO c.example.test\r\n")
        rest = client.rest()
        assert rest == b"" or rest[0] == 21
    postern.wait_for_log(r"^SSL_accept error from unknown\[127\.0\.0\.1\]: -1$")


def test_no_greeting_follows_starttls(postern):
    """Else a client of port 465 could be spliced in (Opossum)."""
    with postern.connect() as client:
        client.greeting()
        client.starttls()
        assert client.silent_for(0.5)


def test_no_renegotiation_and_no_compression(postern):
    context = tls_context(maximum=ssl.TLSVersion.TLSv1_2)
    with postern.connect() as client:
        client.greeting()
        client.starttls(context)
        assert client.tls.compression() is None
        client.expect("NOOP", 250)


def test_sessions_do_not_mix(postern):
    """Bytes injected in one session appear in none of the others."""
    clients = [Client(postern.port) for _ in range(10)]
    for client in clients:
        client.greeting()
    clients[0].send_raw(b"STARTTLS\r\nEHLO evil.example.test\r\n")
    clients[0].line()
    for client in clients[1:]:
        client.starttls()
    clients[0].handshake()
    for client in clients:
        assert client.silent_for(0.05)
        client.expect("EHLO c.example.test", 250)
        client.quit()
