# SPDX-License-Identifier: Apache-2.0
"""What is measured: one cell is one kind of work under one TLS agreement."""
import dataclasses

EECDH = ["X25519", "P-256", "P-384", "X448"]
EDH = ["ffdhe2048", "ffdhe3072", "ffdhe4096", "custom"]
KEYS = ["rsa-2048", "rsa-3072", "ecdsa-p256", "ed25519"]
SUITES = {
    False: "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256",
    True: "DHE-RSA-AES128-GCM-SHA256",
}
SUITE_1_3 = "TLS_AES_128_GCM_SHA256"


@dataclasses.dataclass(frozen=True)
class Setup:
    """What a server has to be started with anew."""

    key: str = "rsa-2048"
    dh: str = "ffdhe2048"
    tickets: bool = True
    groups: tuple = tuple(EECDH)
    workers: int = 1


@dataclasses.dataclass(frozen=True)
class Cell:
    work: str  # handshake or relay
    protocol: str = "TLSv1.3"
    group: str = "X25519"
    key: str = "rsa-2048"
    kind: str = "full"  # or resumed
    tickets: bool = True
    workers: int = 1
    size: int = 0
    messages: int = 0
    # What the ratio to the best peer is to be, and what would be good.
    must: float = 0
    aim: float = 0

    @property
    def edh(self):
        return self.group in EDH

    @property
    def name(self):
        """As bench/limit names it, for handshakes."""
        parts = [self.protocol, self.group, self.key]
        if self.work == "handshake":
            parts.append(self.kind)
        else:
            parts += [f"{self.size} octets", f"{self.messages} per session"]
        if not self.tickets:
            parts.append("no tickets")
        if self.workers > 1:
            parts.append(f"{self.workers} workers")
        return "/".join(parts)

    @property
    def setup(self):
        groups = tuple(EECDH)
        # In TLS 1.2 an ECDSA certificate is for clients that list its curve
        # too (RFC 8422, 5.1), and the server's order decides.
        if self.protocol == "TLSv1.2" and self.key == "ecdsa-p256":
            groups = tuple(dict.fromkeys([self.group, "P-256"]))
        dh = self.group if self.edh else "ffdhe2048"
        return Setup(self.key, dh, self.tickets, groups, self.workers)

    @property
    def unit(self):
        return "handshake" if self.work == "handshake" else "message"

    def words(self):
        """postern-bench's."""
        words = ["--protocol", self.protocol]
        if self.protocol == "TLSv1.2":
            words += ["--ciphers", SUITES[self.edh]]
            offered = ["X25519"] if self.edh else [self.group]
            if self.key == "ecdsa-p256":
                offered.append("P-256")
        else:
            words += ["--suites", SUITE_1_3]
            offered = [self.group]
        words += ["--groups", ":".join(dict.fromkeys(offered))]
        if self.kind == "resumed":
            words.append("--resume")
        if self.work == "relay":
            words += ["--size", str(self.size), "--messages",
                      str(self.messages)]
        return words


def handshake(protocol, group, key, kind="full", **more):
    return Cell("handshake", protocol, group, key, kind, **more)


def relay(size, messages, **more):
    return Cell("relay", size=size, messages=messages, **more)


# Those for which there are marks to reach, against the best peer.
TABLE = [
    handshake("TLSv1.3", "X25519", "ecdsa-p256", must=0.88, aim=0.75),
    handshake("TLSv1.2", "P-256", "ecdsa-p256", must=0.77, aim=0.65),
    handshake("TLSv1.3", "X25519", "rsa-2048", must=0.95, aim=0.88),
    handshake("TLSv1.2", "X25519", "rsa-2048", must=0.98, aim=0.93),
    handshake("TLSv1.2", "ffdhe2048", "rsa-2048", must=0.35, aim=0.32),
    handshake("TLSv1.2", "custom", "rsa-2048", must=0.27, aim=0.25),
    handshake("TLSv1.2", "ffdhe3072", "rsa-2048", must=0.42, aim=0.40),
    handshake("TLSv1.2", "X25519", "rsa-2048", "resumed", must=0.95,
              aim=0.75),
    handshake("TLSv1.3", "X25519", "rsa-2048", "resumed", must=0.92,
              aim=0.80),
    relay(4096, 20, must=0.95, aim=0.80),
    relay(4096, 1, must=0.85, aim=0.75),
    relay(1 << 20, 5, must=1.00, aim=0.90),
]
# The same without tickets on either side. (Nobody keeps a cache of sessions
# here, so nothing is resumed without tickets.)
NO_TICKETS = [dataclasses.replace(cell, tickets=False) for cell in TABLE
              if cell.kind == "full" and cell.size < 1 << 20]
# For the plots.
MORE = [relay(size, 20) for size in (16384, 65536, 262144)] + [
    handshake("TLSv1.2", "ffdhe4096", "rsa-2048")]
FLOOD = [TABLE[2], TABLE[6]]
# Of these instructions and kernel crossings are counted.
COUNTED = [TABLE[0], TABLE[9], TABLE[10]]
# Sessions of one message each wait for no acknowledgement: messages a second
# against nginx's mail proxy.
NAGLE = TABLE[10]
QUICK = [TABLE[0], TABLE[2], TABLE[4], TABLE[7], TABLE[9], TABLE[11]]


def all_cores(count):
    """{cell for a worker on each processor: the same for one}."""
    named = [TABLE[0], TABLE[2], TABLE[4], TABLE[8]]
    return {} if count < 2 else {
        dataclasses.replace(cell, workers=count, must=0, aim=0): cell
        for cell in named}


def matrix():
    """Every cell that exists: EDH of TLS 1.2 wants an RSA key, a prime of
    one's own TLS 1.2. (In TLS 1.3 EDH is measured with RSA keys alone: the
    signature is independent of it.)"""
    cells = []
    for kind in ("full", "resumed"):
        for protocol in ("TLSv1.2", "TLSv1.3"):
            for group in EECDH + EDH:
                for key in KEYS:
                    if group in EDH and not key.startswith("rsa"):
                        continue
                    if group == "custom" and protocol == "TLSv1.3":
                        continue
                    cells.append(handshake(protocol, group, key, kind))
    return cells
