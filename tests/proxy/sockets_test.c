/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/address.h"
#include "proxy/sockets.h"

TestSuite(sockets, .timeout = 30);

#define LISTENERS_MAX 4

/* Services that have nothing but addresses. */
struct fixture {
	struct listener listeners[LISTENERS_MAX];
	struct service array[LISTENERS_MAX];
	struct services services;
};

static void add(struct fixture *fixture, const struct service_address *address)
{
	struct service *service = &fixture->array[fixture->services.count];
	struct listener *listener =
	    &fixture->listeners[fixture->services.count];

	listener->place = "master.cf:7";
	service->listener = listener;
	service->addresses[service->address_count++] = *address;
	fixture->services.services = fixture->array;
	fixture->services.count++;
}

/* A port of 127.0.0.1 that is free, as free as can be known. */
static struct service_address free_address(void)
{
	struct service_address address;
	struct sockaddr_in found = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(found);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	const char *why;

	cr_assert_eq(bind(fd, (struct sockaddr *)&found, len), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&found, &len), 0);
	close(fd);
	cr_assert_eq(address_resolve("127.0.0.1", ntohs(found.sin_port),
			 ADDRESS_IPV4, &address, 1, &why),
	    1);
	return address;
}

static bool is_answered(const struct service_address *address)
{
	int fd = socket(address->address.ss_family, SOCK_STREAM, 0);
	bool answered = connect(fd, (const struct sockaddr *)&address->address,
			    address->address_len) == 0;

	close(fd);
	return answered;
}

static void bind_and_listen(
    struct sockets *sockets, const struct fixture *fixture, size_t workers)
{
	struct report report;

	report_init(&report);
	cr_assert(sockets_bind(sockets, &fixture->services, workers, &report));
	cr_assert(sockets_listen(sockets));
	sockets_want(sockets, &fixture->services, workers);
	report_finish(&report);
}

/* In the place of workers: the sockets that are still accepted on. */
static bool is_in_list(const void *argument, int fd)
{
	for (const int *list = argument; *list != 0; list++)
		if (*list == fd)
			return true;
	return false;
}

static const int nobody[] = {0};

Test(sockets, one_for_each_worker_and_kept_at_a_reload)
{
	struct sockets *sockets = sockets_create();
	struct service_address address = free_address();
	struct fixture fixture = {0};
	int fds[3];

	add(&fixture, &address);
	bind_and_listen(sockets, &fixture, 2);
	fds[0] = sockets_find(sockets, address.text, 0);
	fds[1] = sockets_find(sockets, address.text, 1);
	cr_assert_neq(fds[0], -1);
	cr_assert_neq(fds[1], -1);
	cr_assert_neq(fds[0], fds[1]);
	cr_assert_eq(sockets_find(sockets, address.text, 2), -1);
	cr_assert_eq(sockets_find(sockets, "192.0.2.1:25", 0), -1);
	bind_and_listen(sockets, &fixture, 3);
	cr_assert_eq(sockets_find(sockets, address.text, 0), fds[0]);
	cr_assert_eq(sockets_find(sockets, address.text, 1), fds[1]);
	fds[2] = sockets_find(sockets, address.text, 2);
	cr_assert_neq(fds[2], -1);
	for (size_t i = 0; i < 3; i++)
		cr_assert(sockets_is_wanted(sockets, fds[i]));
	cr_assert(sockets_close_unwanted(sockets, is_in_list, nobody));
	cr_assert(is_answered(&address));
	sockets_destroy(&sockets);
	cr_assert_null(sockets);
	cr_assert_not(is_answered(&address));
}

Test(sockets, what_is_bound_answers_only_once_it_listens)
{
	struct sockets *sockets = sockets_create();
	struct service_address address = free_address();
	struct fixture fixture = {0};
	struct report report;

	report_init(&report);
	add(&fixture, &address);
	cr_assert(sockets_bind(sockets, &fixture.services, 2, &report));
	cr_assert_not(is_answered(&address));
	cr_assert(sockets_listen(sockets));
	cr_assert(is_answered(&address));
	sockets_destroy(&sockets);
	report_finish(&report);
}

Test(sockets, one_that_cannot_be_had_takes_all_back)
{
	struct sockets *sockets = sockets_create();
	struct service_address kept = free_address();
	struct service_address added = free_address();
	struct service_address taken = free_address();
	int other = socket(AF_INET, SOCK_STREAM, 0);
	struct fixture before = {0};
	struct fixture after = {0};
	struct report report;
	char expected[256];
	int fd;

	report_init(&report);
	add(&before, &kept);
	bind_and_listen(sockets, &before, 2);
	fd = sockets_find(sockets, kept.text, 1);
	cr_assert_eq(
	    bind(other, (struct sockaddr *)&taken.address, taken.address_len),
	    0);
	cr_assert_eq(listen(other, 1), 0);
	add(&after, &kept);
	add(&after, &added);
	add(&after, &taken);
	cr_assert_not(sockets_bind(sockets, &after.services, 3, &report));
	cr_assert_eq(report.error_count, 1);
	snprintf(expected, sizeof(expected),
	    "master.cf:7: cannot listen on %s: Address already in use; stop "
	    "the program that has it, or choose another port",
	    taken.text);
	cr_assert_str_eq(report.messages[0].text, expected);
	cr_assert_eq(sockets_find(sockets, kept.text, 1), fd);
	cr_assert_eq(sockets_find(sockets, kept.text, 2), -1);
	cr_assert_eq(sockets_find(sockets, added.text, 0), -1);
	cr_assert(is_answered(&kept));
	sockets_destroy(&sockets);
	report_finish(&report);
}

