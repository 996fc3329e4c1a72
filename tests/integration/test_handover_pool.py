# SPDX-License-Identifier: Apache-2.0
"""Backends of one pool, each told of the client in its own way."""
import re
import socket

import pytest

from client import eventually
from postern import Listener

CLIENT = "127.0.0.77"
ADDRESS = bytes([127, 0, 0, 77])
OFFER = ["PIPELINING", "XCLIENT NAME ADDR", "XFORWARD ADDR"]
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
TOLD = b"XCLIENT NAME=[UNAVAILABLE] ADDR=" + CLIENT.encode()
LOGGED = b"XFORWARD ADDR=" + CLIENT.encode()


def read_header(session):
    """A PROXY header of either version."""
    while len(session.pending) < 16:
        session.pending += session.more()
    if session.pending.startswith(b"PROXY "):
        return session.line()
    length = 16 + int.from_bytes(session.pending[14:16], "big")
    while len(session.pending) < length:
        session.pending += session.more()
    header = session.pending[:length]
    session.pending = session.pending[length:]
    return header


@pytest.fixture
def make_told(make_backend):
    """A backend that has what it was told by in `heads`."""
    def make(attributes, header=False, keywords=OFFER):
        backend = make_backend(keywords=keywords)
        backend.heads = []
        backend.element = f"{{ {backend.address}, {attributes} }}"
        backend.on["XCLIENT"] = b"220 backend.example.test ESMTP\r\n"
        backend.on["XFORWARD"] = b"250 2.0.0 Ok\r\n"
        if header:
            backend.on["connect"] = lambda session, _: \
                backend.heads.append(read_header(session))
        return backend

    return make


def pool(make_postern, *backends, way="auto", **settings):
    return make_postern(settings={
        "proxy_backend": " ".join(one.element for one in backends),
        "proxy_backend_balance": "round-robin",
        "proxy_backend_handover": way, **settings})


def send(postern):
    with postern.secured(source=CLIENT) as client:
        client.mail()
        client.quit()


def told(backend):
    """The commands by which its one client was told."""
    [commands] = [one.commands for one in backend.sessions
                  if any(line.startswith(b"MAIL") for line in one.commands)]
    return [line for line in commands if line[:2].upper() == b"XC"
            or line[:2].upper() == b"XF"]


def test_each_is_told_in_its_own_way(make_postern, make_told):
    usual = make_told("weight=1")
    xclient = make_told("handover={ xclient, xforward }")
    first = make_told("handover=proxy1", header=True)
    second = make_told("handover=proxy2, proxy_tlvs={ ssl, ssl-cipher }, "
                       "proxy_header_limit=60", header=True)
    bare = make_told("handover={ proxy2, xforward }", header=True)
    nothing = make_told("handover=none")
    logged = make_told("handover={ none, xforward }")
    backends = usual, xclient, first, second, bare, nothing, logged
    postern = pool(make_postern, *backends,
                   proxy_backend_proxy_tlvs="ssl").start()
    probes = [backend.heads[:] for backend in backends]
    for _ in backends:
        send(postern)
    assert [len(one.messages()) for one in backends] == [1] * len(backends)
    assert told(usual) == [TOLD]
    assert told(xclient) == [TOLD, LOGGED]
    assert told(nothing) == told(first) == told(second) == []
    assert told(bare) == told(logged) == [LOGGED]
    assert re.fullmatch(
        rb"PROXY TCP4 127\.0\.0\.77 127\.0\.0\.1 \d+ \d+", first.heads[-1])
    assert second.heads[-1].startswith(SIGNATURE + b"\x21\x11")
    assert second.heads[-1][16:20] == ADDRESS
    assert len(second.heads[-1]) <= 60
    assert b"TLSv1.3" in second.heads[-1]
    assert b"TLS_AES" not in second.heads[-1]
    assert bare.heads[-1][16:20] == ADDRESS
    assert b"TLSv1.3" in bare.heads[-1]  # as the listener has it
    # A health check is no client's.
    for heads in probes[3], probes[4]:
        assert heads and set(heads) == {SIGNATURE + b"\x20\0\0\0"}
    assert all(re.fullmatch(rb"PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+",
                            head) for head in probes[2])
    line = postern.wait_for_log("has no room")
    assert "ssl-cipher" in line
    for way, count in (("xclient", 2), ("proxy1", 1), ("proxy2", 2),
                       ("none", 2)):
        eventually(lambda: len(re.findall(
            rf"session=.* handover={way} .* messages=1 ",
            postern.text())) == count, 10, way)


