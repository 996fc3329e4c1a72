/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tls_policy.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A list is never there without its attribute, and never longer than its
 * place. */
static void check(const struct tls_policy_attribute *attribute)
{
	assert(memchr(attribute->text, '\0', sizeof(attribute->text)) != NULL);
	assert(attribute->is_present || attribute->text[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_policy policy;
	char why[256];
	char *value = malloc(size + 1);

	assert(value != NULL);
	memcpy(value, data, size);
	value[size] = '\0';
	memset(why, 'x', sizeof(why));
	if (tls_policy_parse(value, &policy, why, sizeof(why))) {
		assert(why[0] == 'x');
		assert(policy.level != SETTINGS_CLIENT_UNSET);
		check(&policy.ciphers);
		check(&policy.protocols);
		check(&policy.servername);
		check(&policy.exclude);
		check(&policy.match);
		check(&policy.tafile);
		assert(!policy.match.is_present ||
		       policy.level == SETTINGS_CLIENT_FINGERPRINT ||
		       policy.level == SETTINGS_CLIENT_VERIFY ||
		       policy.level == SETTINGS_CLIENT_SECURE);
	} else {
		assert(memchr(why, '\0', sizeof(why)) != NULL);
		assert(why[0] != '\0');
	}
	free(value);
	return 0;
}
