# SPDX-License-Identifier: Apache-2.0
"""What `postern probe --all` lists of real servers with other TLS libraries, or
other ways with OpenSSL, is what openssl s_client finds one by one."""
import concurrent.futures
import pathlib
import re
import subprocess
import tempfile

import pytest

import certificates
from rooms import Dovecot, Exim
from test_probe import probe

OPENSSL = "/usr/bin/openssl"
SUITES = ("TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
          "TLS_AES_128_GCM_SHA256", "TLS_AES_128_CCM_SHA256",
          "TLS_AES_128_CCM_8_SHA256")
GROUPS = {"X25519": "X25519", "X448": "X448", "prime256v1": "P-256",
          "secp384r1": "P-384", "secp521r1": "P-521",
          "ffdhe2048": "ffdhe2048", "ffdhe3072": "ffdhe3072",
          "ffdhe4096": "ffdhe4096", "ffdhe6144": "ffdhe6144",
          "ffdhe8192": "ffdhe8192"}


@pytest.fixture(scope="module")
def certificate():
    with tempfile.TemporaryDirectory(prefix="postern-") as path:
        directory = pathlib.Path(path)
        directory.chmod(0o755)
        yield certificates.Certificate(directory, "mx.example.test")


def accepts(port, *words):
    """Whether a handshake with no more than this comes about."""
    result = subprocess.run(
        [OPENSSL, "s_client", "-starttls", "smtp", "-connect",
         f"127.0.0.1:{port}", *words], input="QUIT\r\n",
        capture_output=True, text=True, timeout=60)
    return re.search(r"(?m)^New, \S+, Cipher is [A-Z]",
                     result.stdout) is not None


def one_by_one(port, choices):
    """{name: words of s_client} to the names of those that are accepted."""
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        found = threads.map(lambda name: accepts(port, *choices[name]), choices)
        return {name for name, good in zip(choices, found) if good}


def old_suites():
    return subprocess.run(
        [OPENSSL, "ciphers", "-s", "-tls1_2",
         "ALL:!aECDSA:!PSK:!SRP@SECLEVEL=0"], check=True,
        capture_output=True, text=True).stdout.strip().split(":")


@pytest.mark.parametrize("kind", [Exim, Dovecot])
def test_the_list_is_what_s_client_finds(kind, scratch, certificate, backend):
    """Of GnuTLS; and of a Dovecot without a prime, which chooses DHE where it is
    offered, and then breaks off without a word."""
    room_directory = scratch / "room"
    room_directory.mkdir()
    more = {"relay": backend.port} if kind is Dovecot else {}
    room = kind(room_directory, certificate=certificate, **more).start()
    try:
        found = probe(room.port, "--all", "--json")
        assert found.status == 0, found.text
        assert found.json["accepts"]["complete"], found.json["accepts"]["why"]
        protocols = {version["protocol"] for version
                     in found.json["accepts"]["protocols"]
                     if version["accepted"]}
        assert protocols == one_by_one(room.port, {
            "TLSv1": ["-tls1", "-cipher", "ALL@SECLEVEL=0"],
            "TLSv1.1": ["-tls1_1", "-cipher", "ALL@SECLEVEL=0"],
            "TLSv1.2": ["-tls1_2", "-cipher", "ALL@SECLEVEL=0"],
            "TLSv1.3": ["-tls1_3"]})
        assert found.names("TLSv1.2", "suites") == one_by_one(room.port, {
            name: ["-tls1_2", "-cipher", f"{name}@SECLEVEL=0"]
            for name in old_suites()})
        assert found.names("TLSv1.3", "suites") == one_by_one(room.port, {
            name: ["-tls1_3", "-ciphersuites", name]
            for name in SUITES})
        assert found.names("TLSv1.3", "groups") == one_by_one(room.port, {
            name.replace("ffdhe", "DHE-"): ["-tls1_3", "-groups", group]
            for name, group in GROUPS.items()})
        assert found.names("TLSv1.2", "groups") == one_by_one(room.port, {
            name: ["-tls1_2", "-cipher", "ECDHE@SECLEVEL=0", "-groups", group]
            for name, group in GROUPS.items()
            if not name.startswith("ffdhe")})
    finally:
        room.stop()
        print(room.log()[-3000:])
