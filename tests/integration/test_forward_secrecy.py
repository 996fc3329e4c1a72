# SPDX-License-Identifier: Apache-2.0
"""Forward secrecy as FORWARD_SECRECY_README describes it (reference 1.6 to 1.8),
against `openssl s_client` that forces a suite, a group, a size, a version."""
import os
import re
import ssl
import subprocess
from typing import NamedTuple

import pytest

import certificates
from client import eventually, tls_context
from ports import free_port
from postern import Listener

OPENSSL = "/usr/bin/openssl"
TLS12 = "-tls1_2"
AES128 = "ECDHE-RSA-AES128-GCM-SHA256"
DHE = "DHE-RSA-AES256-GCM-SHA384"
# OpenSSL 3.0 as Debian sets it up talks older protocols at level 0 alone.
LOW = ":@SECLEVEL=0"


class Handshake(NamedTuple):
    protocol: str  # "TLSv1.2"; "" when there was none
    cipher: str
    key: str  # "DH, 2048 bits", "X25519, 253 bits"
    text: str

    @property
    def failed(self):
        return self.cipher == "(NONE)"

    @property
    def reused(self):
        return "\nReused, " in self.text


def shake(port, *options, wrapped=False, host="127.0.0.1"):
    start = [] if wrapped else ["-starttls", "smtp"]
    result = subprocess.run(
        [OPENSSL, "s_client", "-connect", f"{host}:{port}", *start,
         "-ign_eof", *options], input="QUIT\r\n", capture_output=True,
        text=True, timeout=30)
    text = result.stdout + result.stderr
    found = re.search(r"(?:New|Reused), (\S+), Cipher is (\S+)", text)
    key = re.search(r"Server Temp Key: (.*)", text)
    return Handshake(found[1] if found else "", found[2] if found else "(NONE)",
                     key[1] if key else "", text)


@pytest.fixture
def listen(make_postern):
    """A Postern with one listener for each dict of overrides."""
    def start(*overrides, settings=None, backends=()):
        return make_postern(*backends, settings=settings, listeners=[
            Listener(**each) for each in overrides]).start()
    return start


# Protocol lists (1.6).

ALL_VERSIONS = {"1", "1_1", "1_2", "1_3"}
PROTOCOLS = {
    "": ALL_VERSIONS, ">=None": ALL_VERSIONS, ">=SSLv3": ALL_VERSIONS,
    "!SSLv2": ALL_VERSIONS, ">=TLSv1": ALL_VERSIONS,
    ">=TLSv1.2": {"1_2", "1_3"}, ">=0x0303": {"1_2", "1_3"},
    ">=0304": {"1_3"}, "<=TLSv1.2": {"1", "1_1", "1_2"}, "<=0301": {"1"},
    ">=TLSv1, <=TLSv1.1": {"1", "1_1"}, ">=TLSv1.1\t<=tlsv1.2": {"1_1", "1_2"},
    "TLSv1.2": {"1_2"}, "TLSv1.1,TLSv1.2": {"1_1", "1_2"},
    "SSLv2 TLSv1.3": {"1_3"}, "!SSLv2, !SSLv3, !TLSv1": {"1_1", "1_2", "1_3"},
    "!0302 !TLSv1": {"1_2", "1_3"}, ">=tlsv1.2:!TLSv1.3": {"1_2"},
}


@pytest.mark.parametrize("level", ["may", "encrypt"])
def test_protocols(listen, level):
    """A listener for each row."""
    name = "smtpd_tls_protocols" if level == "may" \
        else "smtpd_tls_mandatory_protocols"
    postern = listen(*({"smtpd_tls_security_level": level, name: each}
                       for each in PROTOCOLS))
    for listener, (listed, spoken) in zip(
            postern.listeners, PROTOCOLS.items()):
        seen = {version for version in ALL_VERSIONS
                if not shake(listener.port, f"-tls{version}", "-cipher",
                             "ALL" + LOW).failed}
        assert seen == spoken, listed


