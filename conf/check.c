/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/check.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/loglevel.h"
#include "conf/settings.h"

#define BANNER_LEN_MAX	506 /* RFC 5321, 4.5.3.1.5: 512 with "220 " and CRLF */
#define HOST_LEN_MAX	255 /* RFC 5321, 4.5.3.1.2 */
#define LABEL_LEN_MAX	63  /* RFC 1035, 2.3.4 */
#define SOCKET_LEN_MAX	107 /* sun_path of unix(7), with its NUL 108 */
#define RUNTIME_LEN_MAX 90  /* leaves room for the name of a socket in it */

typedef const char *check(const char *value);

struct element {
	const char *text;
	size_t len;
};

static bool is_blank_or_control(char byte)
{
	unsigned char value = (unsigned char)byte;
	return value <= ' ' || value == 0x7f;
}

static bool is_word(const char *value)
{
	for (const char *at = value; *at != '\0'; at++) {
		if (is_blank_or_control(*at))
			return false;
	}
	return *value != '\0';
}

static bool is_host_byte(char byte)
{
	return isalnum((unsigned char)byte) || byte == '-' || byte == '_';
}

static bool is_host_name(const char *value)
{
	if (strlen(value) > HOST_LEN_MAX)
		return false;
	for (;;) {
		size_t len = 0;
		while (is_host_byte(value[len]))
			len++;
		if (len == 0 || len > LABEL_LEN_MAX)
			return false;
		if (value[len] == '\0')
			return true;
		if (value[len] != '.')
			return false;
		value += len + 1;
	}
}

static const char *check_host_name(const char *value)
{
	if (is_host_name(value))
		return NULL;
	return "a host name such as mail.example.com: letters, digits, '-', "
	       "and dots between";
}

static const char *check_level(const char *value)
{
	size_t digits = 0;
	for (const char *at = value;; at++) {
		if (isdigit((unsigned char)*at)) {
			digits++;
			continue;
		}
		if (digits == 0 || (*at != '.' && *at != '\0'))
			return "numbers and dots, such as 3.7";
		if (*at == '\0')
			return NULL;
		digits = 0;
	}
}

static const char *check_directory(const char *value)
{
	if (*value == '/')
		return NULL;
	return "the absolute path of a directory, beginning with /";
}

static const char *check_runtime_directory(const char *value)
{
	if (*value == '/' && strlen(value) <= RUNTIME_LEN_MAX)
		return NULL;
	return "the absolute path of a directory, beginning with /, of at most "
	       "90 bytes";
}

static const char *check_log_file(const char *value)
{
	if (*value == '\0' || *value == '/')
		return NULL;
	return "empty, /dev/stdout, or the absolute path of a file";
}

static const char *check_optional_file(const char *value)
{
	if (*value == '\0' || *value == '/')
		return NULL;
	return "empty, or the absolute path of a file";
}

static const char *check_library_file(const char *value)
{
	if (*value == '/' || strcasecmp(value, "default") == 0 ||
	    strcasecmp(value, "none") == 0)
		return NULL;
	return "default, none, or the absolute path of a file";
}

static const char *check_permissions(const char *value)
{
	size_t len = strspn(value, "01234567");
	if ((len == 3 || len == 4) && value[len] == '\0')
		return NULL;
	return "three or four octal digits, such as 0600";
}

static const char *check_user(const char *value)
{
	return is_word(value) ? NULL : "the name of a user";
}

static const char *check_log_name(const char *value)
{
	return is_word(value) ? NULL : "a name without blanks";
}

static const char *check_banner(const char *value)
{
	if (*value != '\0' && strlen(value) <= BANNER_LEN_MAX)
		return NULL;
	return "1 to 506 bytes long, which is what a reply line holds "
	       "(RFC 5321, 4.5.3.1.5)";
}

static bool element_is(const struct element *element, const char *word)
{
	return element->len == strlen(word) &&
	       strncasecmp(element->text, word, element->len) == 0;
}

