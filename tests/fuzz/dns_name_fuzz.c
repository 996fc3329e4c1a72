/* SPDX-License-Identifier: Apache-2.0 */
/* Data of PTR records. What is a name can break no line, no command and no
 * terminal. */
#include <stdlib.h>
#include <string.h>

#include "proxy/dns_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len);

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
	/* A copy without a byte to spare, so that ASan sees a read too far. */
	uint8_t *copy = malloc(input_len > 0 ? input_len : 1);
	char text[DNS_NAME_SIZE];

	if (input_len > 0)
		memcpy(copy, input, input_len);
	/* The length on the wire, less its root and the first length. */
	if (dns_name_read(copy, input_len, text) &&
	    (text[strspn(text, allowed)] != '\0' ||
		strlen(text) != input_len - 2 || strstr(text, "..") != NULL ||
		text[0] == '.' || text[0] == '-'))
		abort();
	free(copy);
	return 0;
}
