# SPDX-License-Identifier: Apache-2.0
"""debug_peer_list, and the probes in the binary."""
import base64
import subprocess

import pytest

from postern import PROGRAM

SECRET = base64.b64encode(b"\0user\0a very secret password").decode()
BODY = "a-line-that-is-nobodys-business"


def watched(make_postern, *backends, **settings):
    return make_postern(*backends, settings={
        "debug_peer_list": "127.0.0.0/8", **settings}).start()


def told(postern):
    return [text for text in postern.messages()
            if text.startswith(("< ", "> ", "debug: "))]


def test_a_session_is_told(make_postern, backend):
    postern = watched(make_postern, backend, debug_peer_level="1")
    with postern.secured() as client:
        peer = f"unknown[127.0.0.1]:{client.port}"
        client.mail(f"Subject: x\r\n\r\n{BODY}\r\n".encode())
        client.quit()
    postern.wait_for_log(r"^debug: .* state closed")
    lines = [line for line in told(postern) if peer in line]
    for line in (f"> {peer}: 220 2.0.0 Ready to start TLS",
                 f"debug: {peer}: state handshake",
                 f"< {peer}: EHLO client.example.test",
                 f"< {peer}: MAIL FROM:<sender@example.test>",
                 f"< {peer}: DATA", f"< {peer}: QUIT"):
        assert line in lines, lines
    assert any("bytes of a message" in line for line in lines)
    assert BODY not in postern.text()
    assert not [text for text in postern.messages() if "SSL_accept:" in text]


@pytest.mark.parametrize("level, steps, rows", [
    ("1", False, False), ("2", True, False), ("3", True, True)])
def test_how_much_of_tls_is_told(make_postern, level, steps, rows):
    postern = watched(make_postern, debug_peer_level=level)
    with postern.secured() as client:
        client.quit()
    postern.wait_for_log(r"^debug: .* state closed")
    text = "\n".join(postern.messages())
    assert ("SSL_accept:" in text) == steps
    assert ("\n0000 16 03 01" in text) == rows


def test_others_are_not_told(make_postern):
    postern = watched(make_postern,
                      debug_peer_list="!127.0.0.1, 0.0.0.0/0, [::]/0")
    with postern.secured() as client:
        client.quit()
    postern.wait_for_log("^disconnect from ")
    assert told(postern) == []
    assert not [text for text in postern.messages() if "SSL_accept:" in text]


def test_credentials_are_not_told(make_postern, make_backend):
    backend = make_backend(keywords=["PIPELINING", "AUTH PLAIN LOGIN"])
    postern = watched(make_postern, backend, debug_peer_level="3")
    with postern.secured() as client:
        client.expect(f"AUTH PLAIN {SECRET}", 235)
        client.quit()
    with postern.secured() as client:
        client.command(SECRET)
        client.command(f"NOOP {SECRET}")
        client.command(f"AUTH {SECRET}")
    postern.wait_for_log(r"^debug: .* state closed", count=2)
    assert "< unknown[127.0.0.1]" in postern.text()
    assert "AUTH PLAIN (" in postern.text()
    assert SECRET not in postern.text()


def test_a_list_that_is_wrong_is_said(make_postern):
    postern = make_postern(settings={"debug_peer_list": "client.example.test"})
    postern.write()
    result = postern.verb("check")
    assert result.returncode == 1
    assert "client.example.test" in result.stderr


def test_the_probes_are_in_the_binary():
    notes = subprocess.run(["readelf", "--wide", "-n", PROGRAM], check=True,
                           capture_output=True, text=True).stdout
    names = {notes_line.split()[1] for provider, notes_line in zip(
        notes.splitlines(), notes.splitlines()[1:])
             if "Provider: postern" in provider}
    assert names == {"session_begin", "handshake_done", "handshake_failed",
                     "relay_begin", "message", "session_end"}
