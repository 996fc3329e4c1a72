# SPDX-License-Identifier: Apache-2.0
"""The levels dane and dane-only: TLSA records in a signed zone on loopback,
validated by Postern itself. (What Postfix says: test_dane_postfix.py.)"""
import hashlib
import pathlib
import subprocess

import pytest

from client import eventually
from postern import Listener
from signed_zone import SignedZone
from test_backend_tls import (MESSAGE, Silent, TlsBackend, pki, served,
                              server_context)

assert pki  # a fixture

NOBODY = "00" * 32


@pytest.fixture
def zone(scratch):
    directory = pathlib.Path(scratch) / "zone"
    directory.mkdir()
    made = SignedZone(directory)
    made.records.append("@ IN A 127.0.0.1")
    yield made
    made.stop()


def key_of(chain):
    pem = subprocess.run(
        ["/usr/bin/openssl", "x509", "-in", chain, "-noout", "-pubkey"],
        check=True, capture_output=True).stdout
    return subprocess.run(
        ["/usr/bin/openssl", "pkey", "-pubin", "-outform", "DER"], input=pem,
        check=True, capture_output=True).stdout


def certificate_of(chain):
    return subprocess.run(
        ["/usr/bin/openssl", "x509", "-in", chain, "-outform", "DER"],
        check=True, capture_output=True).stdout


def sha256(data):
    return hashlib.sha256(data).hexdigest().upper()


def sha512(data):
    return hashlib.sha512(data).hexdigest().upper()


class Row:
    """A backend with its records, a level, and what comes of it: the line on
    TLS begins with `word`, `match` is told of the match, `fault` instead."""

    def __init__(self, name, records, word=None, match=None, fault=None,
                 level="dane", chain=None, kind=TlsBackend, **settings):
        self.name, self.records, self.word = name, records, word
        self.match, self.fault, self.level = match, fault, level
        self.chain, self.kind = chain, kind
        self.settings = {f"{key}": value for key, value in settings.items()}


def rows_of(pki):
    own, root = pki.own, pki.root.certificate
    middle = certificate_of(pki.middle.certificate)
    key, whole = sha256(key_of(own)), sha512(certificate_of(own))
    unverified = "4.7.5 Server certificate not verified"
    mismatch = "num=65:no matching DANE TLSA records"
    expired = pki.middle.issue("localhost.expired", "serverAuth", -1)
    return [
        # Neither the name nor the date nor the issuer matters.
        Row("ee", [f"3 1 1 {key}"], "Verified",
            f"EE certificate at depth 0: 3 1 1 {key}"),
        Row("eewhole", [f"3 0 2 {whole}"], "Verified",
            f"EE certificate at depth 0: 3 0 2 {whole}"),
        Row("eeplain", [f"3 1 0 {key_of(own).hex()}"], "Verified",
            "EE certificate at depth 0: 3 1 0 "),
        Row("eeexpired", [f"3 1 1 {sha256(key_of(expired))}"], "Verified",
            "EE certificate at depth 0: 3 1 1 ", chain=expired),
        Row("eesecond", [f"3 1 1 {NOBODY}", f"3 1 1 {key}"], "Verified",
            f"EE certificate at depth 0: 3 1 1 {key}", level="dane-only"),
        Row("ta", [f"2 0 1 {sha256(middle)}"], "Verified",
            f"TA certificate at depth 1: 2 0 1 {sha256(middle)}",
            chain=pki.good),
        Row("takey", [f"2 1 1 {sha256(key_of(pki.middle.certificate))}"],
            "Verified", "TA certificate at depth 1: 2 1 1 ", chain=pki.good),
        Row("tawhole", [f"2 0 0 {certificate_of(root).hex()}"], "Verified",
            "TA certificate at depth 2: 2 0 0 ", chain=pki.good),
        Row("taname", [f"2 0 1 {sha256(middle)}"], "Untrusted",
            "num=62:hostname mismatch", unverified, chain=pki.other),
        Row("wrong", [f"3 1 1 {NOBODY}"], "Untrusted", mismatch, unverified),
        Row("wrongonly", [f"3 1 1 {NOBODY}"], "Untrusted", mismatch,
            unverified, "dane-only"),
        Row("wrongissuer", [f"2 0 1 {NOBODY}"], "Untrusted", None, unverified,
            chain=pki.good),
        # The best digest counts alone, whatever the other one says.
        Row("agility", [f"3 1 1 {key}", f"3 1 2 {NOBODY * 2}"], "Untrusted",
            mismatch, unverified),
        Row("digests", [f"3 1 1 {key}", f"3 1 2 {NOBODY * 2}"], "Verified",
            f"EE certificate at depth 0: 3 1 1 {key}",
            tls_dane_digests="sha256"),
        Row("pkix", [f"1 1 1 {key}", f"0 0 1 {NOBODY}"], "Untrusted"),
        Row("pkixclear", [f"1 1 1 {key}"], kind=Silent,
            fault="4.7.4 TLS is required, but was not offered by host "
                  "localhost[127.0.0.1]"),
        Row("pkixonly", [f"1 1 1 {key}"], level="dane-only",
            fault="4.7.5 TLSA records unusable"),
        Row("malformed", [f"3 1 1 {key[:62]}"], level="dane-only",
            fault="4.7.5 TLSA records unusable"),
        Row("absent", [], "Untrusted"),
        Row("absentclear", [], kind=Silent),
        Row("absentonly", [], level="dane-only",
            fault="4.7.5 no TLSA records found"),
        Row("stripped", [f"3 1 1 {key}"], kind=Silent,
            fault="4.7.4 TLS is required, but was not offered by host "
                  "localhost[127.0.0.1]"),
        Row("bogus", [f"3 1 1 {'11' * 32}"],
            fault="4.7.5 TLSA lookup error for localhost:"),
        Row("bogusonly", [f"3 1 1 {'22' * 32}"], level="dane-only",
            fault="4.7.5 TLSA lookup error for localhost:"),
    ]


