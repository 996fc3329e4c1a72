# SPDX-License-Identifier: Apache-2.0
"""Listeners: addresses, TLS levels, certificates, protocol versions."""
import socket
import ssl

import pytest

from client import Client, tls_context
from ports import free_port, has_ipv6
from postern import Listener


def legacy_context(version):
    context = tls_context(version, version)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # TLS 1.1 signs with SHA-1
    return context


def served_certificate(client):
    return client.tls.getpeercert(binary_form=True)


def pem_as_der(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text())


@pytest.mark.both_rings
def test_several_listeners_on_both_families(make_postern):
    listeners = [Listener(), Listener()]
    if has_ipv6():
        listeners.append(Listener(host="::1"))
    postern = make_postern(listeners=listeners).start()
    for number in range(len(listeners)):
        with postern.secured(number) as client:
            client.mail()
            client.quit()
    assert postern.counter("sink_messages") == len(listeners)


def test_names_as_services(make_postern):
    """A service may be a port alone: inet_interfaces says where."""
    postern = make_postern(settings={"inet_interfaces": "127.0.0.1"})
    listener = postern.listeners[0]
    postern.write()
    (postern.directory / "master.cf").write_text(
        f"{listener.port} inet n - n - - smtpd\n")
    postern.spawn().wait_until_ready()
    with postern.secured() as client:
        client.quit()


def test_unix_listener(make_postern):
    postern = make_postern()
    path = postern.directory / "socket"
    postern.write()
    with open(postern.directory / "master.cf", "a") as master:
        master.write(f"{path} unix n - n - - smtpd\n")
    postern.spawn().wait_until_ready()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(10)
        client.connect(str(path))
        assert client.recv(512).startswith(b"220 mx.example.test ESMTP")
        client.sendall(b"QUIT\r\n")
        assert client.recv(512) == b"221 2.0.0 Bye\r\n"


@pytest.mark.both_rings
def test_every_worker_has_a_socket_of_its_own(make_postern):
    postern = make_postern(settings={"proxy_worker_processes": "3"}).start()
    wanted = f"0100007F:{postern.port:04X}"
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table]
    listening = [row for row in rows if row[1] == wanted and row[3] == "0A"]
    assert len(listening) == 3
    clients = [postern.connect() for _ in range(60)]
    for client in clients:
        client.greeting()
    assert all(worker.sessions > 0 for worker in postern.workers())
    for client in clients:
        client.quit()


def test_level_none(make_postern):
    postern = make_postern(
        settings={"smtpd_tls_security_level": "none"}).start()
    with postern.connect() as client:
        client.greeting()
        assert "STARTTLS" not in client.expect(
            "EHLO c.example.test", 250).keywords
        assert client.command("STARTTLS").raw == (
            b"502 5.5.1 Error: command not implemented\r\n")
        client.mail()
        client.quit()


def test_level_may(postern):
    with postern.connect() as client:
        client.greeting()
        assert "STARTTLS" in client.expect("EHLO c.example.test", 250).keywords
        client.mail()
        client.quit()
    with postern.secured() as client:
        client.mail()
        client.quit()
    assert postern.counter("sink_messages") == 2


def test_level_encrypt(make_postern):
    postern = make_postern(
        settings={"smtpd_tls_security_level": "encrypt"}).start()
    with postern.connect() as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        assert client.command("MAIL FROM:<a@example.test>").raw == (
            b"530 5.7.0 Must issue a STARTTLS command first\r\n")
        client.starttls()
        client.expect("EHLO c.example.test", 250)
        client.mail()
        client.quit()


@pytest.mark.both_rings
def test_wrappermode(make_postern):
    postern = make_postern(
        listeners=[Listener(smtpd_tls_wrappermode="yes")]).start()
    with postern.connect() as client:
        client.handshake()
        client.greeting()
        assert "STARTTLS" not in client.expect(
            "EHLO c.example.test", 250).keywords
        assert client.command("STARTTLS").raw == (
            b"554 5.5.1 Error: TLS already active\r\n")
        client.mail()
        client.quit()


def test_each_listener_has_its_own_settings(make_postern):
    postern = make_postern(listeners=[
        Listener(), Listener(smtpd_tls_security_level="encrypt",
                             smtpd_banner="$myhostname strict")]).start()
    with postern.connect(0) as client:
        assert client.greeting().text.endswith("ESMTP Postern\r\n")
        client.expect("MAIL FROM:<a@example.test>", 503)
    with postern.connect(1) as client:
        assert client.greeting().raw == b"220 mx.example.test strict\r\n"
        client.expect("MAIL FROM:<a@example.test>", 530)


