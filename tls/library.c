/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/library.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/provider.h"

/* Tells whether a file is the one that was loaded: after an edit it is not, and
 * a reload must see that. */
struct stamp {
	dev_t device;
	ino_t number;
	off_t size;
	struct timespec modified;
};

struct entry {
	struct entry *next;
	struct tls_library library;
	bool wants_quick;
	char *config_file, *config_name;
	struct stamp stamp;
};

static struct entry *entries;

static const char *text_of(const char *option)
{
	return option != NULL ? option : "";
}

static bool is_default(const char *file)
{
	return file[0] == '\0' || strcasecmp(file, "default") == 0;
}

/* All zero when there is none. */
static struct stamp stamp_of(const char *file)
{
	char *default_file =
	    is_default(file) ? CONF_get1_default_config_file() : NULL;
	struct stat status = {0};

	if (stat(default_file != NULL ? default_file : file, &status) != 0)
		status = (struct stat){0};
	OPENSSL_free(default_file);
	return (struct stamp){
	    status.st_dev, status.st_ino, status.st_size, status.st_mtim};
}

static bool is_same(const struct stamp *left, const struct stamp *right)
{
	return left->device == right->device && left->number == right->number &&
	       left->size == right->size &&
	       left->modified.tv_sec == right->modified.tv_sec &&
	       left->modified.tv_nsec == right->modified.tv_nsec;
}

static bool load_config(OSSL_LIB_CTX *handle, const char *file,
    const char *name, struct tls_findings *findings)
{
	/* OpenSSL's own need not be there. */
	unsigned long flags =
	    is_default(file) ? CONF_MFLAGS_IGNORE_MISSING_FILE : 0;

	if (strcasecmp(file, "none") == 0)
		return true;
	if (!is_default(file) && file[0] != '/') {
		tls_findings_error(findings, "tls_config_file",
		    "\"%s\" is no absolute path; must be one, or "
		    "\"default\" or \"none\"",
		    file);
		return false;
	}
	if (CONF_modules_load_file_ex(handle, is_default(file) ? NULL : file,
		name[0] != '\0' ? name : NULL, flags) > 0)
		return true;
	tls_findings_error(findings, "tls_config_file",
	    "OpenSSL cannot load \"%s\": %s; must be a file as config(5) of "
	    "OpenSSL describes it, or \"none\"",
	    file, tls_findings_library_reason());
	return false;
}

static void free_entry(struct entry *entry)
{
	OSSL_LIB_CTX_free(entry->library.handle);
	OPENSSL_free(entry->config_file);
	OPENSSL_free(entry->config_name);
	OPENSSL_free(entry);
}

static bool fill(struct entry *entry, const struct tls_context_options *options,
    struct tls_findings *findings)
{
	const char *file = text_of(options->tls_config_file);
	const char *name = text_of(options->tls_config_name);

	entry->wants_quick = options->proxy_tls_quick_key_check;
	entry->config_file = OPENSSL_strdup(file);
	entry->config_name = OPENSSL_strdup(name);
	entry->stamp = stamp_of(file);
	entry->library.handle = OSSL_LIB_CTX_new();
	if (entry->library.handle == NULL || entry->config_file == NULL ||
	    entry->config_name == NULL) {
		tls_findings_error(findings, "tls_config_file",
		    "OpenSSL cannot make a library context: %s",
		    tls_findings_library_reason());
		return false;
	}
	if (!load_config(entry->library.handle, file, name, findings))
		return false;
	if (tls_provider_add(entry->library.handle, entry->wants_quick)) {
		entry->library.checks_quickly = entry->wants_quick;
		entry->library.query = TLS_PROVIDER_QUERY;
	}
	return true;
}

static bool matches(
    const struct entry *entry, const struct tls_context_options *options)
{
	const char *file = text_of(options->tls_config_file);
	struct stamp stamp = stamp_of(file);

	return entry->wants_quick == options->proxy_tls_quick_key_check &&
	       strcmp(entry->config_file, file) == 0 &&
	       strcmp(entry->config_name, text_of(options->tls_config_name)) ==
		   0 &&
	       is_same(&entry->stamp, &stamp);
}

const struct tls_library *tls_library_find(
    const struct tls_context_options *options, struct tls_findings *findings)
{
	struct entry *entry;

	for (entry = entries; entry != NULL; entry = entry->next)
		if (matches(entry, options))
			return &entry->library;
	/* OpenSSL would load its default file by itself, whatever ours says. */
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	entry = OPENSSL_zalloc(sizeof(*entry));
	if (entry == NULL) {
		tls_findings_error(findings, "tls_config_file",
		    "there is no memory for a library context");
		return NULL;
	}
	if (!fill(entry, options, findings)) {
		free_entry(entry);
		return NULL;
	}
	entry->next = entries;
	entries = entry;
	return &entry->library;
}
