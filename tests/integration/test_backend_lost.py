# SPDX-License-Identifier: Apache-2.0
"""A backend lost in each phase: never a 250 that was not its own."""
import random
import threading

import pytest

from backend import DIE, LEAVE
from client import eventually

pytestmark = pytest.mark.both_rings

ENDS = [DIE, LEAVE]


def replies_of(data):
    """All complete: "250-a CRLF 250 b CRLF 421 c CRLF" -> ["250", "421"]."""
    assert data == b"" or data.endswith(b"\r\n"), data
    return [line[:3].decode() for line in data.split(b"\r\n")[:-1]
            if line[3:4] == b" "]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("phase", ["connect", "banner", "EHLO"])
def test_before_it_was_ready(fronted, backend, phase, end):
    with fronted.connect() as client:
        client.greeting()
        client.starttls()
        backend.on[phase] = end
        client.send(b"EHLO c.example.test\r\n")
        reply = client.reply()
        assert reply.text.startswith(("421 4.3.0 ", "451 4.3.0 ")), reply
    assert backend.messages() == []


def test_nobody_listens_any_more(fronted, backend):
    with fronted.connect() as client:
        client.greeting()
        client.starttls()
        backend.shut()
        client.send(b"EHLO c.example.test\r\n")
        assert client.reply().text.startswith(("421 4.3.0 ", "451 4.3.0 "))


def test_another_is_taken(make_postern, make_backend):
    first, second = make_backend(), make_backend()
    postern = make_postern(first, second).start()
    first.shut()
    for _ in range(6):
        with postern.secured() as client:
            client.mail()
            client.quit()
    assert first.messages() == []
    assert len(second.messages()) == 6


@pytest.mark.parametrize("answer", [b"554 go away\r\n", b"421 busy\r\n",
                                    b"nonsense\r\n"])
def test_a_greeting_that_is_none(make_postern, make_backend, answer):
    first, second = make_backend(), make_backend()
    postern = make_postern(first, second).start()
    first.on["banner"] = answer
    for _ in range(4):
        with postern.secured() as client:
            client.mail()
            client.quit()
    assert len(second.messages()) == 4


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("phase", ["MAIL", "RCPT", "DATA", "NOOP"])
def test_between_commands(fronted, backend, phase, end):
    with fronted.secured() as client:
        backend.on[phase] = end
        for line in ("NOOP", "MAIL FROM:<a@example.test>",
                     "RCPT TO:<user@box.test>", "DATA"):
            client.send(line.encode() + b"\r\n")
            if line.startswith(phase):
                break
            client.reply()
        assert replies_of(client.rest()) == ["421"]
    assert "reason=BACKEND_LOST" in fronted.wait_for_log("reason=")


@pytest.mark.parametrize("end", ENDS)
def test_while_idle(fronted, backend, end):
    with fronted.secured() as client:
        backend.on["NOOP"] = lambda *_: b"250 ok\r\n"
        client.expect("NOOP", 250)
        backend.of_clients()[-1].connection.shutdown(2)
        assert replies_of(client.rest()) == ["421"]


@pytest.mark.parametrize("end", ENDS)
def test_in_the_body(fronted, backend, end):
    """Either 421 at once and the end, or 451 behind the whole body; and no
    byte of the body is a command."""
    with fronted.secured() as client:
        client.envelope()
        client.expect("DATA", 354)
        backend.on["body"] = lambda session, pending: (
            end if b"half" in bytes(pending) else None)
        client.send(b"first half\r\n")
        client.socket.settimeout(1)
        try:
            early = client.receive()
        except TimeoutError:
            early = None
        client.socket.settimeout(20)
        if early is not None:
            assert replies_of(early + client.rest()) == ["421"]
            return
        client.send(b"RSET\r\nNOOP\r\nMAIL FROM:<evil@example.test>\r\n")
        assert client.silent_for(0.5), "answered before the end of the data"
        client.send(b".\r\nQUIT\r\n")
        codes = replies_of(client.rest())
        assert codes[0] == "451" and "250" not in codes, codes
    assert backend.messages() == []
    assert "RSET" not in backend.verbs()
    assert fronted.counter("messages_accepted") == 0


@pytest.mark.parametrize("end", ENDS)
def test_after_the_dot(fronted, backend, end):
    with fronted.secured() as client:
        client.envelope()
        client.expect("DATA", 354)
        backend.on["dot"] = end
        client.send(b"text\r\n.\r\n")
        reply = client.reply()
        assert reply.text.startswith(("451 4.3.0 ", "421 4.3.0 ")), reply
    assert fronted.counter("messages_accepted") == 0


def test_the_backend_refuses_the_message(fronted, backend):
    backend.on["dot"] = b"554 5.6.0 no\r\n"
    with fronted.secured() as client:
        client.envelope()
        assert client.data(b"text\r\n").raw == b"554 5.6.0 no\r\n"
        client.quit()
    assert fronted.counter("messages_accepted") == 0
    assert fronted.counter("messages_refused") == 1


@pytest.mark.parametrize("end", ENDS)
def test_in_a_chunk(fronted, backend, end):
    with fronted.secured() as client:
        client.envelope()
        backend.on["body"] = end
        client.send(b"BDAT 1000\r\n" + b"RSET\r\n" * 50)
        client.socket.settimeout(1)
        try:
            early = client.receive()
        except TimeoutError:
            early = None
        client.socket.settimeout(20)
        if early is not None:
            assert replies_of(early + client.rest()) == ["421"]
            return
        client.send(b"x" * 700 + b"BDAT 3 LAST\r\nabcNOOP\r\n")
        codes = replies_of(client.rest())
        assert "250" not in codes, codes
    assert backend.messages() == []


def test_a_chunk_of_which_nothing_came_yet(fronted, backend):
    with fronted.secured() as client:
        client.envelope()
        backend.on["BDAT"] = DIE
        client.send(b"BDAT 1000 LAST\r\n")
        client.send(b"NOOP\r\n" * 100)
        client.send(b"x" * 400)
        assert client.reply().text.startswith(("451 4.3.0 ", "421 4.3.0 "))
        client.send(b"QUIT\r\n")
        assert replies_of(client.rest()) in ([], ["221"], ["421"])
    assert backend.messages() == []


def test_what_is_acknowledged_was_acknowledged(make_postern, make_backend):
    """Backends that die at random: each 250 of ours was one of theirs."""
    chance = random.Random(7)
    backends = [make_backend(), make_backend()]
    postern = make_postern(*backends).start()

    def maybe(probability, otherwise):
        lock = threading.Lock()

        def act(*_):
            with lock:
                return DIE if chance.random() < probability else otherwise
        return act

    for backend in backends:
        backend.on["body"] = maybe(0.1, None)
        backend.on["dot"] = maybe(0.3, b"250 2.0.0 Ok\r\n")
    acknowledged = []

    def send(number):
        message = b"Subject: %d\r\n\r\n%s\r\n" % (number, b"x" * 200000)
        try:
            with postern.secured() as client:
                client.envelope()
                if client.data(message).code == 250:
                    acknowledged.append(message)
        except (OSError, EOFError, AssertionError):
            pass

    threads = [threading.Thread(target=send, args=(number,))
               for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = [message for backend in backends for message in backend.messages()]
    assert acknowledged, "not one message came through"
    assert len(acknowledged) < 60, "no backend died"
    assert set(acknowledged) <= set(stored)
    eventually(lambda: postern.counter("messages_accepted")
               >= len(acknowledged))