def test_certificate_from_chain_files(postern, certificate):
    with postern.secured() as client:
        assert served_certificate(client) == pem_as_der(
            certificate.certificate)


def test_certificate_from_two_files(make_postern, other_certificate):
    postern = make_postern(settings={
        "smtpd_tls_chain_files": "",
        "smtpd_tls_cert_file": str(other_certificate.certificate),
        "smtpd_tls_key_file": str(other_certificate.key)}).start()
    with postern.secured() as client:
        assert served_certificate(client) == pem_as_der(
            other_certificate.certificate)


def test_both_key_types_are_served(make_postern, certificate,
                                   other_certificate):
    postern = make_postern(settings={
        "smtpd_tls_chain_files":
            f"{certificate.chain}, {other_certificate.chain}"}).start()
    for ciphers, wanted in (("ECDHE-RSA-AES128-GCM-SHA256", certificate),
                            ("ECDHE-ECDSA-AES128-GCM-SHA256",
                             other_certificate)):
        context = tls_context(maximum=ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(ciphers)
        with postern.connect() as client:
            client.greeting()
            client.starttls(context)
            assert served_certificate(client) == pem_as_der(wanted.certificate)


V1_1, V1_2, V1_3 = (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2,
                    ssl.TLSVersion.TLSv1_3)


@pytest.mark.parametrize("level, protocols, good, bad", [
    ("may", None, [V1_2, V1_3], [V1_1]),
    ("may", ">=TLSv1.3", [V1_3], [V1_2]),
    ("may", ">=0304", [V1_3], [V1_2]),
    ("may", "<=TLSv1.2", [V1_2], [V1_3]),
    ("may", ">=TLSv1.2, <=TLSv1.2", [V1_2], [V1_1, V1_3]),
    ("may", "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", [V1_2, V1_3], [V1_1]),
    ("may", "!TLSv1.3", [V1_2], [V1_3]),
    ("may", "TLSv1.3", [V1_3], [V1_2]),
    ("encrypt", ">=TLSv1.3", [V1_3], [V1_2]),
])
def test_protocol_lists(make_postern, level, protocols, good, bad):
    name = ("smtpd_tls_mandatory_protocols" if level == "encrypt"
            else "smtpd_tls_protocols")
    settings = {"smtpd_tls_security_level": level}
    if protocols is not None:
        settings[name] = protocols
    postern = make_postern(settings=settings).start()
    for version in good:
        with postern.connect() as client:
            client.greeting()
            client.starttls(legacy_context(version))
            client.expect("NOOP", 250)
            client.quit()
    for version in bad:
        with postern.connect() as client:
            client.greeting()
            with pytest.raises((ssl.SSLError, EOFError)):
                client.starttls(legacy_context(version))
    assert postern.counter("handshakes_failed") == len(bad)


def test_a_list_for_may_does_not_bind_encrypt(make_postern):
    postern = make_postern(settings={
        "smtpd_tls_security_level": "encrypt",
        "smtpd_tls_protocols": ">=TLSv1.3"}).start()
    with postern.connect() as client:
        client.greeting()
        client.starttls(legacy_context(V1_2))
        client.expect("NOOP", 250)


def test_a_port_that_is_taken_is_told(make_postern):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        postern = make_postern(listeners=[Listener(port=port)])
        postern.expect_clean = False
        postern.start(ready=False)
        assert postern.process.wait(20) != 0
        assert f"127.0.0.1:{port}" in postern.text()
        assert "in use" in postern.text()


def test_a_second_postern_on_the_same_port_is_told(make_postern):
    """SO_REUSEPORT alone would let both have it, and split what comes."""
    first = make_postern().start()
    second = make_postern(listeners=first.listeners)
    second.expect_clean = False
    second.start(ready=False)
    assert second.process.wait(20) != 0
    assert "in use" in second.text()
    for _ in range(10):
        with first.connect() as client:
            client.greeting()
            client.quit()


def test_other_services_are_skipped_with_one_notice(make_postern):
    postern = make_postern()
    postern.write()
    with open(postern.directory / "master.cf", "a") as master:
        master.write("pickup unix n - n 60 1 pickup\n"
                     f"127.0.0.1:{free_port()} inet n - n - - postscreen\n")
    notices = postern.verb("check").stderr.splitlines()
    assert len(notices) == 1 and "skipped" in notices[0], notices
    assert "pickup" in notices[0] and "127.0.0.1" in notices[0]
    postern.spawn().wait_until_ready()
    with Client(postern.port) as client:
        client.greeting()
