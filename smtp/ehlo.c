/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/ehlo.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "smtp/identity.h"
#include "smtp/xclient.h"

/* So that the line that offers it keeps to 512 octets: RFC 5321, 4.5.3.1.5. */
#define ARGUMENT_SIZE_MAX 480
#define HOSTNAME_SIZE_MAX 255

enum argument_kind {
	ARGUMENT_NONE,
	ARGUMENT_SIZE,
	ARGUMENT_LIST,
	ARGUMENT_OPAQUE,
};

static const struct {
	const char *word;
	size_t word_len;
	enum argument_kind argument;
} keywords[SMTP_KEYWORD_COUNT] = {
#define KEYWORD(symbol, word, argument) \
	{word, sizeof(word) - 1, ARGUMENT_##argument},
#include "smtp/keyword.def"
#undef KEYWORD
};
_Static_assert(SMTP_KEYWORD_COUNT <= 32, "a set of keywords has 32 bits");
_Static_assert(
    SMTP_KEYWORD_COUNT * 32 + SMTP_EHLO_ARGUMENTS_SIZE + HOSTNAME_SIZE_MAX + 8 <
	SMTP_EHLO_REPLY_SIZE_MAX,
    "a reply with everything in it fits");

struct span { /* borrowed text */
	const char *text;
	size_t len;
};

static struct span argument_of(
    const struct smtp_ehlo *ehlo, enum smtp_keyword keyword)
{
	return (struct span){ehlo->arguments + ehlo->argument_at[keyword],
	    ehlo->argument_len[keyword]};
}

static bool same_word(struct span a, struct span b)
{
	return a.len == b.len && strncasecmp(a.text, b.text, a.len) == 0;
}

static struct span trim(struct span span)
{
	while (span.len > 0 && span.text[0] == ' ') {
		span.text++;
		span.len--;
	}
	while (span.len > 0 && span.text[span.len - 1] == ' ')
		span.len--;
	return span;
}

/* Cuts the first word off `rest`, which loses it; empty when there is none. */
static struct span take_word(struct span *rest)
{
	*rest = trim(*rest);
	const char *blank =
	    rest->len > 0 ? memchr(rest->text, ' ', rest->len) : NULL;
	struct span word = {rest->text, rest->len};
	if (blank != NULL)
		word.len = (size_t)(blank - rest->text);
	rest->text += word.len;
	rest->len -= word.len;
	return word;
}

static bool has_word(struct span list, struct span word)
{
	for (struct span other = take_word(&list); other.len > 0;
	     other = take_word(&list)) {
		if (same_word(other, word))
			return true;
	}
	return false;
}

/* Offers `keyword`, unless its argument does not fit. */
static void offer(
    struct smtp_ehlo *ehlo, enum smtp_keyword keyword, struct span argument)
{
	size_t room = sizeof(ehlo->arguments) - ehlo->arguments_len;
	if (argument.len > ARGUMENT_SIZE_MAX || argument.len > room)
		return;
	ehlo->keywords |= UINT32_C(1) << keyword;
	ehlo->argument_at[keyword] = ehlo->arguments_len;
	ehlo->argument_len[keyword] = (uint16_t)argument.len;
	if (argument.len > 0)
		memcpy(ehlo->arguments + ehlo->arguments_len, argument.text,
		    argument.len);
	ehlo->arguments_len = (uint16_t)(ehlo->arguments_len + argument.len);
}

static void offer_size(struct smtp_ehlo *ehlo, uint64_t size)
{
	char digits[24];
	int len = size > 0 ? snprintf(digits, sizeof(digits), "%llu",
				 (unsigned long long)size)
			   : 0;
	assert(len >= 0);
	offer(ehlo, SMTP_KEYWORD_SIZE, (struct span){digits, (size_t)len});
}

/* RFC 1870, 3: decimal digits; none, or 0, mean that there is no limit. */
static bool parse_size(struct span text, uint64_t *size_out)
{
	uint64_t size = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.text[i] < '0' || text.text[i] > '9')
			return false;
		unsigned digit = (unsigned)(text.text[i] - '0');
		size = size > (UINT64_MAX - digit) / 10 ? UINT64_MAX
							: size * 10 + digit;
	}
	*size_out = size;
	return true;
}

