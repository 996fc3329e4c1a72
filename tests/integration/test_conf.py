# SPDX-License-Identifier: Apache-2.0
"""The configuration language, `check` and `conf`, compared with postconf."""
import subprocess

import pytest

from client import Client
from peers import library_path, postfix_tree
from postern import Listener
from ports import free_port


def postconf(directory, *words):
    """What a real postconf says of the same files."""
    tree = postfix_tree()
    (directory / "dynamicmaps.cf").write_text("")
    return subprocess.run(
        [tree / "usr/sbin/postconf", "-c", directory, *words],
        env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": library_path(tree)},
        capture_output=True, text=True)


LANGUAGE = r"""# a comment
   # an indented one

myhostname = mx.example.test
a = one
b = two words
 continued
# in the middle
	and again
empty =
dollar = $$x
plain = $a
braced = ${a}
parens = $(a)
missing = <$nosuch>
if_set = ${a?yes}<${empty?yes}>
if_empty = ${a:no}<${empty:no}>
both = ${a?{set}:{unset}} ${empty?{set}:{unset}}
nested = ${a?{x ${empty:{y}}}}
equal = ${{$a} == {one}?{same}:{other}}
unequal = ${{$a} != {one}?{other}:{same}}
less = ${{9} < {10}?{number}:{text}}
level = ${{3.10} >level {3.9}?{newer}:{older}}
stress = ${stress?{10}:{300}}s
longest = $ab<$a.b>
chain = $plain $braced
equals = a=b=c
a = overridden
mydomain = example.test
smtpd_banner = $myhostname says ${a}
"""

NAMES = [line.split(" =")[0] for line in LANGUAGE.splitlines()
         if " =" in line and line[0] not in " \t#"]


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"myhostname",
                                                      "mydomain"}))
def test_values_expand_as_in_postfix(make_postern, name):
    postern = make_postern()
    postern.write()
    text = LANGUAGE.replace(
        "smtpd_banner = $myhostname says ${a}\n", "")
    if name != "smtpd_banner":
        text += f"smtpd_banner = ${name}\n"
    else:
        text += "smtpd_banner = $myhostname says ${a}\n"
    (postern.directory / "main.cf").write_text(text)
    theirs = postconf(postern.directory, "-x", "smtpd_banner")
    ours = postern.conf("-x", "smtpd_banner")
    assert ours.stdout == theirs.stdout
    assert ours.returncode == 0


SERVICES = """\
# services
smtp      inet  n       -       n       -       -       smtpd
submission inet n - n - - smtpd
  -o syslog_name=postfix/submission
# a comment between
  -o smtpd_tls_security_level=encrypt
  -o { smtpd_banner = two words }
10.0.0.1:2525 inet n - - - 50 smtpd -v -o smtpd_tls_wrappermode=yes
[::1]:465 inet n - n - - smtpd
foo unix - n n 10? 1 pipe flags=F user=nobody argv=/bin/x $sender {a b}
"""


@pytest.fixture
def described(make_postern):
    postern = make_postern()
    postern.write(LANGUAGE + "proxy_backend = builtin:sink\n")
    (postern.directory / "master.cf").write_text(SERVICES)
    return postern


@pytest.mark.parametrize("words", [
    ["-M"], ["-P"], ["-n", "smtpd_banner"], ["smtpd_banner", "myhostname"],
    ["-x", "smtpd_banner"], ["-n", "myhostname"]], ids=" ".join)
def test_conf_prints_what_postconf_prints(described, words):
    assert described.conf(*words).stdout == \
        postconf(described.directory, *words).stdout


def test_conf_n_is_what_was_set(make_postern):
    postern = make_postern()
    postern.write("proxy_backend = builtin:sink\nsmtpd_timeout = 17s\n"
                  "myhostname = mx.example.test\n")
    lines = [line for line in postern.conf("-n").stdout.splitlines()
             if not line.startswith("config_directory")]
    assert lines == ["myhostname = mx.example.test",
                     "proxy_backend = builtin:sink", "smtpd_timeout = 17s"]


