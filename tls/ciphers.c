/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/ciphers.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>

#include "tls/slot.h"

#define SEPARATORS ", \t\r\n:"
#define LIST_SIZE  16384 /* all names of OpenSSL 3.0 come to 3,500 bytes */

struct list {
	char text[LIST_SIZE];
	size_t len;
	bool is_cut;
};

/* A grade's list, and the parameter that holds it. */
struct base {
	const char *list, *parameter;
};

static void append(
    struct list *list, const char *prefix, const char *word, size_t word_len)
{
	int len = snprintf(list->text + list->len, LIST_SIZE - list->len,
	    "%s%.*s", prefix, (int)word_len, word);

	if (len < 0 || (size_t)len >= LIST_SIZE - list->len)
		list->is_cut = true;
	else
		list->len += (size_t)len;
}

static bool find_base(const struct tls_cipher_options *options,
    struct base *base_out, struct tls_findings *findings)
{
	const char *grade = options->grade;

	*base_out = (struct base){
	    options->tls_medium_cipherlist, "tls_medium_cipherlist"};
	if (strcasecmp(grade, "high") == 0) {
		*base_out = (struct base){
		    options->tls_high_cipherlist, "tls_high_cipherlist"};
	} else if (strcasecmp(grade, "null") == 0) {
		*base_out = (struct base){
		    options->tls_null_cipherlist, "tls_null_cipherlist"};
	} else if (strcasecmp(grade, "low") == 0 ||
		   strcasecmp(grade, "export") == 0) {
		tls_findings_warning(findings, options->grade_parameter,
		    "\"%s\" is obsolete and means \"medium\", since OpenSSL "
		    "has no such suites any more; should be medium or high",
		    grade);
	} else if (strcasecmp(grade, "medium") != 0) {
		tls_findings_error(findings, options->grade_parameter,
		    "\"%s\" is no cipher grade; must be one of high, medium, "
		    "null",
		    grade);
		return false;
	}
	return true;
}

static void exclude(struct list *list, const char *excluded,
    const char *parameter, struct tls_findings *findings)
{
	for (const char *at = excluded + strspn(excluded, SEPARATORS);
	     *at != '\0'; at += strspn(at, SEPARATORS)) {
		size_t len = strcspn(at, SEPARATORS);

		if (strchr("!+-@", at[0]) != NULL)
			tls_findings_error(findings, parameter,
			    "\"%.*s\" begins with \"%c\"; must be the bare "
			    "name "
			    "of a suite, or of a kind of suites such as aNULL "
			    "or kRSA",
			    (int)len, at, at[0]);
		else
			append(list, ":!", at, len);
		at += len;
	}
}

/* Postfix's string (reference 1.7). */
static void compose(const struct tls_cipher_options *options,
    const struct base *base, const struct tls_cipher_limits *limits,
    struct list *list, struct tls_findings *findings)
{
	append(list, "", base->list, strlen(base->list));
	exclude(list, options->smtpd_tls_exclude_ciphers,
	    "smtpd_tls_exclude_ciphers", findings);
	exclude(list, options->smtpd_tls_mandatory_exclude_ciphers,
	    "smtpd_tls_mandatory_exclude_ciphers", findings);
	if (options->also_excluded != NULL)
		append(list, ":!", options->also_excluded,
		    strlen(options->also_excluded));
	if (limits->no_anonymous)
		append(list, ":!", "aNULL", strlen("aNULL"));
	if (limits->no_eecdh)
		append(list, ":!", "kEECDH", strlen("kEECDH"));
}

static bool is_anonymous(const SSL_CIPHER *cipher)
{
	return SSL_CIPHER_get_auth_nid(cipher) == NID_auth_null;
}

static void append_class(struct list *list,
    const STACK_OF(SSL_CIPHER) * ciphers, enum tls_exchange_class class,
    bool anonymous)
{
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
		const char *name = SSL_CIPHER_get_name(cipher);

		if (!tls_cipher_is_of_13(cipher) &&
		    tls_cipher_class(cipher) == class &&
		    is_anonymous(cipher) == anonymous)
			append(
			    list, list->len > 0 ? ":" : "", name, strlen(name));
	}
}

/* Postfix's lists sort by strength first, so that AES256-SHA, without secrecy,
 * comes before ECDHE-RSA-AES128-GCM-SHA256. Here the kind of key exchange comes
 * first, and within each the order is as it was. */
static void order_by_secrecy(struct list *list,
    const STACK_OF(SSL_CIPHER) * ciphers, enum tls_forward_secrecy mode)
{
	static const enum tls_exchange_class classes[] = {
	    TLS_CLASS_EECDH, TLS_CLASS_EDH, TLS_CLASS_NO_SECRECY};
	size_t count = mode == TLS_FORWARD_SECRECY_REQUIRE ? 2 : 3;

	for (size_t i = 0; i < count; i++) {
		append_class(list, ciphers, classes[i], true);
		append_class(list, ciphers, classes[i], false);
	}
}

static void keep_order(struct list *list, const STACK_OF(SSL_CIPHER) * ciphers)
{
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
		const char *name = SSL_CIPHER_get_name(cipher);

		if (!tls_cipher_is_of_13(cipher))
			append(
			    list, list->len > 0 ? ":" : "", name, strlen(name));
	}
}

static void order(struct list *list, const STACK_OF(SSL_CIPHER) * ciphers,
    enum tls_forward_secrecy mode)
{
	switch (mode) {
	case TLS_FORWARD_SECRECY_PREFER:
	case TLS_FORWARD_SECRECY_REQUIRE:
		order_by_secrecy(list, ciphers, mode);
		break;
	case TLS_FORWARD_SECRECY_NO:
		keep_order(list, ciphers);
		break;
	}
}

