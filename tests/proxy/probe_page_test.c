/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/probe_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static struct probe_options options;
static struct probe_place place;
static struct probe_result result;

/* A good session. */
static void init(void)
{
	options = (struct probe_options){
	    .level = TLS_CLIENT_ENCRYPT,
	    .port = 25,
	    .loglevel = 1,
	};
	place = (struct probe_place){
	    .options = &options,
	    .name = "mx.test[192.0.2.1]:25",
	};
	result = (struct probe_result){
	    .place = &place,
	    .visit = {.outcome = PROBE_TLS,
		.is_satisfied = true,
		.facts = {.trust = TLS_TRUSTED,
		    .protocol = "TLSv1.3",
		    .cipher = "TLS_AES_256_GCM_SHA384",
		    .cipher_bits = 256,
		    .key_exchange = {.name = "X25519"},
		    .forward_secret = true,
		    .forward_secrecy_reason = "ecdhe",
		    .sni = ""},
		.summary = "Trusted TLS connection established to …"},
	    .strength = {.bits = 128, .word = "strong"},
	    .now_s = 1000 * 86400,
	};
}

TestSuite(probe_page, .init = init);

static char *print(bool as_json)
{
	static char text[65536];
	FILE *out = fmemopen(text, sizeof(text), "w");

	cr_assert_not_null(out);
	if (as_json)
		cr_assert(probe_page_json(out, &result));
	else
		probe_page_text(out, &result);
	fclose(out);
	return text;
}

Test(probe_page, a_status_for_each_end)
{
	static const struct {
		enum probe_outcome outcome;
		size_t discarded_len;
		bool is_satisfied, is_secret;
		int status;
	} rows[] = {
	    {PROBE_TLS, 0, true, true, 0},
	    {PROBE_NO_STARTTLS, 0, false, false, 2},
	    {PROBE_STARTTLS_REFUSED, 0, false, false, 2},
	    {PROBE_HANDSHAKE_FAILED, 0, false, false, 3},
	    {PROBE_TLS, 0, true, false, 4},
	    {PROBE_TLS, 0, false, true, 5},
	    {PROBE_TLS, 0, false, false, 5},
	    {PROBE_NOT_CONNECTED, 0, false, false, 6},
	    {PROBE_LOST, 0, false, false, 6},
	    {PROBE_TURNED_AWAY, 0, false, false, 6},
	    {PROBE_TLS, 1, true, true, 7},
	    {PROBE_TLS, 1, false, false, 7},
	    {PROBE_HANDSHAKE_FAILED, 1, false, false, 7},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		result.visit.outcome = rows[i].outcome;
		result.visit.discarded_len = rows[i].discarded_len;
		result.visit.is_satisfied = rows[i].is_satisfied;
		result.visit.facts.forward_secret = rows[i].is_secret;
		cr_assert_eq((int)probe_result_status(&result), rows[i].status,
		    "row %zu", i);
	}
}

Test(probe_page, a_good_session)
{
	cr_assert_str_eq(print(false),
	    "Trusted TLS connection established to …\n"
	    "forward secrecy: yes (ecdhe), X25519, strong as 128 bits, not "
	    "post-quantum\n"
	    "mx.test[192.0.2.1]:25: TLS with forward secrecy\n");
}

Test(probe_page, a_certificate)
{
	struct tls_peer_certificate *certificate = &result.visit.certificate;

	*certificate = (struct tls_peer_certificate){
	    .is_present = true,
	    .subject = "CN=mx.test",
	    .issuer = "CN=Root",
	    .names = "mx.test, 192.0.2.1",
	    .key_type = "EC",
	    .key_curve = "prime256v1",
	    .key_bits = 256,
	    .signature = "ecdsa-with-SHA256",
	    .not_before_s = 0,
	    .not_after_s = 1003 * 86400 - 1,
	};
	snprintf(result.visit.peer.fingerprint,
	    sizeof(result.visit.peer.fingerprint), "AB:CD");
	cr_assert_not_null(strstr(print(false),
	    "certificate:\n"
	    "  subject: CN=mx.test\n"
	    "  issuer: CN=Root\n"
	    "  names: mx.test, 192.0.2.1\n"
	    "  valid: 1970-01-01T00:00:00Z to 1972-09-29T23:59:59Z, 2 days "
	    "left\n"
	    "  key: EC, 256 bits, prime256v1\n"
	    "  signature: ecdsa-with-SHA256\n"
	    "  fingerprint: AB:CD\n"
	    "  public key fingerprint: \n"));
	certificate->not_after_s = result.now_s - 1;
	cr_assert_not_null(strstr(print(false), "Z, expired\n"));
	certificate->not_before_s = result.now_s + 1;
	cr_assert_not_null(strstr(print(false), "Z, not yet\n"));
}

