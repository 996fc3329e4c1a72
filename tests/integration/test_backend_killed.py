# SPDX-License-Identifier: Apache-2.0
"""A real Postfix, lost in each phase: the client hears the truth, Postern submits
nothing twice, and there is one message more than was acknowledged only where the
reply to it was lost (RFC 1047)."""
import pathlib
import re
import tempfile

import pytest

from client import eventually
from cutter import CLOSE, HALF, RESET, Cutter, Trigger
from peers import Postfix

# (phase, what is cut off, how many of it pass before).
OPENING = {
    "none": [("connect", "accept", 0), ("banner", "reply", 0),
             ("EHLO-unseen", "command", 0), ("EHLO", "reply", 1)],
    "encrypt": [("connect", "accept", 0), ("banner", "reply", 0),
                ("EHLO-unseen", "command", 0), ("EHLO", "reply", 1),
                ("STARTTLS-unseen", "command", 1), ("STARTTLS", "reply", 2),
                ("hello", "command", 2), ("handshake", "reply", 3),
                ("secured", "reply", 4)],
}
BETWEEN = [("MAIL", "command"), ("MAIL", "reply"), ("RCPT", "command"),
           ("RCPT", "reply"), ("DATA", "command"), ("DATA", "reply")]
# And how often the message is in the queue then.
AT_THE_END = [("DATA", "command", 0), ("DATA", "reply", 1),
              ("BDAT", "command", 0), ("BDAT", "reply", 1)]
LOST = ("421 4.3.0 ", "451 4.3.0 ")
BODY = b"Subject: test\r\n\r\n" + b"text\r\n" * 2000


@pytest.fixture(scope="module")
def postfix(certificate):
    with tempfile.TemporaryDirectory(prefix="postern-") as path:
        made = Postfix(pathlib.Path(path), certificate)
        yield made.start()
        made.stop()


class Scene:
    """Postern, cutters before one Postfix, and what is to be found in the end:
    {sender: entries in Postfix's queue}."""

    def __init__(self, postern, postfix, cutters, trigger, prefix):
        self.postern, self.postfix, self.cutters = postern, postfix, cutters
        self.trigger, self.prefix = trigger, prefix
        self.entries, self.acknowledged = {}, 0

    def sender(self, phase, entries):
        name = f"{self.prefix}-{len(self.entries)}-{phase}@example.test"
        self.entries[name] = entries
        return name

    def queued(self, sender):
        return len(re.findall(
            rf" from=<{re.escape(sender)}>, size=\d+, nrcpt=1 \(queue active",
            self.postfix.log()))

    def submitted(self, sender):
        line = f"MAIL FROM:<{sender}>".encode()
        return sum(cutter.said.count(line) for cutter in self.cutters)

    def deliver(self, client, sender):
        client.envelope(sender=sender)
        reply = client.data(BODY)
        assert reply.code == 250, reply
        self.acknowledged += 1

    def check(self, in_clear):
        eventually(lambda: all(self.queued(sender) >= count for sender, count
                               in self.entries.items()), 30)
        assert {sender: self.queued(sender)
                for sender in self.entries} == self.entries
        assert self.postern.counter("messages_accepted") == self.acknowledged
        if in_clear:
            assert all(self.submitted(sender) <= 1 for sender in self.entries)


@pytest.fixture
def make_scene(make_postern, postfix, request):
    cutters = []

    def make(count, level):
        trigger = Trigger()
        cutters.extend(Cutter(postfix.port, trigger) for _ in range(count))
        postern = make_postern(*cutters, settings={
            "smtp_tls_security_level": level,
            "proxy_backend_handover": "none",
            "proxy_backend_breaker_failures": "0",
            "proxy_backend_probe_interval": "1h"}).start()
        return Scene(postern, postfix, cutters, trigger,
                     f"n{abs(hash(request.node.name))}")

    yield make
    for cutter in cutters:
        cutter.stop()


def lose_in_opening(scene, level, end):
    """One backend: a refusal that lasts not. Two: the other one has it."""
    another = len(scene.cutters) > 1
    for phase, event, skip in OPENING[level]:
        sender = scene.sender(phase, int(another))
        with scene.postern.connect() as client:
            client.greeting()
            client.starttls()
            scene.trigger.arm(event, end, skip)
            client.send(b"EHLO client.example.test\r\n")
            reply = client.reply()
            assert not scene.trigger.is_armed, phase
            if another:
                assert reply.code == 250, (phase, reply)
                scene.deliver(client, sender)
                client.quit()
            else:
                assert reply.text.startswith(LOST), (phase, reply)


def lose_between_commands(scene, end):
    for phase, event in BETWEEN:
        sender = scene.sender(phase, 0)
        with scene.postern.secured() as client:
            for line in (f"MAIL FROM:<{sender}>", "RCPT TO:<user@box.test>",
                         "DATA"):
                if line.startswith(phase):
                    scene.trigger.arm(event, end)
                    reply = client.command(line)
                    break
                client.command(line)
            assert reply.text.startswith("421 4.3.0 "), (phase, event, reply)
            assert client.closed()


def lose_at_the_end(scene, end):
    for verb, event, entries in AT_THE_END:
        sender = scene.sender(f"{verb}-{event}", entries)
        with scene.postern.secured() as client:
            client.envelope(sender=sender)
            if verb == "DATA":
                client.expect("DATA", 354)
                scene.trigger.arm(event, end)
                client.send(BODY + b".\r\n")
            else:
                scene.trigger.arm(event, end)
                client.send(b"BDAT %d LAST\r\n" % len(BODY) + BODY)
            reply = client.reply()
            assert reply.text.startswith(LOST), (verb, event, reply)


def lose_when_it_was_said(scene, end):
    sender = scene.sender("idle", 1)
    with scene.postern.secured() as client:
        scene.deliver(client, sender)
        scene.trigger.arm("command", end)
        assert client.command("NOOP").text.startswith("421 4.3.0 ")
        assert client.closed()


@pytest.mark.parametrize("end", [CLOSE, RESET, HALF])
@pytest.mark.parametrize("level", ["none", "encrypt"])
@pytest.mark.parametrize("count", [1, 2])
def test_in_each_phase(make_scene, count, level, end):
    scene = make_scene(count, level)
    lose_in_opening(scene, level, end)
    lose_between_commands(scene, end)
    lose_at_the_end(scene, end)
    lose_when_it_was_said(scene, end)
    # And nothing of it stays.
    with scene.postern.secured() as client:
        scene.deliver(client, scene.sender("after", 1))
        client.quit()
    scene.check(level == "none")
