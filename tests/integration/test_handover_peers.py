# SPDX-License-Identifier: Apache-2.0
"""Real mail servers of four houses, each told of the client in every way that
it knows: its address, and not ours, is in their logs and in Received:."""
import re

import pytest

from client import eventually
from postern import Listener
from rooms import Dovecot, Exim, OpenSMTPD
from told import CLIENT, newest, send_message, session, told_postfix


@pytest.fixture(scope="module")
def postfix(certificate):
    with told_postfix(certificate) as made:
        yield made


@pytest.fixture
def make_room(scratch):
    made = []

    def make(kind, **options):
        directory = scratch / f"room-{len(made)}"
        directory.mkdir()
        made.append(kind(directory, **options))
        return made[-1].start()

    yield make
    for one in made:
        one.stop()
        print(one.log()[-3000:])


# Way, port, and what Postfix's log says of the message.
POSTFIX = [("auto", "port", "client=unknown[{0}]"),
           ("xclient", "port", "client=unknown[{0}]"),
           ("xclient, xforward", "port",
            "client=unknown[{0}], orig_client=unknown[{0}]"),
           ("proxy1", "proxy_port", "client=unknown[{0}]"),
           ("proxy2", "proxy_port", "client=unknown[{0}]"),
           ("proxy1, xforward", "proxy_port",
            "client=unknown[{0}], orig_client=unknown[{0}]"),
           ("proxy2, xforward", "proxy_port",
            "client=unknown[{0}], orig_client=unknown[{0}]"),
           ("none, xforward", "port",
            "client=unknown[127.0.0.1], orig_client=unknown[{0}]"),
           ("none", "plain_port", "client=unknown[127.0.0.1]")]


def test_postfix_in_every_way(make_postern, postfix):
    """One pool for each way, with the hand-over as its backend's own."""
    for number, (way, port, logged) in enumerate(POSTFIX):
        client = f"127.0.3.{number + 1}"
        address = f"inet:127.0.0.1:{getattr(postfix, port)}"
        postern = make_postern(settings={
            "proxy_backend_handover": "proxy1",
            "proxy_backend": f"{{ {address}, handover={{ {way} }} }}"}).start()
        known, seen = set(postfix.box()), len(postfix.log())
        session(postern, source=client)
        told = "127.0.0.1" if way.startswith("none") else client
        assert f"from client.example.test (unknown [{told}])".encode() in \
            newest(postfix, known), way
        # Our name for the session is the queue ID of the hop before.
        lines = [re.sub(r" orig_queue_id=[0-9a-f]+-[0-9a-f]+,", "", line)
                 for line in re.findall(r": (client=.*)",
                                        postfix.log()[seen:])]
        assert lines == [logged.format(client)], way
        postern.stop()


@pytest.mark.parametrize("way", ["proxy1", "proxy2"])
def test_exim_by_proxy_header(make_postern, make_room, way):
    exim = make_room(Exim)
    postern = make_postern(f"inet:127.0.0.1:{exim.port}", settings={
        "proxy_backend_handover": way,
        "proxy_backend_proxy_header_limit": "232",
        "proxy_backend_proxy_tlvs": "all"}).start()
    session(postern)
    eventually(lambda: f"<= sender@example.test H=(client.example.test) "
               f"[{CLIENT}]" in exim.log(), 10, exim.log())
    assert f"from [{CLIENT}] (helo=client.example.test)" in exim.log()


def test_opensmtpd_by_proxy_header(make_postern, make_room):
    opensmtpd = make_room(OpenSMTPD)
    postern = make_postern(f"inet:127.0.0.1:{opensmtpd.port}", settings={
        "proxy_backend_handover": "proxy2",
        "proxy_backend_proxy_tlvs": "ssl ssl-cipher"}).start()
    session(postern)
    message = opensmtpd.root / "message"
    eventually(message.exists, 20, opensmtpd.log())
    eventually(lambda: b"text" in message.read_bytes(), 10)
    assert f"[{CLIENT}])".encode() in message.read_bytes()
    assert f"address={CLIENT}" in opensmtpd.log()


def dovecot_session(postern, source=CLIENT):
    with postern.secured(source=source) as client:
        client.expect("AUTH PLAIN AHVzZXIAc2VjcmV0", 235)
        assert send_message(client).code == 250
        client.expect("QUIT", 221)


@pytest.mark.parametrize("way, port, protocol", [
    ("auto", "port", "ESMTPA"), ("proxy1", "proxy_port", "ESMTPA"),
    ("proxy2", "proxy_port", "ESMTPSA")])
def test_dovecot_in_every_way(make_postern, make_room, backend, way, port,
                              protocol):
    """It is a submission proxy itself, so what is behind it is ours again.
    It believes the header's facts of TLS."""
    dovecot = make_room(Dovecot, relay=backend.port)
    address = f"inet:127.0.0.1:{getattr(dovecot, port)}"
    postern = make_postern(address, settings={
        "proxy_backend_proxy_tlvs": "all",
        "proxy_backend_handover": way}).start()
    dovecot_session(postern)
    line = eventually(lambda: re.search("Login: user=<user>.*", dovecot.log()),
                      10, dovecot.log())[0]
    assert f"rip={CLIENT}," in line
    assert ("secured" in line) == (way != "proxy1")
    [message] = backend.messages()
    assert re.match(rf"Received: from client\.example\.test \(\[{CLIENT}\]\)"
                    rf"\r\n\tby mx\.example\.test with {protocol}\r\n",
                    message.decode()), message


