# SPDX-License-Identifier: Apache-2.0
"""Names of clients: what DNS says, what it must not say, and when it is
silent."""
import contextlib
import os
import pathlib
import re
import signal

import pytest

from client import eventually, tls_context
from name_server import NXDOMAIN, PTR, SERVFAIL, SILENCE, NameServer
from peers import Postfix
from postern import Listener

GOOD = "127.0.0.11"
OTHER = "127.0.0.12"
NAME = "good.example.test"
MESSAGE = b"Subject: test\r\n\r\ntext\r\n.\r\n"
XCLIENT = (b"250-backend.example.test\r\n250-PIPELINING\r\n"
           b"250 XCLIENT NAME REVERSE_NAME ADDR\r\n")


@pytest.fixture
def server():
    made = NameServer()
    made.name(GOOD, NAME)
    yield made
    made.stop()


@pytest.fixture
def make_named(make_postern, server):
    """A Postern that asks this server."""
    def make(*backends, **options):
        settings = {"smtpd_peername_lookup": "yes",
                    "proxy_dns_servers": server.address,
                    **options.pop("settings", {})}
        return make_postern(*backends, settings=settings, **options).start()
    return make


@pytest.fixture
def told(backend):
    """What a backend is told of clients."""
    lines = []

    def xclient(_session, line):
        lines.append(line.decode("latin-1"))
        return b"220 backend.example.test ESMTP\r\n"

    backend.on["EHLO"] = lambda session, line: XCLIENT
    backend.on["XCLIENT"] = xclient
    return lines


def send_message(client):
    client.expect("MAIL FROM:<sender@example.test>", 250)
    client.expect("RCPT TO:<user@box.test>", 250)
    client.expect("DATA", 354)
    client.send(MESSAGE)
    assert client.reply().code == 250


def session(postern, source=GOOD):
    with postern.secured(source=source) as client:
        send_message(client)
        client.expect("QUIT", 221)
    postern.wait_for_log(rf"disconnect from .*\[{re.escape(source)}\]")


def lines_of(postern, source):
    return [text for text in postern.messages() if f"[{source}]" in text]


def control_pid(postern):
    """None: the old one is gone, and the new one not there yet."""
    for pid in postern.process_tree():
        with contextlib.suppress(FileNotFoundError):
            workers = {worker.pid for worker in postern.workers()}
            if pid not in workers:
                return pid
    return None


def test_a_confirmed_name_is_everywhere(make_named, backend, told, server):
    postern = make_named(backend, settings={
        "proxy_backend_handover": "auto", "smtpd_tls_received_header": "yes"})
    session(postern)
    lines = lines_of(postern, GOOD)
    assert lines[0] == f"connect from {NAME}[{GOOD}]"
    assert "TLS connection established from" in lines[1]
    for line in lines:
        assert line.startswith("session=") or f"{NAME}[{GOOD}]" in line, line
    assert told == [f"XCLIENT REVERSE_NAME={NAME} NAME={NAME} ADDR={GOOD}"]
    assert f"({NAME} [{GOOD}])".encode() in backend.messages()[0]


def test_a_cached_name_is_not_asked_for_again(make_named, backend, server):
    postern = make_named(backend)
    session(postern)
    before = len(server.asked)
    assert before > 0
    session(postern)
    assert len(server.asked) == before
    assert postern.messages().count(f"connect from {NAME}[{GOOD}]") == 2


def test_a_postfix_hears_the_name(make_named, certificate, scratch):
    directory = pathlib.Path(scratch) / "postfix"
    directory.mkdir()
    postfix = Postfix(directory, certificate, settings={
        "smtpd_authorized_xclient_hosts": "127.0.0.1"}).start()
    try:
        postern = make_named(f"inet:127.0.0.1:{postfix.port}",
                             settings={"proxy_backend_handover": "auto"})
        session(postern)
        message = eventually(postfix.box, 30).pop().read_bytes()
        assert f"({NAME} [{GOOD}])".encode() in message
        assert f"client={NAME}[{GOOD}]" in postfix.log()
    finally:
        postfix.stop()


