# SPDX-License-Identifier: Apache-2.0
"""Several backends: who gets a session, what becomes of one that is full or
down, and what the health check learns."""
import contextlib
import re

import pytest

from client import eventually

BUSY = "421 4.3.2 mx.example.test Error: all mail servers are busy"


@pytest.fixture
def make_pool(make_postern, make_backend):
    """A Postern before so many backends, each with the attributes given."""

    def make(*attributes, wait=True, **settings):
        backends = [make_backend() for _ in attributes]
        postern = make_postern(*backends, settings={
            "proxy_backend": ", ".join(
                f"{{ {backend.address}{', ' if words else ''}{words} }}"
                for backend, words in zip(backends, attributes)),
            "proxy_backend_balance": "round-robin",
            "proxy_backend_slow_start": "0s",
            "proxy_backend_probe_interval": "1s",
            "proxy_backend_probe_fall": "1",
            **settings}).start()
        if wait:
            for backend in backends:
                await_state(postern, backend, "up")
        return postern, backends

    return make


def line_of(postern, backend):
    """What `postern status` says of a backend."""
    [line] = re.findall(rf"(?m)^backend {re.escape(backend.address)} .*$",
                        postern.status().text)
    return line


def await_state(postern, backend, state):
    eventually(lambda: f" {state} " in line_of(postern, backend), 20)


def send(postern, count=1):
    for _ in range(count):
        with postern.secured() as client:
            client.mail()
            client.quit()


def counts(backends):
    return [len(backend.messages()) for backend in backends]


def test_each_gets_its_weight_and_the_reserve_nothing(make_pool):
    postern, backends = make_pool("weight=3", "", "reserve=yes, weight=100")
    send(postern, 8)
    assert counts(backends) == [6, 2, 0]


@pytest.mark.parametrize("balance", ["round-robin", "least-sessions"])
def test_two_workers_balance_what_is_open(make_pool, balance):
    """least-sessions looks at all workers, so it is exact over both."""
    postern, backends = make_pool(
        "", "", "", proxy_backend_balance=balance, proxy_worker_processes="2")
    with contextlib.ExitStack() as stack:
        for _ in range(9):
            stack.enter_context(postern.secured()).envelope()
        spread = [len([session for session in backend.of_clients()
                       if not session.ended]) for backend in backends]
        assert sum(spread) == 9
        if balance == "least-sessions":
            assert spread == [3, 3, 3]


def test_the_reserve_helps_only_while_all_others_are_down(make_pool):
    postern, backends = make_pool("", "", "reserve=yes")
    first, second, reserve = backends
    first.shut()
    await_state(postern, first, "down")
    send(postern, 2)
    assert counts(backends) == [0, 2, 0]
    second.shut()
    await_state(postern, second, "down")
    send(postern, 2)
    assert counts(backends) == [0, 2, 2]
    first.open()
    await_state(postern, first, "up")
    send(postern, 2)
    assert counts(backends) == [2, 2, 2]
    assert len(postern.messages()) > 0
    for backend, word in ((first, "down"), (second, "down"), (first, "up")):
        assert postern.wait_for_log(
            rf"backend {re.escape(backend.address)}: is {word}: ")


def test_a_session_passes_from_the_dead_to_the_reserve(make_pool):
    """Before any health check knows."""
    postern, backends = make_pool("", "reserve=yes",
                                  proxy_backend_probe_interval="1h")
    backends[0].shut()
    send(postern, 2)
    assert counts(backends) == [0, 2]


def waiting(postern):
    return postern.counter("sessions_waiting")


def test_a_full_backend_is_waited_for(make_pool):
    postern, [backend] = make_pool("limit=1", proxy_backend_queue_limit="1")
    with postern.secured() as first, postern.connect() as second, \
            postern.connect() as third:
        first.mail()
        for client in (second, third):
            client.greeting()
            client.starttls()
        second.send(b"EHLO second.example.test\r\n")
        eventually(lambda: waiting(postern) == 1)
        assert " sessions 1 " in line_of(postern, backend)
        third.send(b"EHLO third.example.test\r\n")
        assert third.reply().text.startswith(BUSY)
        assert third.closed()
        first.quit()
        assert second.reply().code == 250
        second.mail()
        second.quit()
    assert len(backend.messages()) == 2
    assert postern.wait_for_log(r" reason=BACKENDS_BUSY ")
    assert waiting(postern) == 0
    assert postern.counter("sessions_refused") == 1


def test_who_waits_too_long_is_told_so(make_pool):
    postern, [backend] = make_pool(
        "limit=1", proxy_backend_queue_timeout="1s")
    with postern.secured() as first, postern.connect() as second:
        first.mail()
        second.greeting()
        second.starttls()
        second.send(b"EHLO second.example.test\r\n")
        assert second.reply().text.startswith(BUSY)
        assert second.closed()
        first.mail()
        first.quit()
    assert len(backend.of_clients()) == 1


def test_the_limit_holds_over_all_workers(make_pool):
    postern, [backend] = make_pool("limit=2", proxy_worker_processes="2")
    most = []

    def note(session, _):
        most.append(len([one for one in backend.of_clients()
                         if not one.ended]))
        return b"250 2.1.0 Ok\r\n"

    backend.on["MAIL"] = note
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(postern.connect()) for _ in range(8)]
        for client in clients:
            client.greeting()
            client.starttls()
            client.send(b"EHLO c.example.test\r\n")
        eventually(lambda: waiting(postern) == 6)
        served = set()

        def one_is_served():
            """Whoever has its answer; which of them is the workers' matter."""
            for client in set(clients) - served:
                client.socket.settimeout(0.01)
                try:
                    client.reply()
                except TimeoutError:
                    continue
                client.socket.settimeout(20)
                served.add(client)
                client.mail()
                client.quit()
                return True
            return False

        for _ in clients:
            eventually(one_is_served)
    assert len(backend.messages()) == 8
    assert max(most) <= 2


