# SPDX-License-Identifier: Apache-2.0
"""Log lines: those of Postfix byte for byte, and one of ours per session."""
import pathlib
import re
import ssl
import stat
import tempfile
import time

import pytest

from client import Client, eventually, tls_context
from peers import Postfix
from postern import LOG_LINE, Listener

V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3

# Which lines of smtpd's are compared; the others are of the queue.
COMPARED = re.compile(
    r"(connect|disconnect|lost connection after|timeout after|"
    r"too many errors after|improper command pipelining after|SSL_accept|"
    r"warning:|\w+ TLS connection established|NOQUEUE: abort)")


def whole_mail(port, version=V1_3, ciphers=None):
    context = tls_context(version, version)
    if ciphers:
        context.set_ciphers(ciphers)
    with Client(port) as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.starttls(context)
        client.expect("EHLO c.example.test", 250)
        client.mail(recipient="user@box.test")
        client.quit()


def tls_1_2(port):
    whole_mail(port, V1_2)


def aes_128(port):
    whole_mail(port, V1_2, "ECDHE-RSA-AES128-GCM-SHA256")


def chacha(port):
    whole_mail(port, V1_2, "ECDHE-RSA-CHACHA20-POLY1305")


def curve(port):
    context = tls_context()
    context.set_ecdh_curve("secp384r1")
    with Client(port) as client:
        client.greeting()
        client.starttls(context)
        client.quit()


def resumed(port, version=V1_3):
    context = tls_context(version, version)
    session = None
    for _ in range(2):
        with Client(port) as client:
            client.greeting()
            client.starttls(context, session=session)
            client.expect("NOOP", 250)
            session = client.tls.session
            client.quit()


def resumed_1_2(port):
    resumed(port, V1_2)


def in_clear(port):
    with Client(port) as client:
        client.greeting()
        client.expect("HELO c.example.test", 250)
        client.mail()
        client.expect("NOOP", 250)
        client.expect("RSET", 250)
        client.quit()


def with_refusals(port):
    with Client(port) as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.expect("MAIL FROM:<a@example.test>", 250)
        client.command("RCPT TO:<user@elsewhere.test>")
        client.expect("RCPT TO:<user@box.test>", 250)
        client.command("VRFY user@box.test")
        client.command("FOO")
        client.expect("QUIT", 221)


def unspoken(port):
    with Client(port) as client:
        client.greeting()


def leaving_after(*lines, starttls=False):
    def scenario(port):
        with Client(port) as client:
            client.greeting()
            if starttls:
                client.starttls()
            for line in lines:
                client.command(line)
    return scenario


def leaving_in_data(port):
    with Client(port) as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.envelope()
        client.expect("DATA", 354)
        client.send(b"some text\r\n")


def leaving_after_a_message(port):
    with Client(port) as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.mail()


def no_tls_after_starttls(port):
    with Client(port) as client:
        client.greeting()
        client.expect("STARTTLS", 220)
        client.send_raw(b"EHLO c.example.test\r\n")
        client.rest()


def leaving_in_the_handshake(port):
    with Client(port) as client:
        client.greeting()
        client.expect("STARTTLS", 220)


def no_shared_cipher(port):
    context = tls_context(V1_2, V1_2)
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    with Client(port) as client:
        client.greeting()
        with pytest.raises((ssl.SSLError, EOFError)):
            client.starttls(context)


def web_client(port):
    with Client(port) as client:
        client.greeting()
        client.command("GET / HTTP/1.1")
        client.rest()


def too_eager(port):
    with Client(port) as client:
        client.greeting()
        client.send(b"HELO c.example.test\r\nNOOP\r\nRSET\r\n")
        for _ in range(3):
            client.reply()
        client.quit()


def too_many_errors(port):
    with Client(port) as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        for _ in range(6):
            client.send(b"FOO\r\n")
            if client.reply().code == 421:
                break
        client.rest()


def silent(port):
    with Client(port) as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        assert client.reply().code == 421
        client.rest()


