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


def prime(path, bits):
    """A file with a prime for EDH."""
    _openssl("dhparam", "-out", path, str(bits))
    return path


class Authority:
    """Signs certificates for clients. `issuer` is the authority above."""

    def __init__(self, directory, name, issuer=None, days=30):
        self.name, self.directory, self.issuer = name, directory, issuer
        self.key = directory / f"{name}.key"
        self.certificate = directory / f"{name}.pem"
        self._make(self.key, self.certificate, f"/O=Test/CN={name}", issuer,
                   "basicConstraints=critical,CA:TRUE", days)

    def _make(self, key, certificate, subject, issuer, extension, days):
        request = certificate.with_suffix(".csr")
        extensions = certificate.with_suffix(".ext")
        extensions.write_text(extension + "\n")
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject,
                 "-keyout", key, "-out", request)
        signed_by = ["-signkey", key] if issuer is None else [
            "-CA", issuer.certificate, "-CAkey", issuer.key]
        _openssl("x509", "-req", "-in", request, *signed_by, "-days", str(days),
                 "-extfile", extensions, "-out", certificate)

    def issue(self, name, usage="clientAuth", days=30, alternative=None):
        """The path of a key, its certificate and those of its issuers below
        the root. Without `alternative` its subject is all that names it."""
        key = self.directory / f"{name}.key"
        certificate = self.directory / f"{name}.pem"
        extensions = f"extendedKeyUsage={usage}"
        if alternative:
            extensions += f"\nsubjectAltName=DNS:{alternative}"
        self._make(key, certificate, f"/O=Test/CN={name}", self, extensions,
                   days)
        chain = self.directory / f"{name}.chain"
        text = key.read_text() + certificate.read_text()
        authority = self
        while authority.issuer is not None:
            text += authority.certificate.read_text()
            authority = authority.issuer
        chain.write_text(text)
        return chain


def _openssl(*words):
    subprocess.run(["/usr/bin/openssl", *words], check=True,
                   stdin=subprocess.DEVNULL, capture_output=True)