@pytest.mark.parametrize("overrides, finding", [
    ({"smtpd_tls_protocols": "TLSv1.9"}, '"TLSv1.9" is no protocol version'),
    ({"smtpd_tls_protocols": ">= TLSv1.2"}, '">=" is no protocol version'),
    ({"smtpd_tls_protocols": "!TLSv1.2, >=TLSv1.2, <=TLSv1.2"},
     "leaves no protocol version"),
    ({"smtpd_tls_ciphers": "superhigh"}, "must be high, medium, low, export"),
    ({"smtpd_tls_exclude_ciphers": "aNULL, !MD5"}, '"!MD5" begins with "!"'),
    ({"smtpd_tls_exclude_ciphers": "ALL"}, "no cipher match"),
    ({"smtpd_tls_eecdh_grade": "strong", "tls_eecdh_strong_curve": ""},
     'tls_eecdh_strong_curve: none of "" is a key-exchange group'),
    ({"smtpd_tls_eecdh_grade": "best"}, "must be none, strong, ultra or auto"),
    ({"smtpd_tls_eecdh_grade": "none", "smtpd_tls_protocols": "TLSv1.3"},
     "TLSv1.3 needs a key-exchange group"),
    ({"smtpd_tls_loglevel": "loud"}, "must be a level from 0 to 9"),
])
def test_what_no_handshake_could_come_of_is_an_error(
        make_postern, overrides, finding):
    """Postfix runs on, and tells each client; Postern does not begin."""
    postern = make_postern(listeners=[Listener(**overrides)])
    postern.write()
    checked = postern.verb("check")
    assert checked.returncode == 1 and finding in checked.stderr


# Grades, exclusions, order (1.7).

@pytest.mark.parametrize("word, offered, cipher", [
    ("prefer", f"{AES128}:AES256-SHA", AES128),
    ("no", f"{AES128}:AES256-SHA", "AES256-SHA"),
    ("require", f"{AES128}:AES256-SHA", AES128),
    ("prefer", f"{DHE}:{AES128}", AES128),
    ("no", f"{DHE}:{AES128}", DHE),
    ("require", f"{DHE}:{AES128}", AES128),
    ("prefer", "AES256-SHA", "AES256-SHA"),
    ("require", "AES256-SHA", "(NONE)"),
])
def test_secrecy_before_strength(listen, word, offered, cipher):
    postern = listen({"proxy_tls_forward_secrecy": word})
    seen = shake(postern.port, TLS12, "-cipher", offered)
    assert seen.cipher == cipher, seen.text
    if cipher == "(NONE)":
        assert "alert number 40" in seen.text
    else:
        postern.wait_for_log(f"TLSv1.2 with cipher {cipher} ")


def test_the_client_decides_without_preemption(listen):
    postern = listen({"tls_preempt_cipherlist": "no"})
    assert shake(postern.port, TLS12, "-cipher",
                 f"AES256-SHA:{AES128}").cipher == "AES256-SHA"