SCENARIOS = {
    "TLS 1.3": whole_mail, "TLS 1.2": tls_1_2, "AES-128": aes_128,
    "ChaCha20": chacha, "secp384r1": curve,
    "resumed": resumed, "resumed TLS 1.2": resumed_1_2,
    "in clear": in_clear, "with refusals": with_refusals,
    "nothing said": unspoken,
    "lost after EHLO": leaving_after("EHLO c.example.test"),
    "lost after NOOP": leaving_after("NOOP"),
    "lost after an unknown command": leaving_after("FOO"),
    "lost after MAIL": leaving_after(
        "EHLO c.example.test", "MAIL FROM:<a@example.test>"),
    "lost after RCPT": leaving_after(
        "EHLO c.example.test", "MAIL FROM:<a@example.test>",
        "RCPT TO:<user@box.test>"),
    "lost in DATA": leaving_in_data,
    "lost after a message": leaving_after_a_message,
    "lost in TLS": leaving_after(starttls=True),
    "lost in TLS after EHLO": leaving_after(
        "EHLO c.example.test", starttls=True),
    "no TLS": no_tls_after_starttls,
    "lost in the handshake": leaving_in_the_handshake,
    "no shared cipher": no_shared_cipher, "web": web_client,
    "improper pipelining": too_eager, "too many errors": too_many_errors,
    "timeout": silent,
}

SETTINGS = {"smtpd_tls_loglevel": "1", "smtpd_hard_error_limit": "4",
            "smtpd_timeout": "3s", "smtpd_tls_protocols": ">=TLSv1.2",
            "tls_preempt_cipherlist": "yes"}


def _postfix(certificate):
    with tempfile.TemporaryDirectory(prefix="postern-") as path:
        postfix = Postfix(pathlib.Path(path), certificate, settings=SETTINGS)
        yield postfix.start()
        postfix.stop()


@pytest.fixture(scope="module")
def reference(certificate):
    """The Postfix that is compared with; nobody else talks to it."""
    for postfix in _postfix(certificate):
        eventually(lambda: "disconnect" in postfix.log())
        yield postfix


@pytest.fixture(scope="module")
def behind(certificate):
    """One that stands behind Postern."""
    yield from _postfix(certificate)


def postfix_lines(postfix, start):
    path = postfix.root / "maillog"
    text = path.read_bytes()[start:].decode("latin-1")
    return [match[3] for match in map(LOG_LINE.match, text.splitlines())
            if match and match[1] == "postfix/smtpd"
            and COMPARED.match(match[3])]


@pytest.mark.parametrize("name", SCENARIOS)
def test_lines_are_those_of_postfix(make_postern, reference, behind, name):
    scenario = SCENARIOS[name]
    start = (reference.root / "maillog").stat().st_size
    scenario(reference.port)
    sessions = 2 if "resumed" in name else 1
    eventually(lambda: sum(
        line.startswith("disconnect") for line in
        postfix_lines(reference, start)) == sessions)
    expected = postfix_lines(reference, start)

    postern = make_postern(f"inet:127.0.0.1:{behind.port}",
                           settings=SETTINGS).start()
    postern.mark()
    scenario(postern.port)
    postern.wait_for_log("^disconnect", count=sessions)
    found = [text for program, _, text in postern.log()
             if program == "postern/smtpd" and COMPARED.match(text)]
    assert found == expected


def session_lines(postern):
    return [text for text in postern.messages() if re.search(
        r"\breason=", text)]


