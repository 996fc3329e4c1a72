/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/listen.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel cuts it off at net.core.somaxconn */

/* Older libc headers than the kernel's that we run on. */
#ifndef SO_DETACH_REUSEPORT_BPF
#define SO_DETACH_REUSEPORT_BPF 68
#endif

static bool set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

static bool set_inet_options(int fd, sa_family_t family)
{
	/* Accepted sockets inherit TCP_NODELAY: none is made for each. */
	return set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
	       set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
	       (family != AF_INET6 ||
		   set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
}

static void close_keeping_errno(int fd)
{
	int cause = errno;

	close(fd);
	errno = cause;
}

/* What a server that was killed left behind keeps others from the name. */
static void remove_stale(const struct service_address *address)
{
	const struct sockaddr_un *name =
	    (const struct sockaddr_un *)&address->address;
	struct stat status;
	int fd;

	if (lstat(name->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return;
	if (connect(fd, (const struct sockaddr *)name, address->address_len) !=
		0 &&
	    errno == ECONNREFUSED)
		unlink(name->sun_path);
	close(fd);
}

static bool bind_unix(int fd, const struct service_address *address)
{
	const struct sockaddr_un *name =
	    (const struct sockaddr_un *)&address->address;

	remove_stale(address);
	return bind(fd, (const struct sockaddr *)name, address->address_len) ==
		   0 &&
	       chmod(name->sun_path, 0666) == 0;
}

static bool bind_inet(int fd, const struct service_address *address)
{
	return set_inet_options(fd, address->address.ss_family) &&
	       set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) &&
	       bind(fd, (const struct sockaddr *)&address->address,
		   address->address_len) == 0;
}

bool listen_is_free(const struct service_address *address)
{
	sa_family_t family = address->address.ss_family;
	bool is_free;
	int fd;

	if (family == AF_UNIX)
		return true; /* its name cannot be bound twice */
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return false;
	is_free = set_inet_options(fd, family) &&
		  bind(fd, (const struct sockaddr *)&address->address,
		      address->address_len) == 0;
	close_keeping_errno(fd);
	return is_free;
}

int listen_bind(const struct service_address *address)
{
	sa_family_t family = address->address.ss_family;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool done;

	if (fd == -1)
		return -1;
	if (family == AF_UNIX)
		done = bind_unix(fd, address);
	else
		done = bind_inet(fd, address);
	if (done)
		return fd;
	close_keeping_errno(fd);
	return -1;
}

bool listen_start(int fd)
{
	return listen(fd, BACKLOG) == 0;
}

bool listen_narrow(int fd, uint32_t count)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		(uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
	    BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
	    BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog program = {
	    .len = sizeof(code) / sizeof(code[0]), .filter = code};

	assert(count != 0);
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
		   sizeof(program)) == 0;
}

bool listen_widen(int fd)
{
	return set_option(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0);
}

bool listen_deafen(int fd)
{
	/* A listener's filter sees the TCP header; its octet 13 has the flags.
	 */
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_SYN, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	struct sock_fprog program = {
	    .len = sizeof(code) / sizeof(code[0]), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
		   sizeof(program)) == 0;
}

bool listen_hear(int fd)
{
	return set_option(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
}

void listen_close(int fd)
{
	/* Takes a TCP socket out of its group, where a copy in a draining
	 * process would otherwise go on to be given connections. */
	shutdown(fd, SHUT_RDWR);
	close(fd);
}
