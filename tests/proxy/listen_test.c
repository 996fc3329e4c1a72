/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proxy/address.h"
#include "proxy/listen.h"

TestSuite(listen, .timeout = 60);

#define CONNECTS 200

/* 127.0.0.1 with a port that the kernel chooses for the first socket. */
static struct service_address any_port(void)
{
	struct service_address address;
	const char *why;

	cr_assert_eq(
	    address_resolve("127.0.0.1", 0, ADDRESS_IPV4, &address, 1, &why),
	    1);
	return address;
}

static int bind_first(struct service_address *address)
{
	int fd = listen_bind(address);

	cr_assert_neq(fd, -1, "%s", strerror(errno));
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address->address,
			 &address->address_len),
	    0);
	return fd;
}

static int open_next(const struct service_address *address)
{
	int fd = listen_bind(address);

	cr_assert_neq(fd, -1, "%s", strerror(errno));
	cr_assert(listen_start(fd));
	return fd;
}

/* Starts to connect, without waiting for it. */
static int call(const struct service_address *address)
{
	int fd =
	    socket(address->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	cr_assert_neq(fd, -1);
	if (connect(fd, (const struct sockaddr *)&address->address,
		address->address_len) != 0)
		cr_assert_eq(errno, EINPROGRESS);
	return fd;
}

/* Accepts all that waits, says a letter to each; returns how many. */
static unsigned serve(int fd, char letter)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	unsigned count = 0;

	while (poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN) != 0) {
		int client = accept(fd, NULL, NULL);

		cr_assert_neq(client, -1);
		cr_assert_eq(write(client, &letter, 1), 1);
		close(client);
		count++;
	}
	return count;
}

/* What the server said; 0 when the connection was refused or reset. */
static char hear(int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char letter;

	if (poll(&ready, 1, 3000) != 1 || read(fd, &letter, 1) != 1)
		letter = '\0';
	close(fd);
	return letter;
}

static int get_option(int fd, int level, int option)
{
	socklen_t size = sizeof(int);
	int value = -1;

	cr_assert_eq(getsockopt(fd, level, option, &value, &size), 0);
	return value;
}

