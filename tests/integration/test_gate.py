# SPDX-License-Identifier: Apache-2.0
"""What Postern answers alone, and when it first needs a backend."""
import time

import pytest

from client import Client, eventually
from ports import has_ipv6
from postern import Listener


def test_greeting(postern):
    with postern.connect() as client:
        assert client.reply().raw == b"220 mx.example.test ESMTP Postern\r\n"


# Each is sent to Postfix and to a Postern before that Postfix; what they answer
# must be the same bytes.
DIALOGUES = {
    "order": ["HELO c.example.test", "EHLO c.example.test", "NOOP",
              "NOOP with words", "RSET", "rset", "QUIT"],
    "bad commands": ["FOO", "EHLO", "HELO", "STARTTLS now", "", "  ", "QUIT"],
    "too early": ["MAIL FROM:<a@example.test>", "EHLO c.example.test",
                  "RCPT TO:<user@box.test>", "DATA", "QUIT"],
    "web": ["GET / HTTP/1.1"],
    "transaction": ["EHLO c.example.test", "MAIL FROM:<a@example.test>",
                    "MAIL FROM:<b@example.test>", "RCPT TO:<user@box.test>",
                    "RCPT TO:<user@elsewhere.test>", "RSET", "DATA", "VRFY x",
                    "QUIT"],
}


def answers(port, lines):
    """All replies to the lines, sent in turn."""
    replies = []
    with Client(port) as client:
        client.greeting()
        for line in lines:
            try:
                replies.append((line, client.command(line).raw))
            except (EOFError, ConnectionError):
                replies.append((line, None))
                break
    return replies




@pytest.mark.parametrize("name", DIALOGUES)
def test_answers_are_those_of_postfix(make_postern, make_postfix, certificate,
                                      name):
    postfix = make_postfix(certificate=certificate)
    postern = make_postern(f"inet:127.0.0.1:{postfix.port}").start()
    assert answers(postern.port, DIALOGUES[name]) == \
        answers(postfix.port, DIALOGUES[name])


def test_encrypt_refuses_what_postfix_refuses(make_postern, make_postfix,
                                              certificate):
    lines = ["HELO c.example.test", "EHLO c.example.test", "NOOP",
             "MAIL FROM:<a@example.test>", "RCPT TO:<user@box.test>", "DATA",
             "RSET", "VRFY x", "ETRN x", "BDAT 0 LAST", "FOO", "QUIT"]
    postfix = make_postfix(certificate=certificate,
                           settings={"smtpd_tls_security_level": "encrypt"})
    postern = make_postern(settings={
        "smtpd_tls_security_level": "encrypt"}).start()
    # The sink's keywords are not Postfix's, so EHLO is compared elsewhere.
    ours = answers(postern.port, lines)
    theirs = answers(postfix.port, lines)
    assert [pair for pair in ours if not pair[0].startswith("EHLO")] == \
        [pair for pair in theirs if not pair[0].startswith("EHLO")]


def test_ehlo_is_that_of_the_postfix_behind(make_postern, make_postfix,
                                            certificate):
    """Same host name, keywords and order, before TLS and inside it."""
    postfix = make_postfix(certificate=certificate)
    postern = make_postern(f"inet:127.0.0.1:{postfix.port}").start()
    seen = []
    for port in (postfix.port, postern.port):
        with Client(port) as client:
            client.greeting()
            clear = client.command("EHLO c.example.test").raw
            client.starttls()
            seen.append((clear, client.command("EHLO c.example.test").raw))
    assert seen[0] == seen[1]


@pytest.mark.both_rings
def test_no_backend_before_tls(fronted, backend):
    backend_sessions = len(backend.sessions)
    with fronted.connect() as client:
        client.greeting()
        for line, code in (("EHLO c.example.test", 250), ("NOOP", 250),
                           ("RSET", 250), ("HELO c.example.test", 250),
                           ("STARTTLS", 220)):
            client.expect(line, code)
        client.handshake()
        client.expect("NOOP", 250)
        assert len(backend.sessions) == backend_sessions
        client.expect("EHLO c.example.test", 250)
        assert len(backend.sessions) == backend_sessions + 1
        client.quit()


def test_no_backend_for_quit_inside_tls(fronted, backend):
    with fronted.connect() as client:
        client.greeting()
        client.starttls()
        client.quit()
    assert backend.of_clients() == []


