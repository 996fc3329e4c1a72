/* SPDX-License-Identifier: Apache-2.0 */
/* The checked settings of one listener: main.cf's values with the listener's -o
 * applied. One row of conf/parameters.def per parameter makes the field, the
 * default, the check, `postern conf`, the manual and the tests. Immutable. */
#ifndef POSTERN_CONF_SETTINGS_H
#define POSTERN_CONF_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct settings {
/* GROUP(title): the rows that follow belong together, in documents */
#define GROUP(title)
/* BOOL(name, default, help) */
#define BOOL(name, default_, help) bool name;
/* INT(name, default, minimum, maximum, unit, help) */
#define INT(name, default_, minimum, maximum, unit, help) int64_t name;
/* TIME(name, default, minimum_s, maximum_s, help): seconds */
#define TIME(name, default_, minimum, maximum, help) int64_t name##_s;
/* MILLISECONDS(name, default, minimum_ms, maximum_ms, help): a time with the
 * further unit "ms"; the field is in milliseconds */
#define MILLISECONDS(name, default_, minimum, maximum, help) int64_t name##_ms;
/* ENUM(name, default, "word|word|…", help): the index of the word */
#define ENUM(name, default_, words, help) int name;
/* STRING(name, default, help): expanded text, "" when not set; never NULL */
#define STRING(name, default_, help) const char *name;
/* LIST(name, default, help): as STRING; split it with settings_list_next */
#define LIST(name, default_, help) const char *name;
#include "conf/parameters.def"
#undef BOOL
#undef INT
#undef TIME
#undef MILLISECONDS
#undef ENUM
#undef STRING
#undef LIST
#undef GROUP
};

/* smtpd_tls_security_level */
enum settings_tls_level {
	SETTINGS_TLS_UNSET, /* smtpd_use_tls and smtpd_enforce_tls decide */
	SETTINGS_TLS_NONE,
	SETTINGS_TLS_MAY,
	SETTINGS_TLS_ENCRYPT,
};

/* smtp_tls_security_level */
enum settings_client_level {
	SETTINGS_CLIENT_UNSET, /* smtp_use_tls and smtp_enforce_tls decide */
	SETTINGS_CLIENT_NONE,
	SETTINGS_CLIENT_MAY,
	SETTINGS_CLIENT_ENCRYPT,
	SETTINGS_CLIENT_FINGERPRINT,
	SETTINGS_CLIENT_VERIFY,
	SETTINGS_CLIENT_SECURE,
	SETTINGS_CLIENT_DANE,
	SETTINGS_CLIENT_DANE_ONLY,
};

/* smtpd_tls_ciphers, smtpd_tls_mandatory_ciphers */
enum settings_cipher_grade {
	SETTINGS_GRADE_HIGH,
	SETTINGS_GRADE_MEDIUM,
	SETTINGS_GRADE_LOW,
	SETTINGS_GRADE_EXPORT,
	SETTINGS_GRADE_NULL,
};

/* proxy_tls_forward_secrecy */
enum settings_forward_secrecy {
	SETTINGS_FORWARD_SECRECY_PREFER,
	SETTINGS_FORWARD_SECRECY_REQUIRE,
	SETTINGS_FORWARD_SECRECY_NO,
};

/* smtpd_tls_eecdh_grade */
enum settings_eecdh_grade {
	SETTINGS_EECDH_NONE,
	SETTINGS_EECDH_STRONG,
	SETTINGS_EECDH_ULTRA,
	SETTINGS_EECDH_AUTO,
};

/* smtpd_upstream_proxy_protocol */
enum settings_upstream_protocol {
	SETTINGS_UPSTREAM_NONE,
	SETTINGS_UPSTREAM_HAPROXY,
};

/* proxy_ring_features */
enum settings_ring_features {
	SETTINGS_RING_AUTO,
	SETTINGS_RING_BASELINE,
};

/* proxy_backend_balance */
enum settings_balance {
	SETTINGS_BALANCE_LEAST_SESSIONS,
	SETTINGS_BALANCE_ROUND_ROBIN,
};

/* proxy_log_format */
enum settings_log_format {
	SETTINGS_LOG_TEXT,
	SETTINGS_LOG_JSON,
};

enum settings_type {
	SETTINGS_BOOL,
	SETTINGS_INT,
	SETTINGS_TIME,
	SETTINGS_MILLISECONDS,
	SETTINGS_ENUM,
	SETTINGS_STRING,
	SETTINGS_LIST,
};

/* A row of conf/parameters.def. */
struct settings_parameter {
	const char *name;
	enum settings_type type;
	const char *default_;	  /* as it would be written in main.cf */
	int64_t minimum, maximum; /* INT; TIME in seconds; MILLISECONDS */
	const char *unit;	  /* INT; else "" */
	const char *words;	  /* ENUM; else "" */
	const char *help;
	size_t offset; /* of the field in struct settings */
};

/* All rows, in the order of the file. For documents and tests. */
const struct settings_parameter *settings_parameters(size_t *count_out);

/* The facility as openlog(3) and the PRI of a syslog line want it: LOG_MAIL and
 * its kin. */
int settings_syslog_facility(const struct settings *settings);

/* The value's place, for messages of those who check what it means: "FILE:LINE"
 * where it was set, or "default". Borrowed from the configuration. `name` must
 * be a parameter of ours. */
const char *settings_place(const struct settings *settings, const char *name);

/* Splits a list at commas and white space; { … } groups what holds them, and
 * an element that is one group is given without the braces and the blanks next
 * to them. *cursor starts as the list and is moved on. False at the end, or
 * with *len_out == SIZE_MAX when a brace is not closed. */
bool settings_list_next(
    const char **cursor, const char **element_out, size_t *len_out);

#endif
