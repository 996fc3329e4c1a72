# SPDX-License-Identifier: Apache-2.0
"""Servers on loopback with equal terms: the same certificate, groups, suites,
tickets (one, or none), one worker, no log, and one sink behind all of them."""
import contextlib
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import time

from . import packages
from .packages import Missing, library_path, tree_of

ROOT = packages.ROOT
CIPHERS = ("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
           "DHE-RSA-AES128-GCM-SHA256")
OPENSSL_GROUPS = {"P-256": "prime256v1", "P-384": "secp384r1"}
START_S = 15


def descriptors():
    """As many as may be open; raised as far as this machine lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (65536, hard):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE,
                               (wanted, max(wanted, hard)))
            return wanted
    return soft


DESCRIPTORS = descriptors()
# Two for each session, and some besides.
SESSIONS_MAX = min(12000, (DESCRIPTORS - 400) // 2)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One program under one Setup. `port` is its listener."""

    name = ""
    package = ""  # for its version
    tls = "starttls"
    works = ("handshake",)
    hold = 0  # sessions that it is asked to hold; 0: none
    stages = ("ehlo",)
    packages = ()
    # Sees its package as if it were installed, with an account of its name.
    in_place = False
    account = "nobody"

    def __init__(self, directory, setup, files, backend):
        self.directory, self.setup, self.files = directory, setup, files
        self.backend = backend  # the sink's port
        self.port = free_port()
        self.process = None
        self.tree = tree_of(self.package, list(self.packages)) \
            if self.packages else None
        directory.mkdir(parents=True)
        directory.chmod(0o755)

    def configure(self):
        """Writes what it reads; returns its command."""
        raise NotImplementedError

    def groups(self, separator=":"):
        names = [OPENSSL_GROUPS.get(name, name) for name in self.setup.groups]
        return separator.join(names)

    def environment(self):
        path = self.directory / "openssl.cnf"
        options = "" if self.setup.tickets else "Options = -SessionTicket\n"
        path.write_text(
            "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\n"
            "system_default = policy\n[policy]\n"
            f"NumTickets = {int(self.setup.tickets)}\n{options}"
            f"Groups = {self.groups()}:ffdhe2048:ffdhe3072:ffdhe4096\n")
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C",
                       "OPENSSL_CONF": str(path)}
        if self.tree:
            environment["LD_LIBRARY_PATH"] = library_path(self.tree)
        return environment

    @property
    def certificate(self):
        return self.files.chain(self.setup.key)

    @property
    def dh(self):
        return self.files.dh(self.setup.dh)

    def start(self, cpus):
        command = [str(word) for word in self.configure()]
        self.output = open(self.directory / "output", "wb")
        self.process = subprocess.Popen(
            ["taskset", "-c", cpus, *self.placed(command)],
            env=self.environment(), stdin=subprocess.DEVNULL,
            stdout=self.output,
            stderr=self.output, cwd=self.directory, start_new_session=True)
        deadline = time.monotonic() + START_S
        while not self.answers():
            if self.process.poll() is not None:
                raise Missing("it ended at once: " + self.last_words())
            if time.monotonic() > deadline:
                raise Missing("it does not answer: " + self.last_words())
            time.sleep(0.05)
        return self

    def placed(self, command):
        """In a mount namespace of its own, which goes when it ends: some
        programs look for their parts at fixed places."""
        if not self.in_place:
            return command
        accounts = self.write("passwd", (
            pathlib.Path("/etc/passwd").read_text()
            + f"{self.account}:x:65534:65534::/nonexistent:/bin/false\n"))
        groups = self.write("group", (
            pathlib.Path("/etc/group").read_text()
            + f"{self.account}:x:65534:\n"))
        return ["unshare", "--mount", "sh", "-c",
                f"mount -t overlay overlay -o lowerdir={self.tree}/usr:/usr "
                f"/usr && mount --bind {accounts} /etc/passwd && "
                f"mount --bind {groups} /etc/group && exec \"$@\"", "sh",
                *command]

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as one:
                return self.tls == "implicit" or \
                    one.recv(512).startswith(b"220")
        except OSError:
            return False

    def last_words(self):
        lines = []
        for name in ("output", "log"):
            path = self.directory / name
            if path.exists():
                lines += path.read_text(errors="replace").splitlines()[-3:]
        return " | ".join(lines) or "(without a word)"

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        """Also what did not come up, and twice."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)
        self.process = None
        self.output.close()

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path


class Postern(Server):
    name = "postern"
    works = ("handshake", "relay")
    hold = 10000
    stages = ("ehlo", "rcpt")
    program = None  # set by run

    def listener(self):
        return f"127.0.0.1:{self.port} inet n - n - - smtpd\n"

    def configure(self):
        tickets = "aes-256-cbc" if self.setup.tickets else ""
        self.write("main.cf", f"""\
