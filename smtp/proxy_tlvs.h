/* SPDX-License-Identifier: Apache-2.0 */
/* What a PROXY header of version 2 tells besides addresses: how the client's
 * TLS was. Pure. */
#ifndef POSTERN_SMTP_PROXY_TLVS_H
#define POSTERN_SMTP_PROXY_TLVS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* TLV rows in smtp/proxy_tlv.def, the most useful ones first. */
enum smtp_proxy_tlv {
#define TLV(symbol, word, type, is_of_ssl) SMTP_PROXY_TLV_##symbol,
#include "smtp/proxy_tlv.def"
#undef TLV
	SMTP_PROXY_TLV_COUNT
};

struct smtp_proxy_facts {
	const char *texts[SMTP_PROXY_TLV_COUNT]; /* NULL or "": nothing */
	bool tls;	      /* else nothing is said of TLS */
	bool has_certificate; /* the client gave one */
	bool verified;	      /* … that is trusted */
	bool resumed; /* … in the handshake of the session that this resumes */
};

/* The one of that word ("ssl-cipher"); COUNT when there is none. */
enum smtp_proxy_tlv smtp_proxy_tlv_find(const char *word, size_t word_len);
const char *smtp_proxy_tlv_word(enum smtp_proxy_tlv tlv);

/* Writes those in `wanted` (bit 1 << enum smtp_proxy_tlv) of which there is
 * something to say, at most `limit` bytes: what does not fit is left out, the
 * last of the table first. Control characters are left out of texts. Returns
 * the length; *dropped_out: the set that was left out for want of room. */
size_t smtp_proxy_tlvs_write(uint32_t wanted,
    const struct smtp_proxy_facts *facts, uint8_t *out, size_t limit,
    uint32_t *dropped_out);

#endif
