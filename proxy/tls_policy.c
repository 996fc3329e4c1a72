/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tls_policy.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tls/protocols.h"
#include "tls/sni.h"

#define LEVELS \
	"none, may, encrypt, fingerprint, verify, secure, dane or dane-only"

struct parser {
	struct tls_policy *policy;
	char *why;
	size_t why_size;
};

/* name=value, both borrowed from the text. */
struct attribute {
	const char *name, *value;
	size_t name_len, value_len;
};

__attribute__((format(printf, 2, 3))) static bool refuse(
    struct parser *parser, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(parser->why, parser->why_size, format, arguments);
	va_end(arguments);
	return false;
}

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

static bool parse_level(struct parser *parser, const char *word, size_t len)
{
	static const char *const words[] = {
	    [SETTINGS_CLIENT_NONE] = "none",
	    [SETTINGS_CLIENT_MAY] = "may",
	    [SETTINGS_CLIENT_ENCRYPT] = "encrypt",
	    [SETTINGS_CLIENT_FINGERPRINT] = "fingerprint",
	    [SETTINGS_CLIENT_VERIFY] = "verify",
	    [SETTINGS_CLIENT_SECURE] = "secure",
	    [SETTINGS_CLIENT_DANE] = "dane",
	    [SETTINGS_CLIENT_DANE_ONLY] = "dane-only",
	};

	for (size_t i = SETTINGS_CLIENT_NONE;
	     i < sizeof(words) / sizeof(words[0]); i++)
		if (is_word(word, len, words[i])) {
			parser->policy->level = (enum settings_client_level)i;
			return true;
		}
	return refuse(parser, "\"%.*s\" is no level; must be " LEVELS,
	    (int)(len < 100 ? len : 100), word);
}

static bool split(const char *element, size_t len, struct attribute *out)
{
	const char *sign = memchr(element, '=', len);
	const char *end = element + len;

	if (sign == NULL)
		return false;
	out->name = element;
	out->name_len = (size_t)(sign - element);
	while (out->name_len > 0 &&
	       strchr(" \t", element[out->name_len - 1]) != NULL)
		out->name_len--;
	out->value = sign + 1;
	out->value += strspn(out->value, " \t");
	if (out->value > end)
		out->value = end;
	out->value_len = (size_t)(end - out->value);
	return out->name_len > 0;
}

/* Appends to what is there, with a blank between. */
static bool append(char *text, const char *word, size_t word_len)
{
	size_t len = strlen(text);

	if (len + word_len + 2 > TLS_POLICY_TEXT_SIZE)
		return false;
	if (len > 0)
		text[len++] = ' ';
	memcpy(text + len, word, word_len);
	text[len + word_len] = '\0';
	return true;
}

static bool take(struct parser *parser, const struct attribute *attribute,
    struct tls_policy_attribute *place, bool may_repeat)
{
	if (place->is_present && !may_repeat)
		return refuse(parser,
		    "\"%.*s\" stands there twice; must "
		    "stand once",
		    (int)attribute->name_len, attribute->name);
	place->is_present = true;
	if (!append(place->text, attribute->value, attribute->value_len))
		return refuse(parser,
		    "\"%.*s\" is too long; must have less "
		    "than %d characters",
		    (int)attribute->name_len, attribute->name,
		    TLS_POLICY_TEXT_SIZE);
	return true;
}

/* Names are separated by colons, and fingerprints, which may have colons
 * themselves, by bars. */
static bool take_match(struct parser *parser, const struct attribute *attribute)
{
	struct tls_policy_attribute *match = &parser->policy->match;
	char separator = ':';
	size_t at = strlen(match->text);

	switch (parser->policy->level) {
	case SETTINGS_CLIENT_FINGERPRINT:
		separator = '|';
		break;
	case SETTINGS_CLIENT_VERIFY:
	case SETTINGS_CLIENT_SECURE:
		break;
	case SETTINGS_CLIENT_UNSET:
	case SETTINGS_CLIENT_NONE:
	case SETTINGS_CLIENT_MAY:
	case SETTINGS_CLIENT_ENCRYPT:
	case SETTINGS_CLIENT_DANE:
	case SETTINGS_CLIENT_DANE_ONLY:
		return refuse(parser,
		    "\"match\" has no meaning at this level; "
		    "must stand with fingerprint, verify or secure");
	}
	if (!take(parser, attribute, match, true))
		return false;
	for (; match->text[at] != '\0'; at++)
		if (match->text[at] == separator)
			match->text[at] = ' ';
	return true;
}

static bool take_anchors(
    struct parser *parser, const struct attribute *attribute)
{
	if (parser->policy->level != SETTINGS_CLIENT_VERIFY &&
	    parser->policy->level != SETTINGS_CLIENT_SECURE)
		return refuse(parser,
		    "\"tafile\" has no meaning at this "
		    "level; must stand with verify or secure");
	return take(parser, attribute, &parser->policy->tafile, true);
}

static bool take_servername(
    struct parser *parser, const struct attribute *attribute)
{
	struct tls_policy_attribute *name = &parser->policy->servername;