/* None but the line ends that are ours. */
static bool is_safe(const char *text)
{
	for (; *text != '\0'; text++)
		if (((unsigned char)*text < ' ' && *text != '\n') ||
		    *text == 0x7f ||
		    ((unsigned char)text[0] == 0xc2 &&
			(unsigned char)text[1] < 0xa0))
			return false;
	return true;
}

Test(probe_page, what_a_terminal_would_obey)
{
	static const char evil[] = "a\x1b[31m\r\nb\x07\x7f\xc2\x9b"
				   "c\xff";

	result.visit.certificate.is_present = true;
	memcpy(result.visit.certificate.subject, evil, sizeof(evil));
	memcpy(result.visit.certificate.issuer, evil, sizeof(evil));
	memcpy(result.visit.certificate.names, evil, sizeof(evil));
	memcpy(result.visit.why, evil, sizeof(evil));
	memcpy(result.visit.summary, evil, sizeof(evil));
	result.has_survey = true;
	memcpy(result.survey.why, evil, sizeof(evil));
	for (size_t i = 0; i < PROBE_VERSIONS_COUNT; i++)
		result.survey.versions[i].word = "TLSv1.2";
	cr_assert(is_safe(print(false)));
	cr_assert_not_null(strstr(print(false), "subject: a?[31m??b????c?\n"));
	cr_assert(is_safe(print(true)));
	cr_assert_not_null(
	    strstr(print(true), "\"subject\": \"a?[31m??b????c?\""));
}

Test(probe_page, what_became_of_resumption)
{
	static const struct {
		struct probe_resumption resumption;
		const char *word, *line;
	} rows[] = {
	    {{.first = PROBE_HANDSHAKE_FAILED}, "handshake_failed",
		"not spoken"},
	    {{.first = PROBE_TURNED_AWAY}, "turned_away",
		"not known (turned_away)"},
	    {{.first = PROBE_TLS}, "nothing_to_resume",
		"nothing to resume with"},
	    {{.first = PROBE_TLS,
		 .second = PROBE_LOST,
		 .memory = {.is_there = true}},
		"lost", "not known (lost)"},
	    {{.first = PROBE_TLS,
		 .second = PROBE_TLS,
		 .memory = {.is_there = true}},
		"not_resumed", "session id given, and not honoured"},
	    {{.first = PROBE_TLS,
		 .second = PROBE_TLS,
		 .memory = {.is_there = true, .is_ticket = true},
		 .is_resumed = true},
		"resumed",
		"by ticket, without a fresh exchange: no forward secrecy"},
	    {{.first = PROBE_TLS,
		 .second = PROBE_TLS,
		 .memory = {.is_there = true, .is_ticket = true},
		 .is_resumed = true,
		 .has_fresh_exchange = true,
		 .group = "X25519"},
		"resumed", "by ticket, with a fresh exchange (X25519)"},
	};

	result.has_resumptions = true;
	result.resumptions[1].version = "TLSv1.3";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char line[128];

		result.resumptions[0] = rows[i].resumption;
		result.resumptions[0].version = "TLSv1.2";
		cr_assert_str_eq(probe_resumption_word(&result.resumptions[0]),
		    rows[i].word);
		snprintf(line, sizeof(line), "resumption, TLSv1.2: %s\n",
		    rows[i].line);
		cr_assert_not_null(strstr(print(false), line), "%s", line);
	}
}
