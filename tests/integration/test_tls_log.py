# SPDX-License-Identifier: Apache-2.0
"""smtpd_tls_loglevel: what is told of a session while it goes on, of clients'
certificates and of their names, line by line as a Postfix of the same settings
tells it of the same client."""
import contextlib
import pathlib
import re
import ssl
import subprocess
import tempfile
import time
from typing import NamedTuple

import pytest

import certificates
from client import Client, eventually, tls_context
from peers import Postfix
from ports import free_port
from postern import LOG_LINE, Listener

V1_2, V1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
OTHER = "other.example.test"
SETTINGS = {"smtpd_tls_protocols": ">=TLSv1.2",
            "tls_preempt_cipherlist": "yes"}


class Clients(NamedTuple):
    root: pathlib.Path  # the authority that is trusted
    trusted: pathlib.Path
    below: pathlib.Path  # by an authority below the trusted one
    far: pathlib.Path  # by one below that
    farther: pathlib.Path
    unknown: pathlib.Path
    itself: pathlib.Path
    expired: pathlib.Path
    by_expired: pathlib.Path
    server: pathlib.Path  # for servers alone
    other_chain: pathlib.Path  # the server's under another name; ECDSA
    p384: pathlib.Path  # further keys, for either side
    ed25519: pathlib.Path
    prime: pathlib.Path  # of 1024 bits


@pytest.fixture(scope="module")
def clients(keys, other_certificate):
    root = certificates.Authority(keys, "Root (of) tests")
    middle = certificates.Authority(keys, "Middle", root)
    low = certificates.Authority(keys, "Low", middle)
    lower = certificates.Authority(keys, "Lower", low)
    stranger = certificates.Authority(keys, "Stranger")
    itself = certificates.Certificate(keys, "itself.example.test")
    expired = certificates.Authority(keys, "Expired", root, days=-1)
    return Clients(
        root.certificate, root.issue("trusted.example.test"),
        middle.issue("below.example.test"),
        low.issue("far.example.test"), lower.issue("farther.example.test"),
        stranger.issue("unknown.example.test"), itself.chain,
        root.issue("expired.example.test", days=-1),
        expired.issue("by-expired.example.test"),
        root.issue("server.example.test", usage="serverAuth"),
        other_certificate.chain,
        certificates.Certificate(
            keys, "p384.example.test",
            ("ec", "-pkeyopt", "ec_paramgen_curve:secp384r1")).chain,
        certificates.Certificate(
            keys, "ed25519.example.test", ("ed25519",)).chain,
        certificates.prime(keys / "1024.pem", 1024))


def overrides(clients):
    """A listener for each of these, here and there."""
    trust = {"smtpd_tls_CAfile": clients.root}
    asking = {**trust, "smtpd_tls_ask_ccert": "yes"}
    maps = {"tls_server_sni_maps":
            f"inline:{{ {OTHER}={clients.other_chain}, "
            f".sub.example.test={clients.other_chain} }}"}
    return {
        "0": {"smtpd_tls_loglevel": "0", **asking},
        "1": {"smtpd_tls_loglevel": "1", **asking, **maps},
        "2": {"smtpd_tls_loglevel": "2", **asking, **maps},
        "3": {"smtpd_tls_loglevel": "ssl-expert"},
        "4": {"smtpd_tls_loglevel": "9"},
        "plain 2": {"smtpd_tls_loglevel": "debug",
                    "smtpd_tls_exclude_ciphers": "aNULL, AES256 kRSA"},
        "retry": {"smtpd_tls_loglevel": "2", **maps,
                  "tls_eecdh_auto_curves": "secp521r1"},
        "untrusted": {"smtpd_tls_loglevel": "Summary, untrusted", **asking},
        "peercert": {"smtpd_tls_loglevel": "summary peercert", **asking},
        "cache": {"smtpd_tls_loglevel": "cache", **asking},
        "ssl-debug": {"smtpd_tls_loglevel": "ssl-debug"},
        "verbose": {"smtpd_tls_loglevel": "verbose", **asking},
        "short": {"smtpd_tls_loglevel": "1,untrusted", **asking,
                  "smtpd_tls_ccert_verifydepth": "1"},
        "shorter": {"smtpd_tls_loglevel": "1,untrusted", **asking,
                    "smtpd_tls_ccert_verifydepth": "0"},
        "required": {"smtpd_tls_loglevel": "1", **trust,
                     "smtpd_tls_security_level": "encrypt",
                     "smtpd_tls_mandatory_exclude_ciphers": "",
                     "smtpd_tls_req_ccert": "yes"},
        "required in vain": {"smtpd_tls_loglevel": "1", **asking,
                             "smtpd_tls_req_ccert": "yes"},
        "md5": {"smtpd_tls_loglevel": "peercert", **asking,
                "smtpd_tls_fingerprint_digest": "md5"},
        "keys": {"smtpd_tls_loglevel": "1", **asking,
                 "smtpd_tls_chain_files": clients.other_chain},
        "P-384": {"smtpd_tls_loglevel": "1",
                  "smtpd_tls_chain_files": clients.p384},
        "Ed25519": {"smtpd_tls_loglevel": "1",
                    "smtpd_tls_chain_files": clients.ed25519},
        "old": {"smtpd_tls_loglevel": "1", "smtpd_tls_protocols": ">=TLSv1",
                "smtpd_tls_dh1024_param_file": clients.prime,
                "proxy_tls_forward_secrecy": "no"},
        "nobody": {"smtpd_tls_loglevel": "1", "smtpd_tls_chain_files": "",
                   "smtpd_tls_cert_file": "none",
                   "proxy_tls_forward_secrecy": "no"},
    }