myhostname = mx.example.test
mail_owner = nobody
maillog_file = /dev/null
smtpd_tls_loglevel = 0
proxy_runtime_directory = {self.directory}/run
proxy_metrics_listen =
proxy_worker_processes = {self.setup.workers}
proxy_backend = {self.backend_name()}
proxy_backend_handover = none
smtpd_tls_security_level = may
smtpd_tls_chain_files = {self.certificate}
smtpd_tls_dh1024_param_file = {self.dh}
smtpd_tls_protocols = >=TLSv1.2
tls_session_ticket_cipher = {tickets}
smtpd_tls_eecdh_grade = auto
tls_eecdh_auto_curves = {self.groups(" ")}
tls_ffdhe_auto_groups = ffdhe2048 ffdhe3072 ffdhe4096
proxy_edh_cpu_share = 100
proxy_edh_client_cpu_time = 60000ms
proxy_client_connection_limit = {SESSIONS_MAX}
""")
        self.write("master.cf", self.listener())
        return [self.program, "-c", self.directory, "start-fg"]

    def backend_name(self):
        return f"inet:127.0.0.1:{self.backend}"


class PosternSink(Postern):
    """The backend of all, where there is no smtp-sink."""

    name = "postern-sink"

    def backend_name(self):
        return "builtin:sink"


class Nginx(Server):
    package = "nginx"
    packages = ("nginx", "libnginx-mod-mail", "libnginx-mod-stream")

    def common(self, module):
        where = self.tree / "usr/lib/nginx/modules"
        return f"""\
load_module {where}/ngx_{module}_module.so;
daemon off;
user nobody nogroup;
worker_processes {self.setup.workers};
worker_rlimit_nofile {DESCRIPTORS};
error_log {self.directory}/log crit;
pid {self.directory}/pid;
events {{ worker_connections {3 * SESSIONS_MAX}; }}
"""

    def ssl(self):
        tickets = "on" if self.setup.tickets else "off"
        number = int(self.setup.tickets)
        return f"""\
ssl_certificate {self.certificate};
ssl_certificate_key {self.certificate};
ssl_protocols TLSv1.2 TLSv1.3;
ssl_ciphers {CIPHERS};
ssl_prefer_server_ciphers on;
ssl_ecdh_curve {self.groups()}:ffdhe2048:ffdhe3072:ffdhe4096;
ssl_dhparam {self.dh};
ssl_session_cache off;
ssl_session_tickets {tickets};
ssl_conf_command NumTickets {number};
"""

    def command(self):
        return [self.tree / "usr/sbin/nginx", "-p", self.directory, "-c",
                self.directory / "nginx.conf", "-e", self.directory / "log"]


class NginxMail(Nginx):
    name = "nginx mail"
    works = ("handshake", "relay")
    hold = 10000
    stages = ("ehlo", "rcpt")

    def configure(self):
        authority = free_port()
        temporary = "".join(
            f"{kind}_temp_path {self.directory}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        self.write("nginx.conf", self.common("mail") + f"""\
http {{
access_log off;
{temporary}
server {{
listen 127.0.0.1:{authority} backlog=4096;
location / {{
add_header Auth-Status OK;
add_header Auth-Server 127.0.0.1;
add_header Auth-Port {self.backend};
return 204;
}} }} }}
mail {{
server_name mx.example.test;
auth_http 127.0.0.1:{authority}/;
{self.ssl()}
server {{
listen 127.0.0.1:{self.port} backlog=4096;
protocol smtp;
smtp_auth none;
smtp_capabilities PIPELINING 8BITMIME;
starttls on;
xclient off;
timeout 10m;
}} }}
""")
        return self.command()


class NginxStream(Nginx):
    name = "nginx stream"
    tls = "implicit"
    works = ("handshake", "relay")
    hold = 10000
    stages = ("ehlo", "rcpt")

    def configure(self):
        self.write("nginx.conf", self.common("stream") + f"""\
