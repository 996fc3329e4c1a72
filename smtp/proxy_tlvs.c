/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/proxy_tlvs.h"

#include <string.h>
#include <strings.h>

#define HEAD_LEN      3 /* type, and length in two bytes */
#define SSL_TYPE      0x20
#define SSL_FIXED_LEN 5 /* client, and verify in four bytes */
#define TEXT_LEN_MAX  255

/* Of the byte `client` in the SSL TLV. */
#define CLIENT_SSL	 0x01
#define CLIENT_CERT_CONN 0x02
#define CLIENT_CERT_SESS 0x04

static const struct {
	const char *word;
	uint8_t type;
	bool is_of_ssl;
} tlvs[SMTP_PROXY_TLV_COUNT] = {
#define TLV(symbol, word, type, is_of_ssl) {word, type, is_of_ssl},
#include "smtp/proxy_tlv.def"
#undef TLV
};

static bool is_in(uint32_t set, unsigned tlv)
{
	return (set >> tlv & 1) != 0;
}

/* Without what could be taken for an end of line. Returns the length. */
static size_t clean(const char *text, uint8_t *out)
{
	size_t len = 0;
	for (; *text != '\0' && len < TEXT_LEN_MAX; text++) {
		uint8_t byte = (uint8_t)*text;
		if (byte >= ' ' && byte != 0x7f)
			out[len++] = byte;
	}
	return len;
}

/* What of `wanted` has something to say. */
static uint32_t known(uint32_t wanted, const struct smtp_proxy_facts *facts)
{
	uint32_t set = 0;
	for (unsigned i = 0; i < SMTP_PROXY_TLV_COUNT; i++) {
		const char *text = facts->texts[i];
		if (is_in(wanted, i) && text != NULL && text[0] != '\0' &&
		    (facts->tls || !tlvs[i].is_of_ssl))
			set |= UINT32_C(1) << i;
	}
	return set;
}

static size_t len_of(uint32_t set, const struct smtp_proxy_facts *facts)
{
	uint8_t text[TEXT_LEN_MAX];
	size_t len = 0, ssl = 0;
	for (unsigned i = 0; i < SMTP_PROXY_TLV_COUNT; i++) {
		if (!is_in(set, i))
			continue;
		len += HEAD_LEN + clean(facts->texts[i], text);
		if (tlvs[i].is_of_ssl)
			ssl = HEAD_LEN + SSL_FIXED_LEN;
	}
	return len + ssl;
}

static uint8_t *write_head(uint8_t *out, uint8_t type, size_t len)
{
	out[0] = type;
	out[1] = (uint8_t)(len >> 8);
	out[2] = (uint8_t)len;
	return out + HEAD_LEN;
}

static uint8_t *write_texts(uint8_t *out, uint32_t set, bool of_ssl,
    const struct smtp_proxy_facts *facts)
{
	for (unsigned i = 0; i < SMTP_PROXY_TLV_COUNT; i++) {
		uint8_t text[TEXT_LEN_MAX];
		if (!is_in(set, i) || tlvs[i].is_of_ssl != of_ssl)
			continue;
		size_t len = clean(facts->texts[i], text);
		out = write_head(out, tlvs[i].type, len);
		memcpy(out, text, len);
		out += len;
	}
	return out;
}

static uint8_t *write_ssl(
    uint8_t *out, uint32_t set, const struct smtp_proxy_facts *facts)
{
	uint8_t *fixed = out + HEAD_LEN;
	uint8_t *end = write_texts(fixed + SSL_FIXED_LEN, set, true, facts);
	if (end == fixed + SSL_FIXED_LEN)
		return out;
	fixed[0] = CLIENT_SSL;
	if (facts->has_certificate)
		fixed[0] |= CLIENT_CERT_SESS;
	if (facts->has_certificate && !facts->resumed)
		fixed[0] |= CLIENT_CERT_CONN;
	memset(fixed + 1, 0, 4);
	/* 0 means that a certificate came, and was good. */
	fixed[4] = !facts->has_certificate || !facts->verified;
	write_head(out, SSL_TYPE, (size_t)(end - fixed));
	return end;
}

enum smtp_proxy_tlv smtp_proxy_tlv_find(const char *word, size_t word_len)
{
	unsigned i = 0;
	while (i < SMTP_PROXY_TLV_COUNT &&
	       (strlen(tlvs[i].word) != word_len ||
		   strncasecmp(tlvs[i].word, word, word_len) != 0))
		i++;
	return (enum smtp_proxy_tlv)i;
}

const char *smtp_proxy_tlv_word(enum smtp_proxy_tlv tlv)
{
	return tlvs[tlv].word;
}

size_t smtp_proxy_tlvs_write(uint32_t wanted,
    const struct smtp_proxy_facts *facts, uint8_t *out, size_t limit,
    uint32_t *dropped_out)
{
	uint32_t set = known(wanted, facts);
	uint32_t all = set;
	for (unsigned i = SMTP_PROXY_TLV_COUNT;
	     i > 0 && len_of(set, facts) > limit; i--)
		set &= ~(UINT32_C(1) << (i - 1));
	*dropped_out = all & ~set;
	if (set == 0)
		return 0;
	uint8_t *end = write_texts(out, set, false, facts);
	return (size_t)(write_ssl(end, set, facts) - out);
}
