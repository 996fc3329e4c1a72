/* SPDX-License-Identifier: Apache-2.0 */
/* A listener's TLS policy -> a context from which its sessions are made.
 * Immutable once built; made as root before the workers are forked, so that
 * keys are read by no one else. A reload makes a new one. */
#ifndef POSTERN_TLS_CONTEXT_H
#define POSTERN_TLS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/report.h"

struct tls_context;	/* opaque */
struct tls_ticket_keys; /* tls/ticket_keys.h */

/* Client certificates: values of main.cf parameters of the same name. NULL is
 * as "". */
struct tls_peer_options {
	bool smtpd_tls_ask_ccert;
	bool smtpd_tls_req_ccert; /* of effect only where TLS is enforced */
	bool is_tls_enforced;
	const char *smtpd_tls_CAfile, *smtpd_tls_CApath;
	bool tls_append_default_CA;
	int smtpd_tls_ccert_verifydepth;
	const char *smtpd_tls_fingerprint_digest; /* "": sha256 */
};

/* Chains by the name that the client asks for: tls_server_sni_maps. */
struct tls_sni_options {
	/* The value for a name (in lower case; or a parent domain with its dot
	 * in front): PEM files as in smtpd_tls_chain_files. NULL: there is
	 * none. A value that is not among `values`, such as "", says that the
	 * lookup failed, and ends the handshake. NULL here: SNI is ignored. */
	const char *(*find)(void *argument, const char *name);
	void *argument; /* for find; must live as long as the sessions */
	/* Every value that find can return; loaded with the context. */
	const char *const *values;
	size_t value_count;
};

/* Session tickets. Their lifetime is session_timeout_s. */
struct tls_ticket_options {
	/* Shared by all workers; must live as long as the sessions. NULL: keys
	 * of OpenSSL's, which this context alone has. */
	const struct tls_ticket_keys *keys;
	const char *tls_session_ticket_cipher; /* "": none are issued */
	/* Whether keys are still good, in seconds of the clock with which they
	 * are rotated. NULL: tls_ticket_keys_now(). */
	int64_t (*now)(void);
};

/* Key-exchange groups; lists are in order, by blanks. A name that OpenSSL does
 * not know is skipped. */
struct tls_group_options {
	const char *smtpd_tls_eecdh_grade; /* none, strong, ultra, auto */
	const char *tls_eecdh_strong_curve, *tls_eecdh_ultra_curve;
	const char *tls_eecdh_auto_curves;
	const char *tls_ffdhe_auto_groups; /* behind those of the grade */
};

/* proxy_tls_forward_secrecy */
enum tls_forward_secrecy {
	/* EECDH before EDH before all else, whatever the strength. */
	TLS_FORWARD_SECRECY_PREFER,
	/* As prefer, and nothing else: no RSA key exchange, no plain PSK, no
	 * resumption in TLS 1.2 and below. */
	TLS_FORWARD_SECRECY_REQUIRE,
	/* The order of the grade's list. */
	TLS_FORWARD_SECRECY_NO,
};

/* Suites. Lists are in OpenSSL's language, and for TLS 1.2 and below. */
struct tls_cipher_options {
	/* The grade in force (high, medium, null; low and export mean medium),
	 * and the parameter it came from. */
	const char *grade, *grade_parameter;
	const char *tls_high_cipherlist, *tls_medium_cipherlist;
	const char *tls_null_cipherlist;
	const char *smtpd_tls_exclude_ciphers;
	/* "" where TLS is not enforced. */
	const char *smtpd_tls_mandatory_exclude_ciphers;
	/* One kind more, such as "aNULL"; NULL: none. */
	const char *also_excluded;
	const char *proxy_tls_ciphersuites; /* TLS 1.3; "": OpenSSL's */
	enum tls_forward_secrecy forward_secrecy;
};

/* Values of main.cf parameters of the same name; "" means not set. Borrowed for
 * the call. */
struct tls_context_options {
	const char *smtpd_tls_chain_files;
	const char *smtpd_tls_cert_file, *smtpd_tls_key_file;
	const char *smtpd_tls_dcert_file, *smtpd_tls_dkey_file;
	const char *smtpd_tls_eccert_file, *smtpd_tls_eckey_file;
	/* The list in force, and the parameter it came from. */
	const char *protocols, *protocols_parameter;
	struct tls_group_options groups;
	struct tls_cipher_options ciphers;
	bool prefer_server_ciphers; /* tls_preempt_cipherlist */
	const char *smtpd_tls_dh1024_param_file, *smtpd_tls_dh512_param_file;
	/* EDH and EECDH at their real price (tls/quick_check.h). Of no effect
	 * under a FIPS provider. */
	bool proxy_tls_quick_key_check;
	/* The secrets of all sessions go there, for debugging. */
	const char *proxy_tls_keylog_file;
	/* For the library context of OpenSSL in which the context is made. */
	const char *tls_config_file, *tls_config_name;
	/* smtpd_tls_session_cache_timeout: how long a ticket is honoured. 0:
	 * none are issued; from 1 to 119 counts as 120. */
	int session_timeout_s;
	/* Bound into sessions: a ticket of one listener is of no use at another
	 * (CVE-2025-23419). */
	const char *service;
	const char *tls_ssl_options, *tls_disable_workarounds; /* or NULL */
	struct tls_peer_options peer;
	struct tls_sni_options sni;
	struct tls_ticket_options tickets;
};

/* A server context. Its security level is OpenSSL's 0, as in Postfix: the
 * system's level would overrule the lists that the operator wrote. Tells every
 * finding through report; NULL when one of them was an error. */
struct tls_context *tls_context_create(
    const struct tls_context_options *options, const struct tls_report *report);

/* Accepts NULL inside; sets it to NULL. Sessions keep what they need. */
void tls_context_destroy(struct tls_context **context);

/* The open files of proxy_tls_keylog_file. A process that closes the
 * descriptors which it does not know must keep these: under their numbers the
 * secrets would go to whatever is opened next, such as a client's socket. */
#define TLS_KEYLOG_DESCRIPTORS_MAX 32
size_t tls_keylog_descriptors(int out[TLS_KEYLOG_DESCRIPTORS_MAX]);

/* "OpenSSL 3.0.22 …" in use, for --version. */
const char *tls_library_version(void);

#endif