# Clients.

def session(port, context, name="mx.example.test", resume=None, talk=True):
    with Client(port) as client:
        client.greeting()
        client.expect("STARTTLS", 220)
        client.begin_tls(context, server_name=name, session=resume)
        try:
            client.go_on_with_handshake()
            client.command("NOOP")
            kept = client.tls.session
            if talk:
                client.send(b"QUIT\r\n")
            client.rest()
            return kept
        except (ssl.SSLError, EOFError):
            return None


def with_certificate(version, member, sessions=1):
    def scenario(port, clients):
        context = tls_context(version, version)
        if member:
            context.load_cert_chain(getattr(clients, member))
        kept = None
        for _ in range(sessions):
            kept = session(port, context, resume=kept)
    return scenario


def named(version, name, sessions=1):
    def scenario(port, _):
        context = tls_context(version, version)
        kept = None
        for _ in range(sessions):
            kept = session(port, context, name, kept)
    return scenario


def only(ciphers, first=V1_2, last=V1_2):
    def scenario(port, _):
        context = tls_context(first, last)
        context.set_ciphers(ciphers)
        session(port, context)
    return scenario


def group(name, *options):
    def scenario(port, _):
        subprocess.run(
            ["/usr/bin/openssl", "s_client", "-connect", f"127.0.0.1:{port}",
             "-starttls", "smtp", "-ign_eof", "-groups", name, *options],
            input="QUIT\r\n", capture_output=True, text=True, timeout=30)
    return scenario


# TLS 1.2 alone, nothing but TLS_RSA_WITH_NULL_MD5, and blanks at the end.
HELLO = (b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03" + b"0123456789abcdef"
         * 2 + b"\x00\x00\x02\x00\x01\x01\x00")


def hello(data):
    def scenario(port, _):
        with Client(port) as client:
            client.greeting()
            client.expect("STARTTLS", 220)
            client.send_raw(data)
            with contextlib.suppress(OSError):  # the server may be gone
                client.half_close()
            client.rest()
    return scenario


def leaving(port, _):
    with Client(port) as client:
        client.greeting()
        client.expect("STARTTLS", 220)


MEMBERS = ("trusted", "below", "far", "farther", "unknown", "itself", "expired", "by_expired",
           "server", None)
SCENARIOS = [
    *((level, with_certificate(version, "trusted", 2), 2)
      for level in ("0", "1", "2", "cache", "ssl-debug", "verbose", "3", "4",
                    "peercert", "md5")
      for version in (V1_2, V1_3)),
    *((level, with_certificate(V1_3, member), 1)
      for level in ("untrusted", "verbose", "required", "short", "shorter")
      for member in MEMBERS),
    *((level, with_certificate(version, "unknown", 2), 2)
      for level in ("untrusted", "2", "required in vain")
      for version in (V1_2, V1_3)),
    *((level, named(version, name, 2), 2)
      for level in ("1", "2") for version in (V1_2, V1_3)
      for name in (OTHER, "mx.example.test")),
    *(("1", named(V1_3, name), 1)
      for name in ("OTHER.Example.test", "a.b.sub.example.test",
                   "sub.example.test", "under_score.example.test",
                   "-hyphen.example.test", None)),
    # With a HelloRetryRequest.
    ("retry", named(V1_3, OTHER), 1), ("retry", named(V1_3, None, 2), 2),
    ("plain 2", only("ECDHE-RSA-AES128-SHA"), 1),
    ("plain 2", only("AES256-SHA"), 1),
    *(("old", only("DEFAULT:@SECLEVEL=0", version, version), 1)
      for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)),
    *(("old", only(f"{name}:@SECLEVEL=0"), 1)
      for name in ("kDHE", "DHE-RSA-AES128-SHA", "AES128-SHA256",
                   "ECDHE-RSA-CHACHA20-POLY1305", "aNULL")),
    *(("old", group(name), 1)
      for name in ("X25519", "X448", "prime256v1", "secp384r1", "secp521r1")),
    *((level, only("DEFAULT", version, version), 1)
      for level in ("keys", "P-384", "Ed25519") for version in (V1_2, V1_3)),
    ("nobody", only("ALL:aNULL:@SECLEVEL=0", V1_2, V1_3), 1),
    *(("keys", with_certificate(version, member), 1)
      for member in ("other_chain", "p384", "ed25519")
      for version in (V1_2, V1_3)),
    *((level, scenario, 1)
      for level in ("2", "3", "4", "ssl-debug")
      for scenario in (hello(HELLO), hello(b"EHLO c.example.test\r\n"),
                       hello(HELLO[:20]), leaving)),
]


