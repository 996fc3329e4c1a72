/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/probe_survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proxy/probe_client.h"

#define LIST_SIZE 4096
#define ATTEMPTS  2

static const struct {
	const char *word, *protocols;
} versions[PROBE_VERSIONS_COUNT] = {
    {"TLSv1.3", ">=TLSv1.3, <=TLSv1.3"},
    {"TLSv1.2", ">=TLSv1.2, <=TLSv1.2"},
    {"TLSv1.1", ">=TLSv1.1, <=TLSv1.1"},
    {"TLSv1", ">=TLSv1, <=TLSv1"},
};
#define VERSION_13 0
#define VERSION_12 1

static const char *const suites_13[] = {
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
};

/* OpenSSL's name, and the word for it in records. With '?', so that none is
 * missed where OpenSSL does not know it. */
static const struct {
	const char *name, *word;
} groups[] = {
    {"?X25519MLKEM768", "X25519MLKEM768"},
    {"?SecP256r1MLKEM768", "SecP256r1MLKEM768"},
    {"?SecP384r1MLKEM1024", "SecP384r1MLKEM1024"},
    {"?X25519", "X25519"},
    {"?prime256v1", "prime256v1"},
    {"?X448", "X448"},
    {"?secp384r1", "secp384r1"},
    {"?secp521r1", "secp521r1"},
    {"?ffdhe2048", "DHE-2048"},
    {"?ffdhe3072", "DHE-3072"},
    {"?ffdhe4096", "DHE-4096"},
    {"?ffdhe6144", "DHE-6144"},
    {"?ffdhe8192", "DHE-8192"},
    {"?brainpoolP256r1", "brainpoolP256r1"},
    {"?brainpoolP384r1", "brainpoolP384r1"},
    {"?brainpoolP512r1", "brainpoolP512r1"},
    {"?secp256k1", "secp256k1"},
    {"?secp224r1", "secp224r1"},
    {"?prime192v1", "prime192v1"},
};

/* Of the suites below TLS 1.3. */
#define ALL_SUITES "ALL:COMPLEMENTOFALL:!PSK:!SRP"
static const char *const families[] = {
    "kEECDH:!PSK:!SRP",
    "kEDH:!PSK:!SRP",
    "kRSA:!PSK:!SRP",
    ALL_SUITES ":!kEECDH:!kEDH:!kRSA",
};

/* One for each kind of key that a certificate may have. */
static const char *const signatures[] = {
    ("RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:RSA+SHA256:RSA+SHA384:"
     "RSA+SHA512:RSA+SHA1"),
    "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ECDSA+SHA1",
    "ed25519",
    "ed448",
};

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

struct surveyor {
	const struct probe_place *place;
	struct probe_survey *survey;
	struct probe_visit visit; /* the last one */
};

static void append(char list[LIST_SIZE], const char *word)
{
	size_t len = strlen(list);

	snprintf(list + len, LIST_SIZE - len, "%s%s", len > 0 ? " " : "", word);
}

static struct probe_offer everything(void)
{
	static char names[LIST_SIZE];

	names[0] = '\0';
	for (size_t i = 0; i < COUNT_OF(groups); i++)
		append(names, groups[i].name);
	return (struct probe_offer){
	    .protocols = ">=TLSv1",
	    .suites = ALL_SUITES,
	    .excluded = "",
	    .suites_13 = "",
	    .groups = names,
	    .is_trial = true,
	};
}

static void note_certificate(struct surveyor *surveyor)
{
	struct probe_survey *survey = surveyor->survey;
	const struct probe_visit *visit = &surveyor->visit;
	struct probe_certificate *place;

	if (!visit->peer.is_present)
		return;
	for (size_t i = 0; i < survey->certificate_count; i++)
		if (strcmp(survey->certificates[i].fingerprint,
			visit->peer.fingerprint) == 0)
			return;
	if (survey->certificate_count == PROBE_CERTIFICATES_MAX)
		return;
	place = &survey->certificates[survey->certificate_count++];
	place->text = visit->certificate;
	memcpy(place->fingerprint, visit->peer.fingerprint,
	    sizeof(place->fingerprint));
	memcpy(place->public_key_fingerprint,
	    visit->peer.public_key_fingerprint,
	    sizeof(place->public_key_fingerprint));
}