def test_the_circuit_breaker(make_pool):
    postern, [backend] = make_pool(
        "", proxy_backend_breaker_failures="2",
        proxy_backend_breaker_time="1h", proxy_backend_probe_fall="1000")

    def refused():
        with postern.connect() as client:
            client.greeting()
            client.starttls()
            client.send(b"EHLO c.example.test\r\n")
            assert client.reply().text.startswith("451 4.3.0 ")

    backend.shut()
    refused()
    assert " breakers_open 0" in line_of(postern, backend)
    refused()
    assert " breakers_open 1" in line_of(postern, backend)
    postern.wait_for_log(
        rf"warning: backend {re.escape(backend.address)}: its circuit "
        r"breaker opens for 3600 s: 2 sessions in a row could not be opened")
    backend.open()
    refused()
    assert backend.of_clients() == []


def test_a_health_check_that_rises_ends_it(make_pool):
    postern, [backend] = make_pool(
        "", proxy_backend_breaker_failures="1",
        proxy_backend_breaker_time="1h")
    with postern.connect() as client:
        client.greeting()
        client.starttls()
        backend.shut()
        client.send(b"EHLO c.example.test\r\n")
        assert client.reply().text.startswith("451 4.3.0 ")
    assert " breakers_open 1" in line_of(postern, backend)
    await_state(postern, backend, "down")
    backend.open()
    await_state(postern, backend, "up")
    send(postern)
    assert " breakers_open 0" in line_of(postern, backend)
    assert len(backend.messages()) == 1
    postern.wait_for_log(r"its circuit breaker closes: it answers again")


def served(postern):
    """Whether a session finds a backend; one that does brings a message."""
    with postern.connect() as client:
        client.greeting()
        client.starttls()
        client.send(b"EHLO c.example.test\r\n")
        if client.reply().code != 250:
            return False
        client.mail()
        client.quit()
        return True


def test_the_breaker_tries_again_in_time(make_pool):
    """After its time one session is let through. That fails, and the time is
    twice as long; the next one does not, and all go through."""
    postern, [backend] = make_pool(
        "", proxy_backend_breaker_failures="1",
        proxy_backend_breaker_time="1s", proxy_backend_probe_fall="1000")
    opens = (rf"warning: backend {re.escape(backend.address)}: its circuit "
             "breaker opens for %d s: ")
    backend.shut()
    assert not served(postern)
    postern.wait_for_log(opens % 1)
    eventually(lambda: not served(postern) and any(
        re.search((opens % 2).removeprefix("warning: "), line)
        for line in postern.messages()), 20)
    backend.open()
    assert not served(postern), "before its time"
    assert " breakers_open 1" in line_of(postern, backend)
    eventually(lambda: served(postern), 20)
    postern.wait_for_log("its circuit breaker closes: it answers again")
    assert " breakers_open 0" in line_of(postern, backend)
    assert all(served(postern) for _ in range(5))
    assert len(backend.messages()) == 6


def test_who_recovers_begins_slowly(make_pool):
    """A tenth of its weight at first; the other one has the rest."""
    postern, [healed, other] = make_pool(
        "", "", proxy_backend_slow_start="1h")
    healed.shut()
    await_state(postern, healed, "down")
    healed.open()
    await_state(postern, healed, "up")
    before = counts([healed, other])
    send(postern, 22)
    after = counts([healed, other])
    assert [after[0] - before[0], after[1] - before[1]] == [2, 20]


def test_what_a_backend_offers_is_followed(make_pool):
    postern, [backend] = make_pool("")
    backend.keywords = ["PIPELINING", "SIZE 5000", "8BITMIME"]
    postern.wait_for_log(
        rf"backend {re.escape(backend.address)}: EHLO now offers "
        r"\+SIZE=5000 -SIZE=104857600 .*-CHUNKING")
    with postern.connect() as client:
        client.greeting()
        text = client.expect("EHLO c.example.test", 250).text
        assert "SIZE 5000" in text and "CHUNKING" not in text
        client.quit()


def test_what_is_said_of_a_backend_is_checked(make_postern, backend):
    for words in ("weight=0", "weight=101", "limit=-1", "reserve=maybe",
                  "height=3", "weight"):
        postern = make_postern(backend, settings={
            "proxy_backend": f"{{ {backend.address}, {words} }}"})
        postern.write()
        result = postern.verb("check")
        assert result.returncode != 0
        assert f'"{words}" must be weight=1 to 100' in result.stderr, words


def test_between_two_postfixes(make_postern, make_postfix):
    """One stops; each message is delivered, and none twice."""
    first, second = make_postfix(), make_postfix()
    postern = make_postern(settings={
        "proxy_backend": f"inet:127.0.0.1:{first.port} "
                         f"inet:127.0.0.1:{second.port}",
        "proxy_backend_balance": "round-robin"}).start()
    eventually(lambda: postern.status().text.count(" up ") == 2)

    def mail(number):
        with postern.secured() as client:
            client.mail(b"Subject: %d\r\n\r\ntext\r\n" % number)
            client.quit()

    for number in range(4):
        mail(number)
    first.wait_for_messages(2)
    first.stop()
    for number in range(4, 7):
        mail(number)
    second.wait_for_messages(5)
    subjects = [re.search(rb"(?m)^Subject: (\d+)", path.read_bytes())[1]
                for postfix in (first, second) for path in postfix.box()]
    assert sorted(subjects) == [b"%d" % number for number in range(7)]
