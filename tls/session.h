/* SPDX-License-Identifier: Apache-2.0 */
/* One TLS connection, over buffers that the caller lends for one call. No
 * socket, no memory BIO: a custom BIO reads from `in` and writes to `out`.
 *
 * Whatever a call returns, in_used bytes of `in` are done with and out_len
 * bytes of `out` must be sent, also on failure: they may be the alert. */
#ifndef POSTERN_TLS_SESSION_H
#define POSTERN_TLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tls/context.h"

/* Room in `out` with which no call of ours stops for want of it, other than
 * writes of application data. */
#define TLS_WIRE_ROOM_MIN 32768
/* What one call of write can add around n bytes of plaintext. */
#define TLS_RECORD_PLAIN_SIZE_MAX 16384
#define TLS_RECORD_OVERHEAD_MAX	  256

struct tls_session; /* opaque */

struct tls_wire {
	const uint8_t *in;
	size_t in_len, in_used;
	bool in_eof; /* the peer's stream ended behind `in` */
	uint8_t *out;
	size_t out_size, out_len;
};

enum tls_status {
	TLS_DONE,	/* the call did all that was asked */
	TLS_WANT_INPUT, /* `in` is used up; come again with more */
	TLS_WANT_ROOM,	/* `out` is full; come again with room, the same data */
	TLS_CLOSED,	/* close_notify came; it can still be written to */
	TLS_FAILED,	/* see tls_session_fault; only destroy may follow */
	TLS_WAIT,	/* of the handshake: the EDH gate said so; come again,
			 * with or without input, and it is asked again */
};

/* Why a handshake or a connection failed, in a few stable words. The table is
 * tls/fault.def. */
enum tls_fault {
#define FAULT(symbol, word, text) TLS_FAULT_##symbol,
#include "tls/fault.def"
#undef FAULT
	TLS_FAULT_COUNT
};

/* A server session. NULL without memory. */
struct tls_session *tls_session_create(struct tls_context *context);

/* The same without EDH: no DHE suites, no FFDHE groups. */
struct tls_session *tls_session_create_without_edh(struct tls_context *context);

/* What is said of EDH with this client. */
enum tls_edh_verdict {
	TLS_EDH_ALLOW,	 /* the session may end in it, or in another one */
	TLS_EDH_WITHOUT, /* as tls_session_create_without_edh */
	TLS_EDH_WAIT,	 /* the handshake returns TLS_WAIT */
	TLS_EDH_REFUSE,	 /* it fails, with handshake_failure(40) */
};

/* Asked when the ClientHello is there and the session may end in EDH: client
 * and context have it in common, in the version that they will speak. Whether
 * it did is told by the facts. client_can_do_ecdhe: so it may end in EECDH
 * instead. Not asked again after ALLOW and WITHOUT. */
struct tls_edh_gate {
	void *argument; /* good until the handshake is over */
	enum tls_edh_verdict (*ask)(void *argument, bool client_can_do_ecdhe);
};

/* Before the handshake. Without a gate EDH is as the context has it. */
void tls_session_set_edh_gate(
    struct tls_session *session, const struct tls_edh_gate *gate);

/* Whether the key exchange is EDH, once our first flight is written, also in a
 * handshake that was not finished. */
bool tls_session_does_edh(const struct tls_session *session);

/* Accepts NULL inside; sets it to NULL. */
void tls_session_destroy(struct tls_session **session);

/* Goes on with the handshake; DONE when it is complete. Application data may
 * follow in the same `in`: go on with read at once. Never CLOSED: who closes in
 * the handshake makes it fail, with the fault EOF. */
enum tls_status tls_session_handshake(
    struct tls_session *session, struct tls_wire *wire);

/* Decrypts until `in` is used up or `plain` is full (DONE then: call again).
 * Plaintext comes with DONE or WANT_INPUT alone: what ends the session or stops
 * it behind some plaintext is told by the next call. The end of `in` at in_eof
 * without a close_notify is the fault EOF. A peer that sends many records
 * without data in a row ends the session, with the fault PROTOCOL. */
enum tls_status tls_session_read(struct tls_session *session,
    struct tls_wire *wire, uint8_t *plain, size_t plain_size,
    size_t *plain_len_out);

/* Encrypts as much of `plain` as there is room for; *used_out may be less than
 * plain_len with WANT_ROOM. */
enum tls_status tls_session_write(struct tls_session *session,
    struct tls_wire *wire, const uint8_t *plain, size_t plain_len,
    size_t *used_out);

/* Writes close_notify, if the session may still do so. */
void tls_session_close(struct tls_session *session, struct tls_wire *wire);

enum tls_fault tls_session_fault(const struct tls_session *session);

/* With the fault ALERT, the number of the alert that the peer sent (RFC 8446,
 * 6); otherwise -1. */
int tls_session_alert(const struct tls_session *session);

/* What became of session tickets in the handshake. */
struct tls_ticket_events {
	unsigned issued;
	bool came;     /* the client had one */
	bool accepted; /* and it resumed the session */
};

struct tls_ticket_events tls_session_tickets(const struct tls_session *session);

/* "no_shared_cipher", for metrics and records; "no shared cipher", for
 * people. */
const char *tls_fault_word(enum tls_fault fault);
const char *tls_fault_text(enum tls_fault fault);

/* The errors that OpenSSL left behind the fault, one per line, without the
 * prefix "TLS library problem: ": "error:0A0000C1:SSL routines::no shared
 * cipher:../ssl/statem/statem_srvr.c:2226:". "" when there were none. */
const char *tls_session_library_errors(const struct tls_session *session);

#endif