@pytest.mark.parametrize("overrides, offered, cipher", [
    ({"smtpd_tls_exclude_ciphers": "AES256, kRSA"}, f"{DHE}:AES128-SHA",
     "(NONE)"),
    ({"smtpd_tls_exclude_ciphers": "AES256"}, f"{DHE}:AES128-SHA",
     "AES128-SHA"),
    ({}, "aNULL" + LOW, "AECDH-AES256-SHA"),
    ({"smtpd_tls_exclude_ciphers": "aNULL"}, "aNULL" + LOW, "(NONE)"),
    ({"smtpd_tls_ask_ccert": "yes"}, "aNULL" + LOW, "(NONE)"),
    ({"smtpd_tls_security_level": "encrypt"}, "aNULL" + LOW, "(NONE)"),
    ({"smtpd_tls_security_level": "encrypt",
      "smtpd_tls_mandatory_exclude_ciphers": ""}, "aNULL" + LOW,
     "AECDH-AES256-SHA"),
    ({"smtpd_tls_mandatory_exclude_ciphers": "AES"}, AES128, AES128),
    ({"smtpd_tls_security_level": "encrypt",
      "smtpd_tls_mandatory_exclude_ciphers":
      "aNULL, kRSA, SHA1, SHA256, SHA384"},
     f"ALL:!AESGCM:!CHACHA20:!AESCCM:!ARIAGCM{LOW}", "(NONE)"),
    ({"smtpd_tls_security_level": "encrypt",
      "smtpd_tls_mandatory_exclude_ciphers":
      "aNULL, kRSA, SHA1, SHA256, SHA384"}, f"kRSA:{AES128}", AES128),
    ({"smtpd_tls_ciphers": "high", "tls_high_cipherlist": "AES128"},
     "AES256-SHA:AES128-SHA", "AES128-SHA"),
    ({"smtpd_tls_ciphers": "high", "tls_medium_cipherlist": "AES128"},
     "AES256-SHA:AES128-SHA", "AES256-SHA"),
    ({"smtpd_tls_security_level": "encrypt",
      "smtpd_tls_mandatory_ciphers": "HIGH", "tls_high_cipherlist": "AES128",
      "smtpd_tls_ciphers": "null"}, "AES256-SHA:AES128-SHA", "AES128-SHA"),
    ({"smtpd_tls_ciphers": "low", "tls_low_cipherlist": "AES128"},
     "AES256-SHA:AES128-SHA", "AES256-SHA"),
    ({"smtpd_tls_ciphers": "Export", "tls_medium_cipherlist": "AES128"},
     "AES256-SHA:AES128-SHA", "AES128-SHA"),
    ({"smtpd_tls_ciphers": "null"}, AES128, "(NONE)"),
    ({"smtpd_tls_ciphers": "null"}, "NULL-SHA256" + LOW, "NULL-SHA256"),
])
def test_grades_and_exclusions(listen, overrides, offered, cipher):
    postern = listen(overrides)
    assert shake(postern.port, TLS12, "-cipher", offered).cipher == cipher


def test_suites_of_tls_1_3(listen):
    postern = listen({"proxy_tls_ciphersuites": "TLS_AES_128_GCM_SHA256"})
    assert shake(postern.port, "-tls1_3").cipher == "TLS_AES_128_GCM_SHA256"


@pytest.mark.parametrize("order, cipher", [
    ("no", "ADH-AES256-GCM-SHA384"), ("prefer", "AECDH-AES256-SHA")])
def test_without_certificates_all_is_anonymous(listen, order, cipher):
    """Also for who could speak TLS 1.3."""
    postern = listen({"smtpd_tls_chain_files": "", "smtpd_tls_cert_file": "None",
                      "proxy_tls_forward_secrecy": order})
    assert shake(postern.port, "-cipher", "ALL:aNULL" + LOW).cipher == cipher
    assert shake(postern.port, "-cipher", "ALL:!aNULL" + LOW).failed


# Groups (1.8).

@pytest.mark.parametrize("overrides, version, key", [
    ({}, TLS12, "X25519, 253 bits"),
    ({"smtpd_tls_eecdh_grade": "strong"}, TLS12, "ECDH, prime256v1, 256 bits"),
    ({"smtpd_tls_eecdh_grade": "ultra"}, TLS12, "ECDH, secp384r1, 384 bits"),
    ({"tls_eecdh_auto_curves": "X448 X25519"}, TLS12, "X448, 448 bits"),
    ({"smtpd_tls_eecdh_grade": "strong",
      "tls_eecdh_strong_curve": "secp521r1"}, TLS12,
     "ECDH, secp521r1, 521 bits"),
    ({"smtpd_tls_eecdh_grade": "ultra"}, "-tls1_3", "X448, 448 bits"),
    ({"smtpd_tls_eecdh_grade": "none"}, TLS12, "DH, 2048 bits"),
])
def test_curves(listen, overrides, version, key):
    postern = listen(overrides)
    groups = "X448" if key.startswith("X448") else \
        "X25519:P-256:P-384:P-521:X448"
    assert shake(postern.port, version, "-groups", groups).key == key


@pytest.mark.parametrize("name, listed, key, finding", [
    ("tls_eecdh_auto_curves", "nonsense X448, X25519", "X448, 448 bits",
     '"nonsense"'),
    ("tls_eecdh_auto_curves", "P-384 secp384r1 X25519",
     "ECDH, secp384r1, 384 bits", None),
    ("tls_eecdh_auto_curves", "prime256v1 P-256 secp256r1",
     "ECDH, prime256v1, 256 bits", None),
    ("tls_eecdh_auto_curves", "X25519MLKEM768 X25519", "X25519, 253 bits",
     None),
])
def test_lists_of_groups(listen, name, listed, key, finding):
    grade = re.search("auto|strong", name)[0]
    postern = listen({"smtpd_tls_eecdh_grade": grade, name: listed})
    group = {"X448, 448 bits": "X448", "ECDH, secp384r1, 384 bits": "P-384",
             "ECDH, prime256v1, 256 bits": "P-256"}.get(key, "X25519")
    assert shake(postern.port, TLS12, "-groups", group).key == key
    told = postern.verb("check").stderr
    assert (finding in told) if finding else f"{name}: \"" not in told


