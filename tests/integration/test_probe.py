# SPDX-License-Identifier: Apache-2.0
"""postern probe: what it says of a real Postfix, beside posttls-finger; of
Postern; of servers that have what is known; and of those that lie."""
import json
import os
import pathlib
import re
import ssl
import subprocess
import tempfile

import pytest

import certificates
from backend import HANG, LEAVE
from peers import free_port, postfix_tree, library_path
from postern import DEFECT, PROGRAM, Listener
from test_backend_tls import Broken, Refusing, Silent, TlsBackend

TLS12 = ssl.TLSVersion.TLSv1_2


class Found:
    def __init__(self, result):
        self.status, self.text = result.returncode, result.stdout
        self.errors = result.stderr
        assert not DEFECT.search(self.errors), self.errors

    @property
    def json(self):
        return json.loads(self.text)

    def version(self, protocol):
        return next(version for version in self.json["accepts"]["protocols"]
                    if version["protocol"] == protocol)

    def names(self, protocol, what):
        return {row["name"] for row in self.version(protocol)[what]}


def probe(port, *words, host="127.0.0.1", names=(), env=None):
    return Found(subprocess.run(
        [PROGRAM, "probe", *words, f"{host}:{port}", *names],
        capture_output=True, text=True, timeout=240,
        env={**os.environ, **(env or {})}))


@pytest.fixture(scope="module")
def pki():
    with tempfile.TemporaryDirectory(prefix="postern-") as path:
        directory = pathlib.Path(path)
        directory.chmod(0o755)

        class Pki:
            root = certificates.Authority(directory, "Root")
            good = root.issue("localhost", "serverAuth")
            own = certificates.elliptic(directory, "self.example.test")
            rsa = certificates.Certificate(directory, "rsa.example.test")
            dh = certificates.prime(directory / "dh.pem", 1024)

        for path in directory.iterdir():
            path.chmod(0o644)
        yield Pki


@pytest.fixture
def serve():
    """Makes a scripted server with TLS."""
    made = []

    def make(chain, kind=TlsBackend, ciphers="DEFAULT:@SECLEVEL=0", dh=None,
             oldest=TLS12, newest=ssl.TLSVersion.TLSv1_3, curve=None,
             options=0, **more):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(ciphers)
        context.minimum_version, context.maximum_version = oldest, newest
        context.options |= options
        if chain is not None:
            context.load_cert_chain(chain)
        if dh:
            context.load_dh_params(str(dh))
        if curve:
            context.set_ecdh_curve(curve)
        made.append(kind(context, **more))
        return made[-1]

    yield make
    for one in made:
        one.stop()


# --- beside posttls-finger ---

def finger(port, *words, host="localhost"):
    """What Postfix's own tool says, and what a tool would grep for."""
    tree = postfix_tree()
    with tempfile.TemporaryDirectory(prefix="postern-") as directory:
        etc = pathlib.Path(directory)
        (etc / "main.cf").write_text(
            "compatibility_level = 3.7\nmyhostname = mx.example.test\n"
            f"daemon_directory = {tree}/usr/lib/postfix/sbin\n"
            f"shlib_directory = {tree}/usr/lib/postfix\n"
            "inet_protocols = ipv4\nmail_owner = daemon\n"
            "setgid_group = mail\ndefault_privs = nobody\n"
            f"meta_directory = {etc}\n")
        (etc / "dynamicmaps.cf").write_text("")
        result = subprocess.run(
            [tree / "usr/sbin/posttls-finger", "-c", "-h", "native", *words[0],
             f"[{host}]:{port}", *words[1]],
            capture_output=True, text=True, timeout=60,
            env={"PATH": "/usr/bin:/bin", "LANG": "C",
                 "MAIL_CONFIG": str(etc),
                 "LD_LIBRARY_PATH": library_path(tree)})
    return [line.removeprefix("posttls-finger: ")
            for line in (result.stdout + result.stderr).splitlines()]