Test(sockets, an_address_that_is_not_ours)
{
	struct sockets *sockets = sockets_create();
	struct service_address address;
	struct fixture fixture = {0};
	struct report report;
	const char *why;

	report_init(&report);
	cr_assert_eq(address_resolve(
			 "192.0.2.77", 2525, ADDRESS_IPV4, &address, 1, &why),
	    1);
	add(&fixture, &address);
	cr_assert_not(sockets_bind(sockets, &fixture.services, 1, &report));
	cr_assert_str_eq(report.messages[0].text,
	    "master.cf:7: cannot listen on 192.0.2.77:2525: Cannot assign "
	    "requested address; it must be an address of this machine");
	sockets_destroy(&sockets);
	report_finish(&report);
}

Test(sockets, fewer_workers_close_from_the_last_when_nobody_accepts)
{
	struct sockets *sockets = sockets_create();
	struct service_address address = free_address();
	struct fixture fixture = {0};
	int accepted[2] = {0};
	int fds[3];

	add(&fixture, &address);
	bind_and_listen(sockets, &fixture, 3);
	for (size_t i = 0; i < 3; i++)
		fds[i] = sockets_find(sockets, address.text, i);
	sockets_want(sockets, &fixture.services, 1);
	cr_assert(sockets_is_wanted(sockets, fds[0]));
	cr_assert_not(sockets_is_wanted(sockets, fds[1]));
	cr_assert_not(sockets_is_wanted(sockets, fds[2]));
	/* The last one is in use: the one before must wait for it. */
	accepted[0] = fds[2];
	cr_assert_not(sockets_close_unwanted(sockets, is_in_list, accepted));
	cr_assert_eq(sockets_find(sockets, address.text, 1), fds[1]);
	accepted[0] = fds[1];
	cr_assert_not(sockets_close_unwanted(sockets, is_in_list, accepted));
	cr_assert_eq(sockets_find(sockets, address.text, 2), -1);
	/* Wanted again before it went. */
	bind_and_listen(sockets, &fixture, 2);
	cr_assert_eq(sockets_find(sockets, address.text, 1), fds[1]);
	cr_assert(sockets_close_unwanted(sockets, is_in_list, nobody));
	cr_assert_eq(sockets_find(sockets, address.text, 1), fds[1]);
	for (unsigned i = 0; i < 50; i++)
		cr_assert(is_answered(&address));
	sockets_destroy(&sockets);
}

Test(sockets, a_listener_that_went_and_came_back)
{
	struct sockets *sockets = sockets_create();
	struct service_address kept = free_address();
	struct service_address gone = free_address();
	struct fixture both = {0};
	struct fixture one = {0};
	int accepted[2] = {0};

	add(&both, &kept);
	add(&both, &gone);
	add(&one, &kept);
	bind_and_listen(sockets, &both, 1);
	accepted[0] = sockets_find(sockets, gone.text, 0);
	bind_and_listen(sockets, &one, 1);
	cr_assert_not(sockets_is_wanted(sockets, accepted[0]));
	cr_assert_not(sockets_close_unwanted(sockets, is_in_list, accepted));
	bind_and_listen(sockets, &both, 1);
	cr_assert(sockets_is_wanted(sockets, accepted[0]));
	cr_assert(is_answered(&gone));
	bind_and_listen(sockets, &one, 1);
	cr_assert(sockets_close_unwanted(sockets, is_in_list, nobody));
	cr_assert_not(is_answered(&gone));
	cr_assert(is_answered(&kept));
	sockets_destroy(&sockets);
}

Test(sockets, a_unix_socket_is_shared_and_unlinked)
{
	char folder[] = "/tmp/postern-sockets-XXXXXX";
	struct sockets *sockets = sockets_create();
	struct service_address address;
	struct service_address kept = free_address();
	struct fixture both = {0};
	struct fixture one = {0};
	int accepted[2] = {0};
	char path[64];

	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/gate", folder);
	cr_assert(address_unix(folder, "gate", &address));
	add(&both, &address);
	add(&both, &kept);
	add(&one, &kept);
	bind_and_listen(sockets, &both, 3);
	accepted[0] = sockets_find(sockets, address.text, 0);
	cr_assert_neq(accepted[0], -1);
	cr_assert_eq(sockets_find(sockets, address.text, 2), accepted[0]);
	/* Gone from the configuration: no new client, the old are served. */
	bind_and_listen(sockets, &one, 3);
	cr_assert_eq(access(path, F_OK), -1);
	cr_assert_not(sockets_close_unwanted(sockets, is_in_list, accepted));
	/* Back, while the old one is still there: a new socket. */
	bind_and_listen(sockets, &both, 3);
	cr_assert_neq(sockets_find(sockets, address.text, 0), accepted[0]);
	cr_assert(is_answered(&address));
	cr_assert(sockets_close_unwanted(sockets, is_in_list, nobody));
	cr_assert(is_answered(&address));
	sockets_destroy(&sockets);
	cr_assert_eq(access(path, F_OK), -1);
	rmdir(folder);
}