/* For the log alone, so that its lack is no error. */
static struct tls_slot strings;

static void keep_string(SSL_CTX *ctx, const char *string)
{
	char *copy = OPENSSL_strdup(string);

	if (copy != NULL && !tls_slot_put(&strings, ctx, copy))
		OPENSSL_free(copy);
}

/* Lets OpenSSL expand the string, on a context that is thrown away. */
static void set_list(SSL_CTX *ctx, SSL_CTX *scratch, const struct list *string,
    const struct base *base, enum tls_forward_secrecy mode,
    struct tls_findings *findings)
{
	static struct list names; /* too large for a stack; used here alone */

	names.text[0] = '\0';
	names.len = 0;
	names.is_cut = false;
	if (string->is_cut ||
	    SSL_CTX_set_cipher_list(scratch, string->text) != 1) {
		tls_findings_error(findings, base->parameter,
		    "\"%s\": %s; must be a list as ciphers(1) describes it",
		    string->text,
		    string->is_cut ? "too long"
				   : tls_findings_library_reason());
		return;
	}
	order(&names, SSL_CTX_get_ciphers(scratch), mode);
	if (names.len == 0)
		tls_findings_error(findings, base->parameter,
		    "\"%s\": leaves no suite with forward secrecy, which "
		    "proxy_tls_forward_secrecy = require asks for",
		    string->text);
	else if (names.is_cut || SSL_CTX_set_cipher_list(ctx, names.text) != 1)
		tls_findings_error(findings, base->parameter,
		    "\"%s\": OpenSSL refuses what it comes to: %s",
		    string->text, tls_findings_library_reason());
	/* "@SECLEVEL=1" in the list. */
	SSL_CTX_set_security_level(ctx, SSL_CTX_get_security_level(scratch));
}

static void set_list_12(SSL_CTX *ctx, const struct tls_library *library,
    const struct tls_cipher_options *options,
    const struct tls_cipher_limits *limits, struct tls_findings *findings)
{
	static struct list string; /* as above */
	struct base base;
	SSL_CTX *scratch;

	string.text[0] = '\0';
	string.len = 0;
	string.is_cut = false;
	if (!find_base(options, &base, findings))
		return;
	compose(options, &base, limits, &string, findings);
	keep_string(ctx, string.text);
	scratch = SSL_CTX_new_ex(
	    library->handle, library->query, TLS_server_method());
	if (scratch == NULL) {
		tls_findings_error(findings, base.parameter,
		    "OpenSSL cannot make a context: %s",
		    tls_findings_library_reason());
		return;
	}
	SSL_CTX_set_security_level(scratch, 0);
	set_list(
	    ctx, scratch, &string, &base, options->forward_secrecy, findings);
	SSL_CTX_free(scratch);
}

/* OpenSSL passes over names that it does not know, as long as it knows one. */
static bool is_suite_13(SSL_CTX *ctx, const char *name)
{
	bool is_one = SSL_CTX_set_ciphersuites(ctx, name) == 1;

	ERR_clear_error();
	return is_one;
}

/* "": OpenSSL's, in its order. */
static void set_suites_13(
    SSL_CTX *ctx, const char *suites, struct tls_findings *findings)
{
	static struct list list; /* as above */
	char word[64];

	list = (struct list){.len = 0};
	for (const char *at = suites + strspn(suites, SEPARATORS); *at != '\0';
	     at += strspn(at, SEPARATORS)) {
		size_t word_len = strcspn(at, SEPARATORS);

		snprintf(word, sizeof(word), "%.*s", (int)word_len, at);
		at += word_len;
		if (is_suite_13(ctx, word))
			append(
			    &list, list.len > 0 ? ":" : "", word, strlen(word));
		else
			tls_findings_warning(findings, "proxy_tls_ciphersuites",
			    "\"%s\" is no suite of TLSv1.3 that OpenSSL has, "
			    "and is skipped; should be a name such as "
			    "TLS_AES_256_GCM_SHA384",
			    word);
	}
	if (suites[strspn(suites, SEPARATORS)] == '\0')
		return;
	if (list.len == 0 || SSL_CTX_set_ciphersuites(ctx, list.text) != 1)
		tls_findings_error(findings, "proxy_tls_ciphersuites",
		    "\"%s\": names no suite; must have names such as "
		    "TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256",
		    suites);
}

void tls_ciphers_apply(SSL_CTX *ctx, const struct tls_library *library,
    const struct tls_cipher_options *options,
    const struct tls_cipher_limits *limits, struct tls_findings *findings)
{
	set_list_12(ctx, library, options, limits, findings);
	if (options->proxy_tls_ciphersuites != NULL)
		set_suites_13(ctx, options->proxy_tls_ciphersuites, findings);
}

const char *tls_cipher_string(const SSL_CTX *ctx)
{
	const char *string = tls_slot_get(&strings, ctx);

	return string != NULL ? string : "";
}

enum tls_exchange_class tls_cipher_class(const SSL_CIPHER *cipher)
{
	switch (SSL_CIPHER_get_kx_nid(cipher)) {
	case NID_kx_ecdhe:
	case NID_kx_ecdhe_psk:
		return TLS_CLASS_EECDH;
	case NID_kx_dhe:
	case NID_kx_dhe_psk:
		return TLS_CLASS_EDH;
	default:
		return TLS_CLASS_NO_SECRECY;
	}
}

bool tls_cipher_is_of_13(const SSL_CIPHER *cipher)
{
	return SSL_CIPHER_get_kx_nid(cipher) == NID_kx_any;
}
