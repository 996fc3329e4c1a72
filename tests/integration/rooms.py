# SPDX-License-Identifier: Apache-2.0
"""Mail servers whose paths and accounts are built in: Exim, OpenSMTPD, Dovecot.

Each runs in a mount namespace of its own, over the machine's files and those of
its packages, which are only unpacked. What it writes, accounts included, is in
memory and gone with it: nothing is installed, no service of the host is touched.
"""
import os
import signal
import socket
import subprocess
import time

from peers import package_tree
from ports import free_port

# $1: the packages' files; $2: a file that is run in the room.
ENTER = r"""
set -e
umask 022
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root /mnt/tree
cp -a "$1/." /mnt/tree/
for name in lib bin sbin; do
	if [ -d "/mnt/tree/$name" ]; then
		mkdir -p "/mnt/tree/usr/$name"
		cp -a "/mnt/tree/$name/." "/mnt/tree/usr/$name/"
		rm -rf "/mnt/tree/$name"
	fi
done
mount -t overlay overlay \
	-o lowerdir=/mnt/tree:/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
mount --rbind /proc /mnt/root/proc
mount --rbind /dev /mnt/root/dev
mount --bind /tmp /mnt/root/tmp
exec chroot /mnt/root /bin/sh "$2"
"""


class Room:
    """A server on 127.0.0.1:port; a subclass says which and how. With a
    certificate it offers STARTTLS, and wants no PROXY header."""

    packages, name = [], ""

    def __init__(self, directory, certificate=None):
        self.root = directory
        self.root.chmod(0o755)
        self.certificate, self.key = directory / "chain", directory / "key"
        self.has_tls = certificate is not None
        if self.has_tls:
            self.certificate.write_bytes(certificate.certificate.read_bytes())
            self.key.write_bytes(certificate.key.read_bytes())
        self.port = free_port()
        self.process = None

    def script(self):
        """What is done in the room; it ends with exec."""
        raise NotImplementedError

    def start(self):
        tree = package_tree(self.name, self.packages)
        script = self.root / "script"
        script.write_text("set -e\n" + self.script())
        with open(self.root / "output", "wb") as output:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                 ENTER, "room", str(tree), str(script)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True)
        deadline = time.monotonic() + 30
        while not self._listens():
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        return self

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(5)

    def log(self):
        return "".join(path.read_text(errors="replace")
                       for name in ("output", "log")
                       if (path := self.root / name).exists())


class Exim(Room):
    """hosts_proxy: the PROXY protocol, both versions, and nothing else."""

    name = "exim"
    packages = ["exim4-daemon-heavy", "exim4-base", "libmariadb3", "libidn12",
                "libspf2-2", "libpq5", "libldap-2.5-0", "libperl5.36",
                "libgnutls-dane0", "libunbound8", "libsqlite3-0", "libdb5.3",
                "libnsl2", "libtirpc3", "libsasl2-2"]

    def script(self):
        tls = "tls_advertise_hosts =\nhosts_proxy = 127.0.0.1"
        if self.has_tls:
            tls = (f"tls_advertise_hosts = *\n"
                   f"tls_certificate = {self.certificate}\n"
                   f"tls_privatekey = {self.key}")
            self.key.chmod(0o644)
        (self.root / "exim.conf").write_text(f"""\
exim_user = daemon
exim_group = daemon
primary_hostname = mx.example.test
spool_directory = /var/spool/exim-room
log_file_path = /var/spool/exim-room/%slog
local_interfaces = 127.0.0.1
daemon_smtp_ports = {self.port}
{tls}
host_lookup =
rfc1413_query_timeout = 0s
queue_only = true
acl_smtp_rcpt = accept
acl_smtp_data = take
begin acl
take:
  accept logwrite = took: $received_for $message_headers_raw
""")
        (self.root / "log").touch()
        (self.root / "log").chmod(0o666)
        return f"""\
echo 'Debian-exim:x:961:961::/nonexistent:/bin/false' >>/etc/passwd
echo 'Debian-exim:x:961:' >>/etc/group
mkdir -p /var/spool/exim-room
ln -s {self.root}/log /var/spool/exim-room/mainlog
chown -R daemon:daemon /var/spool/exim-room
exec /usr/sbin/exim4 -C {self.root}/exim.conf -bdf -v
"""


class OpenSMTPD(Room):
    """proxy-v2, and nothing else: its TLS loses its key in Debian 12."""

    name = "opensmtpd"
    packages = ["opensmtpd", "libevent-2.1-7", "libdb5.3"]

    def script(self):
        (self.root / "smtpd.conf").write_text(f"""\
smtp max-message-size "10M"
listen on 127.0.0.1 port {self.port} hostname mx.example.test proxy-v2
action "keep" mda "/bin/cat >{self.root}/message"
match from any for domain "box.test" action "keep"
""")
        (self.root / "smtpd.conf").chmod(0o600)
        self.root.chmod(0o777)
        return f"""\
echo 'opensmtpd:x:961:961::/var/lib/opensmtpd/empty:/bin/false' >>/etc/passwd
echo 'opensmtpq:x:962:961::/var/lib/opensmtpd/empty:/bin/false' >>/etc/passwd
echo 'user:x:963:961::/home/user:/bin/sh' >>/etc/passwd
mkdir -p /home/user
chown 963 /home/user
echo 'opensmtpd:x:961:' >>/etc/group
echo 'opensmtpq:x:962:' >>/etc/group
mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd /run
chmod 711 /var/spool/smtpd
echo mx.example.test >/etc/mailname
exec /usr/sbin/smtpd -d -v -f {self.root}/smtpd.conf
"""


class Dovecot(Room):
    """A submission server that takes XCLIENT from us, and PROXY headers at
    `proxy_port`; its own relay host is `relay`, a port on loopback."""

    name = "dovecot"
    packages = ["dovecot-core", "dovecot-submissiond", "libexttextcat-2.0-0",
                "liblua5.4-0", "libstemmer0d", "libsodium23", "libwrap0",
                "libunwind8", "libicu72", "libtirpc3"]

    def __init__(self, directory, relay, certificate=None):
        super().__init__(directory, certificate)
        self.relay = relay
        self.proxy_port = free_port()

    def script(self):
        tls = "ssl = no"
        if self.has_tls:
            tls = (f"ssl = yes\nssl_cert = <{self.certificate}\n"
                   f"ssl_key = <{self.key}")
        (self.root / "users").write_text("user:{PLAIN}secret::::::\n")
        (self.root / "dovecot.conf").write_text(f"""\
base_dir = /run/dovecot-room
log_path = {self.root}/log
protocols = submission
listen = 127.0.0.1
hostname = mx.example.test
{tls}
disable_plaintext_auth = no
auth_mechanisms = plain
auth_debug = yes
haproxy_trusted_networks = 127.0.0.1
default_login_user = daemon
default_internal_user = nobody
default_internal_group = nogroup
mail_location = maildir:/tmp/none
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
login_trusted_networks = 127.0.0.1
submission_relay_host = 127.0.0.1
submission_relay_port = {self.relay}
service submission-login {{
  inet_listener submission {{
    port = {self.port}
  }}
  inet_listener submission_haproxy {{
    port = {self.proxy_port}
    haproxy = yes
  }}
}}
passdb {{
  driver = passwd-file
  args = {self.root}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/tmp
}}
""")
        return f"""\
mkdir -p /run/dovecot-room
exec /usr/sbin/dovecot -F -c {self.root}/dovecot.conf
"""
