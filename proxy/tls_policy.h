/* SPDX-License-Identifier: Apache-2.0 */
/* A value of smtp_tls_policy_maps: a level, and attributes that take the place
 * of main.cf's values for one backend (reference 2.3). Pure. */
#ifndef POSTERN_PROXY_TLS_POLICY_H
#define POSTERN_PROXY_TLS_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/settings.h"

#define TLS_POLICY_TEXT_SIZE 1024

/* An attribute that may stand once, or as often as it likes; then its values
 * are one list, by blanks. */
struct tls_policy_attribute {
	bool is_present;
	char text[TLS_POLICY_TEXT_SIZE];
};

struct tls_policy {
	enum settings_client_level level;
	struct tls_policy_attribute ciphers, protocols, servername, exclude;
	struct tls_policy_attribute match, tafile;
	/* What is accepted and has no effect, by blanks; "": nothing. */
	char ignored[TLS_POLICY_TEXT_SIZE];
};

/* False when the value is no policy; why_out says then what is wrong and what
 * would be right. */
bool tls_policy_parse(const char *value, struct tls_policy *policy_out,
    char *why_out, size_t why_size);

/* The index of a grade's word, as in settings; -1: it is none. */
int tls_policy_grade(const char *word);

#endif
