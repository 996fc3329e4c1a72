/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/library.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/quick_check.h"

/* Combinations of the three settings in one configuration. */
#define LIBRARY_COUNT_MAX 16

struct entry {
	struct tls_library library;
	bool wants_quick;
	char *config_file, *config_name;
};

static struct entry entries[LIBRARY_COUNT_MAX];
static size_t entry_count;

static const char *text_of(const char *option)
{
	return option != NULL ? option : "";
}

/* NULL: OpenSSL's own file, which need not be there. */
static bool load_config(OSSL_LIB_CTX *handle, const char *file,
    const char *name, struct tls_findings *findings)
{
	bool is_default = file[0] == '\0' || strcasecmp(file, "default") == 0;
	unsigned long flags = is_default ? CONF_MFLAGS_IGNORE_MISSING_FILE : 0;

	if (strcasecmp(file, "none") == 0)
		return true;
	if (!is_default && file[0] != '/') {
		tls_findings_error(findings, "tls_config_file",
		    "\"%s\" is no absolute path; must be one, or \"default\" "
		    "or "
		    "\"none\"",
		    file);
		return false;
	}
	if (CONF_modules_load_file_ex(handle, is_default ? NULL : file,
		name[0] != '\0' ? name : NULL, flags) > 0)
		return true;
	tls_findings_error(findings, "tls_config_file",
	    "OpenSSL cannot load \"%s\": %s; must be a file as config(5) of "
	    "OpenSSL describes it, or \"none\"",
	    file, tls_findings_library_reason());
	return false;
}

static bool make_entry(struct entry *entry,
    const struct tls_context_options *options, struct tls_findings *findings)
{
	const char *file = text_of(options->tls_config_file);
	const char *name = text_of(options->tls_config_name);

	/* OpenSSL would load its default file by itself, whatever ours says. */
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	*entry = (struct entry){
	    .library.handle = OSSL_LIB_CTX_new(),
	    .wants_quick = options->proxy_tls_quick_key_check,
	    .config_file = OPENSSL_strdup(file),
	    .config_name = OPENSSL_strdup(name),
	};
	if (entry->library.handle == NULL || entry->config_file == NULL ||
	    entry->config_name == NULL) {
		tls_findings_error(findings, "tls_config_file",
		    "OpenSSL cannot make a library context: %s",
		    tls_findings_library_reason());
		return false;
	}
	if (!load_config(entry->library.handle, file, name, findings))
		return false;
	entry->library.checks_quickly =
	    entry->wants_quick && tls_quick_check_add(entry->library.handle);
	if (entry->library.checks_quickly)
		entry->library.query = TLS_QUICK_CHECK_QUERY;
	return true;
}

static bool matches(
    const struct entry *entry, const struct tls_context_options *options)
{
	return entry->wants_quick == options->proxy_tls_quick_key_check &&
	       strcmp(entry->config_file, text_of(options->tls_config_file)) ==
		   0 &&
	       strcmp(entry->config_name, text_of(options->tls_config_name)) ==
		   0;
}

const struct tls_library *tls_library_find(
    const struct tls_context_options *options, struct tls_findings *findings)
{
	struct entry *entry = &entries[entry_count];

	for (size_t i = 0; i < entry_count; i++)
		if (matches(&entries[i], options))
			return &entries[i].library;
	if (entry_count == LIBRARY_COUNT_MAX) {
		tls_findings_error(findings, "tls_config_file",
		    "all services together must not have more than %d "
		    "combinations of tls_config_file, tls_config_name and "
		    "proxy_tls_quick_key_check",
		    LIBRARY_COUNT_MAX);
		return NULL;
	}
	if (!make_entry(entry, options, findings)) {
		OSSL_LIB_CTX_free(entry->library.handle);
		OPENSSL_free(entry->config_file);
		OPENSSL_free(entry->config_name);
		return NULL;
	}
	entry_count++;
	return &entry->library;
}