def test_groups_in_common_are_none(listen):
    postern = listen({"tls_eecdh_auto_curves": "X25519"})
    assert "alert number 40" in shake(
        postern.port, "-tls1_3", "-groups", "ffdhe2048:P-256").text
    postern.wait_for_log("no suitable key share")


def test_grade_none_turns_tls_1_3_off(listen):
    postern = listen({"smtpd_tls_eecdh_grade": "none"})
    assert shake(postern.port, "-tls1_3").failed
    assert shake(postern.port).protocol == "TLSv1.2"


@pytest.mark.parametrize("group", ["ffdhe2048", "ffdhe3072", "ffdhe4096"])
def test_ffdhe_in_tls_1_3_only_if_listed(listen, group):
    postern = listen({}, {"tls_ffdhe_auto_groups": "ffdhe2048 ffdhe3072"})
    for index, is_listed in ((0, False), (1, group != "ffdhe4096")):
        seen = shake(postern.listeners[index].port, "-tls1_3", "-groups",
                     group)
        assert seen.failed != is_listed, seen.text


# Primes (1.8).

@pytest.fixture(scope="module")
def primes(tmp_path_factory, certificate):
    directory = tmp_path_factory.mktemp("primes")
    for bits in (512, 768, 1024):
        certificates.prime(directory / f"{bits}.pem", bits)
    for name, kind, group in (
            ("2048", "DH", "ffdhe2048"), ("3072", "DH", "ffdhe3072"),
            ("4096", "DH", "ffdhe4096"), ("modp_2048", "DH", "modp_2048"),
            ("x942", "DHX", "ffdhe3072")):
        subprocess.run([OPENSSL, "genpkey", "-genparam", "-algorithm", kind,
                        "-pkeyopt", f"group:{group}", "-out",
                        directory / f"{name}.pem"],
                       check=True, capture_output=True)
    subprocess.run([OPENSSL, "dhparam", "-dsaparam", "-out",
                    directory / "dsaparam.pem", "1024"], check=True,
                   capture_output=True)
    (directory / "empty.pem").write_text("")
    (directory / "certificate.pem").write_bytes(
        certificate.certificate.read_bytes())
    return directory


# What the file holds, the group in TLS 1.2, and what check says of it. Postfix
# cannot read X9.42 at all; here a safe prime in it is as good as another.
PRIMES = {
    "": ("DH, 2048 bits", None), "auto": ("DH, 2048 bits", None),
    "1024.pem": ("DH, 1024 bits", "1024.pem"),
    "2048.pem": ("DH, 2048 bits", None), "3072.pem": ("DH, 3072 bits", None),
    "4096.pem": ("DH, 4096 bits", None),
    "modp_2048.pem": ("DH, 2048 bits", None),
    "512.pem": ("", "512.pem"), "768.pem": ("", "768.pem"),
    "dsaparam.pem": ("DH, 2048 bits", "dsaparam.pem"),
    "x942.pem": ("DH, 3072 bits", None),
    "absent.pem": ("DH, 2048 bits", "absent.pem"),
    "empty.pem": ("DH, 2048 bits", "empty.pem"),
    "certificate.pem": ("DH, 2048 bits", "certificate.pem"),
}


def test_primes(listen, primes):
    """A listener for each; EECDH has nothing to do with it."""
    postern = listen(*(
        {"smtpd_tls_dh1024_param_file":
         str(primes / value) if value.endswith(".pem") else value}
        for value in PRIMES))
    warnings = postern.verb("check").stderr
    for listener, (value, (key, finding)) in zip(
            postern.listeners, PRIMES.items()):
        seen = shake(listener.port, TLS12, "-cipher", "kDHE" + LOW)
        assert seen.key == key, value + seen.text
        assert shake(listener.port, TLS12, "-cipher",
                     "kECDHE").key.startswith("X")
        if finding is None:
            assert value == "" or f"/{value}" not in warnings
        else:
            assert f"/{finding}" in warnings


