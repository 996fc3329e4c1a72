/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/received.h"

#include <assert.h>
#include <string.h>

#define VALUES_MAX   8	 /* in one header, the zone among them */
#define OWN_SIZE_MAX 256 /* words between them, and the date */

_Static_assert(VALUES_MAX *SMTP_RECEIVED_VALUE_LEN_MAX +
		       SMTP_RECEIVED_COMMENTS_LEN_MAX + OWN_SIZE_MAX <=
		   SMTP_RECEIVED_SIZE_MAX,
    "all fits, however long the values are");

struct header {
	char *text;
	size_t len;
};

static char printable(char byte)
{
	return byte < ' ' || byte > '~' ? '?' : byte;
}

static void put(struct header *header, char byte)
{
	assert(header->len < SMTP_RECEIVED_SIZE_MAX);
	header->text[header->len++] = byte;
}

/* Words of ours. */
static void put_words(struct header *header, const char *words)
{
	while (*words != '\0')
		put(header, *words++);
}

static void put_fold(struct header *header)
{
	put_words(header, "\r\n\t");
}

static void put_value(struct header *header, const char *value)
{
	for (size_t i = 0; i < SMTP_RECEIVED_VALUE_LEN_MAX && value[i] != '\0';
	     i++)
		put(header, printable(value[i]));
}

/* Stands outside of all comments, so nothing in it may open one, end the clause
 * or look like an address: Postfix takes these characters out, too. */
static void put_helo(struct header *header, const char *helo)
{
	for (size_t i = 0; i < SMTP_RECEIVED_VALUE_LEN_MAX && helo[i] != '\0';
	     i++)
		put(header, strchr(" <>()\\\";@", helo[i]) != NULL
				? '?'
				: printable(helo[i]));
}

static void put_peer(
    struct header *header, const struct smtp_received *received)
{
	put_words(header, "Received: from ");
	if (received->helo[0] != '\0')
		put_helo(header, received->helo);
	else
		put_value(header, received->peer_name);
	put_words(header, " (");
	put_value(header, received->peer_name);
	put_words(header, " [");
	if (strchr(received->peer_address, ':') != NULL)
		put_words(header, "IPv6:"); /* RFC 5321, 4.1.3 */
	put_value(header, received->peer_address);
	put_words(header, "])");
}

static void put_comments(struct header *header, const char *comments)
{
	size_t end = header->len + SMTP_RECEIVED_COMMENTS_LEN_MAX;
	bool fold = true;
	for (; *comments != '\0' && header->len + strlen("\r\n\t?") <= end;
	     comments++) {
		if (*comments == '\n') {
			fold = true;
			continue;
		}
		if (fold)
			put_fold(header);
		fold = false;
		put(header, printable(*comments));
	}
}

/* RFC 3848 and RFC 6531, 4.3. HELO stays SMTP, over TLS, too. */
static void put_protocol(
    struct header *header, const struct smtp_received *received)
{
	bool extended = received->extended || received->utf8;
	put_words(header, received->utf8 ? "UTF8SMTP"
			  : extended	 ? "ESMTP"
					 : "SMTP");
	if (extended && received->tls)
		put(header, 'S');
	if (extended && received->authenticated)
		put(header, 'A');
}

static void put_date(struct header *header, const struct tm *time)
{
	char date[64];
	size_t len =
	    strftime(date, sizeof(date), "%a, %e %b %Y %H:%M:%S %z", time);
	assert(len > 0);
	put_words(header, date);
	put_words(header, " (");
	put_value(header, time->tm_zone);
	put_words(header, ")\r\n");
}

size_t smtp_received_write(
    const struct smtp_received *received, char *out, size_t out_size)
{
	struct header header = {.text = out};
	assert(out_size >= SMTP_RECEIVED_SIZE_MAX);

	put_peer(&header, received);
	put_comments(&header, received->comments);
	put_fold(&header);
	put_words(&header, "by ");
	put_value(&header, received->hostname);
	put_words(&header, " (");
	put_value(&header, received->mail_name);
	put_words(&header, ") with ");
	put_protocol(&header, received);
	put_words(&header, " id ");
	put_value(&header, received->id);
	if (received->recipient != NULL) {
		put_fold(&header);
		put_words(&header, "for <");
		put_value(&header, received->recipient);
		put_words(&header, ">; ");
	} else {
		put_words(&header, ";");
		put_fold(&header);
	}
	put_date(&header, received->time);
	return header.len;
}