stream {{
{self.ssl()}
server {{
listen 127.0.0.1:{self.port} ssl backlog=4096;
tcp_nodelay on;
proxy_pass 127.0.0.1:{self.backend};
}} }}
""")
        return self.command()


class Haproxy(Server):
    name = "haproxy"
    package = "haproxy"
    packages = ("haproxy",)
    tls = "implicit"
    works = ("handshake", "relay")
    hold = 10000
    stages = ("ehlo", "rcpt")

    def configure(self):
        tickets = "" if self.setup.tickets else " no-tls-tickets"
        self.write("haproxy.cfg", f"""\
global
  maxconn {SESSIONS_MAX}
  nbthread {self.setup.workers}
  ssl-dh-param-file {self.dh}
  tune.ssl.cachesize 0
  tune.ssl.default-dh-param 2048
  ssl-default-bind-ciphers {CIPHERS}
  ssl-default-bind-curves {self.groups()}:ffdhe2048:ffdhe3072:ffdhe4096
defaults
  mode tcp
  timeout connect 10s
  timeout client 300s
  timeout server 300s
frontend smtps
  bind 127.0.0.1:{self.port} ssl crt {self.certificate} ssl-min-ver TLSv1.2\
{tickets}
  default_backend sink
backend sink
  server sink 127.0.0.1:{self.backend}
""")
        return [self.tree / "usr/sbin/haproxy", "-db", "-f",
                self.directory / "haproxy.cfg"]


class Stunnel(Server):
    name = "stunnel"
    package = "stunnel4"
    packages = ("stunnel4",)
    tls = "implicit"
    works = ("handshake", "relay")
    hold = 500

    def configure(self):
        self.write("stunnel.conf", f"""\
foreground = quiet
pid = {self.directory}/pid
debug = crit
output = {self.directory}/log
[smtps]
accept = 127.0.0.1:{self.port}
connect = 127.0.0.1:{self.backend}
cert = {self.files.with_dh(self.setup.key, self.setup.dh)}
key = {self.certificate}
sslVersionMin = TLSv1.2
ciphers = {CIPHERS}
curves = {self.groups()}
options = CIPHER_SERVER_PREFERENCE
sessionCacheSize = 1
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
""")
        return [self.tree / "usr/bin/stunnel4", self.directory / "stunnel.conf"]


class Hitch(Server):
    name = "hitch"
    package = "hitch"
    packages = ("hitch",)
    tls = "implicit"
    works = ("handshake", "relay")
    hold = 2000

    def configure(self):
        pem = self.files.with_dh(self.setup.key, self.setup.dh)
        self.write("hitch.conf", f"""\
frontend = "[127.0.0.1]:{self.port}"
backend = "[127.0.0.1]:{self.backend}"
pem-file = "{pem}"
workers = {self.setup.workers}
backlog = 4096
tls-protos = TLSv1.2 TLSv1.3
ciphers = "{CIPHERS}"
ecdh-curve = "{self.groups()}"
prefer-server-ciphers = on
daemon = off
quiet = on
user = "nobody"
group = "nogroup"
""")
        return [self.tree / "usr/sbin/hitch", "--config",
                self.directory / "hitch.conf"]


POSTFIX_SERVICES = ("rewrite unix - - n - - trivial-rewrite\n"
                    "cleanup unix n - n - 0 cleanup\n"
                    "proxymap unix - - n - - proxymap\n"
                    "anvil unix - - n - 1 anvil\n"
                    "tlsmgr unix - - n 1000? 1 tlsmgr\n"
                    "postlog unix-dgram n - n - 1 postlogd\n")


class Postfix(Server):
    name = "postfix"
    package = "postfix"
    packages = ("postfix",)
    hold = 200

    def configure(self):
        queue = self.directory / "queue"
        for name in ("pid", "private", "public", "maildrop", "incoming",
                     "active", "deferred"):
            (queue / name).mkdir(parents=True)
            os.chown(queue / name, 1, -1)
        (self.directory / "data").mkdir()
        os.chown(self.directory / "data", 1, -1)
        tickets = "aes-256-cbc" if self.setup.tickets else ""
        self.write("dynamicmaps.cf", "")
        self.write("main.cf", f"""\