EVIL = {
    "command": [b"evil\r\nMAIL FROM:<x@evil.test>", b"test"],
    "line feed": [b"evil\nx", b"test"],
    "nul": [b"evil\0x", b"test"],
    "escape": [b"evil\x1b[2J", b"test"],
    "blank": [b"evil x", b"test"],
    "dot in a label": [b"evil.example", b"test"],
    "attribute": [b"evil=x", b"test"],
    "bracket": [b"evil[127", b"test"],
    "eight bits": [b"evil\xc3\xa4", b"test"],
    "hyphen first": [b"-evil", b"test"],
    "hyphen last": [b"evil-", b"test"],
    "wildcard": [b"*", b"evil", b"test"],
    "digits": [b"192", b"0", b"2", b"1"],
    "root": [],
}


def test_what_is_no_host_name_goes_nowhere(make_named, backend, told, server):
    """CVE-2026-28753, and its kin; all at one Postern, to be quick."""
    postern = make_named(backend, settings={"proxy_backend_handover": "auto"})
    for number, labels in enumerate(EVIL.values()):
        source = f"127.0.2.{number + 1}"
        server.pointers[source] = labels
        # Even if it leads back, as far as a server can say so.
        server.addresses[b".".join(labels).decode("latin-1").lower()] = source
        session(postern, source)
        assert lines_of(postern, source)[0] == f"connect from unknown[{source}]"
        assert told.pop() == ("XCLIENT REVERSE_NAME=[UNAVAILABLE] "
                              f"NAME=[UNAVAILABLE] ADDR={source}")
    for text in (postern.text().encode(), *backend.messages(),
                 *(line for one in backend.sessions for line in one.commands)):
        assert b"evil" not in text.lower()


def test_the_longest_name(make_named, backend, told, server):
    """255 octets on the wire are a name; label by label, all of it counts."""
    name = ".".join(["a" * 63] * 3 + ["b" * 61])
    server.name(OTHER, name)
    postern = make_named(backend, settings={"proxy_backend_handover": "auto"})
    session(postern, OTHER)
    assert lines_of(postern, OTHER)[0] == f"connect from {name}[{OTHER}]"
    assert f"XCLIENT REVERSE_NAME={name}" in told


OUTCOMES = {
    "liar": ("liar.example.test", GOOD, "[UNAVAILABLE]", "liar.example.test"),
    "no address": ("gone.example.test", NXDOMAIN, "[UNAVAILABLE]",
                   "gone.example.test"),
    "address fails": ("sick.example.test", SERVFAIL, "[TEMPUNAVAIL]",
                      "sick.example.test"),
    "no name": (NXDOMAIN, None, "[UNAVAILABLE]", "[UNAVAILABLE]"),
    "name fails": (SERVFAIL, None, "[TEMPUNAVAIL]", "[TEMPUNAVAIL]"),
}


def test_names_that_are_not_confirmed(make_named, backend, told, server):
    postern = make_named(backend, settings={"proxy_backend_handover": "auto"})
    for number, row in enumerate(OUTCOMES.values()):
        pointer, address, name, reverse = row
        source = f"127.0.3.{number + 1}"
        server.pointers[source] = pointer
        if address is not None:
            server.addresses[pointer] = address
        session(postern, source)
        assert lines_of(postern, source)[0] == f"connect from unknown[{source}]"
        assert told.pop() == \
            f"XCLIENT REVERSE_NAME={reverse} NAME={name} ADDR={source}"


def test_silence_holds_up_neither_greeting_nor_session(
        make_named, backend, told, server):
    server.pointers[OTHER] = SILENCE
    postern = make_named(backend, settings={"proxy_backend_handover": "auto"})
    with postern.connect(source=OTHER) as client:
        client.greeting()
        assert not lines_of(postern, OTHER)
        client.expect("EHLO client.example.test", 250)
        assert lines_of(postern, OTHER) == [f"connect from unknown[{OTHER}]"]
        send_message(client)
        client.expect("QUIT", 221)
    assert told == ["XCLIENT REVERSE_NAME=[TEMPUNAVAIL] NAME=[TEMPUNAVAIL] "
                    f"ADDR={OTHER}"]