def test_auto_follows_the_certificate(listen, keys, other_certificate):
    large = certificates.Certificate(keys, "large.example.test", ("rsa:3072",))
    postern = listen({"smtpd_tls_chain_files": large.chain},
                     {"smtpd_tls_chain_files": other_certificate.chain,
                      "smtpd_tls_exclude_ciphers": ""})
    assert shake(postern.port, TLS12, "-cipher",
                 "kDHE").key == "DH, 3072 bits"
    # No suite of TLS 1.2 has EDH and ECDSA.
    assert shake(postern.listeners[1].port, TLS12, "-cipher",
                 "ADH" + LOW).key == "DH, 2048 bits"


def test_dhparam_makes_a_prime_that_a_reload_takes(make_postern, scratch):
    path = scratch / "dh.pem"
    postern = make_postern(settings={"smtpd_tls_dh1024_param_file": path})
    made = postern.run("dhparam", "--bits", "1024", str(path))
    assert made.returncode == 1 and "--allow-weak" in made.stderr
    assert not path.exists()
    path.write_text("what was there before")
    before = path.stat().st_ino
    # How long it takes is luck.
    made = postern.run("dhparam", "--bits", "1024", "--allow-weak", str(path),
                       timeout=200)
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    assert path.stat().st_mode & 0o777 == 0o644
    assert path.stat().st_ino != before
    assert list(scratch.glob("*.tmp")) == []
    postern.start()
    assert shake(postern.port, TLS12, "-cipher",
                 "kDHE" + LOW).key == "DH, 1024 bits"


# Per listener.

def test_three_listeners_differ_and_a_reload_changes_one(listen, primes):
    postern = listen(
        {"smtpd_tls_eecdh_grade": "strong",
         "smtpd_tls_dh1024_param_file": primes / "1024.pem"},
        {"smtpd_tls_eecdh_grade": "ultra",
         "smtpd_tls_dh1024_param_file": primes / "3072.pem"},
        {"tls_eecdh_auto_curves": "X448", "smtpd_tls_dh1024_param_file": ""})

    def seen():
        return [(shake(listener.port, TLS12, "-cipher", "kECDHE", "-groups",
                       "P-256:P-384:X448").key,
                 shake(listener.port, TLS12, "-cipher", "kDHE" + LOW).key)
                for listener in postern.listeners]

    expected = [("ECDH, prime256v1, 256 bits", "DH, 1024 bits"),
                ("ECDH, secp384r1, 384 bits", "DH, 3072 bits"),
                ("X448, 448 bits", "DH, 2048 bits")]
    assert seen() == expected
    assert postern.conf("-P").stdout.count("smtpd_tls_dh1024_param_file") == 3
    # Of each listener a session in the middle of a message, and a ticket.
    living = [postern.secured(index) for index in range(3)]
    for client in living:
        client.envelope()
        client.expect("DATA", 354)
        client.send(b"Subject: before\r\n")
    assert len(postern.workers()) == 1
    postern.listeners[0].overrides["smtpd_tls_eecdh_grade"] = "ultra"
    postern.listeners[0].overrides["smtpd_tls_dh1024_param_file"] = ""
    postern.write()
    assert postern.reload().returncode == 0
    expected[0] = ("ECDH, secp384r1, 384 bits", "DH, 2048 bits")
    assert seen() == expected
    for client in living:
        client.send(b"\r\nafter\r\n.\r\n")
        assert client.reply().code == 250
        client.quit()


# What is in force.