WANTED = re.compile(r"TLS connection established|subject_CN=|matched peername"
                    r"|Matched fingerprint|verification failed")


@pytest.mark.parametrize("level,trusted,names,status", [
    ("encrypt", True, [], 0),
    ("encrypt", False, [], 0),
    ("may", True, [], 0),
    ("verify", True, ["localhost"], 0),
    ("secure", True, ["localhost"], 0),
    ("secure", False, ["localhost"], 5),
    ("fingerprint", False, ["right"], 0),
    ("fingerprint", False, ["00:11"], 5),
])
def test_the_lines_are_those_of_postfix(make_postfix, pki, level, trusted,
                                        names, status):
    class Pki:
        chain = pki.good
    postfix = make_postfix(certificate=Pki)
    leaf = subprocess.run(
        ["/usr/bin/openssl", "x509", "-in", pki.good, "-noout",
         "-fingerprint", "-sha256"], check=True, capture_output=True,
        text=True).stdout.partition("=")[2].strip()
    wrong = leaf.replace(leaf[:2], "00" if leaf[:2] != "00" else "01", 1)
    names = [leaf if name == "right" else wrong if ":" in name else name
             for name in names]
    # Without any, Postfix trusts nobody.
    anchor = pki.root if trusted else pki.own
    anchors = ["-F", str(anchor.certificate)]
    theirs = finger(postfix.port, ["-l", level, "-d", "sha256", *anchors],
                    names)
    ours = probe(postfix.port, "-4", "-l", level, *anchors, host="localhost",
                 names=names)
    assert ours.status == status, ours.text + ours.errors
    expected = sorted(filter(WANTED.search, theirs))
    assert any("TLS connection established" in line for line in expected)
    assert sorted(filter(WANTED.search, ours.text.splitlines())) == expected
    word = {0: "Verified", 5: "Untrusted"}[status] if level not in (
        "may", "encrypt") else "Trusted" if trusted else "Untrusted"
    assert f"\n{word} TLS connection established to localhost[127.0.0.1]:" \
        in "\n" + ours.text


def test_a_good_chain_with_the_wrong_name(make_postfix, pki):
    class Pki:
        chain = pki.good
    postfix = make_postfix(certificate=Pki)
    found = probe(postfix.port, "-l", "verify", "-F", pki.root.certificate,
                  names=["other.example.test"])
    assert found.status == 5
    assert "num=62:hostname mismatch" in found.text
    assert "\nTrusted TLS connection established to 127.0.0.1[127.0.0.1]:" \
        in found.text


# --- what is configured is listed, and nothing else ---

def test_the_list_of_a_postfix(make_postfix, pki, scratch):
    both = scratch / "both.chain"
    both.write_text(pki.own.chain.read_text() + pki.rsa.chain.read_text())

    class Pki:
        chain = both
    suites = {"ECDHE-ECDSA-AES256-GCM-SHA384", "AES128-SHA",
              "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-SHA",
              "DHE-RSA-AES256-GCM-SHA384"}
    postfix = make_postfix(certificate=Pki, settings={
        "smtpd_tls_protocols": ">=TLSv1.1",
        "smtpd_tls_ciphers": "high",
        "tls_high_cipherlist": ":".join(suites),
        "tls_eecdh_auto_curves": "X25519 prime256v1 secp384r1",
        "smtpd_tls_dh1024_param_file": str(pki.dh)})
    found = probe(postfix.port, "--all", "--json")
    assert found.status == 0, found.text
    page = found.json
    assert page["accepts"]["complete"] and page["accepts"]["why"] == ""
    assert [version["accepted"] for version in page["accepts"]["protocols"]] \
        == [True, True, True, False]
    assert found.names("TLSv1.2", "suites") == suites
    assert found.names("TLSv1.1", "suites") == {
        "AES128-SHA", "ECDHE-RSA-AES256-SHA"}
    assert found.names("TLSv1.3", "suites") == {
        "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_AES_128_GCM_SHA256"}
    groups = {"X25519", "prime256v1", "secp384r1"}
    assert found.names("TLSv1.3", "groups") == groups
    assert found.names("TLSv1.2", "groups") == groups
    secrecy = {suite["name"]: (suite["forward_secret"], suite["group"],
                               suite["strength"])
               for suite in found.version("TLSv1.2")["suites"]}
    assert secrecy["DHE-RSA-AES256-GCM-SHA384"] == (True, "DHE-1024", "weak")
    assert secrecy["AES128-SHA"] == (False, "none", "none")
    assert secrecy["ECDHE-RSA-AES128-GCM-SHA256"] == (
        True, "X25519", "strong")
    assert {one["fingerprint"] for one in page["accepts"]["certificates"]} == {
        one.fingerprint().partition("=")[2] for one in (pki.own, pki.rsa)}
    assert {(one["key_type"], one["key_bits"], one["key_curve"])
            for one in page["accepts"]["certificates"]} == {
        ("EC", 256, "prime256v1"), ("RSA", 2048, "")}