/* What a server that limits connections says is no answer. */
static void give_up(struct surveyor *surveyor)
{
	struct probe_survey *survey = surveyor->survey;

	survey->is_complete = false;
	memcpy(survey->why, surveyor->visit.why, sizeof(survey->why));
}

/* Whether the server accepts some of the offer; false, too, when nothing is
 * left of it, or when the survey had to be given up. */
static bool ask(struct surveyor *surveyor, const struct probe_offer *offer)
{
	struct tls_client *client;
	enum probe_outcome outcome = PROBE_LOST;

	if (!surveyor->survey->is_complete)
		return false;
	client = probe_client_create(surveyor->place->options, offer);
	if (client == NULL)
		return false;
	for (int i = 0; i < ATTEMPTS && outcome != PROBE_TLS &&
			outcome != PROBE_HANDSHAKE_FAILED;
	     i++) {
		surveyor->survey->visit_count++;
		probe_visit_run(surveyor->place, client, &surveyor->visit);
		outcome = surveyor->visit.outcome;
	}
	tls_client_destroy(&client);
	if (outcome == PROBE_TLS)
		note_certificate(surveyor);
	else if (outcome != PROBE_HANDSHAKE_FAILED)
		give_up(surveyor);
	return outcome == PROBE_TLS;
}

static void note_suite(
    struct probe_version *version, const struct probe_visit *visit)
{
	struct probe_suite *suite = &version->suites[version->suite_count++];

	snprintf(suite->name, sizeof(suite->name), "%s", visit->facts.cipher);
	suite->bits = visit->facts.cipher_bits;
	suite->is_forward_secret = visit->facts.forward_secret;
	suite->strength = probe_strength_of(&visit->facts);
	tls_facts_group_word(&visit->facts, suite->group, sizeof(suite->group));
}

static bool has_suite(const struct probe_version *version, const char *name)
{
	for (size_t i = 0; i < version->suite_count; i++)
		if (strcmp(version->suites[i].name, name) == 0)
			return true;
	return false;
}

/* Of `suites`, or of those of TLS 1.3, until the server accepts none of what is
 * left. */
static void survey_family(
    struct surveyor *surveyor, size_t index, const char *suites)
{
	static char excluded[LIST_SIZE], left[LIST_SIZE];
	struct probe_version *version = &surveyor->survey->versions[index];
	struct probe_offer offer = everything();

	offer.protocols = versions[index].protocols;
	offer.suites = suites;
	offer.excluded = index == VERSION_13 ? "" : excluded;
	offer.suites_13 = index == VERSION_13 ? left : "";
	excluded[0] = '\0';
	for (size_t i = 0; i < version->suite_count; i++)
		append(excluded, version->suites[i].name);
	while (version->suite_count < PROBE_SUITES_MAX) {
		left[0] = '\0';
		for (size_t i = 0; i < COUNT_OF(suites_13); i++)
			if (!has_suite(version, suites_13[i]))
				append(left, suites_13[i]);
		/* An empty list would be all of them. */
		if (left[0] == '\0' || !ask(surveyor, &offer))
			return;
		version->is_accepted = true;
		note_suite(version, &surveyor->visit);
		append(excluded, surveyor->visit.facts.cipher);
	}
}

/* There are servers that choose what they then cannot do, DHE without a prime
 * above all, and break off, though they accept others of the offer. */
static void survey_suites(struct surveyor *surveyor, size_t index)
{
	survey_family(surveyor, index, ALL_SUITES);
	if (index == VERSION_13 || !surveyor->visit.is_unclear)
		return;
	for (size_t i = 0; i < COUNT_OF(families); i++)
		survey_family(surveyor, index, families[i]);
}