def test_ciphers_prints_the_order(listen):
    postern = listen({"proxy_tls_forward_secrecy": "require"}, {})
    first, second = (listener.service for listener in postern.listeners)
    result = postern.verb("ciphers", first)
    assert result.returncode == 0, result.stderr
    suites = re.findall(
        r"^    (\S+) +Kx=\S+ +Au=\S+ +Enc=\S+ +\d+ bits +(\S+) +FS=(yes|no)$",
        result.stdout, re.M)
    assert suites[0] == ("TLS_AES_256_GCM_SHA384", "TLSv1.3", "yes")
    assert {secrecy for _, _, secrecy in suites} == {"yes"}
    names = [name for name, _, _ in suites]
    assert names.index(AES128) < names.index(DHE)
    assert "EDH in TLS 1.2: ffdhe2048, 2048 bits" in result.stdout
    assert "CN=mx.example.test" in result.stdout
    both = postern.verb("ciphers").stdout
    assert f"{first}: " in both and f"{second}: " in both
    assert "AES256-SHA " in both and "FS=no" in both
    assert postern.verb("ciphers", "none-such").returncode == 1


def test_check_says_what_may_not_be_meant(listen):
    postern = listen({"proxy_tls_forward_secrecy": "require",
                      "smtpd_tls_eecdh_grade": "strong"})
    told = postern.verb("check").stderr
    assert "a client without forward secrecy can still send in clear" in told
    assert "smtpd_tls_eecdh_grade: current Postfix ignores it" in told


# Tickets.

def test_tickets_outlive_workers_and_reloads(make_postern, scratch):
    postern = make_postern(settings={"proxy_worker_processes": "2"}).start()
    ticket = scratch / "ticket"
    assert shake(postern.port, TLS12, "-sess_out", ticket).cipher != "(NONE)"
    for _ in range(4):
        assert shake(postern.port, TLS12, "-sess_in", ticket).reused
    assert postern.reload().returncode == 0
    assert shake(postern.port, TLS12, "-sess_in", ticket).reused


@pytest.mark.parametrize("version", [TLS12, "-tls1_3"])
def test_no_ticket_is_none_on_the_wire(listen, version):
    postern = listen({"tls_ssl_options": "NO_TICKET"}, {})
    without, usual = (
        shake(listener.port, version, "-msg").text.count("NewSessionTicket")
        for listener in postern.listeners)
    assert (without, usual) == (0, 1)


def test_a_ticket_is_good_for_its_listener_alone(listen, scratch):
    postern = listen({}, {})
    ticket = scratch / "ticket"
    shake(postern.port, TLS12, "-sess_out", ticket)
    assert not shake(postern.listeners[1].port, TLS12, "-sess_in",
                     ticket).reused


class Shared(Listener):
    """Its name is its port alone, so that it can be the same on two machines:
    here, on two addresses."""

    @property
    def service(self):
        return str(self.port)


def test_machines_share_ticket_keys(make_postern, scratch):
    """The rotation that the manual describes: at each step, whoever was given a
    ticket can use it somewhere, and nobody is refused."""
    files = {}
    for number in (1, 2):
        files[number] = scratch / f"ticket{number}.key"
        files[number].write_bytes(os.urandom(80))
        files[number].chmod(0o600)
    port = free_port()
    machines = []
    for host in ("127.0.0.1", "127.0.0.2"):
        machines.append(make_postern(
            settings={"inet_interfaces": host, "inet_protocols": "ipv4",
                      "proxy_tls_ticket_key_files": files[1]},
            listeners=[Shared(host=host, port=port)]).start())

    def use(postern, *numbers):
        postern.settings["proxy_tls_ticket_key_files"] = " ".join(
            str(files[number]) for number in numbers)
        postern.write()
        assert postern.reload().returncode == 0

    def shake_at(index, version, *options):
        seen = shake(port, version, *options, host=f"127.0.0.{index + 1}")
        assert not seen.failed, seen.text
        return seen.reused

    def resume(index, age, new=None):
        """With tickets of that age; takes new ones, of another."""
        found = {shake_at(index, version, "-sess_in",
                          scratch / f"{age}{version}")
                 for version in (TLS12, "-tls1_3")}
        for version in (TLS12, "-tls1_3"):
            if new:
                shake_at(index, version, "-sess_out",
                         scratch / f"{new}{version}")
        assert len(found) == 1
        return found.pop()

    for version in (TLS12, "-tls1_3"):
        assert not shake_at(0, version, "-sess_out", scratch / f"a{version}")
    assert resume(0, "a") and resume(1, "a", new="b") and resume(0, "b")
    # The other does not know the new one yet: that costs a handshake.
    use(machines[0], 2, 1)
    assert resume(0, "a", new="c") and resume(0, "c") and not resume(1, "c")
    use(machines[1], 2, 1)
    assert resume(1, "a") and resume(1, "c", new="d") and resume(0, "d")
    # What was taken away goes on being honoured for a while.
    for postern in machines:
        use(postern, 2)
    assert resume(0, "a") and resume(1, "b") and resume(1, "c")
    # A machine that is new never had it.
    machines[1].stop()
    machines[1].start()
    assert not resume(1, "a") and resume(1, "d")


