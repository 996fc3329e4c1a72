/* SPDX-License-Identifier: Apache-2.0 */
/* What one client says, and what it waits for: the dialogue of a session
 * without sockets, clock and TLS. It tells what it wants next, and is told what
 * came. Nothing is sent before all that was said is answered, so that the time
 * from the first octet of a message to its 250 is that of one message. */
#ifndef POSTERN_BENCH_DIALOGUE_H
#define POSTERN_BENCH_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/reply.h"

#define DIALOGUE_COMMANDS_SIZE 1280
#define DIALOGUE_FAULT_SIZE    256

enum dialogue_work {
	DIALOGUE_HANDSHAKE, /* the unit of work is a handshake */
	DIALOGUE_RELAY,	    /* a message */
	DIALOGUE_NOOP,	    /* a NOOP */
	DIALOGUE_IDLE,	    /* none: the session is held */
};

enum dialogue_tls { DIALOGUE_STARTTLS, DIALOGUE_IMPLICIT, DIALOGUE_CLEAR };

/* How far a session comes that is held. */
enum dialogue_hold { DIALOGUE_SECURED, DIALOGUE_GREETED, DIALOGUE_ADDRESSED };

/* Belongs to the caller and outlives its dialogues. */
struct dialogue_plan {
	enum dialogue_work work;
	enum dialogue_tls tls;
	enum dialogue_hold hold;
	bool bdat;	/* RFC 3030, instead of DATA */
	bool pipelined; /* RFC 2920: one write up to DATA, or for all of BDAT */
	bool quit;	/* say QUIT also behind a handshake */
	const char *helo, *from, *to;
	const char *message; /* ends with CRLF, no line begins with a dot */
	size_t message_len;
};

enum dialogue_want {
	DIALOGUE_WANT_SEND, /* dialogue_output has octets */
	DIALOGUE_WANT_INPUT,
	DIALOGUE_WANT_TLS,     /* a handshake, then dialogue_secured() */
	DIALOGUE_WANT_UNIT,    /* dialogue_begin_unit() or dialogue_finish() */
	DIALOGUE_WANT_NOTHING, /* the session is to be held */
	DIALOGUE_WANT_END,
	DIALOGUE_FAILED, /* and `fault` says why */
};

struct dialogue {
	const struct dialogue_plan *plan;
	int step;	    /* private, like all down to `fault` */
	const char *expect; /* the first digits of the replies to come */
	bool secured;
	struct reply reply;
	char commands[DIALOGUE_COMMANDS_SIZE];
	struct dialogue_piece {
		const char *data;
		size_t len;
	} pieces[3];
	bool unit_done; /* set at each end of a unit; for the caller to clear */
	char fault[DIALOGUE_FAULT_SIZE];
};

void dialogue_init(struct dialogue *dialogue, const struct dialogue_plan *plan);

enum dialogue_want dialogue_wants(const struct dialogue *dialogue);

/* The next octets to send, borrowed until dialogue_sent(). */
size_t dialogue_output(const struct dialogue *dialogue, const char **data_out);
void dialogue_sent(struct dialogue *dialogue, size_t len);

/* Octets in clear, or what TLS gave. */
void dialogue_input(struct dialogue *dialogue, const char *data, size_t len);

void dialogue_secured(struct dialogue *dialogue);
void dialogue_begin_unit(struct dialogue *dialogue);
void dialogue_finish(struct dialogue *dialogue);

/* A message of so many octets, for the plan; free() it. NULL without memory.
 * At least DIALOGUE_MESSAGE_MIN. */
#define DIALOGUE_MESSAGE_MIN 64
char *dialogue_make_message(size_t len);

#endif
