# SPDX-License-Identifier: Apache-2.0
"""A signed zone and its server: Debian's NSD on a port of loopback, with keys
and signatures by ldns. Both are only unpacked into the build folder."""
import os
import signal
import socket
import subprocess
import time

from client import eventually
from peers import package_tree
from ports import free_port

PACKAGES = ["nsd", "ldnsutils", "libldns3", "libevent-2.1-7", "libfstrm0",
            "libprotobuf-c1", "libpcap0.8"]
SETTINGS = """\
server:
	ip-address: 127.0.0.1@{port}
	username: ""
	chroot: ""
	database: ""
	zonesdir: "{directory}"
	pidfile: "{directory}/nsd.pid"
	logfile: "{directory}/nsd.log"
	xfrdfile: "{directory}/xfrd.state"
	zonelistfile: "{directory}/zone.list"
	xfrdir: "{directory}"
	server-count: 1
remote-control:
	control-enable: no
zone:
	name: {origin}
	zonefile: zone.signed
"""
TOP = """\
$ORIGIN {origin}.
$TTL 1
@ IN SOA ns root {serial} 3600 600 86400 1
@ IN NS ns
ns IN A 127.0.0.1
"""


class SignedZone:
    """`records` are lines of the zone; `forged` maps what is signed to what is
    served in its place. Every TTL is a second."""

    def __init__(self, directory, origin="localhost"):
        self.directory, self.origin = directory, origin
        self.tree = package_tree("nsd", PACKAGES)
        libraries = [self.tree / "usr" / "lib" / machine for machine in
                     ("x86_64-linux-gnu", "aarch64-linux-gnu")]
        self.environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(
            str(path) for path in libraries if path.is_dir())}
        self.records, self.forged, self.serial = [], {}, 0
        self.port, self.process = free_port(), None
        self.key = self._run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k",
                             f"{origin}.").strip()
        self.anchor = directory / f"{self.key}.key"
        self.anchor.chmod(0o644)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def _run(self, program, *words):
        return subprocess.run(
            [self.tree / "usr" / "bin" / program, *words], check=True,
            cwd=self.directory, env=self.environment, capture_output=True,
            stdin=subprocess.DEVNULL, text=True).stdout

    def tlsa(self, port, record):
        self.records.append(f"_{port}._tcp IN TLSA {record}")

    def publish(self):
        """Signs what there is now, and serves it when this returns."""
        self.serial += 1
        top = TOP.format(origin=self.origin, serial=self.serial)
        (self.directory / "zone").write_text(
            top + "".join(f"{line}\n" for line in self.records))
        self._run("ldns-signzone", "-f", "zone.new", "zone", self.key)
        text = (self.directory / "zone.new").read_text()
        for signed, served in self.forged.items():
            assert signed in text
            text = text.replace(signed, served)
        (self.directory / "zone.signed").write_text(text)
        if self.process is None:
            self._start()
        else:
            self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.serial == self.served(), 20)

    def _start(self):
        settings = self.directory / "nsd.conf"
        settings.write_text(SETTINGS.format(
            port=self.port, directory=self.directory, origin=self.origin))
        self.process = subprocess.Popen(
            [self.tree / "usr" / "sbin" / "nsd", "-d", "-c", settings],
            env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def served(self):
        """The serial number in the SOA record that it answers with."""
        name = b"".join(bytes([len(label)]) + label.encode()
                        for label in self.origin.split(".")) + b"\0"
        question = (b"\x12\x34\0\0\0\1\0\0\0\0\0\0" + name + b"\0\6\0\1")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.2)
            try:
                client.sendto(question, ("127.0.0.1", self.port))
                answer = client.recv(4096)
            except OSError:
                return None
        at = answer.find(b"\0\6\0\1", len(question))
        if at < 0:
            return None
        length = int.from_bytes(answer[at + 8:at + 10], "big")
        end = at + 10 + length
        return int.from_bytes(answer[end - 20:end - 16], "big")

    def stop(self):
        if self.process is None:
            return
        self.process.terminate()
        deadline = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
