# SPDX-License-Identifier: Apache-2.0
"""The relay follows the session, and changes nothing of it."""
import ssl
import threading
import time

import pytest

from backend import LEAVE
from client import Client, eventually, stuffed, tls_context
from postern import sanitized

pytestmark = pytest.mark.both_rings

TRANSACTION = (b"MAIL FROM:<a@example.test>\r\nRCPT TO:<one@box.test>\r\n"
               b"RCPT TO:<two@box.test>\r\nDATA\r\n")


@pytest.fixture(params=["clear", "tls"])
def session(request, fronted):
    """A client that has said EHLO."""
    if request.param == "tls":
        with fronted.secured() as client:
            yield client
        return
    with fronted.connect() as client:
        client.greeting()
        client.expect("EHLO client.example.test", 250)
        yield client


def reason(postern):
    line = postern.wait_for_log(r"\breason=\w+")
    return line.split("reason=")[1].split()[0]


def test_pipelining(session, backend):
    session.send(TRANSACTION)
    assert [session.reply().code for _ in range(4)] == [250, 250, 250, 354]
    session.send(b"text\r\n.\r\n" + TRANSACTION)
    assert [session.reply().code for _ in range(5)] == [
        250, 250, 250, 250, 354]
    session.send(b"more\r\n.\r\nQUIT\r\n")
    assert [session.reply().code for _ in range(2)] == [250, 221]
    assert session.closed()
    assert backend.messages() == [b"text\r\n", b"more\r\n"]


def test_one_byte_at_a_time(session, backend):
    dialogue = TRANSACTION + b"..text\r\n.\r\nQUIT\r\n"
    codes = []
    for byte in dialogue:
        session.send(bytes([byte]))
        if byte == ord("\n") and len(codes) < 4:
            codes.append(session.reply().code)
    assert codes == [250, 250, 250, 354]
    assert session.reply().code == 250
    assert session.reply().code == 221
    assert backend.messages() == [b"..text\r\n"]


def test_replies_are_those_of_the_backend(fronted, backend):
    """A dialogue with and without Postern in between: the same replies."""
    backend.on["RCPT"] = lambda session, line: (
        b"550-5.1.1 no such user here\r\n550 5.1.1 <%s>\r\n" % line[8:-1]
        if b"nobody" in line else b"250 2.1.5 fine\r\n")
    backend.on["VRFY"] = b"".join(
        b"252%sline %d %s\r\n" % (b" " if i == 199 else b"-", i, b"x" * 60)
        for i in range(200))
    lines = ["MAIL FROM:<a@example.test> BODY=8BITMIME SMTPUTF8 SIZE=100 "
             "RET=HDRS ENVID=QQ314159", "RCPT TO:<user@box.test> "
             "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;user@box.test",
             "RCPT TO:<nobody@box.test>", "VRFY someone", "XSTRANGE a b", "RSET",
             "NOOP", "MAIL FROM:<\xfc\xfe@example.test>", "HELP", "QUIT"]
    seen = []
    for port in (backend.port, fronted.port):
        with Client(port) as client:
            client.greeting()
            client.expect("EHLO c.example.test", 250)
            seen.append([client.command(line).raw for line in lines])
    assert seen[0] == seen[1]
    direct, through = backend.of_clients()
    assert direct.commands == through.commands


@pytest.mark.parametrize("line", [
    "XCLIENT ADDR=192.0.2.1", "xclient NAME=trusted", "XFORWARD NAME=x"])
def test_identity_is_never_taken_from_a_client(session, backend, line):
    assert session.command(line).text.startswith("550 5.7.0 ")
    session.mail()
    assert session.command(line).text.startswith("550 5.7.0 ")
    session.quit()
    assert not {"XCLIENT", "XFORWARD"} & set(backend.verbs())


def test_an_unknown_verb_is_passed(session, backend):
    """In clear too, once there is a backend."""
    backend.on["XSTRANGE"] = b"250 strange\r\n"
    session.mail()
    assert session.command("XSTRANGE a=b").raw == b"250 strange\r\n"
    session.mail()
    session.quit()


@pytest.mark.parametrize("code", [b"354", b"334"])
def test_an_unknown_verb_must_not_change_what_bytes_mean(
        fronted, backend, session, code):
    backend.on["XSTRANGE"] = code + b" go on\r\n"
    session.expect("VRFY someone", 252)
    session.send(b"XSTRANGE\r\nNOOP\r\n")
    assert code not in session.rest()
    assert reason(fronted) == "BACKEND_UNEXPECTED"


# Authentication.