def test_conf_d_is_the_defaults(make_postern):
    postern = make_postern()
    postern.write()
    lines = postern.conf("-d").stdout.splitlines()
    assert "smtpd_timeout = ${stress?{10}:{300}}s" in lines
    assert "proxy_worker_processes = 0" in lines
    assert lines == sorted(lines)
    assert len(lines) > 50


def test_conf_all(make_postern):
    postern = make_postern(settings={"smtpd_timeout": "17s"})
    postern.write()
    lines = postern.conf().stdout.splitlines()
    assert "smtpd_timeout = 17s" in lines
    assert "proxy_handshake_turn_time = 1ms" in lines


def test_conf_of_an_unknown_name(make_postern):
    postern = make_postern()
    postern.write()
    result = postern.conf("no_such_parameter")
    assert "no_such_parameter" in result.stderr
    assert "unknown parameter" in result.stderr


def test_conf_shows_a_broken_configuration(make_postern):
    postern = make_postern(settings={"smtpd_timeout": "soon"})
    postern.write()
    result = postern.conf("smtpd_timeout")
    assert result.stdout == "smtpd_timeout = soon\n"
    assert result.returncode == 0


def test_check_of_a_good_configuration(make_postern):
    postern = make_postern()
    postern.write()
    result = postern.verb("check")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


