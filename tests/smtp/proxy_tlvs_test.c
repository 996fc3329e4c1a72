/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "smtp/proxy_header.h"
#include "smtp/proxy_tlvs.h"

#define ALL	(UINT32_MAX >> (32 - SMTP_PROXY_TLV_COUNT))
#define AT(tlv) [SMTP_PROXY_TLV_##tlv]

static const struct smtp_proxy_facts full = {
    .texts = {AT(SSL) = "TLSv1.3", AT(CERT_CN) = "c\r\nn",
	AT(AUTHORITY) = "mx\x01.test", AT(UNIQUE_ID) = "1f-2",
	AT(SSL_CIPHER) = "AES", AT(SSL_GROUP) = "X25519",
	AT(SSL_SIGSCHEME) = "ed", AT(CERT_KEY) = "EC256", AT(CERT_SIG) = "E",
	AT(ALPN) = ""},
    .tls = true,
    .has_certificate = true,
};
/* Type, length, value; control characters are gone. */
static const uint8_t full_bytes[] = "\x02\0\x07mx.test\x05\0\x04"
				    "1f-2"
				    "\x20\0\x34\x07\0\0\0\x01"
				    "\x21\0\x07TLSv1.3\x22\0\x02"
				    "cn\x23\0\x03"
				    "AES\x26\0\x06X25519\x27\0\x02"
				    "ed\x25\0\x05"
				    "EC256\x24\0\x01"
				    "E";
#define FULL_LEN (sizeof(full_bytes) - 1)

Test(proxy_tlvs, says_all_that_is_known)
{
	uint8_t out[512];
	uint32_t dropped;
	size_t len =
	    smtp_proxy_tlvs_write(ALL, &full, out, sizeof(out), &dropped);
	cr_assert_eq(len, FULL_LEN, "%zu", len);
	cr_assert_eq(memcmp(out, full_bytes, len), 0);
	cr_assert_eq(dropped, 0);
}

/* At every limit the header can be read, is no longer, and what is left out is
 * the end of the table. */
Test(proxy_tlvs, leaves_out_the_last_of_the_table_first)
{
	for (size_t limit = 0; limit <= FULL_LEN; limit++) {
		uint8_t out[512], header[1024];
		uint32_t dropped;
		size_t used;
		size_t len =
		    smtp_proxy_tlvs_write(ALL, &full, out, limit, &dropped);
		struct smtp_proxy_header read,
		    written = {.version = 2, .tlvs = out, .tlvs_len = len};
		cr_assert_leq(len, limit);
		cr_assert_eq(dropped == 0, limit == FULL_LEN);
		if (dropped != 0)
			cr_assert(dropped >> SMTP_PROXY_TLV_CERT_SIG & 1);
		if (dropped >> SMTP_PROXY_TLV_SSL & 1)
			cr_assert_eq(len, 0);
		used =
		    smtp_proxy_header_write(&written, header, sizeof(header));
		cr_assert_eq(
		    smtp_proxy_header_parse(header, used, &read, &used),
		    SMTP_PROXY_FOUND);
		cr_assert_eq(read.tlvs_len, len);
	}
}

Test(proxy_tlvs, says_what_is_wanted_and_true)
{
	struct smtp_proxy_facts clear = full;
	uint8_t out[512];
	uint32_t dropped;
	static const uint8_t version[] =
	    "\x20\0\x0f\x07\0\0\0\0\x21\0\x07TLSv1.3";
	clear.tls = false;
	cr_assert_eq(
	    smtp_proxy_tlvs_write(ALL, &clear, out, sizeof(out), &dropped), 17);
	cr_assert_eq(out[0], 0x02);
	cr_assert_eq(out[10], 0x05);
	clear.tls = true;
	clear.verified = true;
	cr_assert_eq(smtp_proxy_tlvs_write(1 << SMTP_PROXY_TLV_SSL, &clear, out,
			 sizeof(out), &dropped),
	    sizeof(version) - 1);
	cr_assert_eq(memcmp(out, version, sizeof(version) - 1), 0);
	clear.resumed = true;
	smtp_proxy_tlvs_write(
	    1 << SMTP_PROXY_TLV_SSL, &clear, out, sizeof(out), &dropped);
	cr_assert_eq(out[3], 0x05, "it came in a connection before this one");
	clear.has_certificate = false;
	clear.verified = false;
	cr_assert_eq(smtp_proxy_tlvs_write(1 << SMTP_PROXY_TLV_SSL, &clear, out,
			 sizeof(out), &dropped),
	    sizeof(version) - 1);
	cr_assert_eq(out[3], 0x01);
	cr_assert_eq(memcmp(out + 4, "\0\0\0\x01", 4), 0);
	cr_assert_eq(smtp_proxy_tlvs_write(0, &full, out, 512, &dropped), 0);
}

Test(proxy_tlvs, knows_its_words)
{
	cr_assert_eq(
	    smtp_proxy_tlv_find("SSL-Cipher", 10), SMTP_PROXY_TLV_SSL_CIPHER);
	cr_assert_eq(smtp_proxy_tlv_find("ssl-", 4), SMTP_PROXY_TLV_COUNT);
	cr_assert_str_eq(
	    smtp_proxy_tlv_word(SMTP_PROXY_TLV_CERT_CN), "cert-cn");
}