def test_auth_with_initial_response(make_postern, make_backend):
    backend = make_backend(keywords=["PIPELINING", "AUTH PLAIN LOGIN"])
    with make_postern(backend).start().secured() as client:
        client.expect("AUTH PLAIN AGEAYg==", 235)
        client.mail()
        client.quit()
    assert b"AUTH PLAIN AGEAYg==" in backend.of_clients()[0].commands


@pytest.mark.parametrize("responses, code", [
    ([b"dXNlcg==", b"c2VjcmV0"], 235),
    ([b"QUIT", b"DATA"], 235),  # what looks like a command is a response
    ([b"STARTTLS", b"x" * 11000], 235),
    ([b"*"], 501),
])
def test_auth_with_continuations(make_postern, make_backend, responses, code):
    backend = make_backend(keywords=["PIPELINING", "AUTH PLAIN LOGIN"])
    postern = make_postern(backend).start()
    with postern.secured() as client:
        assert client.command("AUTH LOGIN").raw == b"334 VXNlcm5hbWU6\r\n"
        for response in responses[:-1]:
            client.send(response + b"\r\n")
            assert client.reply().code == 334
        client.send(responses[-1] + b"\r\n")
        assert client.reply().code == code
        client.mail()
        client.quit()
    session = backend.of_clients()[0]
    assert session.commands[2:2 + len(responses)] == responses
    for response in responses:
        assert len(response) < 5 or response.decode() not in postern.text()


# Messages.

LOOK_ALIKES = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r",
    b"\r\n.\r\r\n", b"\r\n\0.\r\n", b"\r\r\n.\n", b"\n.\r", b"\r\n .\r\n",
    b"\r\n.\0\r\n"]


@pytest.mark.parametrize("pieces", ["whole", "bytes"])
@pytest.mark.parametrize("mark", LOOK_ALIKES, ids=repr)
def test_only_one_thing_ends_a_message(session, backend, mark, pieces):
    """What another hop may take for the end passes as text (smuggling)."""
    body = (b"before" + mark + b"MAIL FROM:<evil@example.test>\r\n"
            b"RCPT TO:<user@box.test>\r\nDATA\r\nsmuggled\r\n")
    session.envelope()
    session.expect("DATA", 354)
    if pieces == "whole":
        session.send(body + b".\r\n")
    else:
        for byte in body + b".\r\n":
            session.send(bytes([byte]))
    assert session.reply().code == 250
    session.quit()
    assert backend.messages() == [body]
    assert backend.verbs().count("MAIL") == 1


@pytest.mark.parametrize("message", [
    b"", b"\r\n", b".\r\n", b".\r\n.\r\n..\r\n", b"\r\n\r\n.x\r\n",
    bytes(range(256)).replace(b"\n", b"").replace(b"\r", b"") * 40 + b"\r\n",
    b"x" * 100000 + b"\r\n"], ids=lambda message: f"{len(message)} bytes")
def test_bodies_are_not_changed(session, backend, message):
    session.mail(message)
    session.quit()
    assert backend.messages() == [stuffed(message)]


def test_a_large_body_is_not_changed(session, backend):
    import random
    message = random.Random(1).randbytes(6 << 20).replace(b"\n", b" ").replace(
        b"\r", b"\r\n")
    session.mail(message + b"\r\n")
    session.quit()
    assert backend.messages() == [stuffed(message + b"\r\n")]


def test_data_that_is_refused(session, backend):
    """Then what follows are commands."""
    session.envelope()
    backend.on["DATA"] = b"554 5.5.1 no valid recipients\r\n"
    session.expect("DATA", 554)
    session.expect("RSET", 250)
    del backend.on["DATA"]
    session.mail()
    session.quit()
    assert len(backend.messages()) == 1


def test_a_body_waits_for_its_354(session, backend):
    """Sent too early, it is neither obeyed nor passed before the 354."""
    def slowly(*_):
        time.sleep(0.5)
        return b"354 go on\r\n"
    backend.on["DATA"] = slowly
    session.envelope()
    session.send(b"DATA\r\nQUIT\r\n.\r\n")
    assert session.reply().code == 354
    assert session.reply().code == 250
    session.quit()
    assert backend.messages() == [b"QUIT\r\n"]


def test_chunks(session, backend):
    first, second = b"QUIT\r\n.\r\nMAIL FROM:<x@y>\r\n", b"\0\r\n.\r\n\xff"
    session.envelope()
    session.send(b"BDAT %d\r\n" % len(first) + first)
    assert session.reply().code == 250
    session.send(b"BDAT %d LAST\r\n" % len(second) + second)
    assert session.reply().code == 250
    session.quit()
    assert backend.messages() == [first + second]


