# SPDX-License-Identifier: Apache-2.0
"""Backends with names: where DNS says that they are, also after it changes its
mind, and while it says nothing."""
import re

import pytest

from client import eventually
from name_server import NXDOMAIN, SERVFAIL, SILENCE, NameServer

NAME = "backend.example.test"
HERE, THERE = "127.0.0.21", "127.0.0.22"


@pytest.fixture
def server():
    made = NameServer()
    made.ttl = 1
    yield made
    made.stop()


@pytest.fixture
def make_hosted(make_postern, server):
    """A Postern whose backend is a name, at a port of several addresses."""

    def make(backend, words="", wait="up", **settings):
        port = backend.port
        postern = make_postern(backend, settings={
            "proxy_backend": f"{{ inet:{NAME}:{port}, {words} }}",
            "proxy_dns_servers": server.address,
            "proxy_backend_probe_interval": "1s",
            "proxy_backend_slow_start": "0s",
            **settings}).start(ready=wait == "up")
        if wait == "up":
            eventually(lambda: f" {wait} " in line_of(postern, port), 20)
        return postern

    return make


def line_of(postern, port):
    found = re.findall(rf"(?m)^backend inet:{re.escape(NAME)}:{port} .*$",
                       postern.status().text)
    return found[0] if found else ""


def count_of(postern, pattern):
    return sum(re.search(pattern, text) is not None
               for text in postern.messages())


def send(postern):
    with postern.secured() as client:
        client.mail()
        client.quit()


def test_a_changed_address_takes_effect(make_hosted, make_backend, server):
    old = make_backend(host=HERE)
    new = make_backend(host=THERE, port=old.port)
    server.addresses[NAME] = HERE
    postern = make_hosted(old)
    assert f" address {HERE}" in line_of(postern, old.port)
    send(postern)
    assert (len(old.messages()), len(new.messages())) == (1, 0)
    server.addresses[NAME] = THERE
    eventually(lambda: f" address {THERE}" in line_of(postern, old.port), 20)
    send(postern)
    assert (len(old.messages()), len(new.messages())) == (1, 1)
    # Once, although it was looked up again many times.
    assert count_of(postern, rf"backend inet:{NAME}:{old.port}: its address "
                    rf"is {THERE} now, and was {HERE}$") == 1
    assert count_of(postern, "reload") == 0


@pytest.mark.parametrize("fault", [SERVFAIL, NXDOMAIN, [], SILENCE])
def test_the_last_good_address_stays(make_hosted, make_backend, server, fault):
    backend = make_backend(host=HERE)
    server.addresses[NAME] = HERE
    postern = make_hosted(backend)
    server.addresses[NAME] = fault
    postern.wait_for_log(
        rf"backend inet:{NAME}:{backend.port}: {NAME} cannot be looked up: .*"
        "; it stays at its last good address$", 20)
    send(postern)
    assert len(backend.messages()) == 1
    if fault == SERVFAIL:
        asked = len(server.asked)
        eventually(lambda: len(server.asked) > asked + 2, 30)
        assert count_of(postern, "cannot be looked up") == 1
        server.addresses[NAME] = HERE
        postern.wait_for_log(rf"{NAME} can be looked up again$", 30)


def test_it_comes_up_when_it_has_an_address(make_hosted, make_backend, server):
    backend = make_backend(host=HERE)
    postern = make_hosted(backend, wait="down")
    postern.wait_for_log(
        rf"backend inet:{NAME}:{backend.port}: {NAME} cannot be looked up: "
        "there is no such name in DNS; it is down until it has an address$", 20)
    assert " down " in line_of(postern, backend.port)
    with postern.connect() as client:
        assert client.reply().code == 421
    server.addresses[NAME] = HERE
    eventually(lambda: " up " in line_of(postern, backend.port), 40)
    send(postern)
    assert len(backend.messages()) == 1


def test_each_address_is_a_backend(make_hosted, make_backend, server):
    first = make_backend(host=HERE)
    second = make_backend(host=THERE, port=first.port)
    server.addresses[NAME] = [HERE, THERE]
    postern = make_hosted(first, "addresses=2",
                          proxy_backend_balance="round-robin")
    eventually(lambda: postern.status().text.count(" up sessions") == 2, 20)
    for _ in range(4):
        send(postern)
    assert (len(first.messages()), len(second.messages())) == (2, 2)
    server.addresses[NAME] = ["127.0.0.23", THERE, HERE]
    postern.wait_for_log(rf"{NAME} has 3 addresses, of which 2 are used; "
                         r"proxy_backend can say addresses=3 \(at most 8\)$")
    assert count_of(postern, "its address is .* now, and was") == 0
    server.addresses[NAME] = THERE
    # What the name has no address for is nothing to be seen.
    eventually(lambda: "#2" not in postern.status().text, 20)
    assert f" address {THERE}" in line_of(postern, first.port)
    for _ in range(2):
        send(postern)
    assert (len(first.messages()), len(second.messages())) == (2, 4)


def test_control_that_dies_forgets_nothing(make_hosted, make_backend, server):
    backend = make_backend(host=HERE)
    server.addresses[NAME] = HERE
    postern = make_hosted(backend)
    server.addresses[NAME] = SERVFAIL
    postern.reload()
    postern.wait_for_log("it stays at its last good address$")
    send(postern)
    assert len(backend.messages()) == 1


def test_a_refusal_names_the_address(make_hosted, make_backend, server):
    """Not the address that the name had when the configuration was read."""
    server.addresses[NAME] = HERE
    postern = make_hosted(make_backend(host=HERE), wait="",
                          smtp_tls_security_level="encrypt")
    why = "4.7.4 TLS is required, but was not offered by host "
    eventually(lambda: count_of(
        postern, re.escape(f"{why}{NAME}[{HERE}]")) > 0, 20)
