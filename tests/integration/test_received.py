# SPDX-License-Identifier: Apache-2.0
"""The Received: header of our own, compared with that of a real Postfix that has
the same certificate and the same client."""
import email.utils
import pathlib
import re
import ssl
import tempfile
import time

import pytest

import certificates
from client import Client, tls_context
from peers import Postfix

V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
MESSAGE = b"Subject: test\r\n\r\ntext\r\n..\r\nmore\r\n"
USUAL = "user@box.test"

SETTINGS = {"smtpd_tls_received_header": "yes", "mail_name": "Postern",
            "smtpd_tls_protocols": ">=TLSv1.2", "smtpd_tls_ask_ccert": "no",
            "tls_preempt_cipherlist": "yes"}

DATE = re.compile(rb"\w{3}, [ \d]\d \w{3} \d{4} \d\d:\d\d:\d\d [-+]\d{4} "
                  rb"\([A-Z]+\)")


@pytest.fixture(scope="session")
def client_certificate(keys):
    return certificates.Certificate(keys, "client (rsa).example.test")


def _postfix(certificate, **settings):
    with tempfile.TemporaryDirectory(prefix="postern-") as path:
        postfix = Postfix(pathlib.Path(path), certificate,
                          settings={**SETTINGS, **settings})
        yield postfix.start()
        postfix.stop()


@pytest.fixture(scope="module")
def plain(certificate):
    yield from _postfix(certificate)


@pytest.fixture(scope="module")
def asking(certificate):
    yield from _postfix(certificate, smtpd_tls_ask_ccert="yes")


@pytest.fixture(scope="module")
def trusting(certificate, client_certificate):
    yield from _postfix(
        certificate, smtpd_tls_ask_ccert="yes",
        smtpd_tls_CAfile=str(client_certificate.certificate))


