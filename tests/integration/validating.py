# SPDX-License-Identifier: Apache-2.0
"""What a validating resolver of the host says of a signed zone: Postfix asks
one, and believes it."""
import os
import socket
import threading

AUTHORITATIVE = 0x04  # of the third byte of a message (RFC 1035, 4.1.1)
AVAILABLE, AUTHENTIC = 0x80, 0x20  # of the fourth (RFC 4035, 3.2.3)
FAILED = b"\x81\x82" + b"\0\1" + b"\0\0" * 3  # SERVFAIL


class ValidatingResolver:
    """Answers come from the zone's server. `bogus` are first labels of names
    for which the signatures are wrong."""

    def __init__(self, zone, bogus=()):
        self.zone = zone
        self.bogus = {label.encode() for label in bogus}
        number = os.getpid() & 0xffff
        # Port 53 is all that resolv.conf knows; the address is ours alone.
        self.address = f"127.53.{number >> 8}.{number & 0xff}"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.address, 53))
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self):
        # Wakes the thread, which a close would not.
        self.stopping = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", (self.address, 53))

    stopping = False

    def _run(self):
        with self.socket:
            while True:
                query, client = self.socket.recvfrom(4096)
                if self.stopping:
                    return
                self.socket.sendto(self._answer(query), client)

    def _answer(self, query):
        label = query[13:13 + query[12]]
        if label in self.bogus:
            end = query.index(b"\0", 12) + 5
            return query[:2] + FAILED + query[12:end]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.settimeout(5)
            server.sendto(query, ("127.0.0.1", self.zone.port))
            answer = bytearray(server.recv(4096))
        answer[2] &= ~AUTHORITATIVE
        answer[3] |= AVAILABLE | AUTHENTIC
        return bytes(answer)
