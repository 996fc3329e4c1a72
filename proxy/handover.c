/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/handover.h"

#include <string.h>
#include <strings.h>

#include "smtp/proxy_tlvs.h"

static const struct {
	const char *word;
	enum handover_way way;
} ways[] = {
    {"auto", HANDOVER_XCLIENT},
    {"xclient", HANDOVER_XCLIENT},
    {"proxy1", HANDOVER_PROXY1},
    {"proxy2", HANDOVER_PROXY2},
    {"none", HANDOVER_NONE},
};
#define WAY_COUNT (sizeof(ways) / sizeof(ways[0]))

static bool is_word(const char *text, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(text, word, len) == 0;
}

static void read_word(struct handover *handover, const char *text, size_t len,
    const char *place, struct report *report)
{
	if (is_word(text, len, "xforward")) {
		handover->xforward = true;
		return;
	}
	for (size_t i = 0; i < WAY_COUNT; i++) {
		if (!is_word(text, len, ways[i].word))
			continue;
		if (handover->way != HANDOVER_MISSING &&
		    handover->way != ways[i].way)
			report_add(report, REPORT_ERROR, place,
			    "proxy_backend_handover: \"%.*s\" cannot stand "
			    "beside another way; only xforward can",
			    (int)len, text);
		handover->way = ways[i].way;
		return;
	}
	report_add(report, REPORT_ERROR, place,
	    "proxy_backend_handover = %.*s: must be auto, xclient, proxy1, "
	    "proxy2 or none, and may have xforward beside it",
	    (int)len, text);
}

static uint32_t read_tlvs(
    const struct settings *settings, struct report *report)
{
	const char *cursor = settings->proxy_backend_proxy_tlvs;
	uint32_t tlvs = 0;
	const char *text;
	size_t len;

	while (settings_list_next(&cursor, &text, &len) && len != SIZE_MAX) {
		enum smtp_proxy_tlv tlv = smtp_proxy_tlv_find(text, len);

		if (is_word(text, len, "all"))
			tlvs |= (UINT32_C(1) << SMTP_PROXY_TLV_COUNT) - 1;
		else if (tlv != SMTP_PROXY_TLV_COUNT)
			tlvs |= UINT32_C(1) << tlv;
		else
			report_add(report, REPORT_ERROR,
			    settings_place(
				settings, "proxy_backend_proxy_tlvs"),
			    "proxy_backend_proxy_tlvs = %.*s: must be of ssl, "
			    "cert-cn, authority, unique-id, ssl-cipher, "
			    "ssl-group, ssl-sigscheme, cert-key, cert-sig and "
			    "alpn, or all",
			    (int)len, text);
	}
	return tlvs;
}

void handover_read(struct handover *handover, const struct settings *settings,
    struct report *report)
{
	const char *cursor = settings->proxy_backend_handover;
	const char *place = settings_place(settings, "proxy_backend_handover");
	const char *text;
	size_t len;

	*handover = (struct handover){
	    .way = HANDOVER_MISSING,
	    .tlvs = read_tlvs(settings, report),
	    .header_limit = (size_t)settings->proxy_backend_proxy_header_limit,
	};
	while (settings_list_next(&cursor, &text, &len)) {
		if (len == SIZE_MAX)
			break;
		read_word(handover, text, len, place, report);
	}
	if (handover->way == HANDOVER_MISSING)
		report_add(report, REPORT_WARNING, place,
		    "proxy_backend_handover = %s: tells the backends nothing "
		    "that they act on, so every session is refused; write "
		    "auto, xclient, proxy1 or proxy2, or none if they may take "
		    "all clients for Postern",
		    settings->proxy_backend_handover);
}

const char *handover_word(enum handover_way way)
{
	switch (way) {
	case HANDOVER_NONE:
	case HANDOVER_MISSING:
		break;
	case HANDOVER_XCLIENT:
		return "xclient";
	case HANDOVER_PROXY1:
		return "proxy1";
	case HANDOVER_PROXY2:
		return "proxy2";
	}
	return "none";
}