def test_a_handshake_does_not_wait(make_named, backend, server):
    """Nor does a line of it come before the name."""
    postern = make_named(backend, listeners=[
        Listener(smtpd_tls_wrappermode="yes")])
    server.held.set()
    with postern.connect(source=GOOD) as client:
        client.handshake(tls_context())  # TLS 1.3: done, as the client sees it
        assert not lines_of(postern, GOOD)
        server.release()
        client.greeting()
        client.expect("QUIT", 221)
    lines = lines_of(postern, GOOD)
    assert lines[0] == f"connect from {NAME}[{GOOD}]"
    assert lines[1].startswith("Anonymous TLS connection established from "
                               f"{NAME}[{GOOD}]: TLSv1.3")


def test_a_client_that_leaves_at_once_has_a_name(make_named, backend, server):
    postern = make_named(backend)
    server.held.set()
    with postern.connect(source=GOOD) as client:
        client.greeting()
    server.release()
    assert postern.wait_for_log("disconnect").startswith(
        f"disconnect from {NAME}[{GOOD}]")
    assert lines_of(postern, GOOD)[1] == \
        f"lost connection after CONNECT from {NAME}[{GOOD}]"


def test_control_dies_in_the_middle(make_named, backend, server):
    """Its questions are lost; the next ones are for its successor."""
    server.name(OTHER, "other.example.test")
    postern = make_named(backend)
    server.held.set()
    with postern.connect(source=GOOD) as client:
        client.greeting()
        eventually(lambda: server.waiting)
        before = eventually(lambda: control_pid(postern))
        os.kill(before, signal.SIGKILL)
        eventually(lambda: control_pid(postern) not in (before, None))
        server.release()
        client.expect("EHLO client.example.test", 250)
        client.expect("QUIT", 221)
    assert lines_of(postern, GOOD)[0] == f"connect from unknown[{GOOD}]"
    session(postern, OTHER)
    assert f"connect from other.example.test[{OTHER}]" in postern.messages()


def test_names_over_a_reload(make_named, backend, server):
    """A new control process, and new workers, find each other."""
    postern = make_named(backend)
    generation = postern.counter("generation")
    assert postern.reload().returncode == 0
    eventually(lambda: postern.counter("generation") > generation)
    session(postern)
    assert f"connect from {NAME}[{GOOD}]" in postern.messages()


def test_a_flood_of_questions_is_bounded(make_named, backend, server):
    """Who comes behind 512 open questions has no name, and does not wait."""
    postern = make_named(backend)
    server.held.set()
    with contextlib.ExitStack() as stack:
        for number in range(512):
            client = stack.enter_context(postern.connect(
                source=f"127.0.{4 + number // 250}.{1 + number % 250}"))
            client.greeting()
        with postern.connect(source=GOOD) as client:
            client.greeting()
            client.expect("EHLO client.example.test", 250)
            assert postern.messages() == [f"connect from unknown[{GOOD}]"]
            client.expect("QUIT", 221)
        server.release()
        eventually(lambda: len(postern.messages()) > 512)
        session(postern, GOOD)
        assert f"connect from {NAME}[{GOOD}]" in postern.messages()


def test_no_question_where_names_are_off(make_named, backend, server):
    postern = make_named(backend, settings={"smtpd_peername_lookup": "no"})
    session(postern)
    assert lines_of(postern, GOOD)[0] == f"connect from unknown[{GOOD}]"
    assert (".".join(reversed(GOOD.split("."))) + ".in-addr.arpa", PTR) \
        not in server.asked


@pytest.mark.parametrize("servers", ["ns.example.test", "192.0.2.1:0",
                                     "192.0.2.1:", "2001:db8::1:99999",
                                     "[2001:db8::1", "192.0.2.1:65536"])
def test_servers_that_cannot_be(make_postern, backend, servers):
    postern = make_postern(backend, settings={"proxy_dns_servers": servers})
    postern.write()
    result = postern.verb("check")
    assert result.returncode != 0
    assert "proxy_dns_servers" in result.stdout + result.stderr
