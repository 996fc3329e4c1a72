/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/groups.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#define SEPARATORS ", \t\r\n:"
#define LIST_SIZE  1024
#define NAME_SIZE  48

/* Present or absent by OpenSSL's release (3.5 brought them), so that lists name
 * them in advance: no reason to warn. */
static const char *const hybrids[] = {
    "X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024"};

/* Looks among what the providers say they can do: for a name, then, when
 * `group` has its number, for the first of its names. A group comes once for
 * each: secp256r1, which TLS calls it, then prime256v1 and P-256. */
struct search {
	const char *name;
	bool has_number, has_name;
	struct tls_group group;
};

static bool is_hybrid(const char *name)
{
	for (size_t i = 0; i < sizeof(hybrids) / sizeof(hybrids[0]); i++)
		if (strcasecmp(name, hybrids[i]) == 0)
			return true;
	return false;
}

static const char *text_in(const OSSL_PARAM *params, const char *key)
{
	const OSSL_PARAM *param = OSSL_PARAM_locate_const(params, key);
	const char *text;

	if (param == NULL || OSSL_PARAM_get_utf8_string_ptr(param, &text) != 1)
		return "";
	return text;
}

static bool is_named(const OSSL_PARAM *params, const char *name)
{
	return strcasecmp(name,
		   text_in(params, OSSL_CAPABILITY_TLS_GROUP_NAME)) == 0 ||
	       strcasecmp(name,
		   text_in(params, OSSL_CAPABILITY_TLS_GROUP_NAME_INTERNAL)) ==
		   0;
}

static int look_at_group(const OSSL_PARAM *params, void *argument)
{
	struct search *search = argument;
	struct tls_group *group = &search->group;
	const OSSL_PARAM *id =
	    OSSL_PARAM_locate_const(params, OSSL_CAPABILITY_TLS_GROUP_ID);
	unsigned number = 0;

	if (id == NULL || OSSL_PARAM_get_uint(id, &number) != 1)
		return 1;
	if (search->name != NULL) {
		if (!search->has_number && is_named(params, search->name)) {
			search->has_number = true;
			group->id = (uint16_t)number;
		}
	} else if (!search->has_name && number == group->id) {
		search->has_name = true;
		snprintf(group->name, sizeof(group->name), "%s",
		    text_in(params, OSSL_CAPABILITY_TLS_GROUP_NAME));
	}
	return 1;
}

static int look_at_provider(OSSL_PROVIDER *provider, void *argument)
{
	OSSL_PROVIDER_get_capabilities(
	    provider, "TLS-GROUP", look_at_group, argument);
	return 1;
}

static bool has_group(const struct tls_groups *groups, uint16_t id)
{
	for (size_t i = 0; i < groups->count; i++)
		if (groups->groups[i].id == id)
			return true;
	return false;
}

/* Cut off when there is no room. */
static void append_unknown(char list[LIST_SIZE], const char *name)
{
	size_t len = strlen(list);

	snprintf(list + len, LIST_SIZE - len, "%s%s", len > 0 ? " " : "", name);
}

static void take_name(const struct tls_library *library, const char *name,
    struct tls_groups *groups, char *unknown)
{
	/* OpenSSL 3.5's sign for "if you know it", which Postfix's default
	 * has. */
	bool may_be_absent = name[0] == '?';
	struct search search = {.name = name + may_be_absent};

	OSSL_PROVIDER_do_all(library->handle, look_at_provider, &search);
	search.name = NULL;
	if (search.has_number)
		OSSL_PROVIDER_do_all(
		    library->handle, look_at_provider, &search);
	if (!search.has_name) {
		if (!may_be_absent && !is_hybrid(name))
			append_unknown(unknown, name);
		return;
	}
	if (has_group(groups, search.group.id) ||
	    groups->count == TLS_GROUP_COUNT_MAX)
		return;
	groups->groups[groups->count++] = search.group;
	if (!tls_group_is_ffdhe(search.group.id))
		groups->has_curves = true;
}

static void take_names(const struct tls_library *library, const char *names,
    const char *parameter, struct tls_groups *groups,
    struct tls_findings *findings)
{
	char unknown[LIST_SIZE] = "";

	for (const char *at = names + strspn(names, SEPARATORS); *at != '\0';
	     at += strspn(at, SEPARATORS)) {
		char name[NAME_SIZE];
		size_t len = strcspn(at, SEPARATORS);

		snprintf(name, sizeof(name), "%.*s",
		    len < sizeof(name) ? (int)len : NAME_SIZE - 1, at);
		take_name(library, name, groups, unknown);
		at += len;
	}
	if (unknown[0] != '\0')
		tls_findings_warning(findings, parameter,
		    "%s does not know \"%s\", which is skipped",
		    OpenSSL_version(OPENSSL_VERSION), unknown);
}

/* The grade's list, and the parameter that holds it; NULL: there is none. */
static const char *curves_of(const struct tls_group_options *options,
    const char **parameter_out, struct tls_findings *findings)
{
	const char *grade = options->smtpd_tls_eecdh_grade;

	if (strcasecmp(grade, "auto") == 0) {
		*parameter_out = "tls_eecdh_auto_curves";
		return options->tls_eecdh_auto_curves;
	}
	if (strcasecmp(grade, "strong") == 0) {
		*parameter_out = "tls_eecdh_strong_curve";
		return options->tls_eecdh_strong_curve;
	}
	if (strcasecmp(grade, "ultra") == 0) {
		*parameter_out = "tls_eecdh_ultra_curve";
		return options->tls_eecdh_ultra_curve;
	}
	if (strcasecmp(grade, "none") != 0)
		tls_findings_error(findings, "smtpd_tls_eecdh_grade",
		    "\"%s\" is no grade; must be one of auto, strong, ultra, "
		    "none",
		    grade);
	return NULL;
}

static void set_groups(SSL_CTX *ctx, const struct tls_groups *groups,
    const char *parameter, struct tls_findings *findings)
{
	char list[TLS_GROUP_COUNT_MAX * NAME_SIZE] = "";
	size_t len = 0;

	for (size_t i = 0; i < groups->count; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
		    i > 0 ? ":" : "", groups->groups[i].name);
	if (SSL_CTX_set1_groups_list(ctx, list) != 1)
		tls_findings_error(findings, parameter,
		    "OpenSSL refuses the groups \"%s\": %s", list,
		    tls_findings_library_reason());
}

void tls_groups_apply(SSL_CTX *ctx, const struct tls_library *library,
    const struct tls_group_options *options, struct tls_groups *groups_out,
    struct tls_findings *findings)
{
	const char *parameter = "tls_ffdhe_auto_groups";
	const char *curves = curves_of(options, &parameter, findings);

	*groups_out = (struct tls_groups){.count = 0};
	if (curves != NULL)
		take_names(library, curves, parameter, groups_out, findings);
	take_names(library, options->tls_ffdhe_auto_groups,
	    "tls_ffdhe_auto_groups", groups_out, findings);
	ERR_clear_error();
	if (groups_out->count > 0)
		set_groups(ctx, groups_out, parameter, findings);
	else if (curves != NULL)
		tls_findings_error(findings, parameter,
		    "none of \"%s\" is a key-exchange group; must be names "
		    "such "
		    "as X25519, prime256v1, secp384r1",
		    curves);
}

bool tls_group_is_ffdhe(uint16_t id)
{
	return id >= 0x0100 && id <= 0x01FF; /* RFC 8446, 4.2.7 */
}
