# SPDX-License-Identifier: Apache-2.0
"""A real Postfix 3.7 of our own, never the host's.

Debian's packages are only unpacked into the build folder. Nothing is installed:
no account is made, no service of the host is touched. Each instance has its own
configuration, queue and unprivileged port, and lives as long as its test.
"""
import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

from ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "peers"
# Postfix, and the libraries that a bare Debian 12 lacks.
PACKAGES = ["postfix", "libicu72", "libnsl2", "libsasl2-2", "libdb5.3",
            "libtirpc3"]
LIBRARIES = ["usr/lib/postfix", "usr/lib/x86_64-linux-gnu",
             "lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu"]


def _unpack(tree, packages):
    scratch = CACHE / f"download-{tree.name}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    download = ["apt-get", "-q", "download", *packages]
    if subprocess.run(download, cwd=scratch, capture_output=True).returncode:
        subprocess.run(["apt-get", "-q", "update"], check=True,
                       capture_output=True)
        subprocess.run(download, cwd=scratch, check=True, capture_output=True)
    partial = CACHE / f"partial-{tree.name}"
    shutil.rmtree(partial, ignore_errors=True)
    for package in sorted(scratch.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, partial], check=True)
    partial.rename(tree)
    shutil.rmtree(scratch)


def package_tree(name, packages):
    """The folder that holds packages, unpacked by whoever comes first."""
    tree = CACHE / name
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"lock-{name}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            _unpack(tree, packages)
    return tree


def postfix_tree():
    return package_tree("postfix", PACKAGES)


def prometheus_program(name):
    """`prometheus` or `promtool`: installed, the package starts a service."""
    return package_tree("prometheus", ["prometheus"]) / "usr" / "bin" / name


def library_path(tree):
    return ":".join(str(tree / part) for part in LIBRARIES
                    if (tree / part).is_dir())


def missing_libraries(tree):
    environment = {**os.environ, "LD_LIBRARY_PATH": library_path(tree)}
    output = subprocess.run(
        ["ldd", tree / "usr/lib/postfix/sbin/smtpd"], env=environment,
        capture_output=True, text=True, check=True).stdout
    return re.findall(r"(\S+) => not found", output)


MASTER_CF = """\
{services}
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
proxymap  unix  - - n - - proxymap
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
virtual   unix  - n n - 40 virtual
anvil     unix  - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
"""

MAIN_CF = """\
compatibility_level = 3.7
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = {tree}/usr/sbin
daemon_directory = {tree}/usr/lib/postfix/sbin
meta_directory = {root}/etc
shlib_directory = {tree}/usr/lib/postfix
# A loader path for our own copy must reach the daemons.
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C
 POSTLOG_SERVICE POSTLOG_HOSTNAME LD_LIBRARY_PATH
# Accounts that every Debian has; Postfix wants three that differ.
mail_owner = daemon
setgid_group = mail
default_privs = nobody
myhostname = mx.example.test
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {root}/maillog
maillog_file_prefixes = /
alias_maps =
alias_database =
local_recipient_maps =
local_transport = error:no local delivery
biff = no
# Nothing is added or rewritten but what a hop must add.
local_header_rewrite_clients =
always_add_missing_headers = no
disable_dns_lookups = yes
smtpd_peername_lookup = no
default_process_limit = 300
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 1000
# What arrives for box.test lies in a file of its own.
virtual_mailbox_domains = box.test
virtual_mailbox_base = {root}/box
virtual_mailbox_maps = static:new/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
mailbox_size_limit = 0
message_size_limit = 104857600
virtual_transport = virtual
virtual_destination_concurrency_limit = 40
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = reject_unauth_destination
"""


