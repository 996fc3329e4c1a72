# SPDX-License-Identifier: Apache-2.0
"""Behind another proxy: PROXY headers and XCLIENT from the outside."""
import re
import socket
import struct

import pytest

from postern import Listener

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.44 198.51.100.1 40112 25\r\n"
ELSEWHERE = "127.0.0.99"


def v2(command=0x21, family=0x11, body=None, tlvs=b""):
    if body is None:
        body = (socket.inet_aton("192.0.2.44")
                + socket.inet_aton("198.51.100.1")
                + struct.pack("!HH", 40112, 25))
    body += tlvs
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


V2_6 = v2(family=0x21, body=socket.inet_pton(socket.AF_INET6, "2001:db8::7")
          + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
          + struct.pack("!HH", 40112, 25))
MAPPED = v2(family=0x21,
            body=socket.inet_pton(socket.AF_INET6, "::ffff:192.0.2.44")
            + socket.inet_pton(socket.AF_INET6, "::ffff:198.51.100.1")
            + struct.pack("!HH", 40112, 25))
TLVS = b"\x04\0\x03abc" + b"\x02\0\x0fmx.example.test"

GOOD = {"v1": (V1, "192.0.2.44"), "v2": (v2(), "192.0.2.44"),
        "v2 ipv6": (V2_6, "2001:db8::7"), "tlvs": (v2(tlvs=TLVS), "192.0.2.44"),
        "mapped": (MAPPED, "192.0.2.44"),
        "large": (v2(tlvs=b"\x04\x07\xd0" + bytes(2000)), "192.0.2.44"),
        "v1 ipv6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n",
                    "2001:db8::7")}
BAD = {"unknown": b"PROXY UNKNOWN\r\n",
       "no header": b"EHLO client.example.test\r\n",
       "tls": b"\x16\x03\x01\x02\0\x01\0\x01\xfc",
       "bad address": b"PROXY TCP4 192.0.2.444 198.51.100.1 1 2\r\n",
       "bad port": b"PROXY TCP4 192.0.2.44 198.51.100.1 99999 2\r\n",
       "lf": b"PROXY TCP4 192.0.2.44 198.51.100.1 1 2\n",
       "endless v1": b"PROXY TCP4 " + b"1" * 200,
       "udp": v2(family=0x12), "unix": v2(family=0x31, body=bytes(216)),
       "unspec": v2(family=0), "short": v2(body=b"abc"),
       "odd command": v2(command=0x22),
       "endless v2": SIGNATURE + b"\x21\x11\xff\xff" + bytes(100),
       "tlv overrun": v2(tlvs=b"\x01\0\x09a")}


def listeners():
    upstream = {"smtpd_upstream_proxy_protocol": "haproxy",
                "proxy_upstream_networks": "127.0.0.1"}
    return [Listener(**upstream),
            Listener(smtpd_tls_wrappermode="yes", **upstream),
            Listener(proxy_upstream_optional="yes", **upstream),
            Listener(smtpd_authorized_xclient_hosts="127.0.0.1"),
            Listener(smtpd_authorized_xclient_hosts="127.0.0.1",
                     smtpd_tls_security_level="encrypt")]


class Upstream:
    """A Postern whose listeners wait for headers; it is not asked to greet us
    without one."""

    def __init__(self, postern):
        self.postern = postern

    def connect(self, listener=0, head=b"", **options):
        client = self.postern.connect(listener, **options)
        client.send_raw(head)
        return client


@pytest.fixture
def house(make_postern, backend):
    one = make_postern(backend, listeners=listeners(), settings={
        "proxy_backend_handover": "none",
        "smtpd_upstream_proxy_timeout": "2s"})
    one.start()
    return Upstream(one)


@pytest.mark.parametrize("kind", GOOD)
def test_the_client_is_whom_the_header_says(house, kind):
    head, address = GOOD[kind]
    with house.connect(head=head) as client:
        client.secured()
        client.expect("QUIT", 221)
    house.postern.wait_for_log(re.escape(f"connect from unknown[{address}]"))
    record = house.postern.wait_for_log(r"^session=.* commands=")
    assert f"client=[{address}]:" in record
    assert "proxy_source=[127.0.0.1]:" in record


