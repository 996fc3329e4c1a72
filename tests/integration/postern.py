# SPDX-License-Identifier: Apache-2.0
"""One Postern of a test's own: its configuration, its log, its end."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import time

from client import Client, eventually, tls_context
from ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("POSTERN_BUILD", ROOT / "build" / "asan"))
PROGRAM = BUILD / "proxy" / "postern"

LOG_LINE = re.compile(
    r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ (\S+)\[(\d+)\]: (.*)$")
DEFECT = re.compile(
    r"AddressSanitizer|LeakSanitizer|runtime error:|Assertion .* failed|"
    r"UndefinedBehavior")


def sanitized():
    """Is this the build under ASan? Some things are slow there."""
    return b"__asan_init" in PROGRAM.read_bytes()


# A health check of the proxy before us.
LOCAL_HEADER = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


class Listener:
    """One line of master.cf."""

    def __init__(self, *, host="127.0.0.1", port=None, maxproc="-",
                 **overrides):
        self.host, self.port = host, port or free_port()
        self.maxproc = maxproc
        self.overrides = overrides

    @property
    def service(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def line(self):
        words = [self.service, "inet n - n -", str(self.maxproc), "smtpd"]
        for name, value in self.overrides.items():
            words.append(f"-o {{ {name} = {value} }}")
        return " ".join(words)

    @property
    def expects_header(self):
        return self.overrides.get("smtpd_upstream_proxy_protocol") == "haproxy"

    @property
    def wrapped(self):
        return self.overrides.get("smtpd_tls_wrappermode") == "yes"


class Worker:
    def __init__(self, fields):
        self.number = int(fields["worker"])
        self.pid = int(fields["pid"])
        self.generation = int(fields["generation"])
        self.sessions = int(fields["sessions"])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def state(self):
        """One letter, as ps has it; "" when there is no such process."""
        try:
            text = pathlib.Path(f"/proc/{self.pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return ""
        return text.rsplit(")", 1)[1].split()[0]

    def kill(self):
        """No process but its own: kill(0) would end the test run."""
        assert self.pid > 1
        os.kill(self.pid, signal.SIGKILL)

    def halt(self):
        """Returns when it stands still: it accepts until then."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGSTOP)
        eventually(lambda: self.state() in ("T", ""))

    def go_on(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)


class Status:
    """What `postern status` says."""

    def __init__(self, text):
        self.text = text
        self.workers, self.counters, self.master = [], {}, None
        for line in text.splitlines():
            words = line.split()
            if words[:1] == ["worker"] and "pid" in words:
                self.workers.append(
                    Worker(dict(zip(words[::2], words[1::2]))))
            elif len(words) == 2 and re.fullmatch(r"\d+(\.\d+)?", words[1]):
                self.counters[words[0]] = \
                    float(words[1]) if "." in words[1] else int(words[1])
            elif words[:1] == ["master"]:
                self.master = int(re.search(r"\d+", line)[0])

    def __getitem__(self, name):
        assert name in self.counters, f"no {name} in:\n{self.text}"
        return self.counters[name]