	if (!take(parser, attribute, name, false))
		return false;
	if (tls_sni_is_host_name(name->text, strlen(name->text)))
		return true;
	return refuse(parser, "servername=%.100s: is no host name; must be one",
	    name->text);
}

static bool take_ciphers(
    struct parser *parser, const struct attribute *attribute)
{
	struct tls_policy_attribute *grade = &parser->policy->ciphers;

	if (!take(parser, attribute, grade, false))
		return false;
	if (tls_policy_grade(grade->text) >= 0)
		return true;
	return refuse(parser,
	    "ciphers=%.100s: is no cipher grade; must be high, medium or null",
	    grade->text);
}

static bool take_protocols(
    struct parser *parser, const struct attribute *attribute)
{
	struct tls_policy_attribute *list = &parser->policy->protocols;
	struct tls_protocols protocols;
	char bad[64];

	if (!take(parser, attribute, list, false))
		return false;
	if (tls_protocols_parse(list->text, &protocols, bad, sizeof(bad)))
		return true;
	return refuse(parser,
	    "protocols=%.100s: \"%s\" is no protocol version; must be such as "
	    "TLSv1.2:TLSv1.3 or >=TLSv1.2",
	    list->text, bad);
}

static bool take_excluded(
    struct parser *parser, const struct attribute *attribute)
{
	struct tls_policy_attribute *list = &parser->policy->exclude;

	if (!take(parser, attribute, list, false))
		return false;
	for (const char *at = list->text; *at != '\0'; at++) {
		bool begins =
		    at == list->text || strchr(", \t:", at[-1]) != NULL;

		if (begins && strchr("!+-@", *at) != NULL)
			return refuse(parser,
			    "exclude=%.100s: \"%c\" is out of place; must be "
			    "bare names of suites, or of kinds of suites such "
			    "as aNULL",
			    list->text, *at);
	}
	return true;
}

/* Of Postfix's, without a meaning here. */
static bool is_ignored(const struct attribute *attribute)
{
	static const char *const names[] = {"connection_reuse", "policy_ttl",
	    "policy_type", "policy_domain", "policy_string", "mx_host_pattern",
	    "policy_failure"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (is_word(attribute->name, attribute->name_len, names[i]))
			return true;
	return is_word(attribute->name, attribute->name_len, "enable_rpk") &&
	       is_word(attribute->value, attribute->value_len, "no");
}

static bool take_attribute(
    struct parser *parser, const struct attribute *attribute)
{
	static const struct {
		const char *name;
		bool (*take)(struct parser *, const struct attribute *);
	} takers[] = {
	    {"ciphers", take_ciphers},
	    {"protocols", take_protocols},
	    {"servername", take_servername},
	    {"exclude", take_excluded},
	    {"match", take_match},
	    {"tafile", take_anchors},
	};
	size_t shown = attribute->name_len < 100 ? attribute->name_len : 100;

	if (parser->policy->level == SETTINGS_CLIENT_NONE ||
	    is_ignored(attribute)) {
		if (!append(parser->policy->ignored, attribute->name, shown))
			return refuse(parser, "it has too many attributes");
		return true;
	}
	for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++)
		if (is_word(
			attribute->name, attribute->name_len, takers[i].name))
			return takers[i].take(parser, attribute);
	if (is_word(attribute->name, attribute->name_len, "enable_rpk"))
		return refuse(parser, "enable_rpk: raw public keys are not "
				      "supported; must be no");
	return refuse(parser,
	    "\"%.*s\" is no attribute; must be protocols, ciphers, exclude, "
	    "match, servername or tafile",
	    (int)shown, attribute->name);
}

bool tls_policy_parse(const char *value, struct tls_policy *policy_out,
    char *why_out, size_t why_size)
{
	struct parser parser = {policy_out, why_out, why_size};
	const char *cursor = value;
	struct attribute attribute;
	const char *element;
	size_t len;

	*policy_out = (struct tls_policy){.level = SETTINGS_CLIENT_UNSET};
	if (!settings_list_next(&cursor, &element, &len) || len == 0)
		return refuse(&parser, "it is empty; must begin with " LEVELS);
	if (!parse_level(&parser, element, len))
		return false;
	while (settings_list_next(&cursor, &element, &len)) {
		if (!split(element, len, &attribute))
			return refuse(&parser,
			    "\"%.*s\" is no attribute; must be name=value",
			    (int)(len < 100 ? len : 100), element);
		if (!take_attribute(&parser, &attribute))
			return false;
	}
	if (len == SIZE_MAX)
		return refuse(&parser, "a brace is not closed");
	return true;
}

int tls_policy_grade(const char *word)
{
	static const char *const words[] = {
	    [SETTINGS_GRADE_HIGH] = "high",
	    [SETTINGS_GRADE_MEDIUM] = "medium",
	    [SETTINGS_GRADE_LOW] = "low",
	    [SETTINGS_GRADE_EXPORT] = "export",
	    [SETTINGS_GRADE_NULL] = "null",
	};

	for (int i = 0; i < (int)(sizeof(words) / sizeof(words[0])); i++)
		if (strcasecmp(word, words[i]) == 0)
			return i;
	return -1;
}