static bool element_next(const char **cursor, struct element *element_out)
{
	return settings_list_next(
	    cursor, &element_out->text, &element_out->len);
}

static const char *check_protocols(const char *value)
{
	struct element element;
	size_t count = 0;
	while (element_next(&value, &element)) {
		if (!element_is(&element, "ipv4") &&
		    !element_is(&element, "ipv6") &&
		    !element_is(&element, "all"))
			count = SIZE_MAX - 1;
		count++;
	}
	if (count > 0 && count < SIZE_MAX / 2)
		return NULL;
	return "all, or a list of ipv4 and ipv6";
}

static const char *check_interfaces(const char *value)
{
	struct element element;
	if (element_next(&value, &element))
		return NULL;
	return "all, loopback-only, or a list of names and addresses";
}

static bool is_port(const char *text, size_t len)
{
	if (len == 0 || len > 32)
		return false;
	bool is_number = true;
	long number = 0;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && text[i] != '-')
			return false;
		is_number = is_number && isdigit((unsigned char)text[i]);
		if (is_number && number <= UINT16_MAX)
			number = number * 10 + (text[i] - '0');
	}
	return !is_number || (number >= 1 && number <= UINT16_MAX);
}

/* host:port or [v6]:port */
static bool is_address(const char *text, size_t len)
{
	const char *colon = memrchr(text, ':', len);
	if (colon == NULL || colon == text)
		return false;
	size_t host_len = (size_t)(colon - text);
	if (!is_port(colon + 1, len - host_len - 1))
		return false;
	if (text[0] == '[')
		return host_len > 2 && text[host_len - 1] == ']' &&
		       memchr(text, ':', host_len) != NULL;
	return memchr(text, ':', host_len) == NULL && host_len <= HOST_LEN_MAX;
}

/* In a group, { inet:host:port, weight=2 }, the first word; the trunk knows the
 * attributes. */
static bool is_backend(const struct element *element)
{
	const char *text = element->text;
	size_t len = 0;
	while (len < element->len && strchr(", \t\r\n", text[len]) == NULL)
		len++;
	if (len > 5 && memcmp(text, "inet:", 5) == 0)
		return is_address(text + 5, len - 5);
	if (len > 5 && memcmp(text, "unix:", 5) == 0)
		return len - 5 <= SOCKET_LEN_MAX;
	return len == strlen("builtin:sink") &&
	       memcmp(text, "builtin:sink", len) == 0;
}

static const char *check_backends(const char *value)
{
	struct element element;
	while (element_next(&value, &element)) {
		if (!is_backend(&element))
			return "a list of inet:host:port, inet:[v6 address]:"
			       "port, unix:/path or builtin:sink";
	}
	return NULL;
}

static const char *check_tls_log(const char *value)
{
	unsigned topics;
	if (loglevel_parse(value, &topics))
		return NULL;
	return "a level from 0 to 9, or words such as summary, untrusted, "
	       "peercert, verbose, cache, ssl-debug";
}

static const struct {
	const char *name;
	check *check;
} checks[] = {
    {"compatibility_level", check_level},
    {"inet_interfaces", check_interfaces},
    {"inet_protocols", check_protocols},
    {"mail_owner", check_user},
    {"maillog_file", check_log_file},
    {"maillog_file_permissions", check_permissions},
    {"mydomain", check_host_name},
    {"myhostname", check_host_name},
    {"proxy_backend", check_backends},
    {"proxy_runtime_directory", check_runtime_directory},
    {"proxy_tls_keylog_file", check_optional_file},
    {"queue_directory", check_directory},
    {"smtp_tls_loglevel", check_tls_log},
    {"smtpd_banner", check_banner},
    {"smtpd_tls_loglevel", check_tls_log},
    {"syslog_name", check_log_name},
    {"tls_config_file", check_library_file},
};

const char *check_text(const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		if (strcmp(checks[i].name, name) == 0)
			return checks[i].check(value);
	}
	return NULL;
}
