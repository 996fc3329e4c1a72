/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/probe_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/address.h"

#define PORT_SMTP  25
#define PORT_SMTPS 465

enum option {
	OPTION_ALL,
	OPTION_JSON,
	OPTION_WRAPPERMODE,
	OPTION_STARTTLS,
	OPTION_IPV4,
	OPTION_IPV6,
	OPTION_VERBOSE,
	/* Those with a word behind them. */
	OPTION_LEVEL,
	OPTION_CA_FILE,
	OPTION_CA_PATH,
	OPTION_TRUST_ANCHOR_FILE,
	OPTION_DIGEST,
	OPTION_SERVERNAME,
	OPTION_HELO,
	OPTION_PROTOCOLS,
	OPTION_CIPHERS,
	OPTION_TIMEOUT,
	OPTION_LOGLEVEL,
	OPTION_COUNT
};

/* The letters are those of posttls-finger(1), where it has them. */
static const struct {
	const char *word;
	char letter;
	enum option option;
} options[] = {
    {"--all", '\0', OPTION_ALL},
    {"--json", '\0', OPTION_JSON},
    {"--wrappermode", 'w', OPTION_WRAPPERMODE},
    {"--starttls", '\0', OPTION_STARTTLS},
    {"--ipv4", '4', OPTION_IPV4},
    {"--ipv6", '6', OPTION_IPV6},
    {"--verbose", 'v', OPTION_VERBOSE},
    {"--level", 'l', OPTION_LEVEL},
    {"--CAfile", 'F', OPTION_CA_FILE},
    {"--CApath", 'P', OPTION_CA_PATH},
    {"--trust-anchor-file", 'A', OPTION_TRUST_ANCHOR_FILE},
    {"--digest", 'd', OPTION_DIGEST},
    {"--servername", 's', OPTION_SERVERNAME},
    {"--helo", '\0', OPTION_HELO},
    {"--protocols", 'p', OPTION_PROTOCOLS},
    {"--ciphers", '\0', OPTION_CIPHERS},
    {"--timeout", 't', OPTION_TIMEOUT},
    {"--loglevel", 'L', OPTION_LOGLEVEL},
};

static const struct {
	const char *word;
	enum tls_client_level level;
} levels[] = {
    {"may", TLS_CLIENT_MAY},
    {"encrypt", TLS_CLIENT_ENCRYPT},
    {"fingerprint", TLS_CLIENT_FINGERPRINT},
    {"verify", TLS_CLIENT_VERIFY},
    {"secure", TLS_CLIENT_SECURE},
};

struct reader {
	char *const *words; /* that are not read yet */
	struct probe_options *options;
	bool starttls, is_servername_given;
	char *why;
	size_t why_size;
};

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static bool complain(
    const struct reader *reader, const char *what, const char *word)
{
	snprintf(reader->why, reader->why_size,
	    "%s \"%s\"; see \"postern --help\"", what, word);
	return false;
}

static bool read_number(const struct reader *reader, const char *text, long max,
    const char *what, long *number_out)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || *end != '\0' || number < 0 || number > max)
		return complain(reader, what, text);
	*number_out = number;
	return true;
}

static bool read_level(const struct reader *reader, const char *word)
{
	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		if (strcmp(word, levels[i].word) != 0)
			continue;
		reader->options->level = levels[i].level;
		reader->options->is_level_given = true;
		return true;
	}
	return complain(reader,
	    "--level wants may, encrypt, fingerprint, verify or secure, not",
	    word);
}

static bool set_value(
    struct reader *reader, enum option option, const char *value)
{
	struct probe_options *out = reader->options;

	if (option == OPTION_LEVEL)
		return read_level(reader, value);
	if (option == OPTION_LOGLEVEL)
		return read_number(reader, value, 4,
		    "--loglevel wants a number from 0 to 4, not",
		    &out->loglevel);
	if (option == OPTION_TIMEOUT)
		return read_number(reader, value, PROBE_TIMEOUT_S_MAX,
			   "--timeout wants seconds from 1 to 3600, not",
			   &out->timeout_s) &&
		       (out->timeout_s > 0 ||
			   complain(reader,
			       "--timeout wants seconds from 1 to 3600, not",
			       value));
	if (option == OPTION_CA_FILE)
		out->ca_file = value;
	else if (option == OPTION_CA_PATH)
		out->ca_path = value;
	else if (option == OPTION_TRUST_ANCHOR_FILE)
		out->trust_anchor_file = value;
	else if (option == OPTION_DIGEST)
		out->digest = value;
	else if (option == OPTION_HELO)
		out->helo = value;
	else if (option == OPTION_PROTOCOLS)
		out->protocols = value;
	else if (option == OPTION_CIPHERS)
		out->ciphers = value;
	if (option == OPTION_SERVERNAME) {
		out->servername = value;
		reader->is_servername_given = true;
	}
	return true;
}

static void set_flag(struct reader *reader, enum option option)
{
	struct probe_options *out = reader->options;

	if (option == OPTION_ALL)
		out->all = true;
	else if (option == OPTION_JSON)
		out->json = true;
	else if (option == OPTION_WRAPPERMODE)
		out->wrappermode = true;
	else if (option == OPTION_STARTTLS)
		reader->starttls = true;
	else if (option == OPTION_IPV4)
		out->families |= ADDRESS_IPV4;
	else if (option == OPTION_IPV6)
		out->families |= ADDRESS_IPV6;
	else
		out->loglevel = PROBE_LOGLEVEL_TALK;
}

/* `value` is what stands in the same word, or NULL. */
static bool take_option(struct reader *reader, enum option option,
    const char *name, const char *value)
{
	if (value == NULL) {
		value = *reader->words;
		if (value == NULL)
			return complain(
			    reader, "there is nothing behind", name);
		reader->words++;
	}
	return set_value(reader, option, value);
}

