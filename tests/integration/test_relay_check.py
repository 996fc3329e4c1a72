# SPDX-License-Identifier: Apache-2.0
"""postern check --backends, before a real Postfix in its three states: one that
trusts nobody, one that trusts our address, one that trusts everyone."""
import pytest

from peers import free_port

TRUSTS_US = {"mynetworks": "127.0.0.0/8",
             "smtpd_relay_restrictions":
                 "permit_mynetworks, reject_unauth_destination",
             "smtpd_recipient_restrictions": "permit_mynetworks, reject"}
XCLIENT = {"smtpd_authorized_xclient_hosts": "127.0.0.1"}


def check(make_postern, port, way, **options):
    postern = make_postern(f"inet:127.0.0.1:{port}", settings={
        "proxy_backend_handover": way, **options})
    postern.write()
    return postern.verb("check", "--backends")


@pytest.mark.parametrize("level", ["may", "encrypt"])
def test_a_backend_that_trusts_nobody(make_postern, make_postfix, level):
    postfix = make_postfix()
    result = check(make_postern, postfix.port, "none",
                   smtpd_tls_security_level=level)
    assert result.returncode == 0, result.stderr
    assert "does not relay for strangers: 554 5.7.1" in result.stdout


def test_a_backend_that_takes_all_for_us(make_postern, make_postfix):
    postfix = make_postfix(settings=TRUSTS_US)
    result = check(make_postern, postfix.port, "none")
    assert result.returncode == 1
    assert "relays for strangers" in result.stderr
    assert "set proxy_backend_handover" in result.stderr
    assert "main.cf:" in result.stderr
    assert not postfix.box()


def test_a_backend_that_is_told_who_it_is(make_postern, make_postfix):
    postfix = make_postfix(settings={**TRUSTS_US, **XCLIENT})
    result = check(make_postern, postfix.port, "auto")
    assert result.returncode == 0, result.stderr
    assert "does not relay for strangers: 554 5.7.1" in result.stdout


@pytest.mark.parametrize("listener", [
    {"smtpd_peername_lookup": "yes"},
    {"smtpd_upstream_proxy_protocol": "haproxy",
     "proxy_upstream_networks": "127.0.0.1"},
    {"smtpd_upstream_proxy_protocol": "haproxy",
     "proxy_upstream_networks": "0.0.0.0/0"}],
    ids=["names", "upstream", "upstream everywhere"])
def test_what_a_listener_asks_of_clients(make_postern, make_postfix, listener):
    """Of the stranger there is neither a name to be found nor a header."""
    postfix = make_postfix(settings={**TRUSTS_US, **XCLIENT})
    result = check(make_postern, postfix.port, "auto", **listener)
    assert result.returncode == 0, result.stderr
    assert "does not relay for strangers: 554 5.7.1" in result.stdout


def test_a_backend_that_trusts_everyone(make_postern, make_postfix):
    postfix = make_postfix(settings={
        **XCLIENT, **TRUSTS_US, "mynetworks": "0.0.0.0/0"})
    result = check(make_postern, postfix.port, "auto")
    assert result.returncode == 1
    assert "although it was told the client's address" in result.stderr


def test_a_backend_that_is_not_there(make_postern):
    result = check(make_postern, free_port(), "none")
    assert result.returncode == 1
    assert "could not be asked" in result.stderr
    assert "Connection refused" in result.stderr


def test_a_backend_that_takes_no_client_as_told(make_postern, make_postfix):
    """Every session would be refused: this is the moment to hear of it."""
    postfix = make_postfix()
    result = check(make_postern, postfix.port, "auto")
    assert result.returncode == 1
    assert "does not offer XCLIENT" in result.stderr
    assert "did not say whether it relays" in result.stderr


def test_a_backend_that_puts_it_off(make_postern, backend):
    backend.on["RCPT"] = b"450 4.2.0 greylisted\r\n"
    result = check(make_postern, backend.port, "none")
    assert result.returncode == 1
    assert "did not say" in result.stderr
    assert "450 4.2.0 greylisted" in result.stderr


def test_the_sink_is_not_asked(make_postern):
    postern = make_postern(settings={})
    postern.write()
    result = postern.verb("check", "--backends")
    assert (result.returncode, result.stdout) == (0, "")


def test_an_unknown_word(make_postern):
    postern = make_postern()
    postern.write()
    result = postern.verb("check", "--backend")
    assert result.returncode == 64
    assert "unknown option" in result.stderr
