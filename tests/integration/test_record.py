# SPDX-License-Identifier: Apache-2.0
"""The record of a session: what it says of real clients, in both forms."""
import json
import re
import ssl
import subprocess

import pytest

from client import Client, tls_context
from test_forward_secrecy import LOW, TLS12, shake

V1_2 = ssl.TLSVersion.TLSv1_2


def records(postern, count=1):
    """The records since the last look, each as a dict of its words."""
    postern.wait_for_log(r"^session=", count=count)
    lines = [text for text in postern.messages()
             if text.startswith("session=")]
    postern.mark()
    return [dict(word.split("=", 1) for word in line.split(" "))
            for line in lines]


def record(postern):
    return records(postern)[-1]


@pytest.fixture
def old(make_postern):
    return make_postern(settings={
        "smtpd_tls_protocols": ">=TLSv1", "smtpd_tls_ciphers": "low",
        "tls_low_cipherlist": "ALL:@SECLEVEL=0",
        "proxy_tls_forward_secrecy": "prefer"}).start()


def test_tls_1_3(postern):
    with postern.secured() as client:
        client.mail()
        client.quit()
    seen = record(postern)
    assert {name: seen[name] for name in (
        "reason", "tls", "key_exchange", "group", "signature", "resumed",
        "forward_secrecy", "forward_secrecy_reason", "trust", "tls_fault",
        "client_version", "client_eecdh", "backend", "messages")} == {
            "reason": "CLIENT_QUIT", "tls": "TLSv1.3",
            "key_exchange": "X25519", "group": "X25519",
            "signature": "RSA-PSS-SHA256", "resumed": "no",
            "forward_secrecy": "yes", "forward_secrecy_reason": "ecdhe",
            "trust": "Anonymous", "tls_fault": "none",
            "client_version": "TLSv1.3", "client_eecdh": "yes",
            "backend": "builtin:sink", "messages": "1"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", seen["time"])
    assert int(seen["handshake_ms"]) <= int(seen["ms"])


def test_in_clear(postern):
    with postern.connect() as client:
        client.greeting()
        client.quit()
    seen = record(postern)
    assert (seen["tls"], seen["forward_secrecy"],
            seen["forward_secrecy_reason"], seen["client_version"]) == (
                "none", "no", "no_tls", "none")


# What a client offers, and what the record makes of it.
OFFERS = {
    "all": ([], {"client_version": "TLSv1.3", "client_eecdh": "yes",
                 "client_edh": "yes", "client_rsa": "yes"}),
    "1.3 alone": (["-tls1_3"], {
        "client_version": "TLSv1.3", "client_eecdh": "yes",
        "client_edh": "no", "client_rsa": "no", "signature":
        "RSA-PSS-SHA256"}),
    "EDH alone": ([TLS12, "-cipher", "DHE-RSA-AES128-GCM-SHA256"], {
        "client_version": "TLSv1.2", "client_eecdh": "no",
        "client_edh": "yes", "client_rsa": "no", "group": "DHE-2048",
        "forward_secrecy_reason": "dhe"}),
    "RSA alone": ([TLS12, "-cipher", "AES128-GCM-SHA256"], {
        "client_eecdh": "no", "client_edh": "no", "client_rsa": "yes",
        "group": "none", "signature": "none", "forward_secrecy": "no",
        "forward_secrecy_reason": "rsa_key_exchange"}),
    "P-256": ([TLS12, "-groups", "P-256"], {
        "client_version": "TLSv1.2", "client_eecdh": "yes",
        "key_exchange": "ECDHE", "group": "prime256v1",
        "signature": "RSA-PSS-SHA256"}),
    "PKCS #1": ([TLS12, "-sigalgs", "RSA+SHA256"], {
        "signature": "RSA-SHA256"}),
    "a curve that is not here": ([TLS12, "-groups", "secp224r1"], {
        "client_eecdh": "no", "client_edh": "yes"}),
    "TLS 1.0": (["-tls1", "-cipher", "ALL" + LOW], {
        "client_version": "TLSv1", "tls": "TLSv1"}),
}


@pytest.mark.parametrize("name", OFFERS)
def test_what_the_client_offered(old, name):
    options, expected = OFFERS[name]
    shake(old.port, *options)
    seen = record(old)
    assert {each: seen[each] for each in expected} == expected


def test_a_failed_handshake_still_tells_of_the_client(postern):
    shake(postern.port, TLS12, "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256",
          "-servername", "mx.example.test")
    seen = record(postern)
    assert (seen["reason"], seen["tls"], seen["tls_fault"],
            seen["forward_secrecy_reason"], seen["client_version"],
            seen["sni"]) == (
                "HANDSHAKE_FAILED", "none", "no_shared_cipher",
                "handshake_failed", "TLSv1.2", "mx.example.test")


@pytest.mark.parametrize("name, kept", [
    ("none", "%6Eone"), ("Mail.Example.test", "Mail.Example.test"),
    ("x reason=FORGED", "-invalid-"), ("a\nsession=1-1", "-invalid-"),
    ("\x1b[2J", "-invalid-"), ("a" * 255, "-invalid-"), ("192.0.2.1", "-invalid-")])
def test_a_name_cannot_break_the_record(postern, name, kept):
    subprocess.run(
        ["/usr/bin/openssl", "s_client", "-connect",
         f"127.0.0.1:{postern.port}", "-starttls", "smtp", "-servername",
         name], input="QUIT\r\n", capture_output=True, text=True, timeout=30)
    seen = records(postern)
    assert len(seen) == 1
    assert seen[0]["reason"] in ("CLIENT_QUIT", "CLIENT_LOST",
                                 "HANDSHAKE_FAILED")
    assert seen[0]["sni"] == kept
    raw = postern.output.read_bytes()
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f-\xff]", raw)


def test_json(make_postern):
    postern = make_postern(settings={"proxy_log_format": "json"}).start()
    postern.mark()
    with postern.secured() as client:
        client.mail()
        client.quit()
    with Client(postern.port) as client:
        client.greeting()
        client.quit()
    line = postern.wait_for_log(r'^\{"session":', count=2)
    in_clear = json.loads(line)
    in_tls = json.loads(next(text for text in postern.messages()
                             if text.startswith("{")))
    assert (in_tls["tls"], in_tls["forward_secrecy"], in_tls["resumed"],
            in_tls["messages"]) == ("TLSv1.3", True, False, 1)
    assert (in_clear["tls"], in_clear["forward_secrecy"],
            in_clear["handshake_ms"]) == (None, False, None)
    assert list(in_tls) == list(in_clear)
    assert not [text for text in postern.messages()
                if text.startswith("session=")]


def test_resumption(postern):
    context = tls_context(V1_2, V1_2)
    session = None
    for _ in range(2):
        with Client(postern.port) as client:
            client.greeting()
            client.starttls(context, session=session)
            session = client.tls.session
            client.quit()
    seen = records(postern, 2)[-1]
    assert (seen["resumed"], seen["key_exchange"], seen["group"],
            seen["signature"]) == ("yes", "unknown", "none", "none")
    assert (seen["forward_secrecy"], seen["forward_secrecy_reason"]) == (
        "no", "resumed_without_exchange")