compatibility_level = 3.7
queue_directory = {queue}
data_directory = {self.directory}/data
command_directory = {self.tree}/usr/sbin
daemon_directory = {self.tree}/usr/lib/postfix/sbin
shlib_directory = {self.tree}/usr/lib/postfix
meta_directory = {self.directory}
import_environment = MAIL_CONFIG LD_LIBRARY_PATH OPENSSL_CONF
mail_owner = daemon
setgid_group = mail
myhostname = mx.example.test
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {self.directory}/log
maillog_file_prefixes = /
alias_maps =
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
default_process_limit = 500
smtpd_tls_security_level = may
smtpd_tls_loglevel = 0
smtpd_tls_chain_files = {self.certificate}
smtpd_tls_dh1024_param_file = {self.dh}
smtpd_tls_protocols = >=TLSv1.2
tls_session_ticket_cipher = {tickets}
tls_eecdh_auto_curves = {self.groups(" ")}
mydestination = box.test
local_recipient_maps =
smtpd_relay_restrictions = reject_unauth_destination
""")
        self.write("master.cf",
                   f"127.0.0.1:{self.port} inet n - n - - smtpd\n"
                   + POSTFIX_SERVICES)
        return [self.tree / "usr/lib/postfix/sbin/master", "-c",
                self.directory, "-d"]

    def environment(self):
        return {**super().environment(), "MAIL_CONFIG": str(self.directory)}


class Dovecot(Server):
    name = "dovecot"
    package = "dovecot-core"
    packages = ("dovecot-core", "dovecot-submissiond")
    hold = 500
    in_place = True
    account = "dovecot"

    def configure(self):
        tickets = "" if self.setup.tickets else "ssl_options = no_ticket\n"
        library = "/usr/lib/dovecot"
        self.write("dovecot.conf", f"""\