Test(listen, tcp_options)
{
	struct service_address address = any_port();
	int fd = bind_first(&address);
	int client;
	int accepted;

	cr_assert(listen_start(fd));
	cr_assert_eq(get_option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
	cr_assert_eq(get_option(fd, SOL_SOCKET, SO_REUSEPORT), 1);
	cr_assert_neq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	client = call(&address);
	accepted = accept(fd, NULL, NULL);
	cr_assert_neq(accepted, -1);
	cr_assert_eq(get_option(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
	close(client);
}

Test(listen, wildcards_of_both_families_share_a_port)
{
	struct service_address v4;
	struct service_address v6;
	int fd;

	address_any(ADDRESS_IPV4, 0, &v4);
	fd = bind_first(&v4);
	address_any(ADDRESS_IPV6,
	    ntohs(((struct sockaddr_in *)&v4.address)->sin_port), &v6);
	cr_assert(listen_start(fd));
	fd = open_next(&v6);
	cr_assert_eq(get_option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
}

Test(listen, nothing_answers_before_the_start)
{
	struct service_address address = any_port();
	int fd = bind_first(&address);

	cr_assert_eq(hear(call(&address)), '\0');
	cr_assert(listen_start(fd));
	close(call(&address));
}

Test(listen, an_address_that_is_taken)
{
	struct service_address address = any_port();
	int other = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(bind(other, (struct sockaddr *)&address.address,
			 address.address_len),
	    0);
	cr_assert_eq(listen(other, 1), 0);
	getsockname(
	    other, (struct sockaddr *)&address.address, &address.address_len);
	cr_assert_eq(listen_bind(&address), -1);
	cr_assert_eq(errno, EADDRINUSE);
}

/* SO_REUSEPORT alone would let both have it. */
Test(listen, an_address_of_another_program_is_not_free)
{
	struct service_address address = any_port();
	int fd = bind_first(&address);

	cr_assert(listen_is_free(&address));
	cr_assert(listen_start(fd));
	cr_assert_not(listen_is_free(&address));
	cr_assert_eq(errno, EADDRINUSE);
	close(fd);
	cr_assert(listen_is_free(&address));
}

Test(listen, two_sockets_share_the_calls)
{
	struct service_address address = any_port();
	int first = bind_first(&address);
	int second;
	int clients[CONNECTS];
	unsigned of_first;
	unsigned of_second;

	cr_assert(listen_start(first));
	second = open_next(&address);
	for (unsigned i = 0; i < CONNECTS; i++)
		clients[i] = call(&address);
	of_first = serve(first, 'a');
	of_second = serve(second, 'b');
	cr_assert_eq(of_first + of_second, CONNECTS);
	cr_assert_gt(of_first, 0);
	cr_assert_gt(of_second, 0);
	for (unsigned i = 0; i < CONNECTS; i++)
		cr_assert_neq(hear(clients[i]), '\0');
}

Test(listen, a_narrowed_group_gives_the_others_nothing)
{
	struct service_address address = any_port();
	int fds[4];
	int clients[CONNECTS];
	unsigned counts[4];

	fds[0] = bind_first(&address);
	cr_assert(listen_start(fds[0]));
	for (unsigned i = 1; i < 4; i++)
		fds[i] = open_next(&address);
	cr_assert(listen_narrow(fds[0], 2));
	for (unsigned i = 0; i < CONNECTS; i++)
		clients[i] = call(&address);
	for (unsigned i = 0; i < 4; i++)
		counts[i] = serve(fds[i], 'x');
	cr_assert_eq(counts[0] + counts[1], CONNECTS);
	cr_assert_gt(counts[0], 0);
	cr_assert_gt(counts[1], 0);
	for (unsigned i = 0; i < CONNECTS; i++)
		cr_assert_eq(hear(clients[i]), 'x');
	cr_assert(listen_widen(fds[0]));
	for (unsigned i = 0; i < CONNECTS; i++)
		clients[i] = call(&address);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_gt(serve(fds[i], 'x'), 0, "socket %u", i);
	for (unsigned i = 0; i < CONNECTS; i++)
		cr_assert_eq(hear(clients[i]), 'x');
}

/* What the program does when workers become fewer, with clients calling all the
 * time: some wait in the queue of a socket that is to go, some call when that
 * was emptied, some after. */
Test(listen, sockets_that_leave_reset_nobody)
{
	struct service_address address = any_port();
	int fds[3];
	int clients[CONNECTS];
	unsigned next = 0;

	fds[0] = bind_first(&address);
	cr_assert(listen_start(fds[0]));
	fds[1] = open_next(&address);
	fds[2] = open_next(&address);
	while (next < CONNECTS / 4)
		clients[next++] = call(&address);
	cr_assert(listen_narrow(fds[0], 1));
	cr_assert_gt(serve(fds[2], 'z'), 0, "nobody had waited there");
	while (next < CONNECTS / 2)
		clients[next++] = call(&address);
	listen_close(fds[2]);
	cr_assert_gt(serve(fds[1], 'y'), 0, "nobody had waited there");
	while (next < 3 * CONNECTS / 4)
		clients[next++] = call(&address);
	listen_close(fds[1]);
	cr_assert(listen_widen(fds[0]));
	while (next < CONNECTS)
		clients[next++] = call(&address);
	serve(fds[0], 'x');
	for (unsigned i = 0; i < CONNECTS; i++)
		cr_assert_neq(hear(clients[i]), '\0', "client %u", i);
}

Test(listen, a_copy_in_another_process_gets_nothing_once_closed)
{
	struct service_address address = any_port();
	int first = bind_first(&address);
	int second;
	int clients[CONNECTS];

	cr_assert(listen_start(first));
	second = open_next(&address);
	cr_assert_neq(dup(second), -1);
	listen_close(second);
	for (unsigned i = 0; i < CONNECTS; i++)
		clients[i] = call(&address);
	cr_assert_eq(serve(first, 'x'), CONNECTS);
	for (unsigned i = 0; i < CONNECTS; i++)
		cr_assert_eq(hear(clients[i]), 'x');
}

static bool is_connected(int fd, int timeout_ms)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};

	return poll(&ready, 1, timeout_ms) == 1 &&
	       get_option(fd, SOL_SOCKET, SO_ERROR) == 0;
}

Test(listen, a_deaf_socket_serves_who_called_before)
{
	struct service_address address = any_port();
	int fd = bind_first(&address);
	int before;
	int after;

	cr_assert(listen_start(fd));
	before = call(&address);
	cr_assert(is_connected(before, 1000));
	cr_assert(listen_deafen(fd));
	after = call(&address);
	cr_assert_not(is_connected(after, 300));
	cr_assert_eq(serve(fd, 'x'), 1);
	cr_assert_eq(hear(before), 'x');
	/* The kernel calls again after a second. */
	cr_assert(listen_hear(fd));
	cr_assert(is_connected(after, 3000));
	cr_assert_eq(serve(fd, 'y'), 1);
	cr_assert_eq(hear(after), 'y');
}

Test(listen, unix_socket)
{
	char folder[] = "/tmp/postern-listen-XXXXXX";
	struct sockaddr_un *name;
	struct service_address address;
	struct stat status;
	int fd;
	int client;

	cr_assert_not_null(mkdtemp(folder));
	umask(077);
	cr_assert(address_unix(folder, "gate", &address));
	name = (struct sockaddr_un *)&address.address;
	fd = open_next(&address);
	cr_assert_eq(stat(name->sun_path, &status), 0);
	cr_assert_eq(status.st_mode & 0777, 0666);
	client = call(&address);
	cr_assert_eq(serve(fd, 'x'), 1);
	cr_assert_eq(hear(client), 'x');
	/* Someone answers: it is not ours to take. */
	cr_assert_eq(listen_bind(&address), -1);
	cr_assert_eq(errno, EADDRINUSE);
	/* Nobody does any more, but the file is still there. */
	close(fd);
	cr_assert_eq(stat(name->sun_path, &status), 0);
	fd = open_next(&address);
	close(fd);
	unlink(name->sun_path);
	/* What is no socket is never removed. */
	close(creat(name->sun_path, 0600));
	cr_assert_eq(listen_bind(&address), -1);
	cr_assert_eq(errno, EADDRINUSE);
	cr_assert_eq(stat(name->sun_path, &status), 0);
	unlink(name->sun_path);
	rmdir(folder);
}
