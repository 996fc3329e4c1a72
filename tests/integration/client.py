# SPDX-License-Identifier: Apache-2.0
"""An SMTP client that decides which bytes leave together.

TLS runs over memory, so that a test can put the client's Finished and a command
into one segment, or send a handshake one byte at a time.
"""
import contextlib
import re
import socket
import ssl
import struct
import time


class Reply:
    """One reply: its code, its lines without the code, and its bytes."""

    def __init__(self, raw):
        self.raw = raw
        lines = raw.decode("latin-1").split("\r\n")[:-1]
        self.code = int(lines[-1][:3])
        self.lines = [line[4:] for line in lines]

    @property
    def text(self):
        return self.raw.decode("latin-1")

    @property
    def keywords(self):
        """Of an EHLO reply: keyword -> argument."""
        return {line.split(" ")[0].upper(): line.partition(" ")[2]
                for line in self.lines[1:]}

    def __repr__(self):
        return f"Reply({self.raw!r})"


def tls_context(minimum=ssl.TLSVersion.TLSv1_2,
                maximum=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = minimum
    context.maximum_version = maximum
    return context


class Client:
    def __init__(self, port, host="127.0.0.1", timeout=20, receive_buffer=None,
                 source=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(timeout)
        self.socket.connect((host, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.timeout = timeout
        self.port = self.socket.getsockname()[1]
        self.tls = None
        self.received = b""  # plaintext that no reply has used yet

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # The wire.

    def send_raw(self, data):
        """Bytes of the wire, in one segment if they fit one."""
        self.socket.sendall(data)

    def seal(self, data=b""):
        """Wraps data into records and takes all that is to be sent."""
        if data:
            self.tls.write(data)
        return self.outgoing.read()

    def send(self, data):
        if self.tls is None:
            self.send_raw(data)
            return
        for start in range(0, len(data), 1 << 20):
            self.send_raw(self.seal(data[start:start + (1 << 20)]))

    def _receive_raw(self):
        try:
            return self.socket.recv(1 << 16)
        except ConnectionResetError:
            self.was_reset = True
            return b""

    was_reset = False

    def receive(self):
        """Some plaintext bytes; b"" at the end."""
        if self.tls is None:
            return self._receive_raw()
        while True:
            try:
                return self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                data = self._receive_raw()
                if not data:
                    return b""
                self.incoming.write(data)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    # Replies.

    def line(self):
        while b"\r\n" not in self.received:
            data = self.receive()
            if not data:
                raise EOFError(f"the server closed; left: {self.received!r}")
            self.received += data
        line, _, self.received = self.received.partition(b"\r\n")
        return line + b"\r\n"

    def reply(self):
        raw = b""
        while True:
            line = self.line()
            assert re.match(rb"[2-5]\d\d[ -]", line), line
            raw += line
            if line[3:4] == b" ":
                return Reply(raw)

    def command(self, text):
        self.send(text.encode("latin-1") + b"\r\n")
        return self.reply()

    def expect(self, text, code):
        reply = self.command(text)
        assert reply.code == code, (text, reply)
        return reply

    def greeting(self):
        reply = self.reply()
        assert reply.code == 220, reply
        return reply

    def rest(self):
        """All that comes until the server closes; then this side ends too, as
        clients do, and the server need not linger."""
        data, self.received = self.received, b""
        while more := self.receive():
            data += more
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        return data

    def closed(self):
        """True once the server has closed and said nothing more."""
        return self.rest() == b""

    def silent_for(self, seconds):
        """True when nothing comes in this time, and no end either."""
        if self.received:
            return False
        self.socket.settimeout(seconds)
        try:
            return self.receive() is None
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(self.timeout)

    # TLS.

    def begin_tls(self, context=None, server_name="mx.example.test",
                  session=None):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = (context or tls_context()).wrap_bio(
            self.incoming, self.outgoing, server_hostname=server_name,
            session=session)
        self.received = b""

    def handshake(self, context=None, together=b"", session=None, step=None):
        """Does the handshake. `together` is application data that leaves in one
        piece with our Finished; `step` is the size of the pieces that all
        else is sent in."""
        self.begin_tls(context, session=session)
        self.go_on_with_handshake(together, step)

    def go_on_with_handshake(self, together=b"", step=None):
        """As begin_tls() prepared it."""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._send_pieces(self.outgoing.read(), step)
                data = self._receive_raw()
                if not data:
                    raise EOFError("the server closed in the handshake")
                self.incoming.write(data)
        self._send_pieces(self.seal(together), step)

    def _send_pieces(self, data, step):
        for start in range(0, len(data), step or max(len(data), 1)):
            self.send_raw(data[start:start + (step or len(data))])

    def starttls(self, context=None, **options):
        self.expect("STARTTLS", 220)
        assert self.received == b"", self.received
        self.handshake(context, **options)

    def secured(self, name="client.example.test"):
        """Greeting, EHLO, STARTTLS, EHLO."""
        self.greeting()
        self.expect(f"EHLO {name}", 250)
        self.starttls()
        return self.expect(f"EHLO {name}", 250)

    # Mail.

    def envelope(self, recipient="user@box.test", sender="sender@example.test"):
        self.expect(f"MAIL FROM:<{sender}>", 250)
        self.expect(f"RCPT TO:<{recipient}>", 250)

    def data(self, message):
        self.expect("DATA", 354)
        self.send(stuffed(message) + b".\r\n")
        return self.reply()

    def mail(self, message=b"Subject: test\r\n\r\ntext\r\n",
             recipient="user@box.test"):
        self.envelope(recipient)
        reply = self.data(message)
        assert reply.code == 250, reply
        return reply

    def quit(self):
        self.expect("QUIT", 221)
        assert self.closed()
        self.close()

    # The end.

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Leaves with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self):
        self.socket.close()


def stuffed(message):
    """With the dots doubled that RFC 5321, 4.5.2 asks for."""
    if message.startswith(b"."):
        message = b"." + message
    return message.replace(b"\r\n.", b"\r\n..")


@contextlib.contextmanager
def took_between(shortest, longest):
    """Asserts how long a block takes. Bounds are wide: machines are busy."""
    start = time.monotonic()
    yield
    elapsed = time.monotonic() - start
    assert shortest <= elapsed <= longest, f"took {elapsed:.2f} s"


def eventually(condition, timeout=10, message="it did not come true"):
    """Waits for a condition; returns its last, true value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, message
        time.sleep(0.02)
