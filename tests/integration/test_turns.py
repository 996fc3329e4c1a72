# SPDX-License-Identifier: Apache-2.0
"""The order in which a worker does what there is to do."""
import select
import time

import pytest

from client import tls_context

CLIENTS = 200


@pytest.fixture
def flooded(make_postern, backend):
    """A worker that takes all handshakes that there are in one turn."""
    return make_postern(backend.address, settings={
        "proxy_worker_processes": "1", "proxy_handshake_turn_time": "1000ms",
        "proxy_backend_handover": "none",
        "smtpd_client_connection_count_limit": "0"}).start()


def hello_to_come(postern):
    client = postern.connect()
    client.greeting()
    client.expect("EHLO client.example.test", 250)
    client.expect("STARTTLS", 220)
    context = tls_context()
    context.set_ecdh_curve("secp521r1")  # some milliseconds of work
    client.begin_tls(context)
    with pytest.raises(Exception, match="The operation did not complete"):
        client.tls.do_handshake()
    return client, client.outgoing.read()


def test_what_is_relayed_goes_before_handshakes(flooded, backend):
    """The backend has the command before any of the handshakes goes on that
    came at the same time."""
    answered = []

    def noop(_session, _line):
        time.sleep(0.005)  # if they leave together, they are there then
        answered.append(len(select.select(sockets, [], [], 0)[0]))
        return b"250 2.0.0 Ok\r\n"

    with flooded.secured() as established:
        established.expect("NOOP", 250)
        waiting = [hello_to_come(flooded) for _ in range(CLIENTS)]
        sockets = [client.socket for client, _ in waiting]
        backend.on["NOOP"] = noop
        [worker] = flooded.workers()
        worker.halt()
        established.send(b"NOOP\r\n")
        for client, hello in waiting:
            client.send_raw(hello)
        worker.go_on()
        assert established.reply().code == 250
        assert answered == [0]
        for client, _ in waiting:
            client.go_on_with_handshake()
            client.close()