def send(client, message=MESSAGE, chunks=0, recipients=(USUAL,), options=""):
    """One message, in DATA or in so many chunks."""
    client.expect(f"MAIL FROM:<sender@example.test>{options}", 250)
    for recipient in recipients:
        client.expect(f"RCPT TO:<{recipient}>", 250)
    if not chunks:
        assert client.data(message).code == 250
        return
    size = -(-len(message) // chunks)
    for start in range(0, len(message), size):
        piece = message[start:start + size]
        last = b" LAST" if start + size >= len(message) else b""
        client.send(b"BDAT %d%s\r\n" % (len(piece), last) + piece)
    for _ in range(chunks):
        reply = client.reply()
        assert reply.code == 250, reply


def dialogue(port, version=V1_3, greeting="EHLO c.example.test",
             certificate=None, **options):
    with Client(port) as client:
        client.greeting()
        if version:
            context = tls_context(version, version)
            if certificate:
                context.load_cert_chain(
                    certificate.certificate, certificate.key)
            # No EHLO before it: Postfix would remember that in a later HELO.
            client.starttls(context)
        client.expect(greeting, 250)
        send(client, **options)
        client.quit()


def header_of_postfix(path):
    """The header as it was on the wire."""
    content = path.read_bytes().replace(b"\n", b"\r\n")
    return re.search(rb"(?m)^Received: (?:.*\r\n)(?:[\t ].*\r\n)*", content)[0]


def comparable(header):
    header, dates = DATE.subn(b"DATE", header)
    header, ids = re.subn(rb"(?<= id )[-.0-9A-Za-z]+", b"ID", header)
    assert (dates, ids) == (1, 1), header
    return header


def reference_header(postfix, **options):
    before = set(postfix.box())
    dialogue(postfix.port, **options)
    postfix.wait_for_messages(len(before) + len(options.get(
        "recipients", (USUAL,))))
    return comparable(header_of_postfix((set(postfix.box()) - before).pop()))


ODD_NAME = "EHLO a b(c)<d>;e@f\"g\\h\x7f"
SCENARIOS = {
    "TLS 1.3": {}, "TLS 1.3 in a chunk": {"chunks": 1},
    "TLS 1.3 in chunks": {"chunks": 3}, "TLS 1.2": {"version": V1_2},
    "TLS 1.2 in a chunk": {"version": V1_2, "chunks": 1},
    "in clear": {"version": None},
    "HELO": {"version": None, "greeting": "HELO c.example.test"},
    "HELO in TLS": {"greeting": "HELO c.example.test"},
    "an odd name": {"greeting": ODD_NAME},
    "SMTPUTF8": {"options": " SMTPUTF8"},
    "two recipients": {"recipients": (USUAL, "other@box.test")},
    "a quoted recipient": {"recipients": ('"a b"@box.test',)},
}


def compare(make_postern, backend, reference, settings=None, **options):
    """Returns Postern's header."""
    expected = reference_header(reference, **options)
    postern = make_postern(backend, settings={
        **SETTINGS, **(settings or {})}).start()
    postern.mark()
    dialogue(postern.port, **options)
    record = postern.wait_for_log("^session=")
    message = backend.messages()[-1]
    header = re.match(rb"Received: (?:.*\r\n)(?:[\t ].*\r\n)*", message)[0]
    assert comparable(header) == expected
    # Nothing else of the message has changed.
    sent = MESSAGE if options.get("chunks") else \
        MESSAGE.replace(b"\r\n.", b"\r\n..")
    assert message == header + sent
    session = re.match(r"session=(\S+)", record)[1]
    assert f" id {session}.1".encode() in header
    then = email.utils.parsedate_to_datetime(
        DATE.search(header)[0].decode()).timestamp()
    assert abs(time.time() - then) < 60
    return header


@pytest.mark.parametrize("name", SCENARIOS)
def test_header_is_that_of_postfix(make_postern, backend, plain, name):
    compare(make_postern, backend, plain, **SCENARIOS[name])


@pytest.mark.parametrize("version", [V1_2, V1_3], ids=str)
def test_no_client_certificate(make_postern, backend, asking, version):
    header = compare(make_postern, backend, asking, version=version,
                     settings={"smtpd_tls_ask_ccert": "yes"})
    assert b"\t(Client did not present a certificate)\r\n" in header


@pytest.mark.parametrize("version", [V1_2, V1_3], ids=str)
def test_client_certificate_of_nobody(make_postern, backend, asking,
                                      client_certificate, version):
    header = compare(make_postern, backend, asking, version=version,
                     certificate=client_certificate,
                     settings={"smtpd_tls_ask_ccert": "yes"})
    assert b"(not verified))\r\n" in header


@pytest.mark.parametrize("version", [V1_2, V1_3], ids=str)
def test_client_certificate_that_is_trusted(
        make_postern, backend, trusting, client_certificate, version):
    header = compare(
        make_postern, backend, trusting, version=version,
        certificate=client_certificate,
        settings={"smtpd_tls_ask_ccert": "yes", "smtpd_tls_CAfile": str(
            client_certificate.certificate)})
    assert b"(verified OK))\r\n" in header


def test_each_message_of_a_session_has_one(make_postern, backend):
    postern = make_postern(backend, settings=SETTINGS).start()
    with postern.secured() as client:
        for chunks in (0, 1, 2):
            send(client, chunks=chunks)
        client.expect("MAIL FROM:<sender@example.test>", 250)
        client.expect("RSET", 250)
        # All of two transactions at once.
        client.send(b"".join(
            b"MAIL FROM:<a@example.test>\r\nRCPT TO:<user@box.test>\r\n"
            b"BDAT %d LAST\r\n" % len(MESSAGE) + MESSAGE for _ in range(2)))
        for _ in range(6):
            assert client.reply().code == 250
        client.quit()
    numbers = []
    for message in backend.messages():
        assert message.count(b"Received: ") == 1
        assert b"\tfor <user@box.test>; " in message
        numbers.append(re.search(rb" id \S+\.(\d+)\r\n", message)[1])
    assert numbers == [b"1", b"2", b"3", b"5", b"6"]


def test_authenticated(make_postern, make_backend):
    backend = make_backend(keywords=["PIPELINING", "AUTH PLAIN", "CHUNKING"])
    postern = make_postern(backend, settings=SETTINGS).start()
    with postern.secured() as client:
        client.expect("AUTH PLAIN c2VjcmV0", 235)
        send(client)
        client.quit()
    assert b" with ESMTPSA id " in backend.messages()[0]


def test_the_backend_is_a_postfix(make_postern, plain):
    """It files the message with both headers, its own first."""
    postern = make_postern(f"inet:127.0.0.1:{plain.port}",
                           settings=SETTINGS).start()
    for chunks in (0, 2):
        before = set(plain.box())
        dialogue(postern.port, chunks=chunks)
        plain.wait_for_messages(len(before) + 1)
        content = (set(plain.box()) - before).pop().read_bytes()
        ours = content.rindex(b"\nReceived: from c.example.test (unknown [")
        assert content.count(b"\nReceived: ") == 2
        assert b"\n\t(using TLSv1.3 with cipher " in content[ours:]
        assert content.endswith(MESSAGE.replace(b"\r\n", b"\n") + b"\n") or \
            content.endswith(MESSAGE.replace(b"\r\n", b"\n"))


def test_none_unless_asked_for(make_postern, backend):
    postern = make_postern(backend).start()
    dialogue(postern.port)
    dialogue(postern.port, chunks=2)
    assert backend.messages() == [
        MESSAGE.replace(b"\r\n.", b"\r\n.."), MESSAGE]