def test_chunks_pipelined(session, backend):
    session.send(b"MAIL FROM:<a@example.test> BODY=BINARYMIME\r\n"
                 b"RCPT TO:<user@box.test>\r\nBDAT 3\r\nabcBDAT 5\r\nRSET\n"
                 b"BDAT 0 LAST\r\nNOOP\r\nQUIT\r\n")
    assert [session.reply().code for _ in range(7)] == [
        250, 250, 250, 250, 250, 250, 221]
    assert backend.messages() == [b"abcRSET\n"]


def test_chunks_one_byte_at_a_time(session, backend):
    session.envelope()
    for byte in b"BDAT 8 LAST\r\n\r\n.\r\nab\n":
        session.send(bytes([byte]))
    assert session.reply().code == 250
    session.quit()
    assert backend.messages() == [b"\r\n.\r\nab\n"]


@pytest.mark.parametrize("argument", [
    "", "x", "-1", "1e3", "18446744073709551616", "1 LAST x", "0x10"])
def test_a_chunk_of_unknown_size_ends_the_session(fronted, session, backend,
                                                  argument):
    session.envelope()
    session.send(f"BDAT {argument}\r\nRSET\r\n".encode())
    assert b"250" not in session.rest()
    assert reason(fronted) == "CLIENT_BAD_BDAT"
    assert "RSET" not in backend.verbs()


def test_a_bare_lf_ends_the_session(fronted, session, backend):
    session.envelope()
    session.send(b"NOOP\nRSET\r\n")
    assert b"250" not in session.rest()
    assert reason(fronted) == "CLIENT_BARE_LF"
    assert not {"NOOP", "RSET"} & set(backend.verbs())


# Back-pressure.


@pytest.fixture
def measured(make_postern, backend):
    """ASan keeps what was freed, up to 256 MB; here it must not."""
    postern = make_postern(backend)
    postern.environment["ASAN_OPTIONS"] = "quarantine_size_mb=1"
    return postern.start()


def resident_kilobytes(postern):
    total = 0
    for worker in postern.workers():
        with open(f"/proc/{worker.pid}/status") as status:
            total += sum(int(line.split()[1]) for line in status
                         if line.startswith("VmRSS"))
    return total


def test_a_slow_backend_slows_the_client(fronted, session, backend):
    go_on = threading.Event()

    def wait(*_):
        go_on.wait(60)

    session.envelope()
    session.expect("DATA", 354)
    backend.on["body"] = wait
    before = resident_kilobytes(fronted)
    session.socket.settimeout(1.5)
    line = b"x" * 998 + b"\r\n"
    sent = 0
    try:
        while sent < 64 << 20:
            piece = line * 64
            session.send_raw(session.seal(piece) if session.tls else piece)
            sent += len(piece)
    except TimeoutError:
        pass
    assert sent < 64 << 20, "64 MB went into a backend that does not read"
    grown = resident_kilobytes(fronted) - before
    assert grown < (16 << 10 if sanitized() else 4 << 10), f"{grown} kB more"
    go_on.set()


def test_a_client_that_does_not_read(measured):
    """Its replies must not pile up here; once it reads, all are there."""
    with measured.connect(receive_buffer=4096) as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.expect("MAIL FROM:<a@example.test>", 250)
        before = resident_kilobytes(measured)
        sender = threading.Thread(
            target=lambda: client.socket.sendall(b"NOOP\r\n" * 200000))
        sender.start()
        time.sleep(2)
        grown = resident_kilobytes(measured) - before
        assert grown < (16 << 10 if sanitized() else 4 << 10), f"{grown} kB"
        expected = 200000 * len(b"250 2.0.0 Ok\r\n")
        got = len(client.received)
        while got < expected:
            data = client.receive()
            assert data, "closed before all replies came"
            got += len(data)
        sender.join()
        assert got == expected
        client.received = b""
        client.quit()


# Ends.


def test_half_close_in_clear(fronted, backend):
    """RFC 5321 knows no half-close, but what was asked is answered."""
    with fronted.connect() as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.send(TRANSACTION)
        assert [client.reply().code for _ in range(4)] == [250, 250, 250, 354]
        client.send(b"text\r\n.\r\nQUIT\r\n")
        client.half_close()
        assert [client.reply().code for _ in range(2)] == [250, 221]
        assert client.closed()
    assert backend.messages() == [b"text\r\n"]


def test_half_close_in_tls(fronted, backend):
    with fronted.secured() as client:
        client.envelope()
        client.expect("DATA", 354)
        client.send(b"text\r\n.\r\nQUIT\r\n")
        try:
            client.tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        client.send_raw(client.outgoing.read())
        try:
            client.half_close()
        except OSError:
            pass  # a fast server has answered, and left
        assert client.reply().code == 250
        assert client.reply().code == 221
    assert backend.messages() == [b"text\r\n"]


