/* SPDX-License-Identifier: Apache-2.0 */
/* What a listener's settings ask of the SMTP machines. The strings are
 * borrowed and outlive the sessions. */
#ifndef POSTERN_SMTP_POLICY_H
#define POSTERN_SMTP_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum smtp_tls_level {
	SMTP_TLS_NONE,	  /* STARTTLS is not implemented */
	SMTP_TLS_MAY,	  /* offered */
	SMTP_TLS_ENCRYPT, /* nothing but the greeting goes without */
};

struct smtp_policy {
	const char *hostname; /* myhostname */
	const char *banner;   /* smtpd_banner: what follows "220 " */
	enum smtp_tls_level tls_level;
	bool auth_only;			/* smtpd_tls_auth_only, or implied */
	bool forbid_pipelining;		/* smtpd_forbid_unauth_pipelining */
	const char *forbidden_commands; /* "CONNECT GET POST" */
	uint32_t discarded_keywords;	/* smtpd_discard_ehlo_keywords */
	bool insert_received;		/* smtpd_tls_received_header */
	size_t line_size_max;		/* line_length_limit */
	size_t auth_line_size_max;	/* smtpd_sasl_response_limit */
	unsigned hard_error_limit;	/* smtpd_hard_error_limit */
	unsigned junk_command_limit;	/* smtpd_junk_command_limit */
};

#endif