# Lines.

TOLD = re.compile(
    r"(setting up TLS|unknown\[127.0.0.1\]:|SSL_accept|SSL3 alert|subject=|"
    r"issuer=|\S* ?certificate verification failed|TLS SNI|warning:|"
    r"\w+ TLS connection established|NOQUEUE: abort|read from|write to|"
    r"[0-9a-f]{4} )")
# What depends on the moment, or on how the bytes arrived. The address of a
# buffer is our count of octets.
CHANGING = [
    (re.compile(r"^((read from|write to)) [0-9A-F]+ \[[0-9A-F]+\]"), r"\1"),
    (re.compile(r"(key expiration: )\d+$"), r"\1TIME"),
]
PIECE = re.compile(r"^(read from|write to) .* => -1\)$")
ROW = re.compile(r"^[0-9a-f]{4} ([0-9a-f]{2}[ |]){1,16} {1,46}.{1,17}$|"
                 r"^[0-9a-f]{4} - <SPACES/NULLS>$")
COUNT = re.compile(r"^(write to|read from) \([0-9]+ bytes => .*$")
PLAIN = re.compile(r"^(Read|Write) \d+ chars: ")


def normal(lines):
    kept = []
    for line in lines:
        if PLAIN.match(line):
            continue
        for pattern, replacement in CHANGING:
            line = pattern.sub(replacement, line)
        if TOLD.match(line) and not PIECE.match(line) and \
                "Can't require client certs" not in line:
            kept.append(line)
    return kept


def without_bytes(lines):
    """Keys and nonces are random, tickets not as long as Postfix's."""
    return [COUNT.sub(r"\1", line) for line in lines if not ROW.match(line)]


@pytest.fixture(scope="module")
def reference(certificate, clients):
    wanted = overrides(clients)
    ports = {name: free_port() for name in wanted}
    services = []
    for name, settings in wanted.items():
        words = " ".join(f"-o {{ {key} = {value} }}"
                         for key, value in settings.items())
        services.append(f"127.0.0.1:{ports[name]} inet n - n - - smtpd "
                        + words)
    with tempfile.TemporaryDirectory(prefix="postern-") as path:
        postfix = Postfix(pathlib.Path(path), certificate, settings=SETTINGS,
                          services=services)
        postfix.port = ports["0"]
        postfix.ports = ports
        yield postfix.start()
        postfix.stop()


def postfix_lines(postfix, start):
    path = postfix.root / "maillog"
    text = path.read_bytes()[start:].decode("latin-1")
    return [match[3] for match in map(LOG_LINE.match, text.splitlines())
            if match and match[1] == "postfix/smtpd"]


def expected_lines(postfix, level, scenario, clients, sessions):
    start = (postfix.root / "maillog").stat().st_size
    scenario(postfix.ports[level], clients)
    eventually(lambda: sum(
        line.startswith("disconnect") for line in
        postfix_lines(postfix, start)) == sessions)
    return postfix_lines(postfix, start)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_lines_are_those_of_postfix(make_postern, reference, clients):
    """One Postern and one Postfix for all scenarios, one after the other."""
    wanted = overrides(clients)
    postern = make_postern(settings=SETTINGS, listeners=[
        Listener(**settings) for settings in wanted.values()])
    # What is required is required from those who look whether it runs, too.
    postern.start(ready=False)
    ports = {name: listener.port
             for name, listener in zip(wanted, postern.listeners)}
    eventually(lambda: "daemon started" in postern.text())
    postern.wait_for_log("^initializing the server-side TLS engine$", count=6)
    differing = []
    for index, (level, scenario, sessions) in enumerate(SCENARIOS):
        before = time.time()
        expected = normal(expected_lines(
            reference, level, scenario, clients, sessions))
        postern.mark()
        scenario(ports[level], clients)
        postern.wait_for_log(" reason=", count=sessions)
        for line in postern.messages():
            found = re.search(r"key expiration: (\d+)$", line)
            assert not found or before < int(found[1]) < before + 1802
        lines = normal(postern.messages())
        if sessions > 0 and "hello" not in scenario.__qualname__:
            lines, expected = without_bytes(lines), without_bytes(expected)
        if lines != expected:
            differing.append((index, level, expected, lines))
    assert not differing, "\n".join(
        f"--- {index} at {level}\n" + "\n".join(
            ["-" + line for line in expected if line not in lines]
            + ["+" + line for line in lines if line not in expected]
            + ([] if set(lines) ^ set(expected) else ["order:", *lines]))
        for index, level, expected, lines in differing)
