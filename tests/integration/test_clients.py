# SPDX-License-Identifier: Apache-2.0
"""The clients that people have."""
import smtplib
import subprocess
import time

import pytest

from client import tls_context
from postern import Listener

TEXT = b"Subject: by hand\r\n\r\nHello.\r\n"
DIALOGUE = ["EHLO c.example.test", "MAIL FROM:<a@example.test>",
            "RCPT TO:<user@box.test>", "DATA", "Subject: typed", "", "Hello.", ".",
            "QUIT"]


@pytest.fixture
def postern(make_postern):
    return make_postern(listeners=[
        Listener(), Listener(smtpd_tls_security_level="encrypt"),
        Listener(smtpd_tls_wrappermode="yes")]).start()


def type_into(command):
    """Types the dialogue as a person would: a line, then its reply."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    time.sleep(1.5)
    for line in DIALOGUE:
        process.stdin.write(line.encode() + b"\n")  # they make it CRLF
        process.stdin.flush()
        time.sleep(0.3)
    output, _ = process.communicate(timeout=20)
    return output.decode("latin-1")


@pytest.mark.parametrize("listener", [0, 1, 2])
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl(postern, listener, version):
    starttls = [] if listener == 2 else ["-starttls", "smtp"]
    output = type_into(
        ["/usr/bin/openssl", "s_client", "-connect",
         f"127.0.0.1:{postern.listeners[listener].port}", *starttls, version,
         "-crlf", "-quiet", "-ign_eof"])
    assert "221 2.0.0 Bye" in output, output
    assert postern.counter("sink_messages") == 1
    postern.wait_for_log("TLS connection established from unknown.*"
                         f"TLSv1.{version[-1]}")


@pytest.mark.parametrize("listener", [0, 1, 2])
def test_swaks(postern, listener):
    option = "--tls-on-connect" if listener == 2 else "--tls"
    result = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port",
         str(postern.listeners[listener].port), option, "--helo",
         "c.example.test", "--from", "a@example.test", "--to",
         "user@box.test", "--timeout", "20"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert postern.counter("sink_messages") == 1


def test_swaks_with_pipelining(postern):
    result = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(postern.port),
         "--tls", "--pipeline", "--from", "a@example.test", "--to",
         "one@box.test,two@box.test", "--timeout", "20"],
        capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert postern.counter("sink_messages") == 1


@pytest.mark.parametrize("listener", [0, 1, 2])
def test_gnutls(postern, listener):
    starttls = [] if listener == 2 else ["--starttls-proto=smtp"]
    output = type_into(
        ["gnutls-cli", "--insecure", "--crlf", *starttls, "--port",
         str(postern.listeners[listener].port), "127.0.0.1"])
    assert "221 2.0.0 Bye" in output, output
    assert postern.counter("sink_messages") == 1


@pytest.mark.parametrize("listener", [0, 1, 2])
def test_smtplib(postern, listener):
    port = postern.listeners[listener].port
    if listener == 2:
        server = smtplib.SMTP_SSL("127.0.0.1", port, context=tls_context())
    else:
        server = smtplib.SMTP("127.0.0.1", port)
        server.starttls(context=tls_context())
    with server:
        assert server.sendmail(
            "a@example.test", ["one@box.test", "two@box.test"], TEXT) == {}
    assert postern.counter("sink_messages") == 1
    assert postern.counter("sink_bytes") >= len(TEXT)
