/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/probe_visit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/probe_link.h"
#include "proxy/utf8.h"
#include "smtp/ehlo.h"

#define COMMAND_SIZE 320

struct visitor {
	const struct probe_place *place;
	const struct tls_client *client;
	struct probe_visit *visit;
	struct probe_link link;
	struct smtp_reply reply;
};

const char *probe_outcome_word(enum probe_outcome outcome)
{
	static const char *const words[] = {
	    [PROBE_TLS] = "tls",
	    [PROBE_NOT_CONNECTED] = "not_connected",
	    [PROBE_LOST] = "lost",
	    [PROBE_TURNED_AWAY] = "turned_away",
	    [PROBE_NO_STARTTLS] = "no_starttls",
	    [PROBE_STARTTLS_REFUSED] = "starttls_refused",
	    [PROBE_HANDSHAKE_FAILED] = "handshake_failed",
	};

	return words[outcome];
}

void probe_say(const char *mark, const char *text, size_t len)
{
	while (len > 0) {
		char line[PROBE_LINE_SIZE];
		const char *end = memchr(text, '\n', len);
		size_t line_len = end != NULL ? (size_t)(end - text) : len;
		size_t used = line_len + (end != NULL);

		if (line_len > 0 && text[line_len - 1] == '\r')
			line_len--;
		if (line_len > sizeof(line))
			line_len = sizeof(line);
		memcpy(line, text, line_len);
		utf8_neuter(line, line_len);
		fprintf(stderr, "postern/probe: %s%.*s\n", mark, (int)line_len,
		    line);
		text += used;
		len -= used;
	}
}

static bool talks(const struct visitor *visitor)
{
	return visitor->place->options->loglevel >= PROBE_LOGLEVEL_TALK;
}

/* Returns false, for whoever ends here. */
__attribute__((format(printf, 3, 4))) static bool end(struct visitor *visitor,
    enum probe_outcome outcome, const char *format, ...)
{
	va_list arguments;

	visitor->visit->outcome = outcome;
	va_start(arguments, format);
	vsnprintf(visitor->visit->why, sizeof(visitor->visit->why), format,
	    arguments);
	va_end(arguments);
	return false;
}

static const char *text_of(
    const struct probe_link *link, enum probe_link_status status)
{
	switch (status) {
	case PROBE_LINK_DONE:
		return "";
	case PROBE_LINK_CLOSED:
		return "it closed the connection";
	case PROBE_LINK_TIMED_OUT:
		return "it took too long (--timeout)";
	case PROBE_LINK_NOT_SMTP:
		return "what it said is no reply of SMTP";
	case PROBE_LINK_FAILED:
		return strerror(link->error);
	case PROBE_LINK_TLS_FAILED:
		return tls_fault_text(tls_session_fault(link->session));
	}
	return "";
}

static bool hear(struct visitor *visitor, const char *what)
{
	struct probe_link *link = &visitor->link;
	enum probe_link_status status = probe_link_reply(link, &visitor->reply);

	if (status != PROBE_LINK_DONE)
		return end(
		    visitor, PROBE_LOST, "%s: %s", what, text_of(link, status));
	if (talks(visitor))
		probe_say("< ", (const char *)link->heard, visitor->reply.used);
	return true;
}

static bool say(struct visitor *visitor, const char *command)
{
	enum probe_link_status status;

	if (talks(visitor))
		probe_say("> ", command, strlen(command));
	status = probe_link_say(&visitor->link, command);
	return status == PROBE_LINK_DONE ||
	       end(visitor, PROBE_LOST, "%.4s: %s", command,
		   text_of(&visitor->link, status));
}

/* Whether the reply is 2xx. */
static bool is_welcome(struct visitor *visitor, const char *what)
{
	const struct smtp_reply *reply = &visitor->reply;

	if (reply->code / 100 == 2)
		return true;
	return end(visitor, PROBE_TURNED_AWAY, "%s: %d %.*s", what, reply->code,
	    (int)reply->text_len, reply->text);
}

static bool be_greeted(struct visitor *visitor)
{
	return hear(visitor, "greeting") && is_welcome(visitor, "greeting");
}

static bool say_ehlo(struct visitor *visitor)
{
	char command[COMMAND_SIZE];

	snprintf(command, sizeof(command), "EHLO %s\r\n", visitor->place->helo);
	return say(visitor, command) && hear(visitor, "EHLO") &&
	       is_welcome(visitor, "EHLO");
}

static void say_quit(struct visitor *visitor)
{
	if (say(visitor, "QUIT\r\n"))
		hear(visitor, "QUIT");
}