def test_header_and_first_words_in_one_segment(house):
    with house.connect(head=V1 + b"EHLO early.example.test\r\n") as client:
        client.greeting()
        assert client.reply().code == 250
        client.expect("QUIT", 221)
    with house.connect() as client:
        for byte in v2(tlvs=TLVS) + b"EHLO a\r\n":
            client.send_raw(bytes([byte]))
        client.greeting()
        assert client.reply().code == 250
        client.expect("QUIT", 221)


@pytest.mark.parametrize("head", [V1, v2(tlvs=TLVS)], ids=["v1", "v2"])
def test_header_and_client_hello_in_one_segment(house, head):
    with house.connect(1) as client:
        client.begin_tls()
        try:
            client.tls.do_handshake()
        except Exception:
            pass
        client.send_raw(head + client.outgoing.read())
        while True:
            try:
                client.tls.do_handshake()
                break
            except Exception:
                data = client.socket.recv(65536)
                assert data
                client.incoming.write(data)
        client.send_raw(client.seal())
        client.greeting()
        client.expect("EHLO client.example.test", 250)
        client.expect("QUIT", 221)
    house.postern.wait_for_log(r"TLS connection established from "
                               r"unknown\[192\.0\.2\.44\]")


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_header_is_refused(house, kind):
    with house.connect(head=BAD[kind]) as client:
        reply = client.reply()
        assert reply.text == "421 4.3.0 mx.example.test Server local error\r\n"
        assert client.closed()
    house.postern.wait_for_log(r"warning: session from unknown\[127\.0\.0\.1\]: "
                               r".*PROXY header")
    assert "reason=PROXY_HEADER" in house.postern.wait_for_log(r"^session=")


def test_a_header_that_does_not_come(house):
    with house.connect(head=V1[:20]) as client:
        assert client.reply().code == 421
    assert "reason=TIMED_OUT" in house.postern.wait_for_log(r"^session=")


def test_local_may_greet_and_no_more(house):
    with house.connect(head=v2(command=0x20, family=0, body=b"")) as client:
        client.greeting()
        client.expect("EHLO check.example.test", 250)
        client.expect("MAIL FROM:<sender@example.test>", 451)
        client.expect("QUIT", 221)
    with house.connect(head=v2(command=0x20)) as client:
        client.secured()
        reply = client.expect("MAIL FROM:<sender@example.test>", 451)
        assert reply.text.startswith("451 4.3.0 ")
        client.expect("QUIT", 221)
    assert "client=[127.0.0.1]:" in house.postern.wait_for_log(r"^session=")


def test_elsewhere_is_refused_or_an_ordinary_client(house):
    with house.connect(head=V1, source=ELSEWHERE) as client:
        assert client.reply().code == 421
        assert client.closed() or client.was_reset
    assert ELSEWHERE in house.postern.wait_for_log("proxy_upstream_networks")
    with house.connect(2, source=ELSEWHERE) as client:
        client.greeting()
        # It is no header there, only a bad command.
        assert client.command(V1[:-2].decode()).code in (221, 500, 502)
    record = house.postern.wait_for_log(r"^session=.*client=\[127\.0\.0\.99\]")
    assert "192.0.2.44" not in record
    with house.connect(2, head=V1) as client:
        client.greeting()
        client.expect("QUIT", 221)
    house.postern.wait_for_log(r"^session=.*client=\[192\.0\.2\.44\]")


XCLIENT = ("XCLIENT NAME=spike.example.test ADDR=192.0.2.55 PORT=4711 "
           "PROTO=ESMTP HELO=spike LOGIN=me@example.test")