static bool has_group(const struct probe_version *version, const char *word)
{
	for (size_t i = 0; i < version->group_count; i++)
		if (strcasecmp(version->groups[i].name, word) == 0)
			return true;
	return false;
}

static void survey_groups(struct surveyor *surveyor, size_t index)
{
	static char left[LIST_SIZE];
	struct probe_version *version = &surveyor->survey->versions[index];
	struct probe_offer offer = everything();

	offer.protocols = versions[index].protocols;
	offer.groups = left;
	if (index != VERSION_13)
		offer.suites = "kEECDH";
	while (version->group_count < PROBE_GROUPS_MAX) {
		struct probe_group *group =
		    &version->groups[version->group_count];

		left[0] = '\0';
		for (size_t i = 0; i < COUNT_OF(groups); i++)
			if (!has_group(version, groups[i].word))
				append(left, groups[i].name);
		if (left[0] == '\0' || !ask(surveyor, &offer))
			return;
		tls_facts_group_word(
		    &surveyor->visit.facts, group->name, sizeof(group->name));
		/* One that cannot be left out would come for ever. */
		if (has_group(version, group->name))
			return;
		group->strength = probe_strength_of(&surveyor->visit.facts);
		version->group_count++;
	}
}

static void survey_certificates(struct surveyor *surveyor)
{
	for (size_t i = 0; i < COUNT_OF(signatures); i++) {
		struct probe_offer offer = everything();

		offer.protocols = ">=TLSv1.2";
		offer.signatures = signatures[i];
		ask(surveyor, &offer);
	}
}

static bool has_curves(const struct probe_version *version)
{
	for (size_t i = 0; i < version->suite_count; i++)
		if (strstr(version->suites[i].name, "ECDH") != NULL)
			return true;
	return false;
}

void probe_survey_run(
    const struct probe_place *place, struct probe_survey *survey_out)
{
	static struct surveyor surveyor; /* large */
	bool is_done = false;

	*survey_out = (struct probe_survey){.is_complete = true};
	surveyor.place = place;
	surveyor.survey = survey_out;
	for (size_t i = 0; i < PROBE_VERSIONS_COUNT; i++) {
		struct probe_version *version = &survey_out->versions[i];

		version->word = versions[i].word;
		survey_suites(&surveyor, i);
		if (i == VERSION_13 && version->is_accepted) {
			survey_groups(&surveyor, i);
		} else if (i != VERSION_13 && !is_done && has_curves(version)) {
			survey_groups(&surveyor, i);
			is_done = true;
		}
	}
	survey_certificates(&surveyor);
}

void probe_resumption_run(const struct probe_place *place, bool with_13,
    struct probe_resumption *resumption_out)
{
	static struct probe_visit visit; /* large */
	struct probe_offer offer = probe_offer_usual(place->options);
	size_t index = with_13 ? VERSION_13 : VERSION_12;
	struct tls_client *client;

	*resumption_out = (struct probe_resumption){
	    .version = versions[index].word,
	    .first = PROBE_HANDSHAKE_FAILED,
	    .second = PROBE_HANDSHAKE_FAILED,
	};
	offer.protocols = versions[index].protocols;
	offer.resumes = true;
	offer.is_trial = true;
	client = probe_client_create(place->options, &offer);
	if (client == NULL)
		return;
	probe_visit_run(place, client, &visit);
	resumption_out->first = visit.outcome;
	resumption_out->memory = tls_client_memory(client);
	if (visit.outcome == PROBE_TLS && resumption_out->memory.is_there) {
		probe_visit_run(place, client, &visit);
		resumption_out->second = visit.outcome;
		resumption_out->is_resumed =
		    visit.outcome == PROBE_TLS && visit.facts.resumed;
		resumption_out->has_fresh_exchange =
		    resumption_out->is_resumed && visit.facts.forward_secret;
		if (visit.outcome == PROBE_TLS)
			tls_facts_group_word(&visit.facts,
			    resumption_out->group,
			    sizeof(resumption_out->group));
	}
	tls_client_destroy(&client);
}