static uint64_t smaller_size(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

/* RFC 4422, 3.1: letters, digits, hyphen and underscore, 20 at the most; in
 * lower case too, as servers write them. Not -PLUS: see the header. */
static bool can_carry_mechanism(struct span word)
{
	static const char plus[] = "-PLUS";
	size_t plus_len = sizeof(plus) - 1;
	if (word.len > 20)
		return false;
	for (size_t i = 0; i < word.len; i++) {
		char byte = word.text[i];
		if ((byte < 'A' || byte > 'Z') && (byte < 'a' || byte > 'z') &&
		    (byte < '0' || byte > '9') && byte != '-' && byte != '_')
			return false;
	}
	return word.len < plus_len ||
	       strncasecmp(word.text + word.len - plus_len, plus, plus_len) !=
		   0;
}

struct list {
	char text[ARGUMENT_SIZE_MAX];
	size_t len;
};

/* Appends those words of `from` that are fit, not there yet and, where `also`
 * is given, in it too. */
static void gather(struct list *list, struct span from, const struct span *also)
{
	for (struct span word = take_word(&from); word.len > 0;
	     word = take_word(&from)) {
		size_t blank = list->len > 0;
		if (!can_carry_mechanism(word) ||
		    has_word((struct span){list->text, list->len}, word) ||
		    (also != NULL && !has_word(*also, word)) ||
		    word.len + blank > sizeof(list->text) - list->len)
			continue;
		if (blank > 0)
			list->text[list->len++] = ' ';
		memcpy(list->text + list->len, word.text, word.len);
		list->len += word.len;
	}
}

static void offer_list(
    struct smtp_ehlo *ehlo, enum smtp_keyword keyword, const struct list *list)
{
	if (list->len > 0)
		offer(ehlo, keyword, (struct span){list->text, list->len});
}

/* What one reply told so far. */
struct reading {
	struct smtp_ehlo *ehlo;
	struct list mechanisms;
	bool size_named;
	uint64_t size;
};

/* What is said to us, and not to those whom we serve. */
static bool read_private(struct smtp_ehlo *ehlo, struct span line)
{
	struct span word = take_word(&line);
	line = trim(line);
	if (same_word(word, (struct span){"XCLIENT", 7}))
		ehlo->xclient |= smtp_attributes_read(line.text, line.len);
	else if (same_word(word, (struct span){"XFORWARD", 8}))
		ehlo->xforward |= smtp_attributes_read(line.text, line.len);
	else if (same_word(word, (struct span){"STARTTLS", 8}))
		ehlo->starttls = true;
	else
		return false;
	return true;
}

static void read_keyword(struct reading *reading, struct span line)
{
	/* "AUTH=LOGIN PLAIN": as it was written before RFC 2554. */
	static const char old_auth[] = "AUTH=";
	size_t old_auth_len = sizeof(old_auth) - 1;
	if (line.len > old_auth_len &&
	    strncasecmp(line.text, old_auth, old_auth_len) == 0) {
		gather(&reading->mechanisms,
		    (struct span){
			line.text + old_auth_len, line.len - old_auth_len},
		    NULL);
		return;
	}
	if (read_private(reading->ehlo, line))
		return;
	struct span word = take_word(&line);
	enum smtp_keyword keyword = smtp_keyword_find(word.text, word.len);
	if (keyword == SMTP_KEYWORD_COUNT)
		return;
	line = trim(line);

	uint64_t size;
	switch (keywords[keyword].argument) {
	case ARGUMENT_NONE:
		offer(reading->ehlo, keyword, (struct span){NULL, 0});
		break;
	case ARGUMENT_SIZE:
		if (!parse_size(line, &size))
			break;
		reading->size = smaller_size(reading->size, size);
		reading->size_named = true;
		break;
	case ARGUMENT_LIST:
		gather(&reading->mechanisms, line, NULL);
		break;
	case ARGUMENT_OPAQUE:
		if (!smtp_ehlo_has(reading->ehlo, keyword))
			offer(reading->ehlo, keyword, line);
		break;
	}
}

/* Printable ASCII. With any other byte a line could be shown as two, or as
 * something else than what we read in it. */
static bool is_plain(struct span line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (line.text[i] < ' ' || line.text[i] > '~')
			return false;
	}
	return true;
}

