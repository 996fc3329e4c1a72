# SPDX-License-Identifier: Apache-2.0
"""The levels dane and dane-only beside a real Postfix client, row by row: the
same zone, the same servers."""
import pathlib
import re
import tempfile

import pytest

from client import eventually
from peers import Postfix
from test_backend_tls import outcome, pki, send_each
from test_dane import (faults_of, known, lines_of, listener_of, rows, send,
                       settings_of, zone)
from validating import ValidatingResolver

assert pki and rows and zone  # fixtures

FORGED = {"11" * 32: "12" * 32, "22" * 32: "23" * 32}
# Of a digest that is too short Postfix hears from OpenSSL alone, in TLS: nothing
# matches. We find it unusable before that, and say so.
OURS = {"malformed": "4.7.5 TLSA records unusable"}
TOLD = re.compile(r"TLS connection established to|verification failed for|"
                  r"Matched DANE|matched peername")


def told(lines):
    return sorted({line for line in lines if TOLD.search(line)})


@pytest.fixture
def beside(zone, rows):
    """The rows, with what Postfix made of each."""
    zone.forged = FORGED
    zone.publish()
    resolver = ValidatingResolver(zone, [
        f"_{row.backend.port}" for row in rows
        if row.name in ("bogus", "bogusonly")])
    with tempfile.TemporaryDirectory(prefix="postern-") as path:
        postfix = Postfix(pathlib.Path(path), settings={
            "relay_domains": " ".join(f"{row.name}.test" for row in rows),
            "transport_maps": "inline:{" + ", ".join(
                f"{row.name}.test={row.name}:[localhost]:{row.backend.port}"
                for row in rows) + "}",
            "smtp_tls_loglevel": "summary, certmatch",
            "smtp_helo_name": "mx.example.test",
            "disable_dns_lookups": "no", "smtp_dns_support_level": "dnssec",
            "smtp_host_lookup": "dns", "minimal_backoff_time": "4000s"})
        postfix.ask(resolver.address)
        postfix.services += [
            f"{row.name} unix - - n - - smtp -o syslog_name={row.name} "
            f"-o smtp_tls_security_level={row.level} "
            + " ".join(f"-o {{{name}={value}}}"
                       for name, value in row.settings.items())
            for row in rows]
        postfix.write_master()
        postfix.start()
        try:
            send_each(postfix.port, rows)
            eventually(lambda: all(outcome(postfix, row) for row in rows), 60,
                       postfix.log())
            for row in rows:
                row.outcome = outcome(postfix, row)
                row.lines = re.findall(
                    rf" {row.name}/smtp\[\d+\]: (.*)", postfix.log())
        finally:
            postfix.stop()
            resolver.stop()
    return rows


def test_each_row_is_as_in_postfix(make_postern, zone, beside):
    postern = make_postern(beside[0].backend, settings=settings_of(zone))
    postern.listeners = [listener_of(row) for row in beside]
    postern.start(ready=False)
    eventually(lambda: known(postern, beside), 30, postern.text())
    for number, row in enumerate(beside):
        dsn, status, text = row.outcome
        assert (send(postern, number) == 250) == (status == "sent"), row.name
        if row.name in OURS:
            assert text == "Server certificate not verified"
            assert OURS[row.name] in faults_of(postern, row)
            continue
        assert told(lines_of(postern, row)) == told(row.lines), row.name
        if status != "sent":
            assert f"{dsn} {text}" in faults_of(postern, row), row.name
    assert sum(row.outcome[1] == "sent" for row in beside) == 12