static enum option find_word(const char *word)
{
	for (size_t i = 0; i < COUNT_OF(options); i++)
		if (strcmp(options[i].word, word) == 0)
			return options[i].option;
	return OPTION_COUNT;
}

static enum option find_letter(char letter)
{
	for (size_t i = 0; i < COUNT_OF(options); i++)
		if (options[i].letter == letter)
			return options[i].option;
	return OPTION_COUNT;
}

/* "-4", "-wv", "-l secure", "-lsecure" */
static bool read_letters(struct reader *reader, const char *word)
{
	for (const char *letter = word + 1; *letter != '\0'; letter++) {
		const char name[] = {'-', *letter, '\0'};
		enum option option = find_letter(*letter);

		if (option == OPTION_COUNT)
			return complain(reader, "unknown option", name);
		if (option >= OPTION_LEVEL)
			return take_option(reader, option, name,
			    letter[1] != '\0' ? letter + 1 : NULL);
		set_flag(reader, option);
	}
	return true;
}

static bool read_option(struct reader *reader)
{
	const char *word = *reader->words++;
	enum option option;

	if (word[1] == '\0')
		return complain(reader, "unknown option", word);
	if (word[1] != '-')
		return read_letters(reader, word);
	option = find_word(word);
	if (option == OPTION_COUNT)
		return complain(reader, "unknown option", word);
	if (option >= OPTION_LEVEL)
		return take_option(reader, option, word, NULL);
	set_flag(reader, option);
	return true;
}

static bool set_host(struct reader *reader, const char *host, size_t len)
{
	if (len == 0 || len >= PROBE_HOST_SIZE)
		return false;
	memcpy(reader->options->host, host, len);
	reader->options->host[len] = '\0';
	/* It is printed, and a command goes out with it. */
	for (size_t i = 0; i < len; i++)
		if (host[i] <= ' ' || host[i] > '~')
			return false;
	return true;
}

/* "mx.example", "mx.example:587", "[192.0.2.1]:25", "[2001:db8::1]", and an
 * IPv6 address as it is, which then has no port. */
static bool read_place(struct reader *reader, const char *word)
{
	const char *host = word, *port = NULL;
	const char *end = word + strlen(word);
	const char *colon = strchr(word, ':');

	if (word[0] == '[') {
		end = strchr(word, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return complain(reader,
			    "a place is HOST, HOST:PORT or [ADDRESS]:PORT, not",
			    word);
		host = word + 1;
		port = end[1] == ':' ? end + 2 : NULL;
	} else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
		end = colon;
		port = colon + 1;
	}
	if (!set_host(reader, host, (size_t)(end - host)))
		return complain(reader,
		    "a place is HOST, HOST:PORT or [ADDRESS]:PORT, not", word);
	if (port != NULL)
		reader->options->port = address_port(port);
	else
		reader->options->port =
		    reader->options->wrappermode ? PORT_SMTPS : PORT_SMTP;
	return reader->options->port != 0 ||
	       complain(reader, "there is no such port:", port);
}

static bool read_matches(struct reader *reader)
{
	struct probe_options *out = reader->options;

	for (; *reader->words != NULL; reader->words++) {
		if (!tls_client_level_must_match(out->level))
			return complain(reader,
			    "names and fingerprints go with --level "
			    "fingerprint, verify or secure; there is no use "
			    "for",
			    *reader->words);
		if (out->match_count == PROBE_MATCHES_MAX)
			return complain(reader,
			    "there is no room for more than 32 names; one too "
			    "many is",
			    *reader->words);
		out->matches[out->match_count++] = *reader->words;
	}
	if (out->match_count > 0 || !tls_client_level_must_match(out->level))
		return true;
	if (out->level == TLS_CLIENT_FINGERPRINT)
		return complain(
		    reader, "fingerprints must stand behind", out->host);
	if (address_is_numeric(out->host))
		return complain(reader,
		    "names to verify must stand behind the address", out->host);
	out->matches[out->match_count++] = out->host;
	return true;
}

static bool read_conflicts(const struct reader *reader)
{
	if (!reader->starttls || !reader->options->wrappermode)
		return true;
	snprintf(reader->why, reader->why_size,
	    "--starttls and --wrappermode exclude each other; see \"postern "
	    "--help\"");
	return false;
}

bool probe_options_parse(char *const *words, struct probe_options *options_out,
    char *why, size_t why_size)
{
	struct reader reader = {
	    .words = words,
	    .options = options_out,
	    .why = why,
	    .why_size = why_size,
	};

	*options_out = (struct probe_options){
	    .level = TLS_CLIENT_ENCRYPT,
	    .ca_file = "",
	    .ca_path = "",
	    .trust_anchor_file = "",
	    .digest = "",
	    .servername = "",
	    .timeout_s = PROBE_TIMEOUT_S,
	    .loglevel = PROBE_LOGLEVEL_LINES,
	};
	while (*reader.words != NULL && (*reader.words)[0] == '-')
		if (!read_option(&reader))
			return false;
	if (*reader.words == NULL) {
		snprintf(why, why_size,
		    "probe wants the name of a server; see \"postern --help\"");
		return false;
	}
	if (!read_conflicts(&reader) || !read_place(&reader, *reader.words++))
		return false;
	if (options_out->port == PORT_SMTPS && !reader.starttls)
		options_out->wrappermode = true;
	/* RFC 6066, 3: no addresses. */
	if (!reader.is_servername_given &&
	    !address_is_numeric(options_out->host))
		options_out->servername = options_out->host;
	return read_matches(&reader);
}
