/* SPDX-License-Identifier: Apache-2.0 */
/* The PROXY protocol's header, versions 1 and 2, both ways. It must only be
 * looked for where the peer is trusted to send it: whoever may send it chooses
 * its own address. Pure. */
#ifndef POSTERN_SMTP_PROXY_HEADER_H
#define POSTERN_SMTP_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_PROXY_V1_SIZE_MAX 107
#define SMTP_PROXY_V2_SIZE_MAX 4096 /* ours; the format allows 16 + 65535 */

enum smtp_proxy_result {
	SMTP_PROXY_FOUND,
	SMTP_PROXY_NEED_MORE,
	SMTP_PROXY_MALFORMED,
	SMTP_PROXY_TOO_LONG,
	SMTP_PROXY_UNSUPPORTED, /* v1 UNKNOWN; v2 of a family or transport other
				 * than TCP over IPv4 or IPv6 */
};

enum smtp_proxy_family { SMTP_PROXY_IPV4, SMTP_PROXY_IPV6 };

struct smtp_proxy_header {
	uint8_t version; /* 1 or 2 */
	bool local;	 /* v2 LOCAL: no addresses; a health check */
	enum smtp_proxy_family family;
	uint8_t source[16],
	    destination[16]; /* network order; IPv4: first four */
	uint16_t source_port, destination_port;
	/* v2: the TLVs as they came; borrowed from the input. */
	const uint8_t *tlvs;
	size_t tlvs_len;
};

/* Reads a header at the start of `input`; *used_out is its length, of one that
 * is UNSUPPORTED too. Either version, in any fragmentation. Input that cannot
 * become a header is MALFORMED as soon as that can be seen. TLVs that overrun
 * are MALFORMED; those of a LOCAL header are not looked at. */
enum smtp_proxy_result smtp_proxy_header_parse(const uint8_t *input,
    size_t input_len, struct smtp_proxy_header *header_out, size_t *used_out);

/* Writes a header with header->version (of a local one in v1: UNKNOWN); tlvs
 * are copied as they are (v2). Returns its length, or 0 when out_size is too
 * small. */
size_t smtp_proxy_header_write(
    const struct smtp_proxy_header *header, uint8_t *out, size_t out_size);

#endif
