/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/verdict.h"

static bool discards(const struct smtp_turn *turn, enum smtp_keyword keyword)
{
	uint32_t discarded =
	    turn->policy->discarded_keywords | turn->client->discarded;
	return (discarded >> keyword & 1) != 0;
}

static enum smtp_answer judge_starttls(
    const struct smtp_turn *turn, const struct smtp_command *command)
{
	if (command->argument_len > 0)
		return SMTP_ANSWER_STARTTLS_SYNTAX;
	if (turn->client->tls)
		return SMTP_ANSWER_STARTTLS_ACTIVE;
	if (turn->policy->tls_level == SMTP_TLS_NONE ||
	    discards(turn, SMTP_KEYWORD_STARTTLS))
		return SMTP_ANSWER_NOT_IMPLEMENTED;
	return SMTP_ANSWER_NONE;
}

static enum smtp_answer judge_bdat(
    const struct smtp_turn *turn, const struct smtp_command *command)
{
	uint64_t size;
	bool last;
	/* How many octets are not commands cannot be known. */
	if (!smtp_bdat_parse(
		command->argument, command->argument_len, &size, &last))
		return SMTP_ANSWER_BDAT_SYNTAX;
	/* Nor by the backend, were our header to carry the count past 63 bits.
	 */
	if (turn->policy->insert_received &&
	    size > INT64_MAX - SMTP_RELAY_INSERT_LEN_MAX)
		return SMTP_ANSWER_BDAT_SYNTAX;
	if (!turn->relay->backend_chunking ||
	    discards(turn, SMTP_KEYWORD_CHUNKING))
		return SMTP_ANSWER_NOT_IMPLEMENTED;
	return SMTP_ANSWER_NONE;
}

static enum smtp_answer judge_auth(const struct smtp_turn *turn)
{
	return !turn->client->tls && turn->policy->auth_only
		   ? SMTP_ANSWER_AUTH_NOT_ENABLED
		   : SMTP_ANSWER_NONE;
}

static enum smtp_answer judge_mail(const struct smtp_turn *turn)
{
	return !turn->client->tls && turn->client->tls_refused
		   ? SMTP_ANSWER_TLS_UNAVAILABLE
		   : SMTP_ANSWER_NONE;
}

/* What speaks against the command in itself. */
static enum smtp_answer judge_command(
    const struct smtp_turn *turn, const struct smtp_command *command)
{
	switch (command->verb) {
	case SMTP_VERB_XCLIENT:
	case SMTP_VERB_XFORWARD:
		/* Whoever may send it chooses his own address. */
		return SMTP_ANSWER_NOT_AUTHORIZED;
	case SMTP_VERB_STARTTLS:
		return judge_starttls(turn, command);
	case SMTP_VERB_AUTH:
		return judge_auth(turn);
	case SMTP_VERB_BDAT:
		return judge_bdat(turn, command);
	case SMTP_VERB_MAIL:
		return judge_mail(turn);
	case SMTP_VERB_HELO:
	case SMTP_VERB_EHLO:
	case SMTP_VERB_RCPT:
	case SMTP_VERB_DATA:
	case SMTP_VERB_RSET:
	case SMTP_VERB_NOOP:
	case SMTP_VERB_VRFY:
	case SMTP_VERB_ETRN:
	case SMTP_VERB_QUIT:
	case SMTP_VERB_HELP:
	case SMTP_VERB_UNKNOWN:
	case SMTP_VERB_COUNT:
		break;
	}
	return SMTP_ANSWER_NONE;
}

/* A word that we do not know must be one word to everybody: there are servers
 * that split at control characters or beyond ASCII, and would read an XCLIENT
 * in what is none here. */
static bool is_one_word(const struct smtp_command *command)
{
	for (size_t i = 0; i < command->word_len; i++) {
		if (command->word[i] <= ' ' || command->word[i] > '~')
			return false;
	}
	return command->word_len > 0;
}

/* The gate lets nothing else come here where TLS is a must (RFC 3207, 4); this
 * lock holds if it does not. */
static bool needs_tls(const struct smtp_turn *turn, enum smtp_verb verb)
{
	if (turn->client->tls || turn->policy->tls_level != SMTP_TLS_ENCRYPT)
		return false;
	return verb != SMTP_VERB_HELO && verb != SMTP_VERB_EHLO &&
	       verb != SMTP_VERB_XCLIENT && verb != SMTP_VERB_STARTTLS &&
	       verb != SMTP_VERB_NOOP && verb != SMTP_VERB_QUIT &&
	       verb != SMTP_VERB_HELP;
}

enum smtp_answer smtp_verdict(const struct smtp_turn *turn,
    const struct smtp_command *command, bool improper)
{
	if (!is_one_word(command))
		return SMTP_ANSWER_BAD_SYNTAX;
	if (improper && turn->policy->forbid_pipelining)
		return SMTP_ANSWER_PIPELINED;
	enum smtp_answer answer = judge_command(turn, command);
	if (smtp_answer_end(answer) == SMTP_END_NONE &&
	    needs_tls(turn, command->verb))
		return SMTP_ANSWER_STARTTLS_FIRST;
	return answer;
}