def test_the_list_of_a_server_of_one_thing(serve, pki):
    backend = serve(pki.rsa.chain, ciphers="DHE-RSA-AES128-SHA:@SECLEVEL=0",
                    dh=pki.dh, newest=TLS12)
    found = probe(backend.port, "--all", "--json")
    assert found.status == 0
    assert found.json["tls"]["group"] == "DHE-1024"
    assert found.json["tls"]["group_bits"] == 1024
    assert [version["accepted"] for version in
            found.json["accepts"]["protocols"]] == [False, True, False, False]
    assert found.names("TLSv1.2", "suites") == {"DHE-RSA-AES128-SHA"}
    assert found.names("TLSv1.2", "groups") == set()
    text = probe(backend.port, "--all")
    assert "forward secrecy: yes (dhe), DHE-1024, weak as 80 bits" in text.text
    assert re.search(r"(?m)^TLSv1.3: not accepted$", text.text)
    assert re.search(r"(?m)^  suite DHE-RSA-AES128-SHA +128 bits  FS yes  "
                     r"DHE-1024, weak$", text.text)


def test_the_list_of_postern_is_that_of_postern_ciphers(make_postern):
    postern = make_postern(settings={
        "tls_eecdh_auto_curves": "X25519 secp521r1",
        "tls_ffdhe_auto_groups": "ffdhe2048",
        "proxy_tls_forward_secrecy": "require"}).start()
    printed = postern.verb("ciphers").stdout
    found = probe(postern.listeners[0].port, "--all", "--json")
    assert found.status == 0
    assert found.json["accepts"]["complete"], found.text
    ours = set(re.findall(r"(?m)^ *(\S+) +Kx=", printed))
    listed = found.names("TLSv1.3", "suites") | found.names(
        "TLSv1.2", "suites")
    assert ours and listed == ours, printed
    assert found.names("TLSv1.3", "groups") == {
        "X25519", "secp521r1", "DHE-2048"}
    assert found.names("TLSv1.2", "groups") == {"X25519", "secp521r1"}


# --- resumption ---

def resumption(found):
    return {row["protocol"]: (row["result"], row["by"], row["fresh_exchange"])
            for row in found.json["resumption"]}


def test_resumption(make_postfix, certificate):
    postfix = make_postfix(certificate=certificate, settings={
        "smtpd_tls_session_cache_timeout": "3600s"})
    found = probe(postfix.port, "--json")
    assert resumption(found) == {
        "TLSv1.2": ("resumed", "ticket", False),
        "TLSv1.3": ("resumed", "ticket", True)}
    text = probe(postfix.port).text
    assert "resumption, TLSv1.2: by ticket, without a fresh exchange: no " \
        "forward secrecy\n" in text
    assert "resumption, TLSv1.3: by ticket, with a fresh exchange (X25519)\n" \
        in text


