# SPDX-License-Identifier: Apache-2.0
"""TLS with the backend, beside a real Postfix client that does the same with
the same server: each row of levels and certificates."""
import hashlib
import pathlib
import re
import ssl
import subprocess
import tempfile

import pytest

import certificates
from backend import Backend, Ended
from client import Client, eventually
from peers import Postfix
from ports import free_port
from postern import Listener

MESSAGE = b"Subject: test\r\n\r\ntext\r\n"


def server_context(chain, newest=ssl.TLSVersion.TLSv1_3, asks=None,
                   ciphers=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    if ciphers:
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    if chain is None:
        context.set_ciphers("aNULL:@SECLEVEL=0")
    else:
        context.load_cert_chain(chain)
    if asks:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(asks)
    return context


class TlsBackend(Backend):
    """Speaks STARTTLS, or TLS from the first byte when it is wrapped."""

    def __init__(self, context, wrapped=False):
        self.context = context
        self.behind_220 = b""
        super().__init__()
        if wrapped:
            self.on["connect"] = self.secure
        else:
            self.keywords.insert(0, "STARTTLS")
            self.on["STARTTLS"] = self.start_tls
            self.on["EHLO"] = self.ehlo

    @property
    def address(self):
        return f"inet:localhost:{self.port}"

    def secure(self, session, _=b""):
        try:
            session.connection = self.context.wrap_socket(
                session.connection, server_side=True)
        except (OSError, ssl.SSLError) as error:
            raise Ended from error
        session.secured = session.connection.version()
        session.resumed = session.connection.session_reused

    def start_tls(self, session, _):
        session.send(b"220 2.0.0 Ready to start TLS\r\n" + self.behind_220)
        self.secure(session)

    def ehlo(self, session, _):
        offered = self.keywords
        if isinstance(session.connection, ssl.SSLSocket):
            offered = [word for word in offered if word != "STARTTLS"]
        lines = ["backend.example.test", *offered]
        return b"".join(
            f"250{'-' if line is not lines[-1] else ' '}{line}\r\n".encode()
            for line in lines)


def print_of_key(certificate):
    public = subprocess.run(
        ["/usr/bin/openssl", "x509", "-in", certificate, "-noout", "-pubkey"],
        check=True, capture_output=True).stdout
    encoded = subprocess.run(
        ["/usr/bin/openssl", "pkey", "-pubin", "-outform", "DER"],
        input=public, check=True, capture_output=True).stdout
    return hashlib.sha256(encoded).hexdigest()


@pytest.fixture(scope="module")
def pki():
    """Certificates for the name localhost, which both clients connect to."""
    with tempfile.TemporaryDirectory(prefix="postern-") as path:
        directory = pathlib.Path(path)
        directory.chmod(0o755)

        class Pki:
            root = certificates.Authority(directory, "Root")
            middle = certificates.Authority(directory, "Middle", root)
            good = middle.issue("localhost", "serverAuth")
            other = middle.issue("other.example.test", "serverAuth")
            wild = middle.issue("wild", "serverAuth",
                                alternative="*.wild.example.test")
            named = middle.issue("subject.example.test", "serverAuth",
                                 alternative="localhost")
            client = middle.issue("client.example.test", "clientAuth")
            own = certificates.elliptic(directory, "self.example.test").chain
            key = directory / "middle.pub"

        Pki.key.write_bytes(subprocess.run(
            ["/usr/bin/openssl", "x509", "-in", Pki.middle.certificate,
             "-noout", "-pubkey"], check=True, capture_output=True).stdout)
        Pki.print = subprocess.run(
            ["/usr/bin/openssl", "x509", "-in", Pki.own, "-noout",
             "-fingerprint", "-sha256"], check=True, capture_output=True,
            text=True).stdout.partition("=")[2].strip()
        Pki.key_print = print_of_key(Pki.own)
        for path in directory.iterdir():
            path.chmod(0o644)
        yield Pki


class Refusing(TlsBackend):
    def start_tls(self, session, _):
        session.send(b"454 4.7.0 TLS not available due to local problem\r\n")


class Broken(TlsBackend):
    """Its 220 is all that there is of TLS."""

    def start_tls(self, session, _):
        session.send(b"220 2.0.0 Ready to start TLS\r\n")
        session.more()
        session.send(b"500 what is this?\r\n")
        raise Ended


class Silent(TlsBackend):
    """It offers nothing."""

    def __init__(self, context):
        super().__init__(context)
        self.keywords.remove("STARTTLS")


class Row:
    """A server, settings, and what Postfix 3.7 says otherwise. `policy`: for
    this backend alone; what stands beside it is for all others."""

    def __init__(self, name, server, exception=None, kind=TlsBackend,
                 falls_back=False, policy=None, **settings):
        self.name, self.server, self.exception = name, server, exception
        self.kind, self.policy = kind, policy
        self.asked_for = set()  # names, by SNI
        if server:
            server.sni_callback = lambda _, name, __: self.asked_for.add(name)
        # Postfix goes on in clear only with mail that has waited for a while.
        self.falls_back = falls_back
        self.settings = {f"smtp_tls_{key}": value
                         for key, value in settings.items()}

    def serve(self):
        self.backend = self.kind(self.server)
        if self.policy:
            self.settings["smtp_tls_policy_maps"] = (
                f"inline:{{{{[localhost]:{self.backend.port} = "
                f"{self.policy}}}}}")


def rows_of(pki):
    root = str(pki.root.certificate)
    wrong = "00" * 32
    old = ssl.TLSVersion.TLSv1_2
    return [
        Row("nonelevel", server_context(pki.good), security_level="none"),
        Row("may", server_context(pki.own), security_level="may"),
        Row("maytrusted", server_context(pki.good), security_level="may",
            CAfile=root),
        Row("mayanon", server_context(None, old), security_level="may"),
        Row("encrypt", server_context(pki.own), security_level="encrypt"),
        Row("encryptold", server_context(pki.good, old),
            security_level="encrypt"),
        Row("encryptanon", server_context(None, old),
            security_level="encrypt"),
        Row("encryptccert", server_context(pki.good, asks=root),
            security_level="encrypt", chain_files=str(pki.client)),
        Row("print", server_context(pki.own), security_level="fingerprint",
            fingerprint_cert_match=pki.print, fingerprint_digest="sha256"),
        Row("printwrong", server_context(pki.own),
            security_level="fingerprint", fingerprint_cert_match=wrong,
            fingerprint_digest="sha256"),
        Row("printkey", server_context(pki.own), security_level="fingerprint",
            fingerprint_cert_match=f"{wrong}, {pki.key_print.upper()}",
            fingerprint_digest="sha256"),
        # Which lists a level goes by, and that the exclusions add up.
        Row("maylists", server_context(pki.good, old), security_level="may",
            exclude_ciphers="AES256, CHACHA20",
            mandatory_exclude_ciphers="AES128"),
        Row("encryptlists", server_context(pki.good, old),
            security_level="encrypt", exclude_ciphers="AES256",
            mandatory_exclude_ciphers="AESGCM"),
        Row("mayprotocols", server_context(pki.good), security_level="may",
            protocols="<=TLSv1.2", mandatory_protocols=">=TLSv1.3"),
        Row("encryptprotocols", server_context(pki.good),
            security_level="encrypt", protocols=">=TLSv1.3",
            mandatory_protocols="<=TLSv1.2"),
        Row("verify", server_context(pki.good), security_level="verify",
            CAfile=root),
        # Whose names count, and how far a wildcard goes.
        Row("verifywild", server_context(pki.wild), security_level="verify",
            CAfile=root, verify_cert_match="mx.wild.example.test"),
        Row("verifydeep", server_context(pki.wild),
            exception=("Untrusted", "Trusted"), security_level="verify",
            CAfile=root, verify_cert_match="mx.deep.wild.example.test"),
        Row("verifybelow", server_context(pki.wild),
            security_level="verify", CAfile=root,
            verify_cert_match=".example.test"),
        Row("verifynamed", server_context(pki.named),
            security_level="verify", CAfile=root),
        Row("verifysubject", server_context(pki.named),
            exception=("Untrusted", "Trusted"), security_level="verify",
            CAfile=root, verify_cert_match="subject.example.test"),
        # A good chain with the wrong name: Trusted since 3.10.4.
        Row("verifyname", server_context(pki.other),
            exception=("Untrusted", "Trusted"), security_level="verify",
            CAfile=root),
        Row("verifyself", server_context(pki.own), security_level="verify",
            CAfile=root),
        Row("verifyunknown", server_context(pki.good),
            security_level="verify"),
        Row("verifymatch", server_context(pki.other),
            security_level="verify", CAfile=root,
            verify_cert_match="hostname, .example.test"),
        Row("secure", server_context(pki.good), security_level="secure",
            CAfile=root),
        Row("secureold", server_context(pki.good, old),
            security_level="secure", CAfile=root),
        Row("verifyanon", server_context(None, old), security_level="verify",
            CAfile=root),
        # What must-match levels exclude and demand, and encrypt does not.
        Row("printanon", server_context(None, old),
            security_level="fingerprint", fingerprint_cert_match=pki.print,
            fingerprint_digest="sha256"),
        Row("secureanon", server_context(None, old), security_level="secure",
            CAfile=root),
        Row("verifylists", server_context(pki.good, old),
            security_level="verify", CAfile=root, exclude_ciphers="AES256",
            mandatory_exclude_ciphers="AESGCM"),
        Row("encryptnull", server_context(pki.good, old, ciphers="eNULL"),
            security_level="encrypt"),
        Row("anchorcert", server_context(pki.good), security_level="secure",
            trust_anchor_file=str(pki.middle.certificate)),
        Row("anchorkey", server_context(pki.good), security_level="secure",
            trust_anchor_file=str(pki.key)),
        Row("anchorother", server_context(pki.own), security_level="secure",
            trust_anchor_file=str(pki.key)),
        Row("policynone", server_context(pki.good), policy="none",
            security_level="encrypt"),
        Row("policyverify", server_context(pki.good), security_level="none",
            policy=f"verify match=other.example.test:localhost tafile={root}"),
        Row("policysecure", server_context(pki.other),
            exception=("Untrusted", "Trusted"), security_level="may",
            CAfile=root, policy="secure match=localhost"),
        Row("policyprint", server_context(pki.own), security_level="may",
            fingerprint_digest="sha256",
            policy=f"fingerprint match={wrong}|{pki.print}"),
        Row("policylists", server_context(pki.good, old),
            security_level="may", mandatory_exclude_ciphers="AES128",
            policy="encrypt ciphers=high exclude=AES256:CHACHA20"),
        Row("policyprotocols", server_context(pki.good),
            security_level="may", policy="encrypt protocols=<=TLSv1.2 "
            "servername=policy.example.test"),
        Row("namegiven", server_context(pki.good), security_level="encrypt",
            servername="given.example.test"),
        Row("namehost", server_context(pki.good), security_level="may",
            servername="hostname"),
        Row("namenexthop", server_context(pki.good), security_level="may",
            servername="nexthop"),
        Row("mayabsent", None, kind=Silent, security_level="may"),
        Row("mayrefused", None, kind=Refusing, security_level="may"),
        Row("maybroken", None, kind=Broken, falls_back=True,
            security_level="may"),
        Row("absent", None, kind=Silent, security_level="encrypt"),
        Row("refused", None, kind=Refusing, security_level="encrypt"),
        Row("broken", None, kind=Broken, security_level="encrypt"),
        Row("nothingshared", server_context(pki.good, old),
            security_level="encrypt", mandatory_protocols=">=TLSv1.3"),
    ]


# What both clients are to say alike: Postern's process and Postfix's are told
# apart by the program in front. What follows "status=" is Postfix's alone.
TOLD = re.compile(
    r"TLS connection established to|SSL_connect error|certificate verification failed for|"
    r"matched peername|Matched fingerprint|: subject_CN=")


def told(lines):
    """Each once: a health check may have told it, too."""
    return sorted({line for line in lines if TOLD.search(line)})


@pytest.fixture(scope="module")
def by_postfix(pki):
    """Each row's backend, and what a Postfix client logged of it."""
    rows = rows_of(pki)
    for row in rows:
        row.serve()
    with tempfile.TemporaryDirectory(prefix="postern-") as path:
        postfix = Postfix(pathlib.Path(path), settings={
            "relay_domains": " ".join(f"{row.name}.test" for row in rows),
            "transport_maps": "inline:{" + ", ".join(
                f"{row.name}.test={row.name}:[localhost]:{row.backend.port}"
                for row in rows) + "}",
            "smtp_tls_loglevel": "summary, certmatch, peercert",
            "smtp_helo_name": "mx.example.test",
            "smtp_host_lookup": "native", "minimal_backoff_time": "4000s"})
        postfix.services += [
            f"{row.name} unix - - n - - smtp -o syslog_name={row.name} "
            + " ".join(f"-o {{{name}={value}}}"
                       for name, value in row.settings.items())
            for row in rows]
        postfix.write_master()
        postfix.start()
        try:
            send_each(postfix.port, rows)
            eventually(lambda: all(outcome(postfix, row) for row in rows), 60,
                       postfix.log())
            for row in rows:
                row.outcome = outcome(postfix, row)
                row.lines = re.findall(
                    rf" {row.name}/smtp\[\d+\]: (.*)", postfix.log())
                row.said_by_postfix = row.backend.sessions[-1].verbs
                row.asked_by_postfix = set(row.asked_for)
                row.asked_for.clear()
        finally:
            postfix.stop()
        yield {row.name: row for row in rows}
        for row in rows:
            row.backend.stop()


def send_each(port, rows):
    with Client(port) as client:
        client.greeting()
        client.expect("EHLO client.example.test", 250)
        for row in rows:
            client.mail(MESSAGE, f"user@{row.name}.test")


def outcome(postfix, row):
    """(dsn, status, why) of the delivery."""
    found = re.search(rf" {row.name}/smtp\[\d+\]: .*to=<[^>]*>.*"
                      r"dsn=(\S+), status=(\w+) \((.*)\)", postfix.log())
    return found and found.groups()


@pytest.fixture
def beside(make_postern, by_postfix):
    """A Postern with one listener for each row, when each backend is probed."""
    rows = list(by_postfix.values())
    postern = make_postern(*(row.backend for row in rows), settings={
        "smtp_tls_loglevel": "summary, certmatch, peercert",
        "inet_protocols": "ipv4"})
    postern.listeners = []
    for row in rows:
        row.listener = len(postern.listeners)
        postern.listeners.append(Listener(
            proxy_backend=row.backend.address,
            syslog_name=f"ours-{row.name}", **row.settings))
    postern.start(ready=False)
    for row in rows:
        eventually(lambda: greeting(postern, row), 30,
                   f"{row.name}: {row.outcome}\n{postern.text()[-3000:]}")
    return postern


def greeting(postern, row):
    """220, or 421 where no backend is fit; None: it is not known yet."""
    try:
        with postern.connect(row.listener) as client:
            code = client.reply().code
            fit = is_fit(row)
            if code == 220:
                client.expect("QUIT", 221)
            return code if (code == 220) == fit else None
    except (OSError, EOFError):
        return None


def lines_of(postern, row):
    return [text for program, _, text in postern.log()
            if program == f"ours-{row.name}/smtp"]


def is_fit(row):
    return row.outcome[1] == "sent" or row.falls_back


def why(row):
    """As we tell it: a server's own code stands in the text."""
    dsn, _, text = row.outcome
    return text if " refused to start TLS: " in text else f"{dsn} {text}"


def test_each_row_is_as_in_postfix(beside, by_postfix):
    for row in by_postfix.values():
        expected = told(row.lines)
        if row.exception:
            assert any(row.exception[0] in line for line in expected)
            expected = sorted(line.replace(*row.exception)
                              for line in expected)
        if is_fit(row):
            messages = len(row.backend.messages())
            with beside.connect(row.listener) as client:
                client.greeting()
                client.expect("EHLO client.example.test", 250)
                client.mail(MESSAGE)
                client.expect("QUIT", 221)
            assert len(row.backend.messages()) == messages + 1
        else:
            said = re.findall(r": backend \S+: (.*)", beside.text())
            assert why(row) in said, row.name
            if "certificate not verified" in row.outcome[2]:
                assert row.said_by_postfix == ["EHLO", "STARTTLS", "QUIT"]
                eventually(lambda: row.backend.sessions[-1].verbs ==
                           row.said_by_postfix, 10, row.name)
            with beside.connect(row.listener) as client:
                assert client.reply().code == 421
        assert told(lines_of(beside, row)) == expected, row.name
        assert row.asked_for == row.asked_by_postfix, row.name
    # None of them was without its reason.
    assert sum(not is_fit(row) for row in by_postfix.values()) == 16
    assert by_postfix["namegiven"].asked_for == {"given.example.test"}
    assert by_postfix["policyprotocols"].asked_for == {"policy.example.test"}
    assert by_postfix["encrypt"].asked_for == {None}


# The levels of Postfix's client (dane and dane-only: test_dane_postfix.py), each
# with what it demands of the certificate, and which suites it excludes; and what
# can become of STARTTLS.
LEVELS = {
    "none": {"nonelevel"},
    "may": {"may", "maytrusted", "mayanon", "maylists", "mayprotocols"},
    "encrypt": {"encrypt", "encryptold", "encryptanon", "encryptccert",
                "encryptlists", "encryptprotocols", "encryptnull"},
    "fingerprint": {"print", "printkey", "printwrong", "printanon"},
    "verify": {"verify", "verifyname", "verifyself", "verifyunknown",
               "verifymatch", "verifyanon", "verifywild", "verifydeep",
               "verifybelow", "verifynamed", "verifysubject",
               "verifylists"},
    "secure": {"secure", "secureold", "secureanon", "anchorcert", "anchorkey",
               "anchorother"},
}
SITUATIONS = {
    "a policy of its own": {"policynone", "policyverify", "policysecure",
                            "policyprint", "policylists", "policyprotocols"},
    "the name that is asked for": {"namegiven", "namehost", "namenexthop"},
    "may, not offered": {"mayabsent"},
    "may, refused": {"mayrefused"},
    "may, the handshake fails": {"maybroken"},
    "encrypt, not offered": {"absent"},
    "encrypt, refused": {"refused"},
    "encrypt, the handshake fails": {"broken", "nothingshared"},
}


def test_each_row_stands_for_something(by_postfix):
    named = [*LEVELS.values(), *SITUATIONS.values()]
    assert sum(map(len, named)) == len(by_postfix)
    assert set().union(*named) == set(by_postfix)
    for level, names in LEVELS.items():
        assert {by_postfix[name].settings["smtp_tls_security_level"]
                for name in names} == {level}


@pytest.fixture
def secure_backend(pki):
    made = []

    def make(chain=None, **options):
        made.append(TlsBackend(server_context(chain or pki.good), **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def verified(pki, **settings):
    return {"smtp_tls_security_level": "verify", "smtp_tls_loglevel": "1",
            "smtp_tls_CAfile": str(pki.root.certificate),
            "inet_protocols": "ipv4", **settings}


def served(backend):
    """Sessions that brought mail: health checks speak TLS, too."""
    return [session for session in backend.sessions
            if "MAIL" in session.verbs]


def test_tls_from_the_first_byte(make_postern, secure_backend, pki):
    backend = secure_backend(wrapped=True)
    postern = make_postern(backend, settings=verified(
        pki, smtp_tls_wrappermode="yes")).start()
    with postern.secured() as client:
        client.mail(MESSAGE)
        client.quit()
    assert served(backend)[-1].secured == "TLSv1.3"
    assert served(backend)[-1].verbs == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]
    assert backend.messages() == [MESSAGE]
    record = postern.wait_for_log(r"^session=.* backend_tls=TLSv1.3 ")
    assert f" backend=inet:localhost[127.0.0.1]:{backend.port} " in record
    assert postern.counter("backend_handshakes_done") >= 2


def test_what_comes_in_clear_behind_220_is_dropped(
        make_postern, secure_backend, pki):
    """Else it would be the answer to the first thing that is said in TLS."""
    backend = secure_backend()
    backend.behind_220 = (b"250-evil\r\n250-PIPELINING\r\n250-XVERP\r\n"
                          b"250 AUTH PLAIN\r\n")
    postern = make_postern(backend, settings=verified(pki)).start()
    with postern.connect() as client:
        client.greeting()
        keywords = client.expect("EHLO client.example.test", 250).keywords
        assert "AUTH" not in keywords
        client.starttls()
        keywords = client.expect("EHLO client.example.test", 250).keywords
        assert "AUTH" not in keywords and "SIZE" in keywords
        client.mail(MESSAGE)
        client.quit()
    assert served(backend)[-1].verbs[:3] == ["EHLO", "STARTTLS", "EHLO"]


def test_sessions_are_resumed(make_postern, secure_backend, pki):
    backend = secure_backend()
    postern = make_postern(backend, settings=verified(pki)).start()
    for _ in range(3):
        with postern.secured() as client:
            client.mail(MESSAGE)
            client.quit()
    resumed = [session.resumed for session in served(backend)]
    assert resumed == [False, True, True]
    # A resumed session is as verified as the one that it goes on from.
    lines = [line for line in postern.messages()
             if " TLS connection established to " in line]
    assert len(lines) == 3
    assert all(line.startswith("Verified ") for line in lines)
    assert postern.counter("backend_handshakes_resumed") == 2


def test_a_backend_that_becomes_another(
        make_postern, secure_backend, make_backend, pki):
    """No mail for it: the next one gets it, and without one it must wait."""
    first, second = secure_backend(), secure_backend()
    postern = make_postern(first, second, settings=verified(
        pki, proxy_backend_probe_interval="1h")).start()
    first.context = server_context(pki.own)
    for _ in range(2):
        with postern.secured() as client:
            client.mail(MESSAGE)
            client.quit()
    assert first.messages() == [] and len(second.messages()) == 2
    second.context = server_context(pki.own)
    with postern.connect() as client:
        client.greeting()
        client.expect("EHLO client.example.test", 250)
        reply = client.command("MAIL FROM:<sender@example.test>")
        assert 400 <= reply.code < 500, reply
        client.expect("QUIT", 221)
    postern.wait_for_log(
        rf"^warning: backend inet:localhost\[127.0.0.1\]:{second.port}: "
        r"4\.7\.5 Server certificate not verified$")
    assert not any("MAIL" in session.verbs for session in first.sessions)


def test_a_handshake_has_a_time_limit(make_postern, secure_backend, pki):
    first, second = secure_backend(), secure_backend()
    postern = make_postern(first, second, settings=verified(
        pki, smtp_starttls_timeout="1s",
        proxy_backend_probe_interval="1h")).start()

    def stall(session, _):
        session.send(b"220 2.0.0 Ready to start TLS\r\n")
        return "hang"

    first.on["STARTTLS"] = stall
    for _ in range(2):
        with postern.secured() as client:
            client.mail(MESSAGE)
            client.quit()
    assert len(second.messages()) == 2
    postern.wait_for_log("^SSL_connect error to "
                         rf"localhost\[127.0.0.1\]:{first.port}: "
                         "Connection timed out$")


def test_requiretls_is_offered_where_it_can_be_kept(
        make_postern, secure_backend, pki):
    """In TLS with both, and with a backend that had to show who it is (RFC
    8689, 4)."""
    backend = secure_backend()
    backend.keywords.append("REQUIRETLS")
    postern = make_postern(backend, settings=verified(pki), listeners=[
        Listener(), Listener(smtp_tls_security_level="encrypt"),
        Listener(smtpd_discard_ehlo_keywords="requiretls")]).start()
    offered = []
    for listener in range(3):
        with postern.connect(listener) as client:
            client.greeting()
            clear = client.expect("EHLO client.example.test", 250).keywords
            assert "REQUIRETLS" not in clear
            client.starttls()
            keywords = client.expect("EHLO client.example.test", 250).keywords
            offered.append("REQUIRETLS" in keywords)
            client.expect("MAIL FROM:<sender@example.test> REQUIRETLS", 250)
            client.expect("QUIT", 221)
    assert offered == [True, False, False]
    backend.keywords.remove("REQUIRETLS")
    with postern.secured() as client:
        assert "REQUIRETLS" not in client.expect(
            "EHLO client.example.test", 250).keywords
        client.expect("QUIT", 221)


class Garbling(TlsBackend):
    """Its ServerHello is empty; it keeps what is said to that."""

    heard = b""

    def start_tls(self, session, _):
        session.send(b"220 2.0.0 Ready to start TLS\r\n")
        session.more()
        session.send(b"\x16\x03\x03\x00\x04\x02\x00\x00\x00")
        self.heard = session.more()
        raise Ended


@pytest.mark.parametrize("level", ["may", "encrypt"])
def test_the_backend_hears_why_a_handshake_failed(make_postern, pki, level):
    """Its operator has a log, too: a fatal decode_error (RFC 8446, 6)."""
    backend = Garbling(server_context(pki.good))
    try:
        make_postern(backend, settings={
            "smtp_tls_security_level": level,
            "inet_protocols": "ipv4"}).start(ready=False)
        eventually(lambda: backend.heard)
        assert backend.heard[:1] == b"\x15"
        assert backend.heard[3:] == b"\x00\x02\x02\x32"
    finally:
        backend.stop()


def test_much_both_ways(make_postern, secure_backend, pki):
    backend = secure_backend()
    postern = make_postern(backend, settings=verified(pki)).start()
    body = b"".join(b"%07d %s\r\n" % (i, b"x" * (i % 900))
                    for i in range(8000))
    with postern.secured() as client:
        client.mail(body)
        client.send(b"NOOP\r\n" * 2000)
        assert all(client.reply().code == 250 for _ in range(2000))
        client.quit()
    assert backend.messages() == [body]


@pytest.fixture(scope="module")
def postfix(pki):
    """One port for STARTTLS, one for TLS from the first byte."""
    class Good:
        chain = pki.good

    with tempfile.TemporaryDirectory(prefix="postern-") as path:
        made = Postfix(pathlib.Path(path), Good, {
            "smtpd_authorized_xclient_hosts": "127.0.0.1"})
        made.wrapped_port = free_port()
        made.services.append(f"127.0.0.1:{made.wrapped_port} inet n - n - - "
                             "smtpd -o smtpd_tls_wrappermode=yes")
        made.write_master()
        yield made.start()
        made.stop()


@pytest.mark.parametrize("wrapped", ["no", "yes"])
def test_a_real_postfix(make_postern, postfix, pki, wrapped):
    port = postfix.wrapped_port if wrapped == "yes" else postfix.port
    known = set(postfix.box())
    postern = make_postern(f"inet:localhost:{port}", settings=verified(
        pki, proxy_backend_handover="xclient",
        smtp_tls_wrappermode=wrapped)).start()
    with postern.secured(source="127.0.0.77") as client:
        client.mail(MESSAGE)
        client.quit()
    message = eventually(lambda: set(postfix.box()) - known, 30).pop()
    assert b"[127.0.0.77]" in message.read_bytes()
    postern.wait_for_log("^Verified TLS connection established to "
                         rf"localhost\[127.0.0.1\]:{port}: TLSv1.3 with ")
    assert "Anonymous TLS connection established from" in postfix.log()
