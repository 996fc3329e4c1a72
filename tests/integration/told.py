# SPDX-License-Identifier: Apache-2.0
"""What the tests of hand-over share: a client that is not where we are, and a
Postfix that is told of it in every way."""
import contextlib
import pathlib
import tempfile

from client import eventually
from peers import Postfix
from ports import free_port

CLIENT = "127.0.0.77"  # loopback too, but not the address that we come from
MESSAGE = b"Subject: test\r\n\r\ntext\r\n.\r\n"


@contextlib.contextmanager
def told_postfix(certificate):
    """XCLIENT and XFORWARD at `port`; a PROXY header, and XFORWARD from the
    client that it names, at `proxy_port`; neither at `plain_port`."""
    with tempfile.TemporaryDirectory(prefix="postern-") as path:
        made = Postfix(
            pathlib.Path(path), certificate,
            settings={"inet_protocols": "all",  # else IPv6 is no address
                      "smtpd_authorized_xclient_hosts": "127.0.0.1",
                      "smtpd_authorized_xforward_hosts": "127.0.0.1"})
        made.proxy_port = free_port()
        made.plain_port = free_port()
        made.services += [
            f"127.0.0.1:{made.proxy_port} inet n - n - - smtpd "
            "-o smtpd_upstream_proxy_protocol=haproxy "
            "-o smtpd_authorized_xforward_hosts=127.0.0.0/8",
            f"127.0.0.1:{made.plain_port} inet n - n - - smtpd "
            "-o smtpd_authorized_xclient_hosts= "
            "-o smtpd_authorized_xforward_hosts="]
        made.write_master()
        yield made.start()
        made.stop()


def newest(postfix, known):
    """The message that was not there before."""
    return eventually(lambda: set(postfix.box()) - known, 30,
                      "the message did not arrive").pop().read_bytes()


def send_message(client, recipient="user@box.test"):
    client.expect("MAIL FROM:<sender@example.test>", 250)
    client.expect(f"RCPT TO:<{recipient}>", 250)
    client.expect("DATA", 354)
    client.send(MESSAGE)
    return client.reply()


def session(postern, source=CLIENT, **options):
    """A message from there, through TLS."""
    with postern.secured(source=source, **options) as client:
        assert send_message(client).code == 250
        client.expect("QUIT", 221)
