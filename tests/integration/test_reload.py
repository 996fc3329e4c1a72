# SPDX-License-Identifier: Apache-2.0
"""Reload: what is new is taken into use, and nobody is turned away."""
import os
import signal
import ssl
import threading
import time

import pytest

from client import Client, eventually
from postern import Listener

pytestmark = pytest.mark.both_rings


def reload(postern):
    result = postern.reload()
    assert result.returncode == 0, (result.stdout, result.stderr)


def banner(postern, listener=0):
    with postern.connect(listener) as client:
        text = client.greeting().lines[0]
        client.quit()
        return text


def certificate_of(postern):
    with postern.connect() as client:
        client.greeting()
        client.starttls()
        der = client.tls.getpeercert(binary_form=True)
        client.quit()
        return der


def der(certificate):
    return ssl.PEM_cert_to_DER_cert(certificate.certificate.read_text())


def test_a_changed_main_cf(postern):
    assert banner(postern) == "mx.example.test ESMTP Postern"
    postern.settings["smtpd_banner"] = "$myhostname renewed"
    postern.write()
    reload(postern)
    eventually(lambda: banner(postern) == "mx.example.test renewed")
    assert postern.counter("reloads") == 1
    # Once it is in use, nobody gets the old one.
    assert {banner(postern) for _ in range(20)} == {"mx.example.test renewed"}


def test_a_changed_certificate(make_postern, scratch, certificate,
                               other_certificate):
    chain = scratch / "chain"
    chain.write_text(certificate.chain.read_text())
    postern = make_postern(
        settings={"smtpd_tls_chain_files": str(chain)}).start()
    assert certificate_of(postern) == der(certificate)
    chain.write_text(other_certificate.chain.read_text())
    assert certificate_of(postern) == der(certificate)
    reload(postern)
    eventually(lambda: certificate_of(postern) == der(other_certificate))


def test_changed_listeners(postern):
    first = postern.listeners[0]
    with postern.secured() as held:
        added = Listener(smtpd_banner="added")
        postern.listeners = [added]
        postern.write()
        reload(postern)
        eventually(lambda: banner_at(added.port) == "added")
        # The removed one refuses, but who came through it stays.
        eventually(lambda: banner_at(first.port) is None)
        held.mail()
        held.quit()


def banner_at(port):
    try:
        with Client(port, timeout=3) as client:
            text = client.greeting().lines[0]
            client.quit()
            return text
    except OSError:
        return None


def test_live_sessions_go_on(make_postern, backend):
    postern = make_postern(backend).start()
    with postern.secured() as busy, postern.connect() as young:
        young.greeting()
        busy.envelope()
        busy.expect("DATA", 354)
        busy.send(b"before\r\n")
        postern.settings["smtpd_tls_security_level"] = "encrypt"
        postern.write()
        reload(postern)
        eventually(lambda: {worker.generation
                            for worker in postern.workers()} == {1, 2})
        busy.send(b"after\r\n.\r\n")
        assert busy.reply().code == 250
        busy.quit()
        # A session keeps the rules it began with.
        young.expect("EHLO c.example.test", 250)
        young.expect("MAIL FROM:<a@example.test>", 250)
        with postern.connect() as fresh:
            fresh.greeting()
            fresh.expect("EHLO c.example.test", 250)
            fresh.expect("MAIL FROM:<a@example.test>", 530)
        young.quit()
    assert backend.messages() == [b"before\r\nafter\r\n"]
    eventually(lambda: {worker.generation
                        for worker in postern.workers()} == {2}, 20)