BAD = {
    "time": ("smtpd_timeout", "5y", "300s"),
    "word for a time": ("smtpd_starttls_timeout", "soon", "300s"),
    "number": ("proxy_worker_processes", "many", "1024"),
    "number too large": ("proxy_worker_processes", "2000", "1024"),
    "number too small": ("line_length_limit", "5", "512"),
    "yes or no": ("smtpd_tls_auth_only", "perhaps", "yes"),
    "level": ("smtpd_tls_security_level", "dane", "encrypt"),
    "junk level": ("smtpd_tls_security_level", "junk", "encrypt"),
    "protocols": ("smtpd_tls_protocols", ">=TLSv1.9", "TLSv1.2"),
    "backend": ("proxy_backend", "127.0.0.1:25", "inet:"),
    "backend without port": ("proxy_backend", "inet:127.0.0.1", "inet:"),
    "no backend": ("proxy_backend", "", "proxy_backend"),
    "builtin": ("proxy_backend", "builtin:kitchen", "builtin:sink"),
    "word": ("proxy_ring_features", "some", "baseline"),
    "facility": ("syslog_facility", "post", "mail"),
    "no file": ("smtpd_tls_chain_files", "/nonexistent/x.pem",
                "No such file"),
    "user": ("mail_owner", "nosuchuser", "nosuchuser"),
    "expansion": ("smtpd_banner", "${myhostname", "smtpd_banner"),
    "permissions": ("maillog_file_permissions", "0999", "0600"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_value(make_postern, name):
    """An error names file, line, value and what is allowed."""
    parameter, value, allowed = BAD[name]
    postern = make_postern()
    postern.expect_clean = False
    postern.settings.pop(parameter, None)
    lines = [f"{key} = {text}" for key, text in postern.settings.items()]
    lines.insert(2, f"{parameter} = {value}")
    postern.write("\n".join(lines) + "\n")
    result = postern.verb("check")
    assert result.returncode != 0
    told = [line for line in result.stderr.splitlines() if parameter in line]
    assert len(told) == 1, result.stderr
    assert "main.cf:3" in told[0]
    assert value in told[0]
    assert allowed in told[0]
    # Nothing starts on an error.
    postern.spawn()
    assert postern.process.wait(20) != 0
    assert parameter in postern.text()


BAD_SERVICES = {
    "few fields": "25 inet n - smtpd",
    "type": "25 foo n - n - - smtpd",
    "chroot": "25 inet n - x - - smtpd",
    "maxproc": "25 inet n - n - -1 smtpd",
    "override": "25 inet n - n - - smtpd -o { smtpd_banner = x",
    "value": "25 inet n - n - - smtpd -o smtpd_timeout=soon",
    "port": "127.0.0.1:99999 inet n - n - - smtpd",
}


@pytest.mark.parametrize("name", BAD_SERVICES)
def test_a_bad_service(make_postern, name):
    postern = make_postern()
    postern.write()
    (postern.directory / "master.cf").write_text(
        "# first\n\n" + BAD_SERVICES[name] + "\n")
    result = postern.verb("check")
    assert result.returncode != 0
    assert "master.cf:3" in result.stderr


def test_every_fault_is_told_at_once(make_postern):
    postern = make_postern(settings={
        "smtpd_timeout": "soon", "proxy_worker_processes": "many"})
    postern.write()
    result = postern.verb("check")
    assert "smtpd_timeout" in result.stderr
    assert "proxy_worker_processes" in result.stderr


def test_no_listener(make_postern):
    postern = make_postern()
    postern.write()
    (postern.directory / "master.cf").write_text("# nothing\n")
    result = postern.verb("check")
    assert result.returncode != 0
    assert "master.cf" in result.stderr


def test_no_certificate(make_postern):
    postern = make_postern(settings={"smtpd_tls_chain_files": ""})
    postern.write()
    result = postern.verb("check")
    assert result.returncode != 0
    assert "smtpd_tls_chain_files" in result.stderr


def test_an_unknown_name_is_a_warning(make_postern):
    postern = make_postern(settings={"smtpd_tls_securty_level": "may"})
    postern.start()
    result = postern.verb("check")
    assert result.returncode == 0
    assert "smtpd_tls_securty_level" in result.stderr
    assert "smtpd_tls_security_level" in result.stderr.replace(
        "smtpd_tls_securty_level", "")


def test_a_parameter_without_meaning_is_a_warning(make_postern):
    postern = make_postern(settings={"mydestination": "localhost"})
    postern.write()
    result = postern.verb("check")
    assert result.returncode == 0
    assert len([line for line in result.stderr.splitlines()
                if "mydestination" in line]) == 1


def test_lines_of_a_postfix_can_be_copied(make_postern):
    """Debian's own submission and smtps entries, comments removed."""
    port, other = free_port(), free_port()
    postern = make_postern()
    postern.write()
    (postern.directory / "master.cf").write_text(f"""\
127.0.0.1:{port} inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_auth_only=yes
  -o smtpd_reject_unlisted_recipient=no
  -o smtpd_client_restrictions=$mua_client_restrictions
  -o smtpd_recipient_restrictions=
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o milter_macro_daemon_name=ORIGINATING
127.0.0.1:{other} inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/smtps
  -o smtpd_tls_wrappermode=yes
pickup    unix  n       -       y       60      1       pickup
cleanup   unix  n       -       y       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
""")
    postern.listeners = [Listener(port=port, smtpd_tls_security_level="x"),
                         Listener(port=other, smtpd_tls_wrappermode="yes")]
    postern.spawn().wait_until_ready()
    with Client(port) as client:
        client.greeting()
        client.expect("EHLO c.example.test", 250)
        client.expect("MAIL FROM:<a@example.test>", 530)
    with postern.secured(1) as client:
        client.mail()
        client.quit()


@pytest.mark.parametrize("words, wanted", [
    (["--version"], ["postern 0.1.0", "OpenSSL 3.", "liburing 2."]),
    (["--help"], ["start-fg", "start", "stop", "reload", "status", "check",
                  "conf", "-c"])])
def test_help_and_version(make_postern, words, wanted):
    result = make_postern().run(*words)
    assert result.returncode == 0
    for text in wanted:
        assert text in result.stdout


@pytest.mark.parametrize("words", [["nonsense"], [], ["-x", "check"]])
def test_wrong_words(make_postern, words):
    result = make_postern().run(*words)
    assert result.returncode != 0
    assert "--help" in result.stderr or "usage" in result.stderr.lower()