def test_no_backend_for_handshakes_that_fail(fronted, backend):
    before = len(backend.sessions)
    for _ in range(5):
        with fronted.connect() as client:
            client.greeting()
            client.expect("STARTTLS", 220)
            client.send_raw(b"no TLS\r\n")
            client.rest()
    assert len(backend.sessions) == before


def test_backend_at_first_mail_in_clear(fronted, backend):
    before = len(backend.sessions)
    with fronted.connect() as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.expect("NOOP", 250)
        assert len(backend.sessions) == before
        client.mail()
        client.quit()
    assert len(backend.sessions) == before + 1
    # The backend was told what the client told us.
    session = backend.of_clients()[0]
    assert session.commands[0] == b"EHLO c.example.test"
    assert session.messages == [b"Subject: test\r\n\r\ntext\r\n"]


def test_helo_is_told_as_helo(fronted, backend):
    with fronted.connect() as client:
        client.greeting()
        client.expect("HELO c.example.test", 250)
        client.mail()
        client.quit()
    assert backend.of_clients()[0].commands[0] == b"HELO c.example.test"


def test_keywords_that_are_not_passed(make_postern, make_backend):
    backend = make_backend(keywords=[
        "PIPELINING", "SIZE 1000", "STARTTLS", "XCLIENT NAME ADDR",
        "XFORWARD NAME ADDR", "REQUIRETLS", "X-ANONYMOUSTLS", "XEXCH50", "XSOMETHING 1 2",
        "AUTH PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS"])
    postern = make_postern(backend).start()
    with postern.secured() as client:
        reply = client.expect("EHLO c.example.test", 250)
        assert reply.lines[0].split()[0] == "mx.example.test"
        assert reply.keywords == {"PIPELINING": "", "SIZE": "1000",
                                  "AUTH": "PLAIN SCRAM-SHA-256"}
    with postern.connect() as client:
        client.greeting()
        assert client.expect("EHLO c.example.test", 250).keywords == {
            "PIPELINING": "", "SIZE": "1000", "STARTTLS": "",
            "AUTH": "PLAIN SCRAM-SHA-256"}


@pytest.mark.parametrize("settings", [
    {"smtpd_tls_auth_only": "yes"}, {"smtpd_tls_security_level": "encrypt"}])
def test_auth_is_hidden_in_clear(make_postern, make_backend, settings):
    backend = make_backend(keywords=["PIPELINING", "AUTH PLAIN LOGIN"])
    postern = make_postern(backend, settings=settings).start()
    with postern.connect() as client:
        client.greeting()
        assert "AUTH" not in client.expect("EHLO c.example.test", 250).keywords
        assert client.command("AUTH PLAIN AGEAYg==").code in (503, 530)
        client.starttls()
        assert client.expect("EHLO c.example.test", 250).keywords["AUTH"] == \
            "PLAIN LOGIN"
    assert b"AUTH PLAIN AGEAYg==" not in [
        line for session in backend.sessions for line in session.commands]


def test_discarded_keywords(make_postern):
    postern = make_postern(settings={
        "smtpd_discard_ehlo_keywords": "chunking, starttls"}).start()
    with postern.connect() as client:
        client.greeting()
        keywords = client.expect("EHLO c.example.test", 250).keywords
        assert "CHUNKING" not in keywords and "STARTTLS" not in keywords
        client.expect("STARTTLS", 502)


def test_keywords_are_kept_fresh(make_postern, backend):
    postern = make_postern(
        backend, settings={"proxy_backend_probe_interval": "1s"}).start()

    def offered():
        with postern.connect() as client:
            client.greeting()
            return client.expect("EHLO c.example.test", 250).keywords

    assert "CHUNKING" in offered()
    backend.keywords = ["PIPELINING", "SIZE 4242"]
    eventually(lambda: offered() == {
        "PIPELINING": "", "SIZE": "4242", "STARTTLS": ""})