def test_shared_ticket_keys_are_secrets(make_postern, scratch):
    file = scratch / "ticket.key"
    file.write_bytes(os.urandom(80))
    file.chmod(0o644)
    postern = make_postern(settings={"proxy_tls_ticket_key_files": file})
    postern.write()
    checked = postern.verb("check")
    assert checked.returncode == 1 and "ticket.key" in checked.stderr


def test_secrets_are_written_only_when_asked(make_postern, scratch):
    """Neither the variable nor OpenSSL's configuration asks for it."""
    unasked, asked = scratch / "unasked.log", scratch / "asked.log"
    postern = make_postern()
    postern.environment["SSLKEYLOGFILE"] = str(unasked)
    postern.start()
    for version in (TLS12, "-tls1_3"):
        assert not shake(postern.port, version).failed
    assert "SECRETS" not in postern.text()
    postern.settings["proxy_tls_keylog_file"] = asked
    postern.write()
    assert "THE SECRETS OF EVERY SESSION ARE WRITTEN TO " \
        f'"{asked}"' in postern.verb("check").stderr
    postern.mark()
    assert postern.reload().returncode == 0
    postern.wait_for_log(
        "warning: .*proxy_tls_keylog_file: THE SECRETS OF EVERY SESSION")
    seen = shake(postern.port, TLS12)
    master = re.search(r"Master-Key: ([0-9A-F]+)", seen.text)[1]
    shake(postern.port, "-tls1_3", "-keylogfile", scratch / "client.log")
    written = eventually(lambda: "SERVER_TRAFFIC_SECRET_0" in asked.read_text()
                         and asked.read_text())
    assert re.search(rf"^CLIENT_RANDOM [0-9a-f]{{64}} {master.lower()}$",
                     written, re.M)
    for line in (scratch / "client.log").read_text().splitlines():
        assert line.startswith("#") or line in written
    assert asked.stat().st_mode & 0o777 == 0o600
    assert not unasked.exists()
    # And no more, once it is taken away.
    del postern.settings["proxy_tls_keylog_file"]
    postern.write()
    assert postern.reload().returncode == 0
    shake(postern.port, TLS12)
    assert asked.read_text() == written


# Client certificates.

REQUIRED = {"smtpd_tls_security_level": "encrypt",
            "smtpd_tls_req_ccert": "yes"}
ABORT = r"^NOQUEUE: abort: TLS from unknown\[127.0.0.1\]: "


def shown(certificate):
    return ["-cert", certificate.certificate, "-key", certificate.key]


def test_a_certificate_can_be_required(listen, certificate, other_certificate):
    postern = listen(
        REQUIRED, settings={"smtpd_tls_CAfile": certificate.certificate})
    refusal = "421 4.7.1 mx.example.test Error: "
    assert refusal + "No client certificate presented" in shake(
        postern.port).text
    postern.wait_for_log(ABORT + "No client certificate presented$")
    assert refusal + "Client certificate not trusted" in shake(
        postern.port, *shown(other_certificate)).text
    postern.wait_for_log("^certificate verification failed for "
                         r"unknown\[127.0.0.1\]: self-signed certificate$")
    postern.wait_for_log(ABORT + "Client certificate not trusted$")
    assert "221 2.0.0 Bye" in shake(postern.port, *shown(certificate)).text
    postern.wait_for_log("^Trusted TLS connection established from ")
    postern.wait_for_log("reason=CLIENT_CERTIFICATE", count=2)


def test_a_certificate_required_in_place_of_the_greeting(make_postern):
    postern = make_postern(listeners=[
        Listener(), Listener(smtpd_tls_wrappermode="yes",
                             smtpd_tls_req_ccert="yes")])
    postern.write()
    postern.spawn()
    eventually(lambda: "daemon started" in postern.text())
    eventually(lambda: "421 4.7.1 " in shake(
        postern.listeners[1].port, wrapped=True).text)


