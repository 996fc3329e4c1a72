/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/probe_page.h"

#include <string.h>

#include <jansson.h>

#include "proxy/utf8.h"

/* Strings of JSON are UTF-8, and whoever shows them may not be careful. */
static json_t *text(const char *bytes)
{
	char copy[PROBE_LINE_SIZE];

	snprintf(copy, sizeof(copy), "%s", bytes);
	utf8_neuter(copy, strlen(copy));
	return json_string(copy);
}

static json_t *describe_time(int64_t time_s)
{
	char out[PROBE_TIME_SIZE];

	probe_page_time(time_s, out);
	return json_string(out);
}

static json_t *describe_certificate(
    const struct tls_peer_certificate *certificate, const char *fingerprint,
    const char *key_fingerprint)
{
	return json_pack(
	    "{s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:s, s:s}",
	    "subject", text(certificate->subject), "issuer",
	    text(certificate->issuer), "names", text(certificate->names),
	    "not_before", describe_time(certificate->not_before_s), "not_after",
	    describe_time(certificate->not_after_s), "key_type",
	    text(certificate->key_type), "key_bits", certificate->key_bits,
	    "key_curve", text(certificate->key_curve), "signature",
	    text(certificate->signature), "fingerprint", fingerprint,
	    "public_key_fingerprint", key_fingerprint);
}

static json_t *describe_session(const struct probe_result *result)
{
	const struct probe_visit *visit = &result->visit;
	const struct tls_facts *facts = &visit->facts;
	char group[PROBE_WORD_SIZE];

	tls_facts_group_word(facts, group, sizeof(group));
	return json_pack("{s:o, s:s, s:b, s:s, s:s, s:i, s:s, s:i, s:b, s:s, "
			 "s:i, s:s, s:b, s:o, s:o, s:o}",
	    "line", text(visit->summary), "status",
	    tls_trust_word(facts->trust), "satisfied", visit->is_satisfied,
	    "protocol", facts->protocol, "cipher", facts->cipher, "cipher_bits",
	    facts->cipher_bits, "group", group, "group_bits",
	    facts->key_exchange.bits, "forward_secret", facts->forward_secret,
	    "forward_secrecy_reason", facts->forward_secrecy_reason,
	    "strength_bits", result->strength.bits, "strength",
	    result->strength.word, "post_quantum", facts->post_quantum,
	    "verdict", text(visit->verdict_line), "match",
	    text(visit->match_line), "certificate",
	    visit->certificate.is_present
		? describe_certificate(&visit->certificate,
		      visit->peer.fingerprint,
		      visit->peer.public_key_fingerprint)
		: json_null());
}

static json_t *describe_resumptions(const struct probe_result *result)
{
	json_t *list = json_array();

	for (size_t i = 0; i < PROBE_RESUMPTIONS_COUNT; i++) {
		const struct probe_resumption *resumption =
		    &result->resumptions[i];
		const struct tls_client_memory *memory = &resumption->memory;

		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:s, s:I, s:b, s:b, s:s}",
			      "protocol", resumption->version, "result",
			      probe_resumption_word(resumption), "by",
			      !memory->is_there	  ? "none"
			      : memory->is_ticket ? "ticket"
						  : "session_id",
			      "ticket_lifetime", (json_int_t)memory->lifetime_s,
			      "resumed", resumption->is_resumed,
			      "fresh_exchange", resumption->has_fresh_exchange,
			      "group", resumption->group));
	}
	return list;
}

static json_t *describe_suites(const struct probe_version *version)
{
	json_t *list = json_array();

	for (size_t i = 0; i < version->suite_count; i++) {
		const struct probe_suite *suite = &version->suites[i];

		json_array_append_new(list,
		    json_pack("{s:s, s:i, s:b, s:s, s:i, s:s}", "name",
			suite->name, "bits", suite->bits, "forward_secret",
			suite->is_forward_secret, "group", suite->group,
			"strength_bits", suite->strength.bits, "strength",
			suite->strength.word));
	}
	return list;
}

static json_t *describe_groups(const struct probe_version *version)
{
	json_t *list = json_array();

	for (size_t i = 0; i < version->group_count; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:i, s:s}", "name",
			      version->groups[i].name, "strength_bits",
			      version->groups[i].strength.bits, "strength",
			      version->groups[i].strength.word));
	return list;
}

static json_t *describe_survey(const struct probe_survey *survey)
{
	json_t *versions = json_array();
	json_t *certificates = json_array();

	for (size_t i = 0; i < PROBE_VERSIONS_COUNT; i++) {
		const struct probe_version *version = &survey->versions[i];

		json_array_append_new(versions,
		    json_pack("{s:s, s:b, s:o, s:o}", "protocol", version->word,
			"accepted", version->is_accepted, "suites",
			describe_suites(version), "groups",
			describe_groups(version)));
	}
	for (size_t i = 0; i < survey->certificate_count; i++)
		json_array_append_new(certificates,
		    describe_certificate(&survey->certificates[i].text,
			survey->certificates[i].fingerprint,
			survey->certificates[i].public_key_fingerprint));
	return json_pack("{s:b, s:o, s:i, s:o, s:o}", "complete",
	    survey->is_complete, "why", text(survey->why), "connections",
	    (int)survey->visit_count, "protocols", versions, "certificates",
	    certificates);
}

bool probe_page_json(FILE *out, const struct probe_result *result)
{
	const struct probe_visit *visit = &result->visit;
	enum probe_status status = probe_result_status(result);
	json_t *page =
	    json_pack("{s:o, s:i, s:s, s:i, s:s, s:o, s:I, s:o, s:o, s:o}",
		"server", text(result->place->name), "status", (int)status,
		"meaning", probe_status_text(status, result), "port",
		(int)result->place->options->port, "outcome",
		probe_outcome_word(visit->outcome), "why", text(visit->why),
		"discarded_octets", (json_int_t)visit->discarded_len, "tls",
		visit->outcome == PROBE_TLS ? describe_session(result)
					    : json_null(),
		"resumption",
		result->has_resumptions ? describe_resumptions(result)
					: json_null(),
		"accepts",
		result->has_survey ? describe_survey(&result->survey)
				   : json_null());
	bool done = page != NULL && json_dumpf(page, out, JSON_INDENT(2)) == 0;

	json_decref(page);
	if (done)
		fputc('\n', out);
	return done;
}