class Postern:
    def __init__(self, directory, certificate, backends, features="auto"):
        self.directory = directory
        self.directory.chmod(0o755)
        self.certificate = certificate
        self.settings = {
            "myhostname": "mx.example.test",
            "mail_owner": "nobody",
            "maillog_file": "/dev/stdout",
            "proxy_runtime_directory": str(directory / "run"),
            "proxy_worker_processes": "1",
            "proxy_ring_features": features,
            # Each would take the same port; see scraped().
            "proxy_metrics_listen": "",
            "proxy_backend": " ".join(
                getattr(backend, "address", str(backend))
                for backend in backends),
            # No test depends on what this host's resolver says.
            "smtpd_peername_lookup": "no",
            # Backends of the tests see who asks, unless a test is about that.
            "proxy_backend_handover": "none",
            "smtpd_tls_chain_files": str(certificate.chain),
            "smtpd_tls_security_level": "may",
        }
        self.listeners = [Listener()]
        self.process = None
        self.environment = dict(os.environ)
        self.prefix = []  # words before the program, such as a wrapper's
        self.limits = None  # preexec_fn
        self.output = directory / "output"
        self.seen = 0
        self.descriptors = {}
        self.expect_clean = True  # teardown asserts what must hold at the end

    # Configuration.

    def write(self, main=None):
        """Writes main.cf and master.cf. `main` is a main.cf of one's own."""
        text = main
        if text is None:
            text = "".join(f"{name} = {value}\n"
                           for name, value in self.settings.items())
        (self.directory / "main.cf").write_text(text)
        (self.directory / "master.cf").write_text(
            "".join(f"{listener.line()}\n" for listener in self.listeners))

    @property
    def port(self):
        return self.listeners[0].port

    # Commands.

    def run(self, *words, timeout=30):
        return subprocess.run(
            [*self.prefix, PROGRAM, *words], stdin=subprocess.DEVNULL,
            env=self.environment, capture_output=True, text=True,
            timeout=timeout)

    def verb(self, verb, *words, timeout=30):
        return self.run("-c", str(self.directory), verb, *words,
                        timeout=timeout)

    def conf(self, *words):
        return self.run("conf", "-c", str(self.directory), *words)

    def status(self):
        result = self.verb("status")
        assert result.returncode == 0, (result.stdout, result.stderr)
        return Status(result.stdout)

    def counter(self, name):
        return self.status()[name]

    def workers(self):
        return self.status().workers

    # Life.

    def spawn(self):
        """Starts the program, and waits for nothing."""
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                [*self.prefix, PROGRAM, "-c", self.directory, "start-fg"],
                env=self.environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT,
                preexec_fn=self.limits,
                umask=int(os.environ.get("POSTERN_UMASK", "-1"), 8))
        return self

    def start(self, ready=True):
        self.write()
        self.spawn()
        if ready:
            self.wait_until_ready()
        return self

    def wait_until_ready(self, timeout=20):
        """Until each listener greets: the backends are known then."""
        for listener in self.listeners:
            eventually(lambda: self._greets(listener), timeout,
                       f"{listener.service} does not greet")
        self.settle()
        self.seen = len(self.text())
        self.descriptors = {worker.pid: worker.descriptors()
                            for worker in self.workers()}

    def _greets(self, listener):
        assert self.process.poll() is None, self.text()
        try:
            with Client(listener.port, listener.host, timeout=5) as client:
                if listener.expects_header:
                    client.send_raw(LOCAL_HEADER)
                if listener.wrapped:
                    client.handshake()
                if client.reply().code != 220:
                    return False
                client.expect("QUIT", 221)
                return True
        except (OSError, EOFError, ssl.SSLError):
            return False

    def settle(self, timeout=10):
        """Until no session is open."""
        eventually(lambda: self.counter("sessions_open") == 0, timeout,
                   "sessions are still open")

    def connect(self, listener=0, **options):
        listener = self.listeners[listener]
        return Client(listener.port, listener.host, **options)

    def secured(self, listener=0, **options):
        """A client that is through TLS and has said EHLO."""
        client = self.connect(listener, **options)
        if self.listeners[listener].wrapped:
            client.handshake(tls_context())
            client.greeting()
            client.expect("EHLO client.example.test", 250)
        else:
            client.secured()
        return client

    def reload(self):
        return self.verb("reload")

    def stop(self, timeout=30):
        """SIGTERM to the master; returns its exit status."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            children = self.process_tree()
            for pid in (self.process.pid, *children):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
            raise AssertionError(
                "SIGTERM did not end it:\n" + self.text()[-4000:]) from None

    def process_tree(self):
        path = pathlib.Path(
            f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def assert_clean(self):
        """At the end of a test: nothing is left of its sessions."""
        if self.process and self.process.poll() is None and self.expect_clean:
            self.settle()
            for worker in self.workers():
                before = self.descriptors.get(worker.pid)
                if before is not None:
                    eventually(lambda: worker.descriptors() == before, 10,
                               f"worker {worker.number} had {before} open "
                               f"descriptors, now {worker.descriptors()}")
        status = self.stop()
        assert not DEFECT.search(self.text()), self.text()[-8000:]
        assert status == 0 or not self.expect_clean, (
            f"exit status {status}:\n{self.text()[-4000:]}")

    # The log.

    def text(self):
        return self.output.read_text(errors="replace") \
            if self.output.exists() else ""

    def log(self):
        """[(program, pid, text)] since the program was ready."""
        lines = self.text()[self.seen:].splitlines()
        return [(match[1], int(match[2]), match[3])
                for match in map(LOG_LINE.match, lines) if match]

    def messages(self):
        return [text for _, _, text in self.log()]

    def mark(self):
        self.seen = len(self.text())

    def wait_for_log(self, pattern, timeout=10, count=1):
        """The last of so many log lines that match."""
        def found():
            matches = [text for text in self.messages()
                       if re.search(pattern, text)]
            return matches if len(matches) >= count else None
        deadline = time.monotonic() + timeout
        while True:
            matches = found()
            if matches:
                return matches[-1]
            assert time.monotonic() < deadline, (
                f"no line {pattern!r} in:\n" + self.text()[self.seen:][-6000:])
            time.sleep(0.02)

    def destroy(self):
        shutil.rmtree(self.directory, ignore_errors=True)