def test_level_2_tells_more(listen, certificate, scratch):
    postern = listen({"smtpd_tls_ask_ccert": "yes", "smtpd_tls_loglevel": "2"})
    ticket = scratch / "ticket"
    shake(postern.port, TLS12, "-sess_out", ticket, *shown(certificate))
    postern.wait_for_log(
        r"^setting up TLS connection from unknown\[127.0.0.1\]$")
    postern.wait_for_log(r"^unknown\[127.0.0.1\]: subject_CN=mx.example.test, "
                         "issuer=mx.example.test, fingerprint=[0-9A-F:]{95}, "
                         "pkey_fingerprint=[0-9A-F:]{95}$")
    postern.wait_for_log("^Untrusted TLS connection established from ")
    assert shake(postern.port, TLS12, "-sess_in", ticket,
                 *shown(certificate)).reused
    postern.wait_for_log(r"^unknown\[127.0.0.1\]: Reusing old session "
                         r"\(RFC 5077 session ticket\)$")


# Names.

@pytest.mark.parametrize("asked, served, noted", [
    ("a.Other.test", "other.example.test", " to a.Other.test: "),
    ("mx.example.test", "mx.example.test", None),
])
def test_certificates_by_name(listen, other_certificate, asked, served, noted):
    maps = f"inline:{{ .other.test={other_certificate.chain} }}"
    postern = listen({"tls_server_sni_maps": maps})
    seen = shake(postern.port, "-servername", asked)
    assert f"subject=CN = {served}" in seen.text
    if noted:
        assert noted in postern.wait_for_log("TLS connection established")
        listed = postern.verb("ciphers").stdout
        assert "certificate (tls_server_sni_maps): CN=other" in listed
    else:
        postern.wait_for_log(
            rf"^TLS SNI {asked} from unknown\[127.0.0.1\] not matched, using "
            "default chain$")


# The budget of EDH.

def test_edh_leaves_the_offer_of_who_can_do_without(listen):
    """With Postfix's order the client gets EDH, as long as it may."""
    postern = listen({"proxy_tls_forward_secrecy": "no",
                      "proxy_edh_client_cpu_time": "1ms"})
    seen = {shake(postern.port, TLS12, "-cipher", f"{DHE}:{AES128}").cipher
            for _ in range(4)}
    assert seen == {DHE, AES128}
    assert postern.counter("edh_avoided") > 0
    assert postern.counter("edh_refused") == 0
    assert postern.counter("edh_cpu_seconds") > 0.001


def test_who_was_refused_edh_is_not_driven_into_clear(listen):
    postern = listen({"proxy_edh_cpu_share": "0"})
    with postern.connect() as client:
        client.greeting()
        client.expect("EHLO client.example.test", 250)
        client.expect("MAIL FROM:<a@example.test>", 250)
        client.quit()
    assert "alert number 40" in shake(postern.port, TLS12, "-cipher",
                                      "kDHE").text
    postern.wait_for_log("EDH refused to unknown")
    assert postern.counter("edh_refused") == 1
    with postern.connect() as client:
        client.greeting()
        client.expect("EHLO client.example.test", 250)
        assert client.command("MAIL FROM:<a@example.test>").raw == (
            b"451 4.7.0 TLS temporarily unavailable, try again later\r\n")
        client.starttls()
        client.expect("EHLO client.example.test", 250)
        client.expect("MAIL FROM:<a@example.test>", 250)
        client.quit()


def test_who_can_only_do_edh_waits_for_its_turn(listen):
    """A share of one percent is soon used up, and comes back slowly."""
    postern = listen({"proxy_edh_cpu_share": "1",
                      "proxy_edh_client_cpu_time": "60000ms"})
    context = tls_context(maximum=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers("kDHE")
    for _ in range(400):
        with postern.connect() as client:
            client.greeting()
            client.starttls(context)
            client.quit()
        if postern.counter("edh_delayed") > 0:
            break
    assert postern.counter("edh_delayed") > 0
    assert postern.counter("edh_refused") == 0