@pytest.mark.parametrize("end", ["close", "reset", "half_close"])
def test_a_body_cut_short_is_no_message(fronted, session, backend, end):
    """FIN or RST are no CRLF.CRLF (truncation)."""
    session.envelope()
    session.expect("DATA", 354)
    session.send(b"first line\r\nsecond line\r\n.")
    getattr(session, end)()
    eventually(lambda: backend.of_clients()[-1].ended)
    assert backend.messages() == []
    assert reason(fronted) == "CLIENT_LOST"
    assert fronted.counter("messages_accepted") == 0


def test_421_of_the_backend_is_passed(fronted, session, backend):
    backend.on["MAIL"] = b"421 4.3.2 shutting down\r\n"
    assert session.command("MAIL FROM:<a@example.test>").raw == (
        b"421 4.3.2 shutting down\r\n")
    assert session.closed()
    assert reason(fronted) == "BACKEND_CLOSING"


@pytest.mark.parametrize("answer", [
    b"hello\r\n", b"25 x\r\n", b"250\n", b"250 ok\n", b"999 x\r\n", b"150 x\r\n",
    b"250-a\r\n251 b\r\n", b"250_x\r\n", b"250 " + b"x" * 5000])
def test_nonsense_of_a_backend_ends_the_session(fronted, session, backend,
                                                answer):
    backend.on["MAIL"] = answer
    session.send(b"MAIL FROM:<a@example.test>\r\n")
    rest = session.rest()
    # Nothing, ours, or what went by of a reply: never a mixture.
    assert rest in (b"", b"250-a\r\n") or rest.startswith(b"421 4.3.0 "), rest
    assert reason(fronted) == "BACKEND_MALFORMED"


def test_a_reply_too_many_ends_the_session(fronted, session, backend):
    backend.on["NOOP"] = b"250 one\r\n250 two\r\n"
    session.expect("MAIL FROM:<a@example.test>", 250)
    session.send(b"NOOP\r\n")
    rest = session.rest()
    assert b"two" not in rest
    assert reason(fronted) == "BACKEND_UNEXPECTED"


def test_a_250_instead_of_354_is_no_end_of_a_message(fronted, session, backend):
    """Were it taken so, body and commands would change places."""
    backend.on["DATA"] = b"250 ok\r\n"
    session.envelope()
    session.send(b"DATA\r\n")
    session.rest()
    assert reason(fronted) == "BACKEND_UNEXPECTED"
    assert backend.messages() == []


def test_quit_is_answered_by_the_backend(session, backend):
    backend.on["QUIT"] = b"221 2.0.0 so long\r\n"
    session.expect("MAIL FROM:<a@example.test>", 250)
    assert session.command("QUIT").raw == b"221 2.0.0 so long\r\n"
    assert session.closed()


def test_a_backend_that_leaves_at_quit(session, backend):
    backend.on["QUIT"] = LEAVE
    session.mail()
    session.send(b"QUIT\r\n")
    assert session.rest()[:3] in (b"", b"221", b"421")


# Held back until there is a backend.


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_input_is_held_while_the_backend_opens(fronted, backend, version):
    """All that a client pipelines meanwhile is answered, once, in order."""
    def slowly(*_):
        time.sleep(0.5)
        return b"220 late\r\n"
    backend.on["banner"] = slowly
    with fronted.connect() as client:
        client.greeting()
        client.starttls(tls_context(version, version))
        client.send(b"EHLO c.example.test\r\n" + TRANSACTION)
        time.sleep(0.2)
        client.send(b"held\r\n.\r\nNOOP\r\nQUIT\r\n")
        assert [client.reply().code for _ in range(8)] == [
            250, 250, 250, 250, 354, 250, 250, 221]
    assert backend.messages() == [b"held\r\n"]
    assert backend.of_clients()[-1].verbs == [
        "EHLO", "MAIL", "RCPT", "RCPT", "DATA", "NOOP", "QUIT"]


def test_more_than_a_buffer_is_held_while_the_backend_opens(fronted, backend):
    def slowly(*_):
        time.sleep(0.7)
        return b"220 late\r\n"
    backend.on["banner"] = slowly
    with fronted.connect() as client:
        client.greeting()
        client.starttls()
        wire = client.seal(  # here: a thread must not share the TLS state
            b"EHLO c.example.test\r\n" + b"NOOP\r\n" * 50000 + b"QUIT\r\n")
        sender = threading.Thread(target=lambda: client.send_raw(wire))
        sender.start()
        assert client.reply().code == 250
        for _ in range(50000):
            assert client.line() == b"250 2.0.0 Ok\r\n"
        assert client.reply().code == 221
        sender.join()