protocols = submission
base_dir = {self.directory}/run
state_dir = {self.directory}/state
libexec_dir = {library}
mail_plugin_dir = {library}/modules
login_plugin_dir = {library}/modules/login
log_path = {self.directory}/log
import_environment = LD_LIBRARY_PATH OPENSSL_CONF
default_internal_user = nobody
default_internal_group = nogroup
default_login_user = nobody
hostname = mx.example.test
ssl = yes
ssl_cert = <{self.certificate}
ssl_key = <{self.certificate}
ssl_dh = <{self.dh}
ssl_min_protocol = TLSv1.2
ssl_cipher_list = {CIPHERS}
ssl_curve_list = {self.groups()}
ssl_prefer_server_ciphers = yes
{tickets}submission_relay_host = 127.0.0.1
submission_relay_port = {self.backend}
passdb {{
  driver = static
  args = nopassword=y
}}
service submission-login {{
  chroot =
  inet_listener submission {{
    address = 127.0.0.1
    port = {self.port}
  }}
  service_count = 0
  process_min_avail = 1
  process_limit = 1
  client_limit = 2000
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
""")
        return ["/usr/sbin/dovecot", "-F", "-c",
                self.directory / "dovecot.conf"]


class Exim(Server):
    name = "exim"
    package = "exim4-daemon-light"
    packages = ("exim4-daemon-light",)
    hold = 200
    in_place = True
    account = "Debian-exim"

    def configure(self):
        spool = self.directory / "spool"
        spool.mkdir()
        path = self.write("exim.conf", f"""\
primary_hostname = mx.example.test
spool_directory = {spool}
log_file_path = {self.directory}/log-%s
log_selector = -all
write_rejectlog = false
exim_user = root
exim_group = root
never_users =
daemon_smtp_ports = {self.port}
local_interfaces = 127.0.0.1
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_max = 1000
smtp_accept_max_per_host = 1000
smtp_accept_queue_per_connection = 0
tls_advertise_hosts = *
tls_certificate = {self.certificate}
tls_privatekey = {self.certificate}
tls_dhparam = {self.dh}
acl_smtp_rcpt = accept
begin acl
accept:
  accept
""")
        path.chmod(0o644)
        return ["/usr/sbin/exim4", "-C", path, "-bdf"]


PEERS = [NginxMail, NginxStream, Haproxy, Hitch, Stunnel, Dovecot, Postfix,
         Exim]
# Those that come near to the best somewhere.
NEAR = [NginxMail, NginxStream, Haproxy, Hitch]
# Whose kernel crossings are counted beside ours.
COUNTED = [NginxMail, NginxStream, Haproxy]


class Sink:
    """The one backend of all: Postfix's smtp-sink, which no server here can
    favour; Postern's own, on a listener of its own, where it is missing."""

    def __init__(self, directory, files, cpus):
        self.directory, self.files = directory, files
        self.port = free_port()
        self.process = self.postern = None
        self._start(cpus)

    @contextlib.contextmanager
    def ahead(self):
        """It goes before all others on its processors for a while."""
        if self.postern:
            yield
            return
        os.sched_setscheduler(
            self.process.pid, os.SCHED_FIFO, os.sched_param(20))
        try:
            yield
        finally:
            os.sched_setscheduler(
                self.process.pid, os.SCHED_OTHER, os.sched_param(0))

    def mend(self, cpus):
        """If it has died: at the same port, where all expect it."""
        process = self.postern.process if self.postern else self.process
        if process.poll() is None:
            return
        print("the sink has died, and is started anew", file=sys.stderr)
        if self.postern:
            self.postern.stop()
            self.postern.start(cpus)
        else:
            self._start(cpus)

    def _start(self, cpus):
        try:
            self._start_smtp_sink(cpus)
            self.name = "smtp-sink of Postfix"
        except Missing as reason:
            setup = self.files.plain_setup()
            self.postern = PosternSink(
                self.directory / "sink", setup, self.files, None).start(cpus)
            self.port = self.postern.port
            self.name = f"builtin:sink of Postern ({reason})"

    def _start_smtp_sink(self, cpus):
        tree = tree_of("postfix", list(Postfix.packages))
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                       "LD_LIBRARY_PATH": library_path(tree),
                       "MAIL_CONFIG": str(self.directory)}
        (self.directory / "main.cf").write_text(
            "compatibility_level = 3.7\nmyhostname = sink.example.test\n")
        self.process = subprocess.Popen(
            ["taskset", "-c", cpus, tree / "usr/sbin/smtp-sink", "-m",
             str(SESSIONS_MAX), "-u", "nobody", f"127.0.0.1:{self.port}", "4096"],
            env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        if self.process.poll() is None:
            self.process.kill()
        raise Missing("smtp-sink does not run: " + self.process.stderr.read()
                      .decode(errors="replace").strip()[-200:])

    def stop(self):
        if self.postern:
            self.postern.stop()
        elif self.process:
            self.process.terminate()
            self.process.wait(5)


class Files:
    """Certificates and primes, made once."""

    KEYS = {"rsa-2048": ["rsa:2048"], "rsa-3072": ["rsa:3072"],
            "ecdsa-p256": ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
            "ed25519": ["ed25519"]}

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        directory.chmod(0o755)

    def plain_setup(self):
        from .cells import Setup
        return Setup("ecdsa-p256")

    def _run(self, *words):
        subprocess.run(["/usr/bin/openssl", *map(str, words)], check=True,
                       stdin=subprocess.DEVNULL, capture_output=True)

    def chain(self, key):
        """Key first, as all of them can read it."""
        path = self.directory / f"{key}.pem"
        if not path.exists():
            parts = [self.directory / f"{key}.{part}"
                     for part in ("key", "certificate")]
            self._run("req", "-x509", "-newkey", *self.KEYS[key], "-nodes",
                      "-days", "30", "-subj", "/CN=mx.example.test",
                      "-keyout", parts[0], "-out", parts[1])
            path.write_text(parts[0].read_text() + parts[1].read_text())
            path.chmod(0o644)
        return path

    def dh(self, name):
        path = self.directory / f"{name}.dh"
        if path.exists():
            return path
        if name == "custom":
            # Kept: to find one takes a minute or two.
            shared = packages.CACHE / "custom-2048.dh"
            packages.CACHE.mkdir(parents=True, exist_ok=True)
            if not shared.exists():
                print("making a prime of 2048 bits, once", file=sys.stderr)
                self._run("dhparam", "-out", path, "2048")
                shared.write_text(path.read_text())
            path.write_text(shared.read_text())
        else:
            self._run("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt",
                      f"group:{name}", "-out", path)
        path.chmod(0o644)
        return path

    def with_dh(self, key, dh):
        path = self.directory / f"{key}-{dh}.pem"
        if not path.exists():
            path.write_text(self.chain(key).read_text()
                            + self.dh(dh).read_text())
            path.chmod(0o644)
        return path
