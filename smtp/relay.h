/* SPDX-License-Identifier: Apache-2.0 */
/* Follows a session between client and backend: which reply answers which
 * command (a queue of what is outstanding, through pipelining), whether bytes
 * are commands, a body or an AUTH response, where a transaction begins and
 * where a message ends. Bytes pass unchanged, except that the EHLO reply is
 * filtered, that XCLIENT, XFORWARD and STARTTLS never pass, and that a message
 * may get a header at its head. Client bytes and
 * backend bytes in, bytes and events out, in any fragmentation. No I/O, no
 * clock, no allocation.
 *
 * The caller keeps what a step did not use and presents it again, followed by
 * what came since. It calls the two steps until they say NEED_MORE or WAIT:
 * once more than there are bytes, since a step with none can write an answer
 * whose turn has come. After any backend step, the client step may be able to
 * go on.
 *
 * What a client sent ahead, where it had to wait, should be shown to the client
 * step as soon as it came: bytes behind DATA that came before its reply are
 * never taken for commands, and this is how the relay learns that they did. */
#ifndef POSTERN_SMTP_RELAY_H
#define POSTERN_SMTP_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/answer.h"
#include "smtp/body.h"
#include "smtp/client.h"
#include "smtp/ehlo.h"
#include "smtp/end.h"
#include "smtp/outstanding.h"
#include "smtp/policy.h"
#include "smtp/trace.h"

/* The longest header that smtp_relay_insert takes. */
#define SMTP_RELAY_INSERT_LEN_MAX 4096
/* "EHLO name\r\n", and its NUL. */
#define SMTP_RELAY_GREETING_SIZE_MAX (SMTP_HELO_SIZE + 8)
/* "BDAT 9223372036854775807 LAST\r\n", and some room. */
#define SMTP_RELAY_BDAT_SIZE_MAX 64

/* What the client's next bytes are. */
enum smtp_relay_state {
	SMTP_RELAY_EXPECT_COMMAND,
	SMTP_RELAY_EXPECT_HELO_REPLY, /* EHLO or HELO was passed: what may be
				       * said hangs on the answer */
	SMTP_RELAY_EXPECT_DATA_REPLY, /* DATA was passed; its bytes must wait */
	SMTP_RELAY_EXPECT_BODY,	      /* after 354, up to CRLF.CRLF */
	SMTP_RELAY_EXPECT_CHUNK,      /* chunk_left octets of BDAT */
	SMTP_RELAY_EXPECT_AUTH_REPLY, /* AUTH or a response was passed */
	SMTP_RELAY_EXPECT_AUTH_RESPONSE, /* one line, opaque, after 334 */
	SMTP_RELAY_EXPECT_END,		 /* nothing more is obeyed */
};

struct smtp_relay {
	enum smtp_relay_state state;
	struct smtp_body body;
	uint64_t chunk_left;
	bool chunk_last;
	/* The backend is gone, or the chunk was refused: what comes of the body
	 * is dropped, up to its end, and answered there, unless it was before.
	 */
	bool discarding;
	enum smtp_answer discarded_answer;
	bool data_premature; /* bytes came behind DATA before its reply */
	bool backend_lost;
	bool in_transaction;   /* MAIL had its 2xx and nothing ended it */
	bool backend_chunking; /* the backend offers CHUNKING in this session */
	uint32_t xforward;     /* what the backend offers to hear with it */
	bool says_xforward;    /* of what it offers to hear */
	bool xforward_said;    /* for the MAIL that comes next */
	bool backend_is_verified;
	bool has_passed;   /* a command, to the backend */
	bool greets_first; /* HELO or EHLO is under way, as it came, and before
			    * it nothing was passed */
	int reply_code;	   /* of the reply half of which went by; 0: none */
	bool unasked;	   /* the backend spoke while nothing was outstanding */
	struct smtp_outstanding outstanding;
	struct smtp_trace trace;
	char helo[SMTP_HELO_SIZE]; /* of the HELO or EHLO that was passed */
	uint32_t messages;	   /* acknowledged by the backend */
	uint64_t message_octets;   /* of bodies and chunks passed to it */
};

enum smtp_relay_event {
	/* Something was used or written: step again. */
	SMTP_RELAY_PROGRESS,
	/* The bytes at hand are not enough. */
	SMTP_RELAY_NEED_MORE,
	/* Client step: a reply of the backend must come first; keep the input.
	 */
	SMTP_RELAY_WAIT,
	/* Client step: PROGRESS, and a message begins that is to have a header.
	 * Call smtp_relay_insert before anything else. */
	SMTP_RELAY_TRACE,
	/* Client step: PROGRESS, and the policy wants XFORWARD before the MAIL
	 * that comes. Write it to the backend, and call smtp_relay_xforward
	 * before anything else. */
	SMTP_RELAY_XFORWARD,
	/* Backend step: PROGRESS, and its reply to the end of a message just
	 * went by; reply_code has it. */
	SMTP_RELAY_MESSAGE,
	/* Backend step: it refuses the session in its answer to the first
	 * greeting, with a 4xx or a farewell: reply_text has it. Nothing was
	 * used. Close its connection, and call smtp_relay_take_back. */
	SMTP_RELAY_REFUSED,
	/* Backend step: PROGRESS, but it spoke where it had to listen. Close
	 * its connection: all is done that smtp_relay_backend_lost does. `end`
	 * says why. */
	SMTP_RELAY_DROP_BACKEND,
	/* A STARTTLS in a plaintext session is due: nothing is outstanding.
	 * Drop the backend, send `reply`, discard all else, begin anew
	 * (RFC 3207, 4.2). */
	SMTP_RELAY_START_TLS,
	/* Send what is to be sent, then end: `end` says why. */
	SMTP_RELAY_CLOSE,
};

