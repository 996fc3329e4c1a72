/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/ticket_rotation.h"

#define SERVICES_MAX 4

static struct settings settings[SERVICES_MAX];
static struct service listeners[SERVICES_MAX];
static struct configuration configuration = {.settings = &settings[0]};
static struct services services = {
    .configuration = &configuration, .services = listeners};

static void add(bool has_tls, int64_t timeout_s, const char *cipher)
{
	struct settings *its = &settings[services.count];
	struct service *service = &listeners[services.count++];

	its->smtpd_tls_session_cache_timeout_s = timeout_s;
	its->tls_session_ticket_cipher = cipher;
	its->proxy_tls_ticket_key_files = "";
	service->settings = its;
	service->tls = has_tls ? (struct tls_context *)(void *)its : NULL;
}

Test(ticket_rotation, the_shortest_time_counts)
{
	cr_expect_eq(ticket_rotation_lifetime_s(&services), 0);
	add(true, 0, "aes-256-cbc");
	add(true, 1000, "");
	add(false, 1000, "aes-256-cbc");
	cr_expect_eq(ticket_rotation_lifetime_s(&services), 0);
	add(true, 7200, "aes-256-cbc");
	cr_expect_eq(ticket_rotation_lifetime_s(&services), 7200);
	settings[0].smtpd_tls_session_cache_timeout_s = 3600;
	cr_expect_eq(ticket_rotation_lifetime_s(&services), 3600);
	settings[0].smtpd_tls_session_cache_timeout_s = 1;
	cr_expect_eq(ticket_rotation_lifetime_s(&services), 120);
}

/* What a process other than ours reads. */
static struct tls_ticket_key_set seen_by_child(const struct shared *shared)
{
	struct tls_ticket_key_set set = {0};
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	if (fork() == 0) {
		if (!tls_ticket_keys_copy(shared->ticket_keys, &set))
			_exit(1);
		_exit(write(ends[1], &set, sizeof(set)) != sizeof(set));
	}
	cr_assert_eq(read(ends[0], &set, sizeof(set)), sizeof(set));
	close(ends[0]);
	close(ends[1]);
	return set;
}

Test(ticket_rotation, keys_outlive_a_reload_and_are_seen_by_all)
{
	struct shared shared;
	struct report report;
	struct tls_ticket_key_set first, second;

	report_init(&report);
	cr_assert(shared_create(&shared, &report));
	add(true, 3600, "aes-256-cbc");
	cr_assert(
	    ticket_rotation_configure(shared.ticket_keys, &services, &report));
	first = seen_by_child(&shared);
	cr_assert_eq(first.key_count, 1);
	cr_assert_eq(first.lifetime_s, 3600);
	settings[0].smtpd_tls_session_cache_timeout_s = 1800;
	cr_assert(
	    ticket_rotation_configure(shared.ticket_keys, &services, &report));
	second = seen_by_child(&shared);
	cr_assert_eq(second.lifetime_s, 1800);
	cr_assert_arr_eq(second.keys[second.key_count - 1].name,
	    first.keys[0].name, sizeof(first.keys[0].name));
	cr_assert_eq(report.message_count, 0);
	shared_destroy(&shared);
	cr_assert_null(shared.ticket_keys);
	report_finish(&report);
}

Test(ticket_rotation, a_file_issues_and_the_old_key_still_opens)
{
	static const char content[80] = "name-of-the-key!"
					"0123456789abcdefghijklmnopqrstuv"
					"ABCDEFGHIJKLMNOPQRSTUVWXYZ123456";
	static char list[64] = "/tmp/postern-ticket-XXXXXX";
	int fd = mkstemp(list); /* with mode 0600 */
	struct shared shared;
	struct report report;
	struct tls_ticket_key_set set;

	report_init(&report);
	cr_assert_neq(fd, -1);
	cr_assert_eq(write(fd, content, sizeof(content)), sizeof(content));
	close(fd);
	cr_assert(shared_create(&shared, &report));
	add(true, 3600, "aes-256-cbc");
	cr_assert(
	    ticket_rotation_configure(shared.ticket_keys, &services, &report));
	settings[0].proxy_tls_ticket_key_files = list;
	cr_assert(ticket_rotation_configure(NULL, &services, &report));
	cr_assert(
	    ticket_rotation_configure(shared.ticket_keys, &services, &report));
	unlink(list);
	cr_assert(tls_ticket_keys_copy(shared.ticket_keys, &set));
	cr_assert_eq(set.key_count, 2);
	cr_assert_arr_eq(set.keys[0].name, content, 16);
	shared_destroy(&shared);
	report_finish(&report);
}

/* A write of a child that is confined ends it. */
Test(ticket_rotation, workers_cannot_write_the_keys)
{
	struct shared shared;
	struct report report;
	int status;
	pid_t pid;

	report_init(&report);
	cr_assert(shared_create(&shared, &report));
	pid = fork();
	if (pid == 0) {
		if (!shared_confine(&shared))
			_exit(0);
		tls_ticket_keys_wipe(shared.ticket_keys);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
	shared_destroy(&shared);
	report_finish(&report);
}
