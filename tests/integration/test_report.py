# SPDX-License-Identifier: Apache-2.0
"""`postern report`: real logs in, the forward secrecy report out."""
import gzip
import html.parser
import json
import os
import pty
import re
import subprocess
import zlib

import pytest

from postern import PROGRAM
from test_forward_secrecy import TLS12, shake


def report(*words, **options):
    return subprocess.run([PROGRAM, "report", *words], capture_output=True,
                          timeout=60, **options)


def line(number, time="2026-11-23T12:00:00Z", **fields):
    values = {"session": f"1-{number:x}", "time": time, "listener": "smtp",
              "client": f"[192.0.2.{number % 200}]:25",
              "reason": "CLIENT_QUIT", "tls": "TLSv1.3", "group": "X25519",
              "forward_secrecy": "yes", "client_version": "TLSv1.3",
              "client_eecdh": "yes", "messages": "1", **fields}
    return ("Nov 23 12:00:00 mx postern/smtpd[12]: " +
            " ".join(f"{name}={value}" for name, value in values.items()))


@pytest.fixture
def log(scratch):
    def write(*lines):
        path = scratch / "mail.log"
        path.write_text("".join(f"{each}\n" for each in lines))
        return path
    return write


def tables(result):
    assert result.returncode == 0, result.stderr
    page = json.loads(result.stdout)
    return page, {name: {row["name"]: row["sessions"]
                         for row in table["rows"]}
                  for name, table in page["tables"].items()}


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_log_of_a_real_postern(make_postern, form):
    postern = make_postern(settings={
        "proxy_log_format": form, "tls_high_cipherlist": "ALL",
        "proxy_tls_forward_secrecy": "no"}).start()
    postern.settle()
    before = tables(report("--format", "json", postern.output))[0]
    with postern.secured() as client:
        client.mail()
        client.quit()
    shake(postern.port, TLS12, "-cipher", "DHE-RSA-AES128-GCM-SHA256")
    shake(postern.port, TLS12, "-cipher", "AES128-GCM-SHA256")
    shake(postern.port, TLS12, "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")
    postern.settle()
    postern.wait_for_log("reason=HANDSHAKE_FAILED|\"HANDSHAKE_FAILED\"")
    page, seen = tables(report("--format", "json", postern.output))
    assert page["lines"]["broken"] == 0
    assert page["all"]["sessions"] == before["all"]["sessions"] + 4
    assert page["all"]["with_forward_secrecy"] == 2
    assert page["all"]["messages_with_forward_secrecy"] == 1
    assert seen["versions"]["TLSv1.3"] == 1
    assert seen["groups"]["X25519"] == seen["groups"]["DHE-2048"] == 1
    assert seen["without"]["rsa_key_exchange"] == 1
    assert seen["without"]["handshake_failed"] == 1
    assert seen["lost_without_edh"] == {"127.0.0.1": 1}
    assert seen["lost_without_rsa"] == {"127.0.0.1": 1}
    assert seen["lost_without_tls_1_2"] == {"127.0.0.1": 2}


def test_compressed_and_mixed(log, scratch):
    plain = log(line(1), "Nov 23 12:00:00 mx other[1]: hello", line(2))
    text = plain.read_bytes()
    (scratch / "two.gz").write_bytes(
        gzip.compress(text[:100]) + gzip.compress(text[100:]))
    (scratch / "three.z").write_bytes(zlib.compress(text))
    page, seen = tables(report(
        "--format", "json", plain, scratch / "two.gz", scratch / "three.z",
        "-", input=gzip.compress(text)))
    assert page["lines"] == {
        "records": 8, "broken": 0, "other": 4, "outside": 0}
    assert seen["days"] == {"2026-11-23": 8}


def test_broken_lines_are_named_and_no_failure(log):
    path = log(line(1), line(2) + " reason=FORGED", line(3, messages="-1"),
               *[line(4) + " x"] * 30)
    result = report(path)
    told = result.stderr.decode()
    assert result.returncode == 0
    assert f"{path}:2: record: a field stands twice" in told
    assert f"{path}:3: record: a value is not of its field's type" in told
    assert told.count("record: ") == 20
    assert "1 records, 32 broken" in result.stdout.decode()


def test_a_file_that_cannot_be_read_is_a_failure(log, scratch):
    path = log(line(1))
    broken = scratch / "broken.gz"
    broken.write_bytes(gzip.compress(path.read_bytes())[:-9])
    result = report(scratch / "absent", broken, path)
    assert result.returncode == 1
    assert b"No such file or directory" in result.stderr
    assert b"broken.gz:1: the compressed data ends too early" in result.stderr
    assert b"\n2 sessions, 100.0 % with forward secrecy" in result.stdout


@pytest.mark.parametrize("options, days", [
    ([], ["2026-11-21", "2026-11-22", "2026-11-23"]),
    (["--since", "2026-11-22"], ["2026-11-22", "2026-11-23"]),
    (["--until", "2026-11-22"], ["2026-11-21", "2026-11-22"]),
    (["--until", "2026-11-22T12:00:00Z"], ["2026-11-21"]),
    (["--since", "2026-11-22T12:00:00Z", "--until", "2026-11-22"],
     ["2026-11-22"]),
    (["--since", "2026-11-24"], [])])
def test_times(log, options, days):
    path = log(*[line(day, time=f"2026-11-{day}T12:00:00Z")
                 for day in (21, 22, 23)])
    page, seen = tables(report("--format", "json", *options, path))
    assert list(seen["days"]) == days
    assert page["lines"]["outside"] == 3 - len(days)


def test_a_time_that_is_none(log):
    result = report("--since", "yesterday", log(line(1)))
    assert result.returncode == 64
    assert b"--since yesterday: wants a day (2026-11-23)" in result.stderr


class Reader(html.parser.HTMLParser):
    """Sees whether each element is closed, and which there are."""

    VOID = {"meta", "rect", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_html(log):
    evil = "<img/src>&'"
    result = report("--format", "html", log(
        line(1), line(2, listener=evil, forward_secrecy="no"),
        line(3, time="2026-11-22T12:00:00Z")))
    page = result.stdout.decode()
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert evil in reader.text
    names = {tag for tag, _ in reader.seen}
    assert {"svg", "rect", "table"} <= names
    assert not names & {"img", "script", "link", "iframe"}
    assert not [value for _, attributes in reader.seen
                for name, value in attributes.items()
                if name in ("src", "href")]
    assert "3 sessions, 66.7 % with forward secrecy" in reader.text


def test_progress_on_a_terminal(scratch):
    path = scratch / "long.log"
    path.write_text("".join(line(number) + "\n"
                            for number in range(3000)) * 40)
    master, slave = pty.openpty()
    process = subprocess.Popen([PROGRAM, "report", path],
                               stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    output = process.communicate(timeout=60)[0]
    shown = b""
    while True:
        try:
            shown += os.read(master, 65536)
        except OSError:
            break
    os.close(master)
    assert process.returncode == 0
    assert b"\n120000 sessions" in output
    # The bar is wiped at the end; a fast machine may never have shown it.
    assert re.fullmatch(
        rb"(\r\[#* *\] +\d+ %, \d+ records )*(\r +\r)?", shown), shown
    quiet = report(path)
    assert quiet.stderr == b""
