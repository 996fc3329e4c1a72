# SPDX-License-Identifier: Apache-2.0
"""A small DNS server that says what a test wants: names of addresses, addresses
of names, errors, nonsense, or nothing at all.

`server.pointers[address]` is what the PTR record of an IPv4 address holds: a
host name, a list of labels (bytes, as they are), an RCODE, or SILENCE.
`server.addresses[name]` is an address, a list of them of both families, an
RCODE, or SILENCE. What is in neither does not exist. `server.ttl` is that of all
records. While `server.held` is set nothing is answered; what came
meanwhile is answered when it is cleared by release().
"""
import ipaddress
import socket
import struct
import threading

SERVFAIL, NXDOMAIN, SILENCE = 2, 3, "silence"
A, PTR, AAAA = 1, 12, 28
TTL = 300


def wire(labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def read_question(packet):
    """(labels, type, where it ends)"""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].lower())
        at += 1 + packet[at]
    return labels, struct.unpack_from("!H", packet, at + 1)[0], at + 5


class NameServer:
    def __init__(self):
        self.pointers, self.addresses = {}, {}
        self.ttl = TTL
        self.asked = []  # (name, type)
        self.held = threading.Event()
        self.waiting = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def name(self, address, name):
        """An address with a name that leads back to it."""
        self.pointers[address] = name
        self.addresses[name] = address

    def release(self):
        self.held.clear()
        waiting, self.waiting = self.waiting, []
        for packet, peer in waiting:
            self._answer(packet, peer)

    def stop(self):
        self.socket.close()

    def _run(self):
        while True:
            try:
                packet, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            if self.held.is_set():
                self.waiting.append((packet, peer))
            else:
                self._answer(packet, peer)

    def _answer(self, packet, peer):
        labels, kind, end = read_question(packet)
        self.asked.append((b".".join(labels).decode("latin-1"), kind))
        found = self._find(labels, kind)
        if found == SILENCE:
            return
        code, records = (found, []) if isinstance(found, int) else (0, found)
        answer = packet[:2] + struct.pack(
            "!HHHHH", 0x8180 | code, 1, len(records), 0, 0)
        answer += packet[12:end]
        for data in records:
            answer += struct.pack(
                "!HHHIH", 0xc00c, kind, 1, self.ttl, len(data)) + data
        try:
            self.socket.sendto(answer, peer)
        except OSError:
            pass  # stopped meanwhile

    def _find(self, labels, kind):
        if labels[-2:] == [b"in-addr", b"arpa"] and kind == PTR:
            address = ".".join(part.decode() for part in labels[3::-1])
            value = self.pointers.get(address, NXDOMAIN)
            if isinstance(value, list):
                return [wire(value)]
            if isinstance(value, str) and value != SILENCE:
                return [wire(value.encode().split(b"."))]
            return value
        if kind not in (A, AAAA):
            return NXDOMAIN
        value = self.addresses.get(b".".join(labels).decode("latin-1"),
                                   NXDOMAIN)
        if isinstance(value, int) or value == SILENCE:
            return value
        listed = [value] if isinstance(value, str) else value
        return [address.packed for address in map(ipaddress.ip_address, listed)
                if address.version == (4 if kind == A else 6)]