def test_one_line_per_session_with_one_reason(make_postern):
    postern = make_postern(settings={"smtpd_timeout": "2s"}).start()
    with postern.secured() as client:
        client.mail()
        client.quit()
    with postern.connect() as client:
        client.greeting()
        client.quit()
    with postern.connect() as client:
        client.greeting()
    client = postern.connect()
    client.greeting()
    client.reset()
    no_tls_after_starttls(postern.port)
    web_client(postern.port)
    with postern.connect() as client:
        client.greeting()
        client.rest()
    postern.settle()
    eventually(lambda: len(session_lines(postern)) == 7)
    time.sleep(0.3)
    lines = session_lines(postern)
    reasons = []
    for line in lines:
        assert len(re.findall(r"\breason=", line)) == 1
        reasons.append(re.search(r"\breason=(\w+)", line)[1])
        assert not [word for word in line.split() if "=" not in word], line
    assert sorted(reasons) == sorted([
        "CLIENT_QUIT", "CLIENT_QUIT", "CLIENT_LOST", "CLIENT_LOST",
        "HANDSHAKE_FAILED", "CLIENT_NOT_SMTP", "TIMED_OUT"])


def test_what_a_client_says_cannot_forge_lines(postern):
    forged = ("x\x1b[2J\x07%n%s\t\xff\x7f\x0breason=FORGED connect from "
              "evil[192.0.2.1]")
    with postern.connect() as client:
        client.greeting()
        client.command(f"EHLO {forged}")
        client.command(f"FOO {forged}")
        client.command(f"GET {forged}")
        client.rest()
    postern.wait_for_log("^disconnect from ")
    time.sleep(0.2)
    raw = postern.output.read_bytes()
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f-\xff]", raw)
    for line in session_lines(postern):
        assert "FORGED" not in re.findall(r"\breason=(\w+)", line)


def test_port_in_the_log(make_postern):
    postern = make_postern(
        settings={"smtpd_client_port_logging": "yes"}).start()
    with postern.connect() as client:
        client.greeting()
        port = client.port
        client.quit()
    postern.wait_for_log(rf"^connect from unknown\[127\.0\.0\.1\]:{port}$")
    postern.wait_for_log(
        rf"^disconnect from unknown\[127\.0\.0\.1\]:{port} quit=1 commands=1$")


def test_ipv6_in_the_log(make_postern):
    postern = make_postern(listeners=[Listener(host="::1")]).start()
    whole = postern.secured()
    whole.quit()
    postern.wait_for_log(r"^connect from unknown\[::1\]$")
    postern.wait_for_log(r"^Anonymous TLS connection established from "
                         r"unknown\[::1\]: TLSv1.3 with cipher ")


def test_names_of_services(make_postern):
    postern = make_postern(
        settings={"syslog_name": "gate"},
        listeners=[Listener(), Listener(syslog_name="gate/submission")])
    postern.start()
    for number, program in ((0, "gate/smtpd"), (1, "gate/submission/smtpd")):
        postern.mark()
        with postern.connect(number) as client:
            client.greeting()
            client.quit()
        postern.wait_for_log("^disconnect")
        assert {program} == {
            name for name, _, text in postern.log() if "connect" in text}


def test_log_file(make_postern, scratch):
    log = scratch / "maillog"
    postern = make_postern(settings={"maillog_file": str(log)})
    postern.write()
    postern.spawn()
    eventually(log.exists)
    postern.output = log
    postern.wait_until_ready()
    with postern.secured() as client:
        client.quit()
    postern.wait_for_log("^Anonymous TLS connection established")
    postern.wait_for_log("^disconnect")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_tls_loglevel_0(make_postern):
    postern = make_postern(settings={"smtpd_tls_loglevel": "0"}).start()
    with postern.secured() as client:
        client.quit()
    postern.wait_for_log("^disconnect")
    assert not [text for text in postern.messages()
                if "TLS connection established" in text]


def test_secrets_are_not_logged(make_postern, make_backend):
    backend = make_backend(keywords=["PIPELINING", "AUTH PLAIN LOGIN"])
    postern = make_postern(backend).start()
    with postern.secured() as client:
        client.expect("AUTH PLAIN c2VjcmV0LXBhc3N3b3Jk", 235)
        client.quit()
    with postern.secured() as client:
        client.send(b"AUTH PLAIN c2VjcmV0LXBhc3N3b3Jk\r\n")
    postern.settle()
    assert "c2VjcmV0" not in postern.text()
