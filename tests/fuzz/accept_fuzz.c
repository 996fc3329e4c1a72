/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/exposition.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	/* Who does not name it never gets it. */
	if (exposition_negotiate(text) == EXPOSITION_OPENMETRICS)
		assert(strcasestr(text, "application/openmetrics-text"));
	free(text);
	return 0;
}