def test_dovecot_hears_all_that_it_lists(make_postern, make_room, backend):
    """Its names for sessions are ours then, and its rules know of TLS."""
    dovecot = make_room(Dovecot, relay=backend.port)
    postern = make_postern(f"inet:127.0.0.1:{dovecot.port}", settings={
        "proxy_backend_handover": "auto",
        "proxy_backend_reply_timeout": "77s"}).start()
    dovecot_session(postern)
    [session] = set(re.findall(r"session=(\S+) .*messages=1 ",
                               postern.wait_for_log("messages=1 ")))
    log = dovecot.log()
    command = re.search("Received new command: (XCLIENT .*)", log)[1]
    assert re.fullmatch(
        rf"XCLIENT SESSION={session} TTL=4 TIMEOUT=77 FORWARD=\S+ "
        rf"HELO=client\.example\.test PROTO=ESMTP PORT=\d+ ADDR={CLIENT}",
        command), command
    assert f"session=<{session}>" in re.search("Login: user=<user>.*", log)[0]
    found = re.search("client passdb out: OK.*", log)[0].split("\t")
    assert found[3:] == [
        "forward_tls=TLSv1.3", "forward_tls_cipher=TLS_AES_256_GCM_SHA384",
        "forward_tls_group=X25519", "forward_tls_forward_secrecy=yes",
        "forward_tls_sni=mx.example.test"]


@pytest.mark.parametrize("host, clients, shown", [
    ("127.0.0.1", [f"127.0.4.{number}" for number in range(1, 6)], "{}"),
    ("::1", ["::1"] * 5, "IPv6:{}")])
def test_a_pool_of_three_houses(make_postern, make_room, postfix, host,
                                clients, shown):
    """By XCLIENT, by either header, and each with the header that it takes;
    we come by IPv4, as no client of IPv6 does."""
    exim, opensmtpd = make_room(Exim), make_room(OpenSMTPD)
    ways = [(postfix.port, "xclient"), (postfix.proxy_port, "proxy2"),
            (exim.port, "proxy1"),
            (opensmtpd.port, "proxy2, proxy_tlvs={ ssl ssl-cipher }"),
            (postfix.proxy_port, "proxy1")]
    postern = make_postern(settings={
        "inet_protocols": "all",
        "proxy_backend": " ".join(
            f"{{ inet:127.0.0.1:{port}, handover={how} }}"
            for port, how in ways[:4]),
        "proxy_backend_balance": "round-robin"},
        listeners=[Listener(host=host), Listener(
            host=host, proxy_backend=f"{{ inet:127.0.0.1:{ways[4][0]}, "
            "handover=proxy1 }")]).start()
    eventually(lambda: postern.status().text.count(" up ") == 4, 20)
    known, seen = set(postfix.box()), len(postfix.log())
    for number, client in enumerate(clients):
        session(postern, listener=number // 4, source=client)
    message = opensmtpd.root / "message"
    eventually(lambda: len(set(postfix.box()) - known) == 3, 30)
    eventually(message.exists, 20, opensmtpd.log())
    eventually(lambda: b"text" in message.read_bytes(), 10)
    eventually(lambda: "<= sender@example.test" in exim.log(), 10)
    told = "".join(path.read_text() for path in set(postfix.box()) - known)
    to_postfix = sorted(clients[:2] + clients[4:])
    assert sorted(re.findall(r"\(unknown \[(.+)\]\)", told)) == [
        shown.format(client) for client in to_postfix]
    assert sorted(re.findall(r" client=unknown\[(.+)\]",
                             postfix.log()[seen:])) == to_postfix
    assert f"H=(client.example.test) [{clients[2]}]" in exim.log()
    assert (f"from [{clients[2]}] (helo=client.example.test)" in exim.log())
    assert f"[{clients[3]}])" in message.read_text()
    assert f"address={clients[3]}" in opensmtpd.log() or \
        f"address=[{clients[3]}]" in opensmtpd.log()


@pytest.mark.parametrize("way, port", [("auto", "port"),
                                       ("proxy1", "proxy_port"),
                                       ("proxy2", "proxy_port")])
def test_dovecot_and_a_client_of_ipv6(make_postern, make_room, backend, way,
                                      port):
    dovecot = make_room(Dovecot, relay=backend.port)
    address = f"inet:127.0.0.1:{getattr(dovecot, port)}"
    postern = make_postern(address, settings={
        "inet_protocols": "all", "proxy_backend_handover": way},
        listeners=[Listener(host="::1")]).start()
    dovecot_session(postern, "::1")
    eventually(lambda: re.search(r"Login: user=<user>.* rip=::1,",
                                 dovecot.log()), 10, dovecot.log())
    assert b"([::1])" in backend.messages()[0]