@pytest.mark.parametrize("phase", ["banner", "XCLIENT", "EHLO"])
def test_the_next_one_is_told_in_its_way(make_postern, make_told, phase):
    """From XCLIENT to a header and back; the client sees nothing of it."""
    one = make_told("handover=xclient")
    other = make_told("handover=proxy2, reserve=yes", header=True)
    postern = pool(make_postern, one, other).start()
    one.on[phase] = "die"
    send(postern)
    assert other.heads[-1][16:20] == ADDRESS
    assert told(other) == []
    assert len(other.messages()) == 1

    one.on.pop(phase)
    one.on["XCLIENT"] = b"220 backend.example.test ESMTP\r\n"
    other.on["connect"] = "die"
    other.element = other.element.replace("reserve=yes", "reserve=no")
    one.element = one.element.replace("}", ", reserve=yes }")
    postern.settings["proxy_backend"] = f"{one.element} {other.element}"
    postern.write()
    assert postern.verb("reload").returncode == 0
    send(postern)
    assert told(one) == [TOLD]
    assert len(other.messages()) == 1


def test_one_that_cannot_be_told_is_passed_over(make_postern, make_told):
    """It does not offer XCLIENT; one that can be told serves, and when none
    can, the client hears 451."""
    deaf = make_told("handover=xclient", keywords=["PIPELINING"])
    lost = make_told("handover=xforward")
    other = make_told("handover=proxy1, reserve=yes", header=True,
                      keywords=["PIPELINING"])
    postern = pool(make_postern, deaf, lost, other).start()
    assert (f"proxy_backend: {lost.address}: handover = xforward: tells the "
            "backends nothing" in postern.text())
    for _ in range(2):
        send(postern)
    assert len(other.messages()) == 2
    assert not deaf.messages() and not lost.messages()
    assert "not given to" not in postern.text()
    other.shut()
    with postern.connect(source=CLIENT) as client:
        client.greeting()
        client.expect("EHLO client.example.test", 250)
        client.expect("MAIL FROM:<sender@example.test>", 451)
        client.expect("QUIT", 221)
    line = postern.wait_for_log("not given to")
    assert lost.address in line and "handover" in line
    assert deaf.address in postern.wait_for_log("does not offer XCLIENT")
    assert not deaf.messages() and not lost.messages()


class WithSocket(Listener):
    """A line of master.cf, and one for a Unix socket."""

    def __init__(self, path):
        super().__init__()
        self.path = path

    def line(self):
        return f"{super().line()}\n{self.path} unix n - n - - smtpd"


def test_a_client_without_address(make_postern, make_told, scratch):
    """A header cannot tell of a Unix socket, XCLIENT can."""
    header = make_told("handover=proxy2", header=True)
    xclient = make_told("handover=xclient, reserve=yes")
    postern = pool(make_postern, header, xclient)
    postern.listeners = [WithSocket(scratch / "gate")]
    postern.start()

    def talk(*commands):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(20)
            peer.connect(str(scratch / "gate"))
            replies = peer.makefile("rb")
            codes = [replies.readline()[:3]]
            for command in commands:
                peer.sendall(command + b"\r\n")
                line = replies.readline()
                while line[3:4] == b"-":
                    line = replies.readline()
                codes.append(line[:3])
            return codes

    words = (b"EHLO client.example.test", b"MAIL FROM:<>", b"QUIT")
    assert talk(*words) == [b"220", b"250", b"250", b"221"]
    assert told(xclient) == [b"XCLIENT NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE]"]
    xclient.shut()
    assert talk(*words) == [b"220", b"250", b"451", b"221"]
    assert header.address in postern.wait_for_log("not given to")
    send(postern)
    assert len(header.messages()) == 1


def test_check_asks_each_in_its_way(make_postern, make_postfix, make_told):
    trusting = make_postfix(settings={
        "mynetworks": "127.0.0.0/8",
        "smtpd_relay_restrictions":
            "permit_mynetworks, reject_unauth_destination",
        "smtpd_recipient_restrictions": "permit_mynetworks, reject",
        "smtpd_authorized_xclient_hosts": "127.0.0.1"})
    behind = make_told("handover=proxy2", header=True)
    behind.on["RCPT"] = b"554 5.7.1 Relay access denied\r\n"
    address = f"inet:127.0.0.1:{trusting.port}"
    postern = make_postern(settings={
        "proxy_backend": f"{{ {address}, handover=none }} {behind.element}",
        "proxy_backend_handover": "auto"})
    postern.write()
    result = postern.verb("check", "--backends")
    assert result.returncode == 1
    assert re.search(rf"backend {address}, .*: relays for strangers: .*set "
                     "proxy_backend_handover", result.stderr)
    assert f"backend {behind.address}, " in result.stdout
    assert behind.heads[-1][16:20] == bytes([192, 0, 2, 1])
    postern.settings["proxy_backend"] = f"{address} {behind.element}"
    postern.write()
    result = postern.verb("check", "--backends")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("does not relay for strangers: 554 5.7.1") == 2
