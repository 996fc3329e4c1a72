# SPDX-License-Identifier: Apache-2.0
"""Throw-away certificates, made by openssl once per test run."""
import subprocess


class Certificate:
    """One key and one self-signed certificate for a host name."""

    def __init__(self, directory, name, algorithm=("rsa:2048",)):
        self.name = name
        self.key = directory / f"{name}.key"
        self.certificate = directory / f"{name}.pem"
        self.chain = directory / f"{name}.chain"  # key first, as Postfix wants
        subprocess.run(
            ["/usr/bin/openssl", "req", "-x509", "-newkey", *algorithm,
             "-nodes", "-days", "30", "-subj", f"/CN={name}",
             "-addext", f"subjectAltName=DNS:{name}",
             "-keyout", self.key, "-out", self.certificate],
            check=True, stdin=subprocess.DEVNULL, capture_output=True)
        self.chain.write_text(
            self.key.read_text() + self.certificate.read_text())

    def fingerprint(self):
        return subprocess.run(
            ["/usr/bin/openssl", "x509", "-in", self.certificate, "-noout",
             "-fingerprint", "-sha256"],
            check=True, capture_output=True, text=True).stdout.strip()


def elliptic(directory, name):
    return Certificate(
        directory, name, ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"))