@pytest.mark.parametrize("secure", [False, True], ids=["clear", "tls"])
def test_xclient_of_a_trusted_proxy(house, backend, secure):
    with house.connect(4 if secure else 3) as client:
        if secure:
            client.secured()
        else:
            client.greeting()
        keywords = client.expect("EHLO proxy.example.test", 250).keywords
        assert keywords["XCLIENT"] == ("NAME ADDR PROTO HELO REVERSE_NAME PORT "
                                       "LOGIN DESTADDR DESTPORT")
        assert client.command("XCLIENT ADDR=1.2.3.444").text == \
            "501 5.5.4 Bad ADDR syntax: 1.2.3.444\r\n"
        client.expect(XCLIENT, 220)
        client.expect("XCLIENT ADDR=192.0.2.56", 550)
        keywords = client.expect("EHLO client.example.test", 250).keywords
        assert "XCLIENT" not in keywords
        client.expect("MAIL FROM:<sender@example.test>", 250)
        client.expect("QUIT", 221)
    record = house.postern.wait_for_log(r"^session=")
    assert "client=[192.0.2.55]:4711" in record
    assert "proxy_source=[127.0.0.1]:" in record
    house.postern.wait_for_log(
        r"disconnect from spike\.example\.test\[192\.0\.2\.55\]")


def test_xclient_of_anybody_else(house):
    with house.connect(3, source=ELSEWHERE) as client:
        client.greeting()
        keywords = client.expect("EHLO client.example.test", 250).keywords
        assert "XCLIENT" not in keywords
        assert client.command(XCLIENT).text == \
            "550 5.7.0 Error: insufficient authorization\r\n"
        client.expect("QUIT", 221)


def test_login_goes_on_only_from_a_trusted_proxy(make_postern, make_backend):
    backend, seen = make_backend(), []
    backend.on["EHLO"] = b"250-b\r\n250 XCLIENT NAME ADDR LOGIN REVERSE_NAME\r\n"
    backend.on["XCLIENT"] = lambda _, line: (
        seen.append(line.decode()) or b"220 b ESMTP\r\n")
    postern = make_postern(backend, settings={
        "proxy_backend_handover": "auto",
        "smtpd_authorized_xclient_hosts": "127.0.0.1"}).start()
    with postern.secured() as client:
        client.expect(XCLIENT, 220)
        client.expect("MAIL FROM:<sender@example.test>", 250)
        client.expect("QUIT", 221)
    with postern.secured(source=ELSEWHERE) as client:
        client.expect("MAIL FROM:<sender@example.test>", 250)
        client.expect("QUIT", 221)
    assert seen == [
        "XCLIENT REVERSE_NAME=spike.example.test NAME=spike.example.test "
        "LOGIN=me@example.test ADDR=192.0.2.55",
        "XCLIENT REVERSE_NAME=[UNAVAILABLE] NAME=[UNAVAILABLE] "
        f"ADDR={ELSEWHERE}"]


def test_login_is_of_one_xclient(make_postern, make_backend):
    """Else the next client would be whom the last one has logged in as."""
    backend, seen = make_backend(), []
    backend.on["EHLO"] = b"250-b\r\n250 XCLIENT NAME ADDR LOGIN\r\n"
    backend.on["XCLIENT"] = lambda _, line: (
        seen.append(line.decode()) or b"220 b ESMTP\r\n")
    postern = make_postern(backend, settings={
        "proxy_backend_handover": "auto",
        "smtpd_authorized_xclient_hosts": "127.0.0.1"}).start()
    with postern.secured() as client:
        client.expect("XCLIENT LOGIN=me@example.test", 220)
        client.expect("XCLIENT ADDR=192.0.2.56", 220)
        client.expect("EHLO client.example.test", 250)
        client.expect("MAIL FROM:<sender@example.test>", 250)
        client.expect("QUIT", 221)
    assert seen == ["XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.56"]


def test_nobody_may_send_the_header(make_postern):
    one = make_postern(settings={"smtpd_upstream_proxy_protocol": "haproxy"})
    one.write()
    result = one.verb("check")
    assert result.returncode != 0
    assert "proxy_upstream_networks" in result.stdout + result.stderr
    one.expect_clean = False