static bool offers_less(const struct smtp_ehlo *ehlo,
    const struct smtp_ehlo *offered, enum smtp_keyword keyword)
{
	struct span ours = argument_of(ehlo, keyword);
	struct span theirs = argument_of(offered, keyword);
	uint64_t size = smtp_ehlo_size(ehlo);
	uint64_t size_offered = smtp_ehlo_size(offered);
	switch (keywords[keyword].argument) {
	case ARGUMENT_NONE:
		return false;
	case ARGUMENT_SIZE:
		return size > 0 && (size_offered == 0 || size < size_offered);
	case ARGUMENT_LIST:
		for (struct span word = take_word(&theirs); word.len > 0;
		     word = take_word(&theirs)) {
			if (!has_word(ours, word))
				return true;
		}
		return false;
	case ARGUMENT_OPAQUE:
		break;
	}
	return !same_word(ours, theirs);
}

void smtp_ehlo_parse(
    const uint8_t *reply, size_t reply_len, struct smtp_ehlo *ehlo_out)
{
	struct reading reading = {.ehlo = ehlo_out};
	*ehlo_out = (struct smtp_ehlo){0};
	bool greeting = true;
	while (reply_len > 0) {
		const uint8_t *end = memmem(reply, reply_len, "\r\n", 2);
		if (end == NULL)
			break;
		struct span line = {(const char *)reply, (size_t)(end - reply)};
		reply_len -= line.len + 2;
		reply = end + 2;
		if (!greeting && line.len > 4 && is_plain(line) &&
		    memcmp(line.text, "250", 3) == 0 &&
		    (line.text[3] == ' ' || line.text[3] == '-'))
			read_keyword(&reading,
			    (struct span){line.text + 4, line.len - 4});
		greeting = false;
	}
	if (reading.size_named)
		offer_size(ehlo_out, reading.size);
	offer_list(ehlo_out, SMTP_KEYWORD_AUTH, &reading.mechanisms);
}

uint64_t smtp_ehlo_size(const struct smtp_ehlo *ehlo)
{
	uint64_t size = 0;
	if (!smtp_ehlo_has(ehlo, SMTP_KEYWORD_SIZE) ||
	    !parse_size(argument_of(ehlo, SMTP_KEYWORD_SIZE), &size))
		return 0;
	return size;
}

void smtp_ehlo_intersect(struct smtp_ehlo *ehlo, const struct smtp_ehlo *other)
{
	struct smtp_ehlo both = {
	    .starttls = ehlo->starttls && other->starttls,
	    .xclient = ehlo->xclient & other->xclient,
	    .xforward = ehlo->xforward & other->xforward,
	};
	for (unsigned i = 0; i < SMTP_KEYWORD_COUNT; i++) {
		enum smtp_keyword keyword = (enum smtp_keyword)i;
		if (!smtp_ehlo_has(ehlo, keyword) ||
		    !smtp_ehlo_has(other, keyword))
			continue;
		struct span ours = argument_of(ehlo, keyword);
		struct span theirs = argument_of(other, keyword);
		struct list list = {.len = 0};
		switch (keywords[keyword].argument) {
		case ARGUMENT_NONE:
			offer(&both, keyword, (struct span){NULL, 0});
			break;
		case ARGUMENT_SIZE:
			offer_size(&both, smaller_size(smtp_ehlo_size(ehlo),
					      smtp_ehlo_size(other)));
			break;
		case ARGUMENT_LIST:
			gather(&list, ours, &theirs);
			offer_list(&both, keyword, &list);
			break;
		case ARGUMENT_OPAQUE:
			if (same_word(ours, theirs))
				offer(&both, keyword, ours);
			break;
		}
	}
	*ehlo = both;
}

