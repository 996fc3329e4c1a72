/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/handover.h"

#include <errno.h>
#include <stdlib.h>
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

static bool read_word(struct handover *handover, const char *text, size_t len,
    const struct handover_source *source)
{
	if (is_word(text, len, "xforward")) {
		handover->xforward = true;
		return true;
	}
	for (size_t i = 0; i < WAY_COUNT; i++) {
		if (!is_word(text, len, ways[i].word))
			continue;
		if (handover->way == HANDOVER_MISSING ||
		    handover->way == ways[i].way) {
			handover->way = ways[i].way;
			return true;
		}
		report_add(source->report, REPORT_ERROR, source->place,
		    "%s: \"%.*s\" cannot stand beside another way; only "
		    "xforward can",
		    source->name, (int)len, text);
		return false;
	}
	report_add(source->report, REPORT_ERROR, source->place,
	    "%s = %.*s: must be auto, xclient, proxy1, proxy2 or none, and may "
	    "have xforward beside it",
	    source->name, (int)len, text);
	return false;
}

bool handover_read_way(struct handover *handover, const char *text,
    const struct handover_source *source)
{
	bool is_good = true;
	const char *word;
	size_t len;

	handover->way = HANDOVER_MISSING;
	handover->xforward = false;
	while (settings_list_next(&text, &word, &len))
		is_good = read_word(handover, word, len, source) && is_good;
	return is_good;
}

bool handover_read_tlvs(struct handover *handover, const char *text,
    const struct handover_source *source)
{
	bool is_good = true;
	const char *word;
	size_t len;

	handover->tlvs = 0;
	while (settings_list_next(&text, &word, &len)) {
		enum smtp_proxy_tlv tlv = smtp_proxy_tlv_find(word, len);

		if (is_word(word, len, "all")) {
			handover->tlvs |=
			    (UINT32_C(1) << SMTP_PROXY_TLV_COUNT) - 1;
			continue;
		}
		if (tlv != SMTP_PROXY_TLV_COUNT) {
			handover->tlvs |= UINT32_C(1) << tlv;
			continue;
		}
		is_good = false;
		report_add(source->report, REPORT_ERROR, source->place,
		    "%s = %.*s: must be of ssl, cert-cn, authority, unique-id, "
		    "ssl-cipher, ssl-group, ssl-sigscheme, cert-key, cert-sig "
		    "and alpn, or all",
		    source->name, (int)len, word);
	}
	return is_good;
}

bool handover_read_header_limit(struct handover *handover, const char *text,
    const struct handover_source *source)
{
	unsigned long limit = 0;
	char *end = NULL;

	errno = 0;
	if (text[0] >= '0' && text[0] <= '9')
		limit = strtoul(text, &end, 10);
	if (end == NULL || *end != '\0' || errno != 0 ||
	    limit < HANDOVER_HEADER_LIMIT_MIN ||
	    limit > HANDOVER_HEADER_LIMIT_MAX) {
		report_add(source->report, REPORT_ERROR, source->place,
		    "%s = %s: must be %d to %d", source->name, text,
		    HANDOVER_HEADER_LIMIT_MIN, HANDOVER_HEADER_LIMIT_MAX);
		return false;
	}
	handover->header_limit = limit;
	return true;
}

void handover_check(const struct handover *handover, const char *text,
    const struct handover_source *source)
{
	if (handover->way == HANDOVER_MISSING)
		report_add(source->report, REPORT_WARNING, source->place,
		    "%s = %s: tells the backends nothing that they act on, so "
		    "every session is refused; write auto, xclient, proxy1 or "
		    "proxy2, or none if they may take all clients for Postern",
		    source->name, text);
}

void handover_read(struct handover *handover, const struct settings *settings,
    struct report *report)
{
	struct handover_source source = {
	    .name = "proxy_backend_handover",
	    .place = settings_place(settings, "proxy_backend_handover"),
	    .report = report,
	};

	*handover = (struct handover){
	    .header_limit = (size_t)settings->proxy_backend_proxy_header_limit,
	};
	handover_read_way(handover, settings->proxy_backend_handover, &source);
	source.name = "proxy_backend_proxy_tlvs";
	source.place = settings_place(settings, source.name);
	handover_read_tlvs(
	    handover, settings->proxy_backend_proxy_tlvs, &source);
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
