/* SPDX-License-Identifier: Apache-2.0 */
/* What the log tells of a client in debug_peer_list, and what it must not. */
#include "proxy/flow_debug.h"

#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "conf/match_list.h"
#include "harness.h"

#define OK     "250 2.0.0 Ok\r\n"
#define SECRET "c2VjcmV0"

static void watch(const char *peers)
{
	struct report report;

	report_init(&report);
	for (int i = 0; i < HARNESS_SERVICE_COUNT; i++) {
		services[i].debug_peers =
		    match_list_open(peers, "main.cf:1", &report);
		cr_assert_not_null(services[i].debug_peers);
	}
	settings.debug_peer_level = 1;
	report_finish(&report);
}

static void set_up(void)
{
	harness_init();
}

static void tear_down(void)
{
	for (int i = 0; i < HARNESS_SERVICE_COUNT; i++)
		match_list_close(&services[i].debug_peers);
	harness_fini();
}

TestSuite(flow_debug, .init = set_up, .fini = tear_down);

static void expect_line(const char *text)
{
	cr_expect_not_null(
	    strstr(logged(), text), "no \"%s\" in:\n%s", text, logged());
}

Test(flow_debug, nobody_is_watched_unasked)
{
	begin_in_relay();
	cr_assert_eq(logged_times("unknown[192.0.2.9]:40112: "), 0);
}

Test(flow_debug, only_who_is_in_the_list_is_watched)
{
	watch("!192.0.2.9, 192.0.2.0/24");
	begin_in_relay();
	cr_assert_eq(logged_times("unknown[192.0.2.9]:40112: "), 0);
}

Test(flow_debug, both_sides_and_the_states)
{
	watch("192.0.2.0/24");
	begin_in_relay();
	client_says("MAIL FROM:<a@client.test>\r\n");
	backend_says(OK);
	expect_line("> unknown[192.0.2.9]:40112: 220 gate.test ESMTP Postern");
	expect_line("< unknown[192.0.2.9]:40112: STARTTLS\n");
	expect_line("debug: unknown[192.0.2.9]:40112: state handshake\n");
	expect_line("debug: unknown[192.0.2.9]:40112: state relay, backend "
		    "inet:first\n");
	expect_line("< unknown[192.0.2.9]:40112: EHLO client.test\n");
	expect_line("> unknown[192.0.2.9]:40112: 250-PIPELINING\n");
	expect_line("< unknown[192.0.2.9]:40112: MAIL FROM:<a@client.test>\n");
	expect_line("> unknown[192.0.2.9]:40112: 250 2.0.0 Ok\n");
}

static const struct {
	const char *said, *told;
} secrets[] = {
    {"AUTH PLAIN " SECRET "\r\n", "AUTH PLAIN (14 bytes in all)\n"},
    {"auth plain " SECRET "\r\n", "AUTH PLAIN (14 bytes in all)\n"},
    {"AUTH " SECRET "\r\n", "AUTH (8 bytes)\n"},
    {SECRET "\r\n", "(8 bytes that are no command)\n"},
    {SECRET " " SECRET "\r\n", "(16 bytes that are no command)\n"},
    {"HELP " SECRET "\r\n", "HELP (8 bytes)\n"},
    {"NOOP " SECRET "\r\n", "NOOP (8 bytes)\n"},
    {"MAIL " SECRET "\r\n", "MAIL (8 bytes)\n"},
    {"VRFY " SECRET "\r\n", "VRFY (8 bytes)\n"},
};

/* Answers hold nothing that was not said; a backend may say again what it did
 * not understand. */
Test(flow_debug, no_credential_is_told)
{
	watch("192.0.2.0/24");
	begin_in_relay();
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		char line[200];

		client_says(secrets[i].said);
		if (*backend_hears() != '\0')
			backend_says("500 5.5.1 what is " SECRET "?\r\n");
		client_hears();
		snprintf(line, sizeof(line), "< unknown[192.0.2.9]:40112: %s",
		    secrets[i].told);
		expect_line(line);
	}
	cr_assert_eq(logged_times(SECRET), 0, "%s", logged());
	client_says("RCPT TO:<b@box.test>\r\n");
	backend_says("250 2.1.5 fine\r\n");
	expect_line("> unknown[192.0.2.9]:40112: 250 2.1.5 fine\n");
}

Test(flow_debug, no_answer_to_auth_is_told)
{
	watch("192.0.2.0/24");
	begin_in_relay();
	client_says("AUTH LOGIN\r\n");
	backend_says("334 " SECRET "\r\n");
	client_says(SECRET "\r\n");
	backend_says("334 " SECRET "\r\n");
	client_says("QUIT " SECRET "\r\n");
	backend_says("535 5.7.8 not " SECRET "\r\n");
	cr_assert_eq(logged_times(SECRET), 0, "%s", logged());
	expect_line(
	    "< unknown[192.0.2.9]:40112: AUTH LOGIN (5 bytes in all)\n");
	expect_line("> unknown[192.0.2.9]:40112: 334 \n");
	expect_line("< unknown[192.0.2.9]:40112: (10 bytes of AUTH)\n");
	expect_line("< unknown[192.0.2.9]:40112: (15 bytes of AUTH)\n");
	expect_line("> unknown[192.0.2.9]:40112: 535 5.7.8\n");
}

Test(flow_debug, no_message_is_told)
{
	watch("192.0.2.0/24");
	begin_in_relay();
	client_says("MAIL FROM:<a@client.test>\r\nRCPT TO:<b@box.test>\r\n"
		    "DATA\r\n");
	backend_says(OK OK "354 go\r\n");
	client_says("Subject: " SECRET "\r\n\r\nMAIL FROM:<");
	client_says(SECRET ">\r\n.\r\n");
	backend_says(OK);
	client_says("MAIL FROM:<a@client.test>\r\nRCPT TO:<b@box.test>\r\n"
		    "BDAT 8\r\n" SECRET "BDAT 8 LAST\r\n" SECRET);
	backend_says(OK OK OK OK);
	cr_assert_eq(logged_times(SECRET), 0, "%s", logged());
	expect_line("< unknown[192.0.2.9]:40112: (46 bytes of a message)\n");
	expect_line("< unknown[192.0.2.9]:40112: (8 bytes of a message)\n");
}
