# SPDX-License-Identifier: Apache-2.0
"""Messages through Postern into a real Postfix arrive byte for byte."""
import asyncio
import hashlib
import random
import ssl

import pytest

from client import tls_context
from peers import original_of
from postern import Listener

pytestmark = pytest.mark.both_rings


@pytest.fixture
def before_postfix(make_postern, make_postfix):
    """25, 587 and 465 of a Postern before a Postfix."""
    postfix = make_postfix()
    postern = make_postern(
        f"inet:127.0.0.1:{postfix.port}",
        settings={"proxy_worker_processes": "2"},
        listeners=[Listener(),
                   Listener(smtpd_tls_security_level="encrypt"),
                   Listener(smtpd_tls_wrappermode="yes")]).start()
    return postern, postfix


def message(number, size=2000):
    """Text that is hard on a relay: dots, long and empty lines, 8 bits."""
    chance = random.Random(number)
    lines = [b"Subject: message %d" % number,
             b"From: <sender@example.test>", b""]
    length = 0
    while length < size:
        line = chance.choice([
            b"", b".", b"..", b".text", b"text.", b"DATA", b"QUIT", b"\xc3\xa9",
            b"x" * chance.randrange(1, 900), chance.randbytes(40)])
        line = line.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
        lines.append(line)
        length += len(line) + 2
    return b"\r\n".join(lines) + b"\r\n"


@pytest.mark.parametrize("listener", [0, 1, 2],
                         ids=["may", "encrypt", "wrappermode"])
def test_through_each_listener(before_postfix, listener):
    postern, postfix = before_postfix
    sent = message(listener, 20000)
    with postern.secured(listener) as client:
        client.mail(sent)
        client.quit()
    assert [original_of(path)
            for path in postfix.wait_for_messages(1)] == [sent]


def test_in_clear(before_postfix):
    postern, postfix = before_postfix
    sent = message(4, 20000)
    with postern.connect() as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.mail(sent)
        client.quit()
    assert [original_of(path)
            for path in postfix.wait_for_messages(1)] == [sent]


def test_in_chunks(before_postfix):
    postern, postfix = before_postfix
    sent = message(5, 50000)
    with postern.secured() as client:
        client.envelope()
        for start in range(0, len(sent), 7777):
            chunk = sent[start:start + 7777]
            client.send(b"BDAT %d\r\n" % len(chunk) + chunk)
            assert client.reply().code == 250
        client.expect("BDAT 0 LAST", 250)
        client.quit()
    assert [original_of(path)
            for path in postfix.wait_for_messages(1)] == [sent]


def test_fifty_megabytes(before_postfix):
    postern, postfix = before_postfix
    line = b"".join(b"%08d" % number for number in range(9)) + b"\r\n"
    sent = b"Subject: large\r\n\r\n" + line * (50_000_000 // len(line))
    assert len(sent) > 49_900_000
    with postern.secured(1, timeout=120) as client:
        client.mail(sent)
        client.quit()
    found = postfix.wait_for_messages(1)
    assert hashlib.sha256(original_of(found[0])).digest() == \
        hashlib.sha256(sent).digest()
    assert postern.counter("messages_accepted") == 1


async def _reply(reader):
    while True:
        line = await asyncio.wait_for(reader.readline(), 120)
        if line[3:4] != b"-":
            return int(line[:3])


async def _say(reader, writer, line, code):
    writer.write(line + b"\r\n")
    got = await _reply(reader)
    assert got == code, (line[:40], got)


async def _one_session(port, wrapped, messages):
    context = tls_context()
    if wrapped:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, ssl_handshake_timeout=120)
        assert await _reply(reader) == 220
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await _reply(reader) == 220
        await _say(reader, writer, b"EHLO c.example.test", 250)
        await _say(reader, writer, b"STARTTLS", 220)
        await writer.start_tls(context, ssl_handshake_timeout=120)
    await _say(reader, writer, b"EHLO c.example.test", 250)
    for one in messages:
        await _say(reader, writer, b"MAIL FROM:<a@example.test>", 250)
        await _say(reader, writer, b"RCPT TO:<user@box.test>", 250)
        await _say(reader, writer, b"DATA", 354)
        body = one.replace(b"\r\n.", b"\r\n..")
        await _say(reader, writer, body + b".", 250)
    await _say(reader, writer, b"QUIT", 221)
    writer.close()


def test_two_thousand_over_two_hundred_sessions(before_postfix, features):
    """On 6.1's path 500 over 50: the rest is the same code."""
    postern, postfix = before_postfix
    sessions = 200 if features == "auto" else 50
    sent = [message(number, 3000) for number in range(sessions * 10)]

    async def run():
        await asyncio.gather(*(
            _one_session(postern.listeners[number % 2 * 2].port,
                         number % 2 == 1, sent[number::sessions])
            for number in range(sessions)))

    asyncio.run(run())
    found = postfix.wait_for_messages(len(sent), 150)
    assert sorted(map(original_of, found)) == sorted(sent)
    assert postern.counter("messages_accepted") == len(sent)
    assert postern.counter("handshakes_failed") == 0


def test_two_recipients_and_a_refused_one(before_postfix):
    postern, postfix = before_postfix
    sent = message(9)
    with postern.secured() as client:
        client.expect("MAIL FROM:<a@example.test>", 250)
        client.expect("RCPT TO:<one@box.test>", 250)
        client.expect("RCPT TO:<two@elsewhere.test>", 554)
        client.expect("RCPT TO:<three@box.test>", 250)
        assert client.data(sent).code == 250
        client.quit()
    assert [original_of(path)
            for path in postfix.wait_for_messages(2)] == [sent, sent]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2,
                                     ssl.TLSVersion.TLSv1_3])
def test_many_in_one_session(before_postfix, version):
    postern, postfix = before_postfix
    sent = [message(number) for number in range(40)]
    with postern.connect() as client:
        client.greeting()
        client.starttls(tls_context(version, version))
        client.expect("EHLO c.example.test", 250)
        for one in sent:
            client.mail(one)
        client.quit()
    found = postfix.wait_for_messages(len(sent))
    assert sorted(map(original_of, found)) == sorted(sent)