@pytest.fixture
def rows(pki, zone):
    made = rows_of(pki)
    for row in made:
        row.backend = row.kind(
            server_context(row.chain or pki.own))
        for record in row.records:
            zone.tlsa(row.backend.port, record)
    yield made
    for row in made:
        row.backend.stop()


def settings_of(zone, **more):
    return {"proxy_dns_servers": zone.address, "inet_protocols": "ipv4",
            "proxy_dns_trust_anchor_file": str(zone.anchor),
            "smtp_tls_loglevel": "summary, certmatch",
            "proxy_backend_probe_interval": "1h", **more}


def listener_of(row):
    return Listener(proxy_backend=row.backend.address,
                    smtp_tls_security_level=row.level,
                    syslog_name=f"row-{row.name}", **row.settings)


def send(postern, number):
    """Whether the mail was taken; with what reply it was not."""
    with postern.connect(number) as client:
        if client.reply().code == 421:
            return 421
        client.expect("EHLO client.example.test", 250)
        reply = client.command("MAIL FROM:<sender@example.test>")
        if reply.code != 250:
            assert reply.code == 451, reply
            return reply.code
        client.expect("RSET", 250)
        client.mail(MESSAGE)
        client.expect("QUIT", 221)
        return 250


def lines_of(postern, row):
    return [text for program, _, text in postern.log()
            if program == f"row-{row.name}/smtp"]


def faults_of(postern, row):
    start = f"warning: backend inet:localhost[127.0.0.1]:{row.backend.port}: "
    return [text[len(start):] for text in postern.messages()
            if text.startswith(start)]


def known(postern, rows):
    """Each backend was told of, and checked; and each listener is there."""
    for number in range(len(postern.listeners)):
        try:
            with postern.connect(number) as client:
                if client.reply().code == 220:
                    client.expect("QUIT", 221)
        except (OSError, EOFError):
            return False
    return all(len(lines_of(postern, row)) > 0 or faults_of(postern, row) or
               row.backend.sessions for row in rows)


def check(postern, row, number):
    code = send(postern, number)
    lines = lines_of(postern, row)
    words = {line.split()[0] for line in lines
             if " TLS connection established to localhost[127.0.0.1]:" in line}
    assert (code == 250) == (row.fault is None), (row.name, code)
    assert len(row.backend.messages()) == (row.fault is None), row.name
    assert words == ({row.word} if row.word else set()), (row.name, lines)
    if row.match:
        assert any(row.match in line for line in lines), (row.name, lines)
    if row.word == "Verified":
        assert (f"localhost[127.0.0.1]:{row.backend.port}: Matched DANE "
                + row.match) in "\n".join(lines)
    if row.fault:
        assert any(fault.startswith(row.fault)
                   for fault in faults_of(postern, row)), row.name