def test_two_backends_are_intersected(make_postern, make_backend):
    first = make_backend(keywords=["PIPELINING", "SIZE 5000", "8BITMIME",
                                   "AUTH PLAIN LOGIN"])
    second = make_backend(keywords=["SIZE 3000", "8BITMIME", "DSN",
                                    "AUTH LOGIN CRAM-MD5"])
    postern = make_postern(first, second).start()

    def offered():
        with postern.connect() as client:
            client.greeting()
            return client.expect("EHLO c.example.test", 250).keywords

    eventually(lambda: offered() == {
        "SIZE": "3000", "STARTTLS": "", "AUTH": "LOGIN", "8BITMIME": ""},
        message="the sets are not intersected")


def test_a_backend_that_lacks_a_keyword_is_passed_over(make_postern,
                                                       make_backend):
    first, second = make_backend(), make_backend()
    postern = make_postern(first, second).start()
    time.sleep(0.5)  # until both are known
    first.keywords = ["PIPELINING"]
    for _ in range(6):
        with postern.connect() as client:
            client.greeting()
            assert "CHUNKING" in client.expect(
                "EHLO c.example.test", 250).keywords
            client.mail()
            client.quit()
    assert first.messages() == []
    assert len(second.messages()) == 6


def test_no_backend_has_what_was_offered(fronted, backend):
    with fronted.connect() as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        backend.keywords = ["PIPELINING"]
        reply = client.command("MAIL FROM:<a@example.test>")
        assert reply.text.startswith("451 4.3.0 ")
    assert backend.messages() == []


def test_no_backend_was_ever_reached(make_postern, make_backend):
    backend = make_backend()
    backend.shut()
    postern = make_postern(
        backend, settings={"proxy_backend_probe_interval": "1s"})
    postern.start(ready=False)

    def greeting():
        try:
            with Client(postern.port) as client:
                return client.reply().text + client.rest().decode()
        except OSError:
            return None

    assert eventually(greeting).startswith("421 4.3.2 mx.example.test ")
    backend.open()
    eventually(lambda: greeting_is_good(postern), 15)


def greeting_is_good(postern):
    with Client(postern.port) as client:
        if client.reply().code != 220:
            return False
        client.quit()
        return True


def test_backend_over_a_unix_socket(make_postern, make_backend, scratch):
    backend = make_backend(path=scratch / "backend")
    postern = make_postern(backend).start()
    with postern.secured() as client:
        client.mail()
        client.quit()
    assert len(backend.messages()) == 1


@pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here")
def test_backend_over_ipv6(make_postern, make_backend):
    backend = make_backend(host="::1")
    postern = make_postern(backend).start()
    with postern.secured() as client:
        client.mail()
        client.quit()
    assert len(backend.messages()) == 1


def test_a_backend_with_a_long_greeting(make_postern, make_backend):
    backend = make_backend()
    backend.on["banner"] = b"220-please\r\n220-be patient\r\n220 now\r\n"
    postern = make_postern(backend).start()
    with postern.secured() as client:
        client.mail()
        client.quit()


def test_improper_pipelining_is_forbidden_where_it_is_said(make_postern):
    postern = make_postern(listeners=[
        Listener(smtpd_forbid_unauth_pipelining="yes")]).start()
    with postern.connect() as client:
        client.greeting()
        client.send(b"HELO c.example.test\r\nRSET\r\nNOOP\r\n")
        assert client.rest() == (
            b"554 5.5.0 Error: SMTP protocol synchronization\r\n")
    postern.wait_for_log("^improper command pipelining after HELO from "
                         r"unknown\[127.0.0.1\]: RSET\\r\\nNOOP\\r\\n")


def test_keywords_are_discarded_by_address(make_postern):
    """What the map says counts instead of the list, also in TLS."""
    postern = make_postern(settings={
        "smtpd_discard_ehlo_keywords": "chunking",
        "smtpd_discard_ehlo_keyword_address_maps":
            "cidr:{ {127.0.0.91 starttls, 8bitmime} }"}).start()
    with postern.connect(source="127.0.0.91") as client:
        client.greeting()
        keywords = client.expect("EHLO client.example.test", 250).keywords
        assert "STARTTLS" not in keywords and "8BITMIME" not in keywords
        assert "CHUNKING" in keywords
        client.expect("STARTTLS", 502)
        client.expect("QUIT", 221)
    with postern.secured() as client:
        keywords = client.expect("EHLO client.example.test", 250).keywords
        assert "CHUNKING" not in keywords and "8BITMIME" in keywords
        client.send(b"BDAT 1 LAST\r\nx")
        assert client.reply().code == 502