static bool ask_for_tls(struct visitor *visitor)
{
	static struct smtp_ehlo offered; /* large */
	struct probe_link *link = &visitor->link;

	if (!be_greeted(visitor) || !say_ehlo(visitor))
		return false;
	smtp_ehlo_parse(link->heard, visitor->reply.used, &offered);
	if (!offered.starttls) {
		say_quit(visitor);
		return end(
		    visitor, PROBE_NO_STARTTLS, "it does not offer STARTTLS");
	}
	if (!say(visitor, "STARTTLS\r\n") || !hear(visitor, "STARTTLS"))
		return false;
	if (visitor->reply.code / 100 != 2) {
		end(visitor, PROBE_STARTTLS_REFUSED, "%d %.*s",
		    visitor->reply.code, (int)visitor->reply.text_len,
		    visitor->reply.text);
		return false;
	}
	visitor->visit->discarded_len = probe_link_discard(link);
	return true;
}

/* Not so with handshake_failure, protocol_version and insufficient_security
 * (RFC 8446, 6.2), nor where it was us who broke off. */
static bool is_unclear(const struct tls_session *session)
{
	int alert = tls_session_alert(session);

	if (tls_session_fault(session) == TLS_FAULT_ALERT)
		return alert != 40 && alert != 70 && alert != 71;
	return tls_session_fault(session) == TLS_FAULT_EOF;
}

/* Servers that do not like an offer say so by an alert, or just leave. */
static bool end_handshake(
    struct visitor *visitor, enum probe_link_status status)
{
	const struct probe_link *link = &visitor->link;
	bool is_theirs =
	    status == PROBE_LINK_TLS_FAILED || status == PROBE_LINK_CLOSED ||
	    (status == PROBE_LINK_FAILED &&
		(link->error == ECONNRESET || link->error == EPIPE));
	int alert = status == PROBE_LINK_TLS_FAILED
			? tls_session_alert(link->session)
			: -1;

	visitor->visit->is_unclear = status == PROBE_LINK_TLS_FAILED
					 ? is_unclear(link->session)
					 : is_theirs;
	if (alert >= 0)
		return end(visitor, PROBE_HANDSHAKE_FAILED,
		    "handshake: %s (%d)", text_of(link, status), alert);
	return end(visitor, is_theirs ? PROBE_HANDSHAKE_FAILED : PROBE_LOST,
	    "handshake: %s", text_of(link, status));
}

static bool shake_hands(struct visitor *visitor)
{
	enum probe_link_status status =
	    probe_link_start_tls(&visitor->link, visitor->client);

	return status == PROBE_LINK_DONE || end_handshake(visitor, status);
}

static void note_session(struct visitor *visitor)
{
	const struct tls_session *session = visitor->link.session;
	const char *name = visitor->place->name;
	struct probe_visit *visit = visitor->visit;

	tls_facts_read(session, &visit->facts);
	visit->facts.sni = ""; /* the session's */
	tls_facts_summary(
	    &visit->facts, "to", name, visit->summary, sizeof(visit->summary));
	visit->is_satisfied = tls_client_is_satisfied(session);
	tls_peer_certificate_read(session, &visit->certificate);
	tls_peer_read(session, &visit->peer);
	if (!visit->peer.is_present)
		return;
	tls_peer_line(
	    &visit->peer, name, visit->peer_line, sizeof(visit->peer_line));
	tls_client_verdict_line(
	    session, name, visit->verdict_line, sizeof(visit->verdict_line));
	tls_client_match_line(
	    session, name, visit->match_line, sizeof(visit->match_line));
}

/* Tickets of TLS 1.3 come with what is said here. That it fails is no longer
 * about TLS. */
static void take_leave(struct visitor *visitor)
{
	bool is_wrapped = visitor->place->options->wrappermode;

	if (is_wrapped ? be_greeted(visitor) && say_ehlo(visitor)
		       : say_ehlo(visitor))
		say_quit(visitor);
	visitor->visit->outcome = PROBE_TLS;
}

static void visit(struct visitor *visitor)
{
	const struct probe_options *options = visitor->place->options;
	enum probe_link_status status = probe_link_connect(
	    &visitor->link, &visitor->place->address, options->timeout_s);

	if (status != PROBE_LINK_DONE) {
		end(visitor, PROBE_NOT_CONNECTED, "connect: %s",
		    text_of(&visitor->link, status));
		return;
	}
	if (talks(visitor))
		fprintf(stderr, "postern/probe: Connected to %s\n",
		    visitor->place->name);
	if (!options->wrappermode && !ask_for_tls(visitor))
		return;
	if (!shake_hands(visitor))
		return;
	note_session(visitor);
	take_leave(visitor);
}

void probe_visit_run(const struct probe_place *place,
    const struct tls_client *client, struct probe_visit *visit_out)
{
	static struct visitor visitor; /* large */

	*visit_out = (struct probe_visit){.outcome = PROBE_LOST};
	visitor.place = place;
	visitor.client = client;
	visitor.visit = visit_out;
	visit(&visitor);
	probe_link_finish(&visitor.link);
}
