# SPDX-License-Identifier: Apache-2.0
"""A backend that is well behaved until a test tells it not to be.

`backend.on[PHASE] = ACTION` replaces what it does in a phase. Phases are
"connect", "banner", a verb ("EHLO", "MAIL", "DATA", …), "body" (each time bytes
of a body come), "dot" (a message is complete) and "auth" (a line after 334).
An action is bytes to answer with, DIE (reset), LEAVE (close), HANG (neither read
nor answer until the test ends), or a function of the session and the line; what
that returns is the answer, and None means that it did all itself.
"""
import socket
import struct
import threading

from ports import free_port

DIE, LEAVE, HANG = "die", "leave", "hang"

KEYWORDS = ("PIPELINING", "SIZE 104857600", "VRFY", "ETRN",
            "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING")


class Ended(Exception):
    pass


class Session:
    def __init__(self, backend, connection):
        self.backend = backend
        self.connection = connection
        self.pending = b""
        self.commands = []  # lines without CRLF, as they came
        self.messages = []  # bodies as they came, dots still doubled
        self.body = b""
        self.ended = False
        self.thread = threading.Thread(target=self._run, daemon=True)

    @property
    def verbs(self):
        return [line.split(b" ")[0].upper().decode("latin-1")
                for line in self.commands]

    def send(self, data):
        try:
            self.connection.sendall(data)
        except OSError as error:
            raise Ended from error

    def choose(self, phase, line, usual):
        """What the test asks for in this phase, else the usual."""
        action = self.backend.on.get(phase)
        if action is None:
            action = usual
        return action(self, line) if callable(action) else action

    def act(self, phase, line, usual):
        return self.do(self.choose(phase, line, usual))

    def do(self, action):
        if action == HANG:
            self.backend.released.wait()
            raise Ended
        if action == DIE:
            self.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            raise Ended
        if action == LEAVE:
            raise Ended
        if action:
            self.send(action)
        return action

    def more(self):
        try:
            data = self.connection.recv(1 << 16)
        except OSError as error:
            raise Ended from error
        if not data:
            raise Ended
        return data

    def line(self):
        while b"\r\n" not in self.pending:
            self.pending += self.more()
        line, _, self.pending = self.pending.partition(b"\r\n")
        return line

    def _run(self):
        try:
            self.act("connect", b"", lambda *_: None)
            self.act("banner", b"", b"220 backend.example.test ESMTP\r\n")
            while True:
                self._command(self.line())
        except Ended:
            pass
        finally:
            self.ended = True
            self.connection.close()

    def _command(self, line):
        self.commands.append(line)
        verb = line.split(b" ")[0].upper().decode("latin-1")
        usual = {
            "EHLO": self._ehlo, "HELO": b"250 backend.example.test\r\n",
            "MAIL": b"250 2.1.0 Ok\r\n", "RCPT": b"250 2.1.5 Ok\r\n",
            "DATA": b"354 End data with <CR><LF>.<CR><LF>\r\n",
            "BDAT": self._chunk, "RSET": b"250 2.0.0 Ok\r\n",
            "NOOP": b"250 2.0.0 Ok\r\n", "VRFY": b"252 2.0.0 who\r\n",
            "AUTH": self._auth, "QUIT": b"221 2.0.0 Bye\r\n",
        }.get(verb, b"500 5.5.2 Error: command not recognized\r\n")
        if verb == "MAIL":
            self.body = b""
        answer = self.act(verb, line, usual)
        if verb == "QUIT":
            raise Ended
        if verb == "DATA" and answer and answer.startswith(b"354"):
            self._data()

    def _ehlo(self, *_):
        lines = ["backend.example.test", *self.backend.keywords]
        return b"".join(
            f"250{'-' if line is not lines[-1] else ' '}{line}\r\n".encode()
            for line in lines)

    def _data(self):
        body, start = bytearray(b"\r\n" + self.pending), 0
        while True:
            end = body.find(b"\r\n.\r\n", start)
            if end >= 0:
                break
            start = max(len(body) - 4, 0)
            self.act("body", body, lambda *_: None)
            body += self.more()
        self.body = bytes(body[2:end + 2])
        self.pending = bytes(body[end + 5:])
        self._complete(b"250 2.0.0 Ok: queued\r\n")

    def _chunk(self, _, line):
        words = line.split()
        size = int(words[1])
        while len(self.pending) < size:
            self.act("body", self.pending, lambda *_: None)
            self.pending += self.more()
        self.body += self.pending[:size]
        self.pending = self.pending[size:]
        if words[-1].upper() == b"LAST":
            self._complete(b"250 2.0.0 Ok: queued\r\n")
        else:
            self.send(b"250 2.0.0 Ok: %d octets\r\n" % size)

    def _complete(self, answer):
        """Whoever has the 250 finds the message here."""
        answer = self.choose("dot", self.body, answer)
        if isinstance(answer, bytes) and answer.startswith(b"250"):
            self.messages.append(self.body)
        self.do(answer)

    def _auth(self, _, line):
        words = line.split()
        if len(words) > 2:
            return b"235 2.7.0 Authentication successful\r\n"
        for challenge in self.backend.challenges:
            self.send(b"334 " + challenge + b"\r\n")
            response = self.line()
            self.commands.append(response)
            if response == b"*":
                return b"501 5.7.0 Authentication aborted\r\n"
        return b"235 2.7.0 Authentication successful\r\n"


class Backend:
    def __init__(self, keywords=KEYWORDS, path=None, host="127.0.0.1",
                 port=None):
        self.keywords = list(keywords)
        self.on = {}
        self.challenges = [b"VXNlcm5hbWU6", b"UGFzc3dvcmQ6"]
        self.sessions = []
        self.released = threading.Event()
        self.path = path
        self.listener = None
        self.host = host
        self.port = None if path else port or free_port()
        self.open()

    @property
    def address(self):
        """As proxy_backend names it."""
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"inet:{host}:{self.port}"

    def open(self):
        """Listens (again)."""
        if self.path:
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(str(self.path))
            self.path.chmod(0o777)
            self.listener.listen(512)
        else:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            self.listener = socket.create_server(
                (self.host, self.port), family=family, backlog=512)
        threading.Thread(target=self._accept, args=(self.listener,),
                         daemon=True).start()

    def shut(self):
        """Refuses connections from now on."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            session = Session(self, connection)
            self.sessions.append(session)  # before a client is answered
            session.thread.start()

    def stop(self):
        self.released.set()
        try:
            self.shut()
        except OSError:
            pass
        for session in self.sessions:
            try:
                session.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for session in self.sessions:
            session.thread.join(5)

    # What tests ask.

    def of_clients(self):
        """Sessions that were more than a look at the keywords."""
        looks = [["EHLO"], ["EHLO", "QUIT"], []]
        return [session for session in self.sessions
                if session.verbs not in looks]

    def messages(self):
        return [message for session in self.sessions
                for message in session.messages]

    def verbs(self):
        return [verb for session in self.of_clients()
                for verb in session.verbs]