def test_a_server_that_resumes_nothing(make_postern):
    postern = make_postern(settings={
        "proxy_tls_forward_secrecy": "require",
        "tls_session_ticket_cipher": ""}).start()
    assert resumption(probe(postern.listeners[0].port, "--json")) == {
        "TLSv1.2": ("nothing_to_resume", "none", False),
        "TLSv1.3": ("nothing_to_resume", "none", False)}


def test_a_server_that_keeps_ids_and_is_old(serve, pki):
    def say_bye(session, _):
        session.send(b"221 2.0.0 Bye\r\n")
        session.connection.unwrap()  # or its OpenSSL forgets the session

    backend = serve(pki.rsa.chain, options=ssl.OP_NO_TICKET, newest=TLS12)
    backend.on["QUIT"] = say_bye
    assert resumption(probe(backend.port, "--json")) == {
        "TLSv1.2": ("resumed", "session_id", False),
        "TLSv1.3": ("handshake_failed", "none", False)}


# --- what the exit status says ---

def test_implicit_tls(make_postern):
    listener = Listener(smtpd_tls_wrappermode="yes",
                        smtpd_tls_security_level="encrypt")
    postern = make_postern(listeners=[listener]).start()
    found = probe(listener.port, "--wrappermode", "-v")
    assert found.status == 0, found.text
    assert "< 220 mx.example.test" in found.errors
    assert "STARTTLS" not in found.errors
    assert postern.status()


def test_no_tls(serve, pki):
    backend = serve(pki.rsa.chain, kind=Silent)
    found = probe(backend.port, "--all")
    assert found.status == 2
    assert found.text.endswith(": no TLS: it does not offer STARTTLS\n")
    assert backend.sessions[0].verbs == ["EHLO", "QUIT"]
    assert len(backend.sessions) == 1


def test_tls_that_is_refused(serve, pki):
    found = probe(serve(pki.rsa.chain, kind=Refusing).port)
    assert found.status == 2
    assert "454 4.7.0 TLS not available" in found.text


def test_tls_that_fails(serve, pki):
    found = probe(serve(pki.rsa.chain, kind=Broken).port, "--json")
    assert found.status == 3
    assert found.json["outcome"] == "handshake_failed"
    assert found.json["tls"] is None


def test_tls_without_forward_secrecy(serve, pki):
    backend = serve(pki.rsa.chain, ciphers="AES128-SHA:@SECLEVEL=0",
                    newest=TLS12)
    found = probe(backend.port)
    assert found.status == 4
    assert "forward secrecy: no (rsa_key_exchange)\n" in found.text


def test_an_anonymous_server(serve):
    backend = serve(None, ciphers="aNULL:@SECLEVEL=0", newest=TLS12)
    found = probe(backend.port, "-l", "may")
    assert found.status == 0
    assert "\nAnonymous TLS connection established" in "\n" + found.text
    assert "certificate:" not in found.text


def test_nobody_there():
    port = free_port()
    found = probe(port)
    assert found.status == 6
    assert found.text == (f"127.0.0.1[127.0.0.1]:{port}: no session: connect: "
                          "Connection refused\n")
    assert probe(port, "-6").status == 6


# --- servers that lie ---

@pytest.mark.parametrize("banner", [
    b"\0\x1b[2J\xff garbage\r\n", b"SSH-2.0-OpenSSH_9.2\r\n",
    b"220-" + b"x" * 100 + b"\r\n220-y\r\n" * 4000, b"2" * 100000])
def test_no_smtp(backend, banner):
    backend.on["banner"] = banner
    found = probe(backend.port)
    assert found.status == 6
    assert "what it said is no reply of SMTP" in found.text


@pytest.mark.parametrize("phase", ["banner", "EHLO", "STARTTLS"])
@pytest.mark.parametrize("action", [HANG, LEAVE])
def test_silence(serve, pki, phase, action):
    backend = serve(pki.rsa.chain)
    backend.on[phase] = action
    found = probe(backend.port, *(["-t", "1"] if action == HANG else []))
    assert found.status == 6
    assert ("it took too long" if action == HANG else
            "it closed the connection") in found.text


