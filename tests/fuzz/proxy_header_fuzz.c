/* SPDX-License-Identifier: Apache-2.0 */
/* PROXY headers: no answer changes when more bytes come; what was read and is
 * written again is read as the same. */
#include <stdlib.h>
#include <string.h>

#include "smtp/proxy_header.h"

#define CUT_SIZE_MAX                                             \
	256 /* every cut is tried up to here: the work is square \
	     */

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len);

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static bool is_same(
    const struct smtp_proxy_header *a, const struct smtp_proxy_header *b)
{
	return a->version == b->version && a->local == b->local &&
	       a->family == b->family &&
	       memcmp(a->source, b->source, sizeof(a->source)) == 0 &&
	       memcmp(a->destination, b->destination, sizeof(a->destination)) ==
		   0 &&
	       a->source_port == b->source_port &&
	       a->destination_port == b->destination_port &&
	       a->tlvs_len == b->tlvs_len;
}

static void check_written(const struct smtp_proxy_header *header)
{
	static uint8_t out[SMTP_PROXY_V2_SIZE_MAX];
	struct smtp_proxy_header again;
	size_t used;
	size_t len = smtp_proxy_header_write(header, out, sizeof(out));
	expect(len > 0);
	expect(header->version == 2 || len <= SMTP_PROXY_V1_SIZE_MAX);
	expect(smtp_proxy_header_parse(out, len, &again, &used) ==
	       SMTP_PROXY_FOUND);
	expect(used == len);
	expect(is_same(header, &again));
	if (header->tlvs_len > 0)
		expect(memcmp(header->tlvs, again.tlvs, again.tlvs_len) == 0);
}

static void check_cuts(const uint8_t *input, size_t input_len,
    enum smtp_proxy_result result, size_t whole_used)
{
	for (size_t len = 0; len < input_len && len < CUT_SIZE_MAX; len++) {
		uint8_t *copy = malloc(len > 0 ? len : 1);
		expect(copy != NULL);
		memcpy(copy, input, len);
		struct smtp_proxy_header header;
		size_t used;
		enum smtp_proxy_result early =
		    smtp_proxy_header_parse(copy, len, &header, &used);
		free(copy);
		if (early == SMTP_PROXY_NEED_MORE)
			continue;
		expect(early == result);
		expect(used == whole_used);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len)
{
	struct smtp_proxy_header header;
	size_t used;
	enum smtp_proxy_result result =
	    smtp_proxy_header_parse(input, input_len, &header, &used);
	expect(used <= input_len);
	expect(used <= SMTP_PROXY_V2_SIZE_MAX);
	check_cuts(input, input_len, result, used);
	if (result == SMTP_PROXY_FOUND) {
		expect(used > 0);
		check_written(&header);
	}
	return 0;
}
