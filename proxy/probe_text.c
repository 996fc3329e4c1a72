/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/probe_page.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "proxy/utf8.h"

#define LINE_SIZE 4096
#define DAY_S	  86400

/* All output goes through here. */
__attribute__((format(printf, 2, 3))) static void print(
    FILE *out, const char *format, ...)
{
	char line[LINE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	utf8_neuter(line, strlen(line));
	fprintf(out, "%s\n", line);
}

void probe_page_time(int64_t time_s, char out[PROBE_TIME_SIZE])
{
	time_t time = (time_t)time_s;
	struct tm parts;

	if (gmtime_r(&time, &parts) == NULL ||
	    strftime(out, PROBE_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		out[0] = '\0';
}

enum probe_status probe_result_status(const struct probe_result *result)
{
	const struct probe_visit *visit = &result->visit;

	switch (visit->outcome) {
	case PROBE_TLS:
		break;
	case PROBE_NOT_CONNECTED:
	case PROBE_LOST:
	case PROBE_TURNED_AWAY:
		return PROBE_STATUS_NO_SESSION;
	case PROBE_NO_STARTTLS:
	case PROBE_STARTTLS_REFUSED:
		return PROBE_STATUS_NO_TLS;
	case PROBE_HANDSHAKE_FAILED:
		/* Also that may come of them. */
		return visit->discarded_len > 0 ? PROBE_STATUS_INJECTED
						: PROBE_STATUS_NO_HANDSHAKE;
	}
	if (visit->discarded_len > 0)
		return PROBE_STATUS_INJECTED;
	if (!visit->is_satisfied)
		return PROBE_STATUS_NOT_VERIFIED;
	return visit->facts.forward_secret ? PROBE_STATUS_GOOD
					   : PROBE_STATUS_NOT_SECRET;
}

const char *probe_status_text(
    enum probe_status status, const struct probe_result *result)
{
	bool must_match =
	    tls_client_level_must_match(result->place->options->level);

	switch (status) {
	case PROBE_STATUS_GOOD:
		return must_match ? "TLS with forward secrecy, and the "
				    "certificate is verified"
				  : "TLS with forward secrecy";
	case PROBE_STATUS_BROKEN:
		return "nothing could be asked";
	case PROBE_STATUS_NO_TLS:
		return "no TLS";
	case PROBE_STATUS_NO_HANDSHAKE:
		return "TLS is offered, but the handshake fails";
	case PROBE_STATUS_NOT_SECRET:
		return "TLS without forward secrecy";
	case PROBE_STATUS_NOT_VERIFIED:
		return "TLS, but the certificate is not verified";
	case PROBE_STATUS_NO_SESSION:
		return "no session";
	case PROBE_STATUS_INJECTED:
		return "something came in clear behind the answer to STARTTLS";
	}
	return "";
}

const char *probe_resumption_word(const struct probe_resumption *resumption)
{
	if (resumption->first != PROBE_TLS)
		return probe_outcome_word(resumption->first);
	if (!resumption->memory.is_there)
		return "nothing_to_resume";
	if (resumption->second != PROBE_TLS)
		return probe_outcome_word(resumption->second);
	return resumption->is_resumed ? "resumed" : "not_resumed";
}

static void print_secrecy(FILE *out, const struct probe_result *result)
{
	const struct tls_facts *facts = &result->visit.facts;
	char group[PROBE_WORD_SIZE];

	tls_facts_group_word(facts, group, sizeof(group));
	if (!facts->forward_secret)
		print(out, "forward secrecy: no (%s)",
		    facts->forward_secrecy_reason);
	else
		print(out,
		    "forward secrecy: yes (%s), %s, %s as %d bits, %s "
		    "post-quantum",
		    facts->forward_secrecy_reason, group, result->strength.word,
		    result->strength.bits, facts->post_quantum ? "and" : "not");
}

static void print_validity(
    FILE *out, const struct tls_peer_certificate *certificate, int64_t now_s)
{
	char from[PROBE_TIME_SIZE], until[PROBE_TIME_SIZE];
	int64_t left_s = certificate->not_after_s - now_s;

	probe_page_time(certificate->not_before_s, from);
	probe_page_time(certificate->not_after_s, until);
	if (certificate->not_before_s > now_s)
		print(out, "  valid: %s to %s, not yet", from, until);
	else if (left_s < 0)
		print(out, "  valid: %s to %s, expired", from, until);
	else
		print(out, "  valid: %s to %s, %lld days left", from, until,
		    (long long)(left_s / DAY_S));
}

static void print_certificate(FILE *out,
    const struct tls_peer_certificate *certificate, const char *fingerprint,
    const char *key_fingerprint, int64_t now_s)
{
	const char *curve = certificate->key_curve;

	print(out, "certificate:");
	print(out, "  subject: %s", certificate->subject);
	print(out, "  issuer: %s", certificate->issuer);
	print(out, "  names: %s", certificate->names);
	print_validity(out, certificate, now_s);
	print(out, "  key: %s, %d bits%s%s", certificate->key_type,
	    certificate->key_bits, curve[0] == '\0' ? "" : ", ", curve);
	print(out, "  signature: %s", certificate->signature);
	print(out, "  fingerprint: %s", fingerprint);
	print(out, "  public key fingerprint: %s", key_fingerprint);
}

static void print_resumption(
    FILE *out, const struct probe_resumption *resumption)
{
	const struct tls_client_memory *memory = &resumption->memory;
	const char *means = memory->is_ticket ? "ticket" : "session id";
	const char *version = resumption->version;

	if (resumption->first == PROBE_HANDSHAKE_FAILED)
		print(out, "resumption, %s: not spoken", version);
	else if (resumption->first != PROBE_TLS ||
		 (memory->is_there && resumption->second != PROBE_TLS))
		print(out, "resumption, %s: not known (%s)", version,
		    probe_resumption_word(resumption));
	else if (!memory->is_there)
		print(out, "resumption, %s: nothing to resume with", version);
	else if (!resumption->is_resumed)
		print(out, "resumption, %s: %s given, and not honoured",
		    version, means);
	else if (resumption->has_fresh_exchange)
		print(out, "resumption, %s: by %s, with a fresh exchange (%s)",
		    version, means, resumption->group);
	else
		print(out,
		    "resumption, %s: by %s, without a fresh exchange: no "
		    "forward secrecy",
		    version, means);
}

static void print_version(FILE *out, const struct probe_version *version)
{
	print(out, "%s: %s", version->word,
	    version->is_accepted ? "accepted" : "not accepted");
	for (size_t i = 0; i < version->suite_count; i++) {
		const struct probe_suite *suite = &version->suites[i];

		print(out, "  suite %-32s %3d bits  FS %-3s  %s, %s",
		    suite->name, suite->bits,
		    suite->is_forward_secret ? "yes" : "no", suite->group,
		    suite->strength.word);
	}
	for (size_t i = 0; i < version->group_count; i++)
		print(out, "  group %-32s %3d bits  %s",
		    version->groups[i].name, version->groups[i].strength.bits,
		    version->groups[i].strength.word);
}

static void print_survey(FILE *out, const struct probe_result *result)
{
	const struct probe_survey *survey = &result->survey;

	for (size_t i = 0; i < PROBE_VERSIONS_COUNT; i++)
		print_version(out, &survey->versions[i]);
	for (size_t i = 0; i < survey->certificate_count; i++) {
		const struct probe_certificate *certificate =
		    &survey->certificates[i];

		if (strcmp(certificate->fingerprint,
			result->visit.peer.fingerprint) != 0)
			print_certificate(out, &certificate->text,
			    certificate->fingerprint,
			    certificate->public_key_fingerprint, result->now_s);
	}
	if (!survey->is_complete)
		print(out, "the list is not complete: after %u connections: %s",
		    survey->visit_count, survey->why);
}

static void print_line(FILE *out, const char *line)
{
	if (line[0] != '\0')
		print(out, "%s", line);
}

static void print_session(FILE *out, const struct probe_result *result)
{
	const struct probe_options *options = result->place->options;
	const struct probe_visit *visit = &result->visit;

	if (options->loglevel >= PROBE_LOGLEVEL_LINES)
		print_line(out, visit->match_line);
	/* Postfix is silent on it where nobody asked. */
	if (options->loglevel >= PROBE_LOGLEVEL_TALK ||
	    (options->loglevel >= PROBE_LOGLEVEL_LINES &&
		tls_client_level_must_match(options->level)))
		print_line(out, visit->verdict_line);
	if (options->loglevel >= PROBE_LOGLEVEL_LINES)
		print_line(out, visit->peer_line);
	print_line(out, visit->summary);
	if (visit->why[0] != '\0')
		print(out, "behind the handshake: %s", visit->why);
	print_secrecy(out, result);
	if (visit->certificate.is_present)
		print_certificate(out, &visit->certificate,
		    visit->peer.fingerprint, visit->peer.public_key_fingerprint,
		    result->now_s);
}

void probe_page_text(FILE *out, const struct probe_result *result)
{
	const struct probe_visit *visit = &result->visit;
	enum probe_status status = probe_result_status(result);

	if (visit->discarded_len > 0)
		print(out,
		    "%zu bytes came in clear behind the answer to STARTTLS, "
		    "and were thrown away",
		    visit->discarded_len);
	if (visit->outcome == PROBE_TLS)
		print_session(out, result);
	if (result->has_resumptions)
		for (size_t i = 0; i < PROBE_RESUMPTIONS_COUNT; i++)
			print_resumption(out, &result->resumptions[i]);
	if (result->has_survey)
		print_survey(out, result);
	if (visit->outcome == PROBE_TLS)
		print(out, "%s: %s", result->place->name,
		    probe_status_text(status, result));
	else
		print(out, "%s: %s: %s", result->place->name,
		    probe_status_text(status, result), visit->why);
}