uint32_t smtp_ehlo_shown(
    const struct smtp_ehlo *ehlo, const struct smtp_ehlo_view *view)
{
	uint32_t shown = ehlo->keywords & ~view->discarded;
	if (view->hide_auth)
		shown &= ~(UINT32_C(1) << SMTP_KEYWORD_AUTH);
	if (!view->keeps_requiretls)
		shown &= ~(UINT32_C(1) << SMTP_KEYWORD_REQUIRETLS);
	return shown & ~(UINT32_C(1) << SMTP_KEYWORD_STARTTLS);
}

enum smtp_keyword smtp_ehlo_missing(const struct smtp_ehlo *ehlo,
    const struct smtp_ehlo *offered, const struct smtp_ehlo_view *view)
{
	uint32_t shown = smtp_ehlo_shown(offered, view);
	for (unsigned i = 0; i < SMTP_KEYWORD_COUNT; i++) {
		enum smtp_keyword keyword = (enum smtp_keyword)i;
		if ((shown >> i & 1) != 0 &&
		    (!smtp_ehlo_has(ehlo, keyword) ||
			offers_less(ehlo, offered, keyword)))
			return keyword;
	}
	return SMTP_KEYWORD_COUNT;
}

size_t smtp_ehlo_write(const struct smtp_ehlo *ehlo,
    const struct smtp_ehlo_view *view, char *out, size_t out_size)
{
	assert(out_size >= SMTP_EHLO_REPLY_SIZE_MAX);
	uint32_t shown = smtp_ehlo_shown(ehlo, view);
	if (view->offer_starttls)
		shown |=
		    UINT32_C(1) << SMTP_KEYWORD_STARTTLS & ~view->discarded;

	char *last = out; /* of the last line: a blank instead of the hyphen */
	int len = snprintf(
	    out, out_size, "250-%.*s\r\n", HOSTNAME_SIZE_MAX, view->hostname);
	for (unsigned i = 0; i < SMTP_KEYWORD_COUNT; i++) {
		if (i == SMTP_KEYWORD_ENHANCEDSTATUSCODES &&
		    view->offer_xclient) {
			last = out + len;
			len += snprintf(last, out_size - (size_t)len,
			    "250-" SMTP_XCLIENT_OFFER "\r\n");
		}
		if ((shown >> i & 1) == 0)
			continue;
		struct span argument = {NULL, 0};
		if (i != SMTP_KEYWORD_STARTTLS)
			argument = argument_of(ehlo, (enum smtp_keyword)i);
		last = out + len;
		len += snprintf(last, out_size - (size_t)len,
		    "250-%s%s%.*s\r\n", keywords[i].word,
		    argument.len > 0 ? " " : "", (int)argument.len,
		    argument.len > 0 ? argument.text : "");
	}
	last[3] = ' ';
	assert((size_t)len < out_size);
	return (size_t)len;
}

const char *smtp_keyword_name(enum smtp_keyword keyword)
{
	assert(keyword < SMTP_KEYWORD_COUNT);
	return keywords[keyword].word;
}

enum smtp_keyword smtp_keyword_find(const char *name, size_t name_len)
{
	struct span word = {name, name_len};
	for (unsigned i = 0; i < SMTP_KEYWORD_COUNT; i++) {
		if (same_word(word,
			(struct span){keywords[i].word, keywords[i].word_len}))
			return (enum smtp_keyword)i;
	}
	return SMTP_KEYWORD_COUNT;
}