def test_a_banner_that_never_ends(backend):
    """Each byte comes in good time; all of them do not."""
    def drip(session, _):
        while not backend.released.wait(0.05):
            session.send(b"2")

    backend.on["banner"] = drip
    found = probe(backend.port, "-t", "1")
    assert found.status == 6
    assert "it took too long" in found.text


def test_what_is_injected_is_thrown_away(serve, pki):
    backend = serve(pki.rsa.chain)
    backend.behind_220 = b"250 injected\r\n"
    found = probe(backend.port, "--json", "-v")
    assert found.status == 7, found.text
    assert found.json["discarded_octets"] == len(backend.behind_220)
    assert found.json["tls"]["forward_secret"]
    assert "injected" not in found.errors


def test_nothing_reaches_a_terminal(serve, pki, scratch):
    """Control bytes in replies and in a certificate."""
    key, pem = scratch / "evil.key", scratch / "evil.pem"
    subprocess.run(
        ["/usr/bin/openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
         "-days", "30", "-utf8", "-subj",
         "/O=a\x1b[31mb\u009b31m/CN=evil\x1b]0;x\x07.test", "-keyout", key,
         "-out", pem], check=True, capture_output=True)
    chain = scratch / "evil.chain"
    chain.write_text(key.read_text() + pem.read_text())
    backend = serve(chain)
    backend.on["banner"] = b"220 \x1b[31mred \xc2\x9b31m \xff\r\n"
    backend.on["QUIT"] = b"221 \x1b[0m\r\n"
    for words in (["-v"], ["--all"], ["--json"]):
        result = subprocess.run(
            [PROGRAM, "probe", *words, f"127.0.0.1:{backend.port}"],
            capture_output=True, timeout=240)
        assert result.returncode == 0
        shown = (result.stdout + result.stderr).decode()
        assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f]", shown), shown
        # What is harmless is there.
        assert re.search(r"evil\S{1,5}\]0\\*;x", shown), shown
        assert "-v" not in words or "220 ?[31mred ??31m ?" in shown


def test_a_server_that_limits_connections(serve, pki):
    """The list is not complete, and says so."""
    backend = serve(pki.rsa.chain)
    backend.on["banner"] = lambda *_: (
        b"421 4.7.0 too many connections\r\n" if len(backend.sessions) > 8
        else b"220 backend.example.test ESMTP\r\n")
    found = probe(backend.port, "--all", "--json")
    assert found.status == 0
    assert not found.json["accepts"]["complete"]
    assert found.json["accepts"]["why"] == \
        "greeting: 421 4.7.0 too many connections"
    backend.sessions.clear()
    assert "the list is not complete: after " in probe(
        backend.port, "--all").text


# --- usage ---

@pytest.mark.parametrize("words,why", [
    ([], "probe wants the name of a server"),
    (["--level", "dane", "x"], "--level wants may, encrypt"),
    (["-l"], 'there is nothing behind "-l"'),
    (["--al", "x"], 'unknown option "--al"'),
    (["x:nowhere"], 'there is no such port: "nowhere"'),
    (["x", "y"], 'there is no use for "y"'),
    (["-l", "verify", "127.0.0.1"], "names to verify must stand behind"),
    (["-t", "0", "x"], "--timeout wants seconds"),
])
def test_usage(words, why):
    result = subprocess.run([PROGRAM, "probe", *words], capture_output=True,
                            text=True, timeout=60)
    assert result.returncode == 64
    assert why in result.stderr
    assert result.stdout == ""


def test_a_file_that_is_not_there():
    found = probe(free_port(), "-l", "verify", "-F", "/nonexistent",
                  names=["x"])
    assert found.status == 1
    assert "--CAfile" in found.errors
