# SPDX-License-Identifier: Apache-2.0
"""What Postern tells of itself over HTTP, and whether it is true."""
import http.client
import json
import re
import socket
import ssl
import subprocess
import urllib.parse
import urllib.request

import pytest

from client import eventually, tls_context
from peers import prometheus_program
from ports import free_port
from postern import BUILD, Listener

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


def fetch(where, path="/metrics", method="GET", headers=None, body=None):
    """(status, headers, text); where: a port or a path."""
    connection = (http.client.HTTPConnection("127.0.0.1", where, timeout=20)
                  if isinstance(where, int) else UnixConnection(where))
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()
    finally:
        connection.close()


def parse(text):
    """{(name, labels): value}, labels being a frozenset of pairs."""
    samples = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = re.fullmatch(
            r"([a-z_]+)(?:\{(.*)\})? (\S+)", line).groups()
        pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")
        key = name, frozenset(pairs)
        assert key not in samples, f"twice: {line}"
        samples[key] = float(value)
    return samples


class Page:
    def __init__(self, where):
        status, _, self.text = fetch(where)
        assert status == 200
        self.samples = parse(self.text)
        self.types = dict(re.findall(r"(?m)^# TYPE (\S+) (\w+)$", self.text))

    def total(self, name, **labels):
        """The sum of all series of `name` that have these labels."""
        wanted = set(labels.items())
        found = [value for (series, pairs), value in self.samples.items()
                 if series == f"postern_{name}" and wanted <= pairs]
        assert found or name in ("handshakes_done_total",), name
        return sum(found)

    def grows(self, series):
        name = re.sub(r"_(bucket|sum|count)$", "", series)
        return (self.types.get(series) == "counter" or
                self.types.get(name) == "histogram")

    def assert_not_before(self, earlier):
        """No counter went back, and none is gone."""
        for key, value in earlier.samples.items():
            if self.grows(key[0]):
                assert self.samples.get(key, -1) >= value, key


@pytest.fixture
def make_scraped(make_postern):
    def make(*backends, **options):
        postern = make_postern(*backends, **options)
        postern.metrics = free_port()
        postern.settings["proxy_metrics_listen"] = \
            f"127.0.0.1:{postern.metrics}"
        return postern
    return make


@pytest.fixture
def scraped(make_scraped):
    return make_scraped().start()


def promtool(*words, text):
    return subprocess.run(
        [prometheus_program("promtool"), *words], input=text, text=True,
        capture_output=True, timeout=60)


# The formats.


def test_promtool_finds_nothing_to_say(scraped):
    """Of a page where nothing happened yet, and of one after some mail."""
    idle = Page(scraped.metrics)
    with scraped.secured() as client:
        client.mail()
        client.quit()
    with scraped.connect() as client:
        client.greeting()
        client.send_raw(b"STARTTLS\r\n")
        client.reply()
        client.send_raw(b"this is not TLS\r\n")
        client.closed()
    scraped.settle()
    busy = Page(scraped.metrics)
    assert busy.total("messages_accepted_total") == 1
    for page in (idle, busy):
        result = promtool("check", "metrics", text=page.text)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_openmetrics_where_it_is_asked_for(scraped):
    status, headers, text = fetch(scraped.metrics)
    assert status == 200
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# EOF" not in text
    assert "# TYPE postern_sessions_accepted_total counter\n" in text
    status, headers, text = fetch(
        scraped.metrics, headers={"Accept": OPENMETRICS})
    assert status == 200
    assert headers["Content-Type"] == \
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert text.endswith("\n# EOF\n")
    assert "# TYPE postern_sessions_accepted counter\n" in text
    assert re.search(r"(?m)^postern_sessions_accepted_total\{.*\} 1$", text)


def test_only_questions_are_answered(scraped):
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        status, headers, _ = fetch(scraped.metrics, method=method, body="x")
        assert (status, headers["Allow"]) == (405, "GET, HEAD"), method
    status, headers, text = fetch(scraped.metrics, method="HEAD")
    assert (status, text) == (200, "")
    assert int(headers["Content-Length"]) > 10000
    assert fetch(scraped.metrics, "/nothing")[0] == 404
    assert fetch(scraped.metrics, "/metrics?x=1")[0] == 200
    assert fetch(scraped.metrics, "/healthz")[0] == 200
    status, headers, text = fetch(scraped.metrics, "/")
    assert (status, headers["Content-Type"]) == (200,
                                                 "text/html; charset=utf-8")
    for path in ("metrics", "sessions", "healthz", "readyz"):
        assert f'href="{path}"' in text
    status, _, _ = fetch(scraped.metrics, headers={"X-Long": "y" * 100000})
    assert status in (413, 431, 494)