struct smtp_relay_step {
	enum smtp_relay_event event;
	enum smtp_end end;
	size_t used;
	/* For the other side, unchanged; borrowed from the input of this step.
	 */
	const uint8_t *forward;
	size_t forward_len;
	/* For the client, of ours; goes out before anything later. When the
	 * backend step has both, `forward` goes first, and they are no longer
	 * than SMTP_EHLO_REPLY_SIZE_MAX together. */
	size_t reply_len;
	char reply[SMTP_EHLO_REPLY_SIZE_MAX];
	int reply_code; /* MESSAGE, or a CLOSE that came with such a reply;
			 * REFUSED */
	const char *reply_text; /* REFUSED: its last line, borrowed */
	size_t reply_text_len;
	bool improper_pipelining; /* as in gate.h; also with WAIT */
	/* As in gate.h; NULL: none. Set by the client step that found it: CLOSE
	 * may come later, when what was asked before is answered. */
	const char *offence;
	size_t offence_len;
};

/* What is known of a backend when its relay begins. */
struct smtp_relay_backend {
	const struct smtp_ehlo *ehlo; /* if EHLO was already said; or NULL */
	bool says_xforward; /* its log is told who the client is, as far as it
			     * offers to hear it */
	bool is_verified;   /* in TLS, with a certificate that had to do */
};

void smtp_relay_init(
    struct smtp_relay *relay, const struct smtp_relay_backend *backend);

/* Takes the client's bytes. Uses one command, one line or one stretch of a body
 * per call. `forward` goes to the backend. */
void smtp_relay_client_step(struct smtp_relay *relay,
    struct smtp_client *client, const struct smtp_policy *policy,
    const uint8_t *input, size_t input_len, struct smtp_relay_step *step_out);

/* Takes the backend's bytes. `forward` goes to the client. */
void smtp_relay_backend_step(struct smtp_relay *relay,
    struct smtp_client *client, const struct smtp_policy *policy,
    const uint8_t *input, size_t input_len, struct smtp_relay_step *step_out);

/* The backend's connection is gone. In the middle of a body the rest is dropped
 * up to its end and answered there with 451 4.3.0; while the reply to a whole
 * message is due, that reply is 451 4.3.0, and the next command gets 421; else
 * 421 4.3.0 and CLOSE. Never a 2xx of ours. Done once; again: nothing. */
void smtp_relay_backend_lost(struct smtp_relay *relay,
    struct smtp_client *client, const struct smtp_policy *policy,
    struct smtp_relay_step *step_out);

/* The backend is lost, or refuses the session. If all that it was asked is the
 * client's greeting, and that has no answer, then nothing was promised yet:
 * writes the greeting as the client said it, for another backend, forgets that
 * it came, and returns its length; the relay is void then. Else 0. out_size
 * must be at least SMTP_RELAY_GREETING_SIZE_MAX. */
size_t smtp_relay_take_back(struct smtp_relay *relay,
    struct smtp_client *client, char *out, size_t out_size);

/* After TRACE: the caller sends the backend a header of `len` octets, CRLF at
 * its end, now. Writes what it has to send before it, and returns the length of
 * that: nothing in DATA; with BDAT the command, held back so far, with the
 * octets of both. len must be at most SMTP_RELAY_INSERT_LEN_MAX, out_size at
 * least SMTP_RELAY_BDAT_SIZE_MAX. */
size_t smtp_relay_insert(
    struct smtp_relay *relay, size_t len, char *out, size_t out_size);

/* Lines of XFORWARD were sent to the backend, at most SMTP_RELAY_XFORWARD_MAX.
 * Their replies are for nobody. */
#define SMTP_RELAY_XFORWARD_MAX 4
void smtp_relay_xforward(struct smtp_relay *relay, unsigned lines);

/* Nothing is outstanding, and no body is under way: the session may be ended
 * here with 421 without harm, unless a transaction is open. */
bool smtp_relay_is_idle(const struct smtp_relay *relay);

/* A reply of the backend is due (so its time limit runs). */
bool smtp_relay_awaits_backend(const struct smtp_relay *relay);

/* The client's next bytes are a body or a chunk. */
bool smtp_relay_in_body(const struct smtp_relay *relay);

#endif