class Postfix:
    """A Postfix server on 127.0.0.1:port that files what it receives."""

    def __init__(self, directory, certificate=None, settings=None,
                 services=None):
        self.tree = postfix_tree()
        missing = missing_libraries(self.tree)
        assert not missing, f"libraries missing for Postfix: {missing}"
        self.root = directory
        self.port = free_port()
        self.certificate = certificate
        self.settings = settings or {}
        self.services = services or [
            f"127.0.0.1:{self.port} inet n - n - - smtpd"]
        self.master, self.inside = None, []
        self._lay_out()

    def _lay_out(self):
        self.root.chmod(0o755)
        etc, box = self.root / "etc", self.root / "box"
        for name in ("etc", "queue/pid", "box"):
            (self.root / name).mkdir(parents=True)
        os.chown(box, 65534, 65534)
        (self.root / "data").mkdir(mode=0o700)
        shutil.chown(self.root / "data", "daemon")
        for name in ("active", "bounce", "corrupt", "defer", "deferred",
                     "flush", "hold", "incoming", "private", "saved", "trace"):
            (self.root / "queue" / name).mkdir(mode=0o700)
            shutil.chown(self.root / "queue" / name, "daemon")
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            (self.root / "queue" / name).mkdir()
            shutil.chown(self.root / "queue" / name, "daemon", "mail")
            (self.root / "queue" / name).chmod(mode)
        main = MAIN_CF.format(root=self.root, tree=self.tree)
        if self.certificate:
            main += ("smtpd_tls_security_level = may\n"
                     f"smtpd_tls_chain_files = {self.certificate.chain}\n"
                     "smtpd_tls_loglevel = 1\n")
        for name, value in self.settings.items():
            main = re.sub(rf"(?m)^{name} =.*\n", "", main)
            main += f"{name} = {value}\n"
        (etc / "main.cf").write_text(main)
        self.write_master()
        # Lookups are built in here, so nothing is to be loaded.
        (etc / "dynamicmaps.cf").write_text("")

    def write_master(self):
        (self.root / "etc" / "master.cf").write_text(
            MASTER_CF.format(services="\n".join(self.services)))

    def ask(self, resolver):
        """For names: in a mount namespace of its own, which goes with it."""
        settings = self.root / "resolv.conf"
        settings.write_text(f"nameserver {resolver}\n")
        settings.chmod(0o644)
        self.inside = [
            "unshare", "--mount", "sh", "-c",
            f"mount --bind {settings} /etc/resolv.conf && exec \"$@\"", "sh"]

    def environment(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C",
                "MAIL_CONFIG": str(self.root / "etc"),
                "LD_LIBRARY_PATH": library_path(self.tree)}

    def start(self):
        with open(self.root / "output", "wb") as output:
            self.master = subprocess.Popen(
                [*self.inside, self.tree / "usr/lib/postfix/sbin/master",
                 "-c", self.root / "etc", "-d"],
                env=self.environment(), stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(
                        ("127.0.0.1", self.port), 5) as probe:
                    if probe.recv(512).startswith(b"220"):
                        probe.sendall(b"QUIT\r\n")
                        probe.recv(512)
                        return self
            except OSError:
                pass
            assert self.master.poll() is None, self.log()
            time.sleep(0.05)
        raise AssertionError("Postfix does not answer:\n" + self.log())

    def stop(self):
        """master takes its daemons along: it leads a process group."""
        if self.master is None or self.master.poll() is not None:
            return
        self.master.send_signal(signal.SIGTERM)
        try:
            self.master.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.master.pid, signal.SIGKILL)
            self.master.wait(5)

    def log(self):
        text = ""
        for name in ("output", "maillog"):
            path = self.root / name
            if path.exists():
                text += path.read_text(errors="replace")
        return text

    def box(self):
        return [path for path in (self.root / "box").glob("**/new/*")
                if path.is_file()]

    def wait_for_messages(self, count, timeout=60):
        """The files of delivered messages, when there are so many."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            found = self.box()
            if len(found) >= count:
                return found
            time.sleep(0.1)
        raise AssertionError(
            f"{len(self.box())} of {count} messages arrived:\n"
            + self.log()[-4000:])


def original_of(path):
    """The message in a mailbox file as it was sent: without the lines that
    Postfix put in front, and with the line ends of the wire."""
    content = path.read_bytes()
    while True:
        head, separator, rest = content.partition(b"\n")
        assert separator, "no line but Postfix's own"
        if not re.match(rb"(Return-Path|Delivered-To|X-Original-To|Received):",
                        head):
            break
        while rest[:1] in (b"\t", b" "):
            rest = rest.partition(b"\n")[2]
        content = rest
    return content.replace(b"\n", b"\r\n")