BROKEN = {
    "bad value": ("smtpd_timeout", "soon"),
    "no such file": ("smtpd_tls_chain_files", "/nonexistent/chain.pem"),
    "bad protocols": ("smtpd_tls_protocols", ">=TLSv9"),
    "no backend": ("proxy_backend", ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_configuration_changes_nothing(postern, name):
    parameter, value = BROKEN[name]
    good = dict(postern.settings)
    postern.settings["smtpd_banner"] = "never"
    postern.settings[parameter] = value
    postern.write()
    # Who asks for it is told, and so is the log.
    result = postern.reload()
    assert result.returncode != 0
    assert parameter in result.stderr
    assert value.split("/")[-1] in result.stderr
    postern.process.send_signal(signal.SIGHUP)
    assert value.split("/")[-1] in postern.wait_for_log(parameter)
    eventually(lambda: postern.counter("reloads_failed") >= 1)
    assert banner(postern) == "mx.example.test ESMTP Postern"
    with postern.secured() as client:
        client.mail()
        client.quit()
    postern.settings = good
    postern.settings["smtpd_banner"] = "mended"
    postern.write()
    reload(postern)
    eventually(lambda: banner(postern) == "mended")


def test_a_key_that_does_not_fit_changes_nothing(make_postern, scratch,
                                                 certificate,
                                                 other_certificate):
    chain = scratch / "chain"
    chain.write_text(certificate.chain.read_text())
    postern = make_postern(
        settings={"smtpd_tls_chain_files": str(chain)}).start()
    chain.write_text(certificate.key.read_text()
                     + other_certificate.certificate.read_text())
    assert str(chain) in postern.reload().stderr
    postern.process.send_signal(signal.SIGHUP)
    postern.wait_for_log(str(chain))
    eventually(lambda: postern.counter("reloads_failed") >= 1)
    assert certificate_of(postern) == der(certificate)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_twenty_reloads_reset_nobody_in_the_backlog(make_postern, workers):
    postern = make_postern(settings={"proxy_worker_processes": workers})
    postern.start()
    served = 0
    for number in range(20):
        standing = postern.workers()
        for worker in standing:
            worker.halt()
        clients = [Client(postern.port) for _ in range(6)]
        postern.settings["smtpd_banner"] = f"generation {number}"
        postern.write()
        done = threading.Thread(target=postern.reload)
        done.start()
        time.sleep(0.15)
        for worker in standing:
            worker.go_on()
        for client in clients:
            client.greeting()
            client.expect("EHLO c.example.test", 250)
            client.mail()
            client.quit()
            served += 1
        done.join()
        eventually(lambda: banner(postern) == f"generation {number}")
    assert served == 120
    assert postern.counter("reloads") == 20
    assert postern.counter("sink_messages") == 120
    eventually(lambda: len(postern.workers()) == int(workers), 20)


def test_nobody_is_refused_while_it_reloads(make_postern):
    postern = make_postern(settings={
        "proxy_worker_processes": "2", "proxy_generations_max": "16"}).start()
    stop = threading.Event()
    failures, served = [], [0]

    def knock():
        while not stop.is_set():
            try:
                with Client(postern.port) as client:
                    client.greeting()
                    client.expect("EHLO c.example.test", 250)
                    client.quit()
                    served[0] += 1
            except (OSError, EOFError, AssertionError) as error:
                failures.append(repr(error))

    threads = [threading.Thread(target=knock) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(10):
        # Fewer and more workers: sockets leave the group and come to it.
        postern.settings["proxy_worker_processes"] = str(1 + number % 3)
        postern.write()
        reload(postern)
        time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    assert served[0] > 100


def test_a_connection_that_comes_while_it_reloads_is_not_overlooked(postern):
    """Two generations wait on one socket for a moment: a wake-up of the one
    that leaves must not be lost. Nobody else comes to wake the other."""
    for _ in range(30):
        postern.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 0.15
        while time.monotonic() < until:
            with postern.connect(timeout=3) as client:
                client.greeting()
                client.quit()


def test_the_master_keeps_no_more_than_it_had(postern):
    def descriptors():
        return len(os.listdir(f"/proc/{postern.process.pid}/fd"))

    def one_generation():
        return len({worker.generation for worker in postern.workers()}) == 1

    reload(postern)
    eventually(one_generation, 20)
    before = descriptors()
    for _ in range(6):
        generation = postern.workers()[0].generation
        reload(postern)
        eventually(lambda: postern.workers()
                   and postern.workers()[0].generation > generation, 20)
        eventually(one_generation, 20)
    eventually(lambda: descriptors() == before, 10,
               f"{before} descriptors, now {descriptors()}")


def test_generations_are_limited(make_postern):
    postern = make_postern(settings={
        "proxy_generations_max": "3", "proxy_drain_timeout": "2s"}).start()
    held = []
    for _ in range(5):
        client = postern.secured()
        held.append(client)
        reload(postern)
        time.sleep(0.3)
    eventually(lambda: len({worker.generation for worker in postern.workers()
                            }) <= 3, 20)
    for client in held:
        client.close()
