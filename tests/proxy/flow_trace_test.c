/* SPDX-License-Identifier: Apache-2.0 */
/* The Received: header that a flow puts at the head of a message. */
#include "proxy/flow_trace.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "harness.h"

#define OK   "250 2.0.0 Ok\r\n"
#define MAIL "MAIL FROM:<a@client.test>\r\n"
#define RCPT "RCPT TO:<b@box.test>\r\n"
#define BODY "Subject: x\r\n\r\n..y\r\n"
#define BY   "\tby gate.test (Postern) with "
#define DATE "Mon, 23 Nov 2026 13:04:41 +0000 (UTC)\r\n"

static void set_up(void)
{
	setenv("TZ", "UTC0", 1);
	tzset();
	harness_init();
	settings.mail_name = "Postern";
	for (int i = 0; i < HARNESS_SERVICE_COUNT; i++)
		services[i].policy.insert_received = true;
	env.now_s = 1795439081;
}

TestSuite(flow_trace, .init = set_up, .fini = harness_fini);

static const char *id(unsigned transaction)
{
	static char text[64];

	snprintf(text, sizeof(text), "%x-%x.%u", (unsigned)getpid(),
	    flow.serial, transaction);
	return text;
}

/* What the backend hears next is one command, if any, this header, the rest. */
static void expect_header(const char *command, const char *head,
    const char *protocol, const char *tail, const char *rest)
{
	char expected[4096];

	snprintf(expected, sizeof(expected), "%s%s" BY "%s id %s%s%s", command,
	    head, protocol, id(flow.smtp.transactions), tail, rest);
	cr_assert_str_eq(backend_hears(), expected);
}

static const char *in_tls(void)
{
	static char head[1024];

	snprintf(head, sizeof(head),
	    "Received: from client.test (unknown [%s])\r\n"
	    "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 "
	    "bits)\r\n"
	    "\t key-exchange X25519 server-signature ECDSA (prime256v1) "
	    "server-digest SHA256)\r\n"
	    "\t(No client certificate requested)\r\n",
	    inet_ntoa(((struct sockaddr_in *)(void *)&flow.peer)->sin_addr));
	return head;
}

static void envelope(const char *recipients, const char *replies)
{
	client_says(MAIL);
	client_says(recipients);
	backend_says(replies);
	backend_hears();
}

Test(flow_trace, a_body_behind_tls)
{
	begin_in_relay();
	envelope(RCPT, OK OK);
	client_says("DATA\r\n");
	backend_hears();
	backend_says("354 go\r\n");
	cr_assert_str_eq(backend_hears(), "", "it waits for the body");
	client_says(BODY ".\r\n");
	expect_header("", in_tls(), "ESMTPS", "\r\n\tfor <b@box.test>; " DATE,
	    BODY ".\r\n");
	backend_says(OK);
	/* The next message of the session. */
	envelope(RCPT "RCPT TO:<c@box.test>\r\n", OK OK OK);
	client_says("DATA\r\n");
	backend_hears();
	backend_says("354 go\r\n");
	client_says(".\r\n");
	expect_header("", in_tls(), "ESMTPS", ";\r\n\t" DATE, ".\r\n");
	cr_assert_eq(flow.smtp.transactions, 2);
}

Test(flow_trace, a_chunk_that_was_sent_ahead)
{
	char command[64];

	begin_in_relay();
	client_says(MAIL RCPT "BDAT 5 LAST\r\nhello" MAIL);
	cr_assert_str_eq(backend_hears(), MAIL RCPT);
	backend_says(OK OK);
	snprintf(command, sizeof(command), "BDAT %zu LAST\r\n",
	    5 + strlen(in_tls()) + strlen(BY "ESMTPS id ") + strlen(id(1)) +
		strlen("\r\n\tfor <b@box.test>; " DATE));
	expect_header(command, in_tls(), "ESMTPS",
	    "\r\n\tfor <b@box.test>; " DATE, "hello" MAIL);
}

Test(flow_trace, in_clear_there_are_no_comments)
{
	char head[256];

	begin_with_ehlo(HARNESS_CLEAR);
	client_says(MAIL);
	backend_serves(HARNESS_BACKEND_EHLO);
	backend_says(OK);
	client_says("DATA\r\n");
	backend_hears();
	backend_says("354 go\r\n");
	client_says(".\r\n");
	snprintf(head, sizeof(head),
	    "Received: from client.test (unknown [%s])\r\n",
	    inet_ntoa(((struct sockaddr_in *)(void *)&flow.peer)->sin_addr));
	expect_header("", head, "ESMTP", ";\r\n\t" DATE, ".\r\n");
}

Test(flow_trace, who_was_asked_and_had_none)
{
	begin_in_relay();
	settings.smtpd_tls_ask_ccert = true;
	envelope(RCPT, OK OK);
	client_says("DATA\r\n");
	backend_says("354 go\r\n");
	client_says(".\r\n");
	cr_assert_not_null(strstr(backend_hears(),
	    "\r\n\t(Client did not present a certificate)\r\n"));
}

Test(flow_trace, nothing_is_inserted_unless_asked_for)
{
	begin_in_relay();
	services[HARNESS_MAY].policy.insert_received = false;
	envelope(RCPT, OK OK);
	client_says("DATA\r\n");
	backend_hears();
	backend_says("354 go\r\n");
	client_says(BODY ".\r\n");
	cr_assert_str_eq(backend_hears(), BODY ".\r\n");
}

/* The sink answers for itself: what it gets must be proper, count and all. */
Test(flow_trace, the_sink_takes_it)
{
	begin_in_tls(HARNESS_SINK);
	client_says("EHLO client.test\r\n" MAIL RCPT
		    "BDAT 3\r\nabcBDAT 0 LAST\r\n" MAIL RCPT "DATA\r\n");
	client_hears();
	client_says(BODY ".\r\nQUIT\r\n");
	cr_assert_not_null(strstr(client_hears(), "221 "));
	cr_assert_eq(flow.messages, 2);
	ends_because(CLOSE_CLIENT_QUIT);
}

/* No room for a header is no room for a command: both wait. */
Test(flow_trace, it_waits_for_a_buffer)
{
	begin_in_relay();
	envelope(RCPT, OK OK);
	client_says("DATA\r\n");
	backend_hears();
	backend_says("354 go\r\n");
	client_hears();
	buffers_run_out(0);
	client_says(".\r\n");
	cr_assert_str_eq(backend_hears(), "");
	buffers_come_back();
	flow_go_on(&flow, &env);
	expect_header(
	    "", in_tls(), "ESMTPS", "\r\n\tfor <b@box.test>; " DATE, ".\r\n");
}