def test_each_row(make_postern, zone, rows):
    zone.forged = {"11" * 32: "12" * 32, "22" * 32: "23" * 32}
    zone.publish()
    postern = make_postern(rows[0].backend, settings=settings_of(zone))
    postern.listeners = [listener_of(row) for row in rows]
    postern.start(ready=False)
    eventually(lambda: known(postern, rows), 30, postern.text())
    for number, row in enumerate(rows):
        check(postern, row, number)
    sent = [row for row in rows if row.fault is None]
    assert len(sent) == 12


def test_a_zone_that_is_not_signed(make_postern, zone, pki):
    """Records in it are nothing: as if there were none."""
    backend = TlsBackend(server_context(pki.own))
    try:
        zone.tlsa(backend.port, f"3 1 1 {NOBODY}")
        zone.publish()
        anchor = zone.directory / "other.key"
        anchor.write_text(zone.anchor.read_text().replace(
            "localhost.", "other.test."))
        postern = make_postern(backend, settings=settings_of(
            zone, proxy_dns_trust_anchor_file=str(anchor),
            smtp_tls_policy_maps="static:dane"))
        postern.listeners.append(Listener(
            smtp_tls_policy_maps=f"inline:{{[localhost]:{backend.port}"
                                 "=dane-only}"))
        postern.start(ready=False)
        eventually(lambda: "no TLSA records found: the address of its name is "
                   "not signed" in postern.text(), 20)
        eventually(lambda: known(postern, []), 20)
        eventually(lambda: send(postern, 0) == 250, 20)
        assert send(postern, 1) in (421, 451)
        postern.wait_for_log("4.7.5 no TLSA records found$")
        assert len(backend.messages()) == 1
        # It asks DNS, too.
        result = postern.verb("check", "--backends")
        assert "4.7.5 no TLSA records found" in result.stderr, result
        assert "lookup error" not in result.stderr
        assert "could not be asked" in result.stderr
    finally:
        backend.stop()


def test_records_are_asked_for_again(make_postern, zone, pki):
    """Without a reload; and no session goes on that was checked against the
    records of before."""
    backend = TlsBackend(server_context(pki.own))
    old, new = (f"3 1 1 {sha256(key_of(chain))}" for chain in
                (pki.own, pki.good))
    try:
        zone.tlsa(backend.port, old)
        zone.publish()
        postern = make_postern(backend, settings=settings_of(
            zone, smtp_tls_security_level="dane")).start()
        for _ in range(2):
            assert send(postern, 0) == 250
        assert [one.resumed for one in served(backend)] == [False, True]
        before = postern.text().count("1 TLSA records at ")
        zone.records[-1] = f"_{backend.port}._tcp IN TLSA {new}"
        zone.publish()
        eventually(lambda: postern.text().count("1 TLSA records at ") > before,
                   20)
        assert send(postern, 0) in (421, 451)
        assert len(backend.messages()) == 2
        backend.context = server_context(pki.good)
        eventually(lambda: send(postern, 0) == 250, 20)
        postern.wait_for_log(f"Matched DANE EE certificate at depth 0: {new}$")
        assert served(backend)[-1].resumed is False
    finally:
        backend.stop()


@pytest.mark.parametrize("settings,text", [
    ({"proxy_backend": "inet:127.0.0.1:25"}, "names of hosts alone"),
    ({"proxy_backend": "unix:/nowhere"}, "names of hosts alone"),
    ({"smtp_tls_wrappermode": "yes"}, "must be dane-only"),
    ({"tls_dane_digests": "sha3-256"}, "is no digest"),
    ({"proxy_dns_trust_anchor_file": "/nowhere"}, "No such file"),
    ({"proxy_dns_trust_anchor_file": "/etc/hostname"}, "DS or DNSKEY"),
])
def test_what_check_says(make_postern, zone, settings, text):
    postern = make_postern("inet:localhost:25", settings=settings_of(
        zone, **{"smtp_tls_security_level": "dane", **settings}))
    postern.write()
    result = postern.verb("check")
    assert result.returncode == 1
    assert text in result.stderr + result.stdout, result