def test_a_page_of_manual_for_each_metric(scraped):
    manual = (BUILD / "proxy" / "postern-metrics.7.scd").read_text()
    manual = manual.replace("\\", "")
    for name, kind in Page(scraped.metrics).types.items():
        assert f"*{name}* ({kind}" in manual


# The counters.


def unlucky(postern, send):
    """A session whose handshake fails; `send` sends what comes after 220."""
    with postern.connect() as client:
        client.greeting()
        client.expect("EHLO client.example.test", 250)
        client.expect("STARTTLS", 220)
        send(client)


def says_nothing(client):
    client.half_close()
    client.closed()


def speaks_no_tls(client):
    client.send_raw(b"MAIL FROM:<a@example.test>\r\n")
    client.closed()


def distrusts(client):
    context = tls_context()
    context.verify_mode = ssl.CERT_REQUIRED
    with pytest.raises(ssl.SSLCertVerificationError):
        client.handshake(context)
    client.send_raw(client.outgoing.read())
    client.closed()


def offers_a_suite_that_nobody_has(client):
    context = tls_context(maximum=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    with pytest.raises(ssl.SSLError):
        client.handshake(context)
    client.closed()


def client_of(postern, maximum, group=None):
    client = postern.connect()
    context = tls_context(maximum=maximum)
    if group:
        context.set_ecdh_curve(group)
    client.greeting()
    client.expect("EHLO client.example.test", 250)
    client.starttls(context)
    client.expect("EHLO client.example.test", 250)
    return client


FAILURES = [
    ("eof", says_nothing, 3),
    ("not_tls", speaks_no_tls, 2),
    ("alert_unknown_ca", distrusts, 4),
    ("no_shared_cipher", offers_a_suite_that_nobody_has, 1),
]


def load(postern):
    """13 sessions: 3 handshakes come about, 10 do not."""
    for _ in range(2):
        with client_of(postern, ssl.TLSVersion.TLSv1_3) as client:
            client.mail()
            client.quit()
    with client_of(postern, ssl.TLSVersion.TLSv1_2, "prime256v1") as client:
        client.quit()
    for _, send, times in FAILURES:
        for _ in range(times):
            unlucky(postern, send)
    postern.settle()


def assert_loaded(page, times, listener):
    """The page after so many loads, and the session of the start."""
    def total(name, **labels):
        return page.total(name, listener=listener, **labels)

    assert total("sessions_accepted_total") == 13 * times + 1
    assert total("sessions_open") == 0
    assert total("sessions_ended_total") == 13 * times + 1
    assert total("sessions_ended_total", reason="CLIENT_QUIT") == 3 * times + 1
    assert total("sessions_ended_total",
                 reason="HANDSHAKE_FAILED") == 10 * times
    assert total("session_duration_seconds_count") == 13 * times + 1
    assert total("messages_accepted_total") == 2 * times
    assert total("starttls_offered_total") == 13 * times
    assert total("starttls_used_total") == 13 * times
    assert total("handshakes_done_total") == 3 * times
    assert total("handshakes_done_total", protocol="TLSv1.3",
                 group="X25519", resumed="no", forward_secrecy="yes",
                 post_quantum="no") == 2 * times
    assert total("handshakes_done_total", protocol="TLSv1.2",
                 group="prime256v1",
                 forward_secrecy_reason="ecdhe") == times
    for reason, _, count in FAILURES:
        assert total("handshakes_failed_total",
                     reason=reason) == count * times, reason
    assert total("handshakes_failed_total") == 10 * times
    assert total("tickets_issued_total") == 3 * times
    assert page.total("handshake_cpu_seconds_count",
                      exchange="ecdhe") == 3 * times
    assert page.total("handshake_cpu_seconds_sum") > 0
    assert page.total("handshake_duration_seconds_count") == 3 * times


def test_a_known_load_is_counted_exactly(make_scraped):
    """Over two workers, the death of one, and a reload."""
    postern = make_scraped(settings={"proxy_worker_processes": "2"}).start()
    listener = postern.listeners[0].service
    load(postern)
    first = Page(postern.metrics)
    assert_loaded(first, 1, listener)
    assert first.total("workers") == 2
    postern.workers()[0].kill()
    eventually(lambda: postern.counter("worker_restarts") == 1)
    eventually(lambda: len(postern.workers()) == 2)
    postern.settle()
    Page(postern.metrics).assert_not_before(first)
    load(postern)
    second = Page(postern.metrics)
    second.assert_not_before(first)
    assert_loaded(second, 2, listener)
    assert second.total("worker_restarts_total") == 1
    assert postern.reload().returncode == 0
    eventually(lambda: {worker.generation
                        for worker in postern.workers()} == {2})
    load(postern)
    third = Page(postern.metrics)
    third.assert_not_before(second)
    assert_loaded(third, 3, listener)
    assert third.total("reloads_total") == 1


def test_a_listener_that_goes_leaves_its_counts(make_scraped):
    postern = make_scraped(listeners=[Listener(), Listener()]).start()
    gone = postern.listeners.pop()
    before = Page(postern.metrics).total("sessions_accepted_total")
    postern.write()
    assert postern.reload().returncode == 0
    eventually(lambda: {worker.generation
                        for worker in postern.workers()} == {2})
    page = eventually(lambda: (lambda page: page if gone.service
                               not in page.text else None)(
                                   Page(postern.metrics)))
    assert page.total("sessions_accepted_total", listener="former") == 1
    assert page.total("sessions_accepted_total") == before


def test_what_happens_around_starttls(make_scraped):
    postern = make_scraped(settings={
        "smtpd_tls_security_level": "encrypt"}).start()
    with postern.connect() as client:
        client.greeting()
        client.expect("EHLO client.example.test", 250)
        client.expect("MAIL FROM:<a@example.test>", 530)
        client.send(b"STARTTLS\r\nNOOP\r\n")
        assert client.reply().code == 220
        client.handshake()
        client.expect("STARTTLS", 554)
        client.expect("RSET", 250)
        client.expect("QUIT", 221)
    postern.settle()
    page = Page(postern.metrics)
    assert page.total("starttls_offered_total") == 1
    assert page.total("starttls_plaintext_refused_total") == 1
    assert page.total("starttls_discarded_bytes_total") == 6
    assert page.total("starttls_repeated_total") == 1
    assert page.total("starttls_ehlo_missing_total") == 1


def test_tickets_that_come_back(make_scraped):
    postern = make_scraped().start()
    context = tls_context(maximum=ssl.TLSVersion.TLSv1_2)

    def session(ticket):
        with postern.connect() as client:
            client.greeting()
            client.expect("EHLO client.example.test", 250)
            client.starttls(context, session=ticket)
            ticket = client.tls.session
            client.expect("EHLO client.example.test", 250)
            client.quit()
            return ticket

    ticket = session(None)
    session(ticket)
    postern.settle()
    page = Page(postern.metrics)
    assert page.total("tickets_accepted_total") == 1
    assert page.total("tickets_too_old_total") == 0
    assert page.total("handshakes_resumed_total") == 1
    assert page.total("handshakes_done_total", resumed="yes",
                      forward_secrecy="no",
                      forward_secrecy_reason="resumed_without_exchange") == 1
    assert page.total("handshake_cpu_seconds_count", exchange="resumed") == 1
    assert 0 <= page.total("ticket_key_age_seconds", key="issuing") < 3600
    # Keys are new after a restart: nobody can open it any more.
    assert postern.stop() == 0
    postern.start()
    session(ticket)
    postern.settle()
    assert Page(postern.metrics).total("tickets_too_old_total") == 1


def test_backends_are_told_apart(make_scraped, make_backend):
    good, dead = make_backend(), f"inet:127.0.0.1:{free_port()}"
    postern = make_scraped(good, dead).start()
    for _ in range(3):
        with postern.secured() as client:
            client.mail()
            client.quit()
    postern.settle()
    page = Page(postern.metrics)
    name = good.address
    assert page.total("backend_up", backend=name) == 1
    assert page.total("backend_up", backend=dead) == 0
    assert page.total("backend_sessions", backend=name) == 0
    assert page.total("backend_connects_total", backend=dead) == 0
    assert page.total("backend_connects_total", backend=name) >= 4
    assert page.total("backend_failures_total", backend=dead,
                      phase="connect") >= 1
    assert page.total("backend_failures_total", backend=name) == 0
    assert page.total("backend_ready_total", backend=name, tls="none") == 3
    assert page.total("backend_ready_total", backend=name) == 3
    assert page.total("backend_reply_duration_seconds_count",
                      backend=name) >= 3 * 5
    assert page.total("backend_connect_duration_seconds_count",
                      backend=name) >= 4
    assert page.total("probes_done_total", backend=name) >= 1
    assert page.total("probes_failed_total", backend=dead) >= 1


def test_a_limit_is_named(make_scraped):
    postern = make_scraped(listeners=[Listener(maxproc=1)]).start()
    with postern.connect() as first:
        first.greeting()
        with postern.connect() as second:
            assert second.reply().code == 421
            second.closed()
        first.quit()
    page = Page(postern.metrics)
    assert page.total("sessions_refused_total", limit="listener") == 1
    assert page.total("sessions_refused_total", limit="sessions") == 0
    assert page.total("sessions_ended_total", reason="SESSION_LIMIT") == 1


def test_the_processes_tell_what_they_use(scraped):
    def used():
        page = Page(scraped.metrics)
        return all(page.total(name, process=process) > 0
                   for name in ("process_cpu_seconds_total",
                                "process_resident_memory_bytes",
                                "ring_submissions_total",
                                "ring_wait_completions_count")
                   for process in ("worker", "control"))

    with scraped.secured() as client:
        client.quit()
    eventually(used)
    page = Page(scraped.metrics)
    assert page.total("certificate_not_after_timestamp_seconds") > \
        page.total("start_timestamp_seconds")


# The sessions.


def test_sessions_are_listed(make_scraped, backend):
    postern = make_scraped(backend).start()
    with postern.secured() as secured, postern.connect() as young:
        young.greeting()
        secured.envelope()
        eventually(lambda: json.loads(
            fetch(postern.metrics, "/sessions")[2])["open"] == 2)
        status, headers, text = fetch(postern.metrics, "/sessions")
        assert (status, headers["Content-Type"]) == (200, "application/json")
        listed = json.loads(text)
        assert (listed["open"], listed["shown"]) == (2, 2)
        by_client = {entry["client"]: entry for entry in listed["sessions"]}
        relayed = by_client[f"[127.0.0.1]:{secured.port}"]
        assert relayed["state"] == "relay"
        assert relayed["listener"] == postern.listeners[0].service
        assert relayed["backend"] == backend.address
        assert relayed["tls"]["protocol"] == "TLSv1.3"
        assert relayed["tls"]["group"] == "X25519"
        assert relayed["tls"]["forward_secrecy"] is True
        fresh = by_client[f"[127.0.0.1]:{young.port}"]
        assert (fresh["state"], fresh["tls"], fresh["backend"]) == \
            ("gate", None, None)
        secured.close()
        young.quit()
        ended = postern.wait_for_log(r"^session=\S+ .*reason=CLIENT_LOST")
        assert f"session={relayed['session']} " in ended
    postern.settle()
    assert json.loads(fetch(postern.metrics, "/sessions")[2]) == {
        "sessions": [], "open": 0, "shown": 0}


def test_sessions_of_a_dead_worker_are_not_listed(scraped):
    with scraped.secured(), scraped.connect() as client:
        client.greeting()
        scraped.workers()[0].kill()
        eventually(lambda: scraped.counter("worker_restarts") == 1)
        assert json.loads(fetch(scraped.metrics, "/sessions")[2])["open"] == 0


# Health.


def test_ready_while_a_backend_is_up(make_scraped, make_backend):
    backend = make_backend()
    postern = make_scraped(backend, settings={
        "proxy_backend_probe_interval": "1s"}).start()
    eventually(lambda: fetch(postern.metrics, "/readyz")[0] == 200)
    backend.stop()
    eventually(lambda: fetch(postern.metrics, "/readyz")[0] == 503)
    assert fetch(postern.metrics, "/readyz")[2] == \
        "not ready: no backend is up\n"
    assert fetch(postern.metrics, "/healthz")[::2] == (200, "alive\n")


# Where it listens.


def test_a_scraper_that_does_not_read_disturbs_nobody(make_scraped):
    postern = make_scraped().start()
    slow = []
    for _ in range(8):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        one.settimeout(20)
        one.connect(("127.0.0.1", postern.metrics))
        one.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        assert one.recv(1) == b"H"
        slow.append(one)
    half = socket.create_connection(("127.0.0.1", postern.metrics))
    half.sendall(b"GET /metr")
    for number in range(3):
        for one in slow:
            assert one.recv(1)
        with postern.secured() as client:
            client.mail()
            client.quit()
        page = Page(postern.metrics)
        assert page.total("messages_accepted_total") == number + 1
    for one in (*slow, half):
        one.close()


def test_a_unix_socket_will_do(make_postern, scratch):
    path = scratch / "metrics"
    postern = make_postern(settings={
        "proxy_metrics_listen": f"unix:{path}"}).start()
    assert Page(path).total("sessions_accepted_total") == 1
    assert fetch(path, "/healthz")[0] == 200
    assert postern.stop() == 0
    assert not path.exists()


def test_a_port_that_is_taken_is_told(make_scraped):
    postern = make_scraped()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", postern.metrics))
        taken.listen()
        postern.start(ready=False)
        assert postern.process.wait(20) == 1
    postern.expect_clean = False
    assert re.search(
        rf"proxy_metrics_listen: cannot listen on 127.0.0.1:{postern.metrics}: "
        r"Address already in use; choose another address, or leave it empty",
        postern.text())


def test_a_reload_may_change_the_address(make_scraped):
    postern = make_scraped().start()
    before, after = postern.metrics, free_port()

    def listen_at(*ports):
        postern.settings["proxy_metrics_listen"] = " ".join(
            f"127.0.0.1:{port}" for port in ports)
        postern.write()
        return postern.reload().returncode

    assert listen_at(before, after) == 0
    assert Page(before).total("reloads_total") == 1
    assert Page(after).total("reloads_total") == 1
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert listen_at(after, taken.getsockname()[1]) != 0
    assert Page(before).total("reloads_failed_total") == 1
    assert listen_at(after) == 0
    eventually(lambda: Page(after).total("reloads_total") == 2)
    with pytest.raises(ConnectionRefusedError):
        fetch(before)
    assert listen_at() == 0
    with pytest.raises(ConnectionRefusedError):
        fetch(after)


BAD = {
    "no port": ("127.0.0.1", "no port"),
    "a word": ("all:metrics-nobody-knows", "no such port"),
    "no brackets": ("::1:9125", "an IPv6 address must be in brackets"),
    "too many": (" ".join(f"127.0.0.1:{port}" for port in range(1, 10)),
                 "there are more than eight"),
}


@pytest.mark.parametrize("value, why", BAD.values(), ids=BAD)
def test_what_is_no_address(make_postern, value, why):
    postern = make_postern(settings={"proxy_metrics_listen": value})
    postern.write()
    result = postern.verb("check")
    assert result.returncode == 1
    assert why in result.stdout + result.stderr
    assert "proxy_metrics_listen" in result.stdout + result.stderr


def test_strangers_who_may_read_it_are_told_of(make_postern):
    postern = make_postern(settings={
        "proxy_metrics_listen": "0.0.0.0:9125, [::1]:9125, 127.0.0.2:9125"})
    postern.write()
    result = postern.verb("check")
    told = [line for line in (result.stdout + result.stderr).splitlines()
            if "proxy_metrics_listen" in line]
    assert len(told) == 1
    assert "whoever reaches 0.0.0.0:9125 can read the addresses" in told[0]


# Prometheus.


PROMETHEUS = """\
global:
  scrape_interval: 1s
scrape_configs:
  - job_name: postern
    static_configs:
      - targets: ['127.0.0.1:{port}']
"""


@pytest.fixture
def prometheus(scratch):
    """A function that starts one which scrapes a port, and returns a function
    that asks it."""
    started = []

    def start(port):
        own = free_port()
        folder = scratch / "prometheus"
        folder.mkdir()
        (folder / "prometheus.yml").write_text(PROMETHEUS.format(port=port))
        with open(folder / "log", "wb") as log:
            started.append(subprocess.Popen(
                [prometheus_program("prometheus"),
                 f"--config.file={folder}/prometheus.yml",
                 f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address=127.0.0.1:{own}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder))

        def ask(query):
            words = urllib.parse.urlencode({"query": query})
            try:
                with urllib.request.urlopen(
                        f"http://127.0.0.1:{own}/api/v1/query?{words}",
                        timeout=10) as answer:
                    found = json.load(answer)["data"]["result"]
            except OSError:
                assert started[0].poll() is None, (folder / "log").read_text()
                return None
            return {tuple(sorted(one["metric"].items())):
                    float(one["value"][1]) for one in found}
        return ask

    yield start
    for one in started:
        one.terminate()
        one.wait(30)


def test_a_real_prometheus_knows_the_number(make_scraped, prometheus):
    postern = make_scraped().start()
    ask = prometheus(postern.metrics)
    eventually(lambda: ask("up") and set(ask("up").values()) == {1}, 60,
               "Prometheus does not scrape it")
    for _ in range(4):
        with postern.secured() as client:
            client.mail()
            client.quit()
    postern.settle()
    eventually(lambda: ask("sum(postern_messages_accepted_total)") ==
               {(): 4}, 30, "the messages are not known")
    done = ask('sum by (protocol, forward_secrecy) '
               '(postern_handshakes_done_total)')
    assert done == {(("forward_secrecy", "yes"), ("protocol", "TLSv1.3")): 4}
    assert ask("sum(postern_session_duration_seconds_count)") == {(): 5}
