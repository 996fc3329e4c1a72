/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a session, without sockets: it takes facts (bytes came, bytes
 * left, the backend is connected, time is up) and says what it wants. The
 * worker makes facts of completions and submissions of wants; a test does the
 * same by hand.
 *
 * A health check is a flow too: one without a client. */
#ifndef POSTERN_PROXY_FLOW_H
#define POSTERN_PROXY_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include "proxy/backend_breaker.h"
#include "proxy/backend_choice.h"
#include "proxy/buffer.h"
#include "proxy/client_name.h"
#include "proxy/close_reason.h"
#include "proxy/edh_budget.h"
#include "proxy/leg.h"
#include "proxy/log.h"
#include "proxy/offer.h"
#include "proxy/service.h"
#include "proxy/state.h"
#include "smtp/client.h"
#include "smtp/opening.h"
#include "smtp/relay.h"
#include "smtp/sink.h"

/* What one receive may bring: a whole record of TLS, and the head of the next
 * one. With less, each record of a large message takes two of them. */
#define FLOW_RECEIVE_SIZE 32768
/* Kept input and what one receive can become, side by side. */
#define FLOW_SCRATCH_SIZE 131072

/* Each state is named by what it waits for. A flow only goes forward, but for
 * STARTTLS and another backend where the first one was lost too early to tell.
 */
enum flow_state {
	FLOW_UPSTREAM,	      /* the PROXY header of a proxy before us */
	FLOW_GATE,	      /* in clear: a command for the gate */
	FLOW_STARTING_TLS,    /* our 220 to be sent; no receive is armed! */
	FLOW_HANDSHAKE,	      /* the client's handshake bytes */
	FLOW_TLS_GATE,	      /* the first command behind TLS */
	FLOW_BACKEND_OPENING, /* connection, greeting, what we say first */
	FLOW_RELAY,	      /* either side */
	FLOW_REFUSING,	      /* QUIT: there is no backend for this session */
	FLOW_DRAIN,	      /* our last bytes to leave */
	FLOW_LINGER,	      /* the client to close, so that it reads them */
	FLOW_CLOSED,
};

enum flow_want {
	FLOW_WANT_CLIENT_RECV = 1 << 0,
	FLOW_WANT_CLIENT_SEND = 1 << 1,
	FLOW_WANT_CLIENT_SHUTDOWN = 1
				    << 2, /* our direction only; then say so */
	FLOW_WANT_HANDSHAKE = 1 << 3,	  /* a turn: flow_handshake_turn */
	FLOW_WANT_BUFFER = 1 << 4,	  /* flow_go_on when one is free */
	FLOW_WANT_BACKEND_CONNECT = 1 << 5, /* to flow_backend() */
	FLOW_WANT_BACKEND_RECV = 1 << 6,
	FLOW_WANT_BACKEND_SEND = 1 << 7,
	FLOW_WANT_BACKEND_CLOSE = 1 << 8, /* then flow_backend_closed */
	FLOW_WANT_NAME = 1 << 9,   /* the client's, of DNS: then flow_named */
	FLOW_WANT_PLACE = 1 << 10, /* flow_go_on when a backend may have one */
};

enum flow_backend_state {
	FLOW_BACKEND_NONE,
	FLOW_BACKEND_CONNECTING,
	FLOW_BACKEND_CONNECTED,
	FLOW_BACKEND_DROPPED, /* to be closed, or being closed */
};

/* How long the present wait may last. The worker starts it anew when `serial`
 * changes. Bytes of a body earn time up to the limit (smtpd_min_data_rate), so
 * that one byte a minute is not enough. */
struct flow_limit {
	uint32_t serial;
	uint32_t earned_ms;
	int64_t duration_ms;
	bool for_backend; /* in RELAY: whom the wait is for */
};

/* How far EDH is with the handshake (proxy/flow_edh.h). */
enum flow_edh_turn {
	FLOW_EDH_NONE,	/* nothing to wait for */
	FLOW_EDH_WAITS, /* for the budget */
	FLOW_EDH_DUE,	/* the budget is to be asked again */
};

struct flow_edh {
	struct flow_environment *env; /* for callbacks of its TLS session */
	enum flow_edh_turn turn;
	bool is_delayed;
	int64_t since_ms; /* if it is */
};

/* debug_peer_list (proxy/flow_debug.h). */
struct flow_debug {
	struct log *log; /* NULL: nobody looks */
	unsigned level;
	bool hides_replies; /* they may tell what is not for the log */
	uint64_t octets;    /* of the message that is under way */
	/* Before the present step of the relay. */
	enum smtp_relay_state was_in;
	bool was_skipping, was_idle;
};

/* For metrics, and for those who look on. */
struct flow_seen {
	int64_t tls_begun_us, tls_cpu_us; /* of the handshake */
	int64_t asked_us; /* when the backend was connected to, or asked */
	bool is_asked;
	uint8_t published_state;
	int16_t row; /* in TLS: of env->block */
	uint32_t published_messages;
};

/* How far TLS is with the backend (proxy/flow_backend_tls.h). */
struct flow_backend_tls {
	/* By the policy, and at the level dane by what DNS says. */
	enum backend_tls_level level;
	bool must_match;
	bool by_dane;
	const struct tls_client *client;
	/* Static: without it, the backend gets nothing. NULL: none. */
	const char *dane_fault;
	bool in_handshake;
	bool is_due;	      /* the handshake has a turn to do */
	bool has_last_words;  /* an alert, or QUIT, before it is closed */
	bool is_retry;	      /* the same backend is to be opened again */
	uint32_t given_up;    /* bit i: that one is spoken to in clear */
	const char *protocol; /* static: "TLSv1.3"; NULL: in clear */
};

/* The backends of a listener, in this worker. */
struct flow_pool {
	struct backend_rota rota;
	uint32_t waiting; /* sessions, for a place */
};

struct flow_pools {
	struct flow_pool *of_service; /* one for each */
	struct breaker *breakers;     /* by state_index of the backend */
};

/* What all flows of a worker share. */
struct flow_environment {
	const struct services *services;
	struct state *state;
	struct state_block *block;
	struct log *log;
	struct buffer_pool buffers;
	struct offers offers;
	struct edh_account *edh_accounts; /* one for each service */
	/* Processor time that this thread has used; NULL: not known. */
	int64_t (*cpu_now_us)(void);
	uint8_t *client_scratch, *backend_scratch; /* FLOW_SCRATCH_SIZE each */
	int64_t now_ms; /* monotonic; set by the worker at each turn */
	int64_t now_us; /* likewise; for measuring alone */
	int64_t now_s;	/* of the day, since 1970; likewise */
	uint32_t session_serial;
	struct flow_pools pools;
	bool place_is_free; /* at some backend, since this was cleared */
	bool stopping;	    /* sessions end where that does no harm */
};

struct flow_claims; /* proxy/flow_upstream.h */

struct flow {
	enum flow_state state;
	enum close_reason reason; /* the first one stays */
	const struct service *service;
	/* smtpd_tls_req_ccert: why the client's does not do; NULL: it does */
	const char *certificate_fault;
	struct sockaddr_in6 peer; /* large enough for IPv4; family 0: none */
	/* Where the client connected to; of a probe: our end of its connection.
	 * Likewise. */
	struct sockaddr_in6 local;
	/* Who told us of the client, if it is not the one that connected;
	 * family 0: nobody. */
	struct sockaddr_in6 proxy;
	struct flow_claims *claims; /* owned; NULL: none */
	struct leg client, backend;
	struct smtp_client smtp;
	union {
		struct smtp_opening opening; /* in BACKEND_OPENING */
		struct smtp_relay relay;     /* in RELAY */
	};
	struct smtp_sink sink; /* behind builtin:sink */
	enum flow_backend_state backend_state;
	uint8_t backend_index; /* in service->backends */
	/* Where it is, if it is looked up; family 0: nowhere any more. */
	struct sockaddr_in6 backend_address;
	uint32_t backends_tried; /* bit i */
	bool is_probe;
	bool name_pending;    /* who it is in DNS is not known yet */
	bool has_place;	      /* counted at the backend, until it is closed */
	bool waits_for_place; /* in BACKEND_OPENING, before one is chosen */
	bool is_trial;	      /* of the backend's circuit breaker */
	bool header_due;      /* the PROXY header is to be written */
	bool handed_over;     /* the backend knows who the client is */
	bool client_waits;    /* its kept input cannot go on as things are */
	bool backend_waits;   /* likewise */
	bool needs_buffer;
	bool greeting_due;
	bool shutdown_done;
	bool replied; /* something of ours went to the client */
	bool had_relay;
	struct flow_edh edh; /* in HANDSHAKE */
	struct flow_debug debug;
	struct flow_backend_tls backend_tls;
	struct flow_limit limit;
	struct flow_seen seen;
	int64_t begun_ms;
	int64_t handshake_begun_ms;
	int64_t handshake_ms; /* -1: it is not over */
	uint32_t serial;      /* of the session, in its worker */
	uint32_t messages;
	uint64_t
	    octets_answered; /* of bodies; what is beyond has no reply yet */
	uint64_t octets_in, octets_out; /* of the client, on the wire */
};

/* A client connected. `refused`: a limit is reached, unless it is LIMIT_NONE;
 * then it gets 421 and that is all. The flow must be zeroed, but for `local`.
 */
void flow_begin(struct flow *flow, struct flow_environment *env,
    const struct service *service, const struct sockaddr *peer,
    enum limit refused);

/* A health check of one backend of a service begins. */
void flow_begin_probe(struct flow *flow, struct flow_environment *env,
    const struct service *service, uint8_t backend_index);

/* What FLOW_WANT_NAME asked for; too late is no harm. */
void flow_named(struct flow *flow, struct flow_environment *env,
    const struct client_name *name);

/* Bytes from the client; len 0: its stream ended. At most FLOW_RECEIVE_SIZE. */
void flow_client_received(struct flow *flow, struct flow_environment *env,
    const uint8_t *data, size_t len);
void flow_client_sent(
    struct flow *flow, struct flow_environment *env, size_t len);
/* The connection broke (reset, and the like). */
void flow_client_failed(struct flow *flow, struct flow_environment *env);
void flow_client_shut_down(struct flow *flow);

/* A probe's `local` is to be set before. */
void flow_backend_connected(struct flow *flow, struct flow_environment *env);
void flow_backend_received(struct flow *flow, struct flow_environment *env,
    const uint8_t *data, size_t len);
void flow_backend_sent(
    struct flow *flow, struct flow_environment *env, size_t len);
/* It could not be reached, or it broke; error is an errno. */
void flow_backend_failed(
    struct flow *flow, struct flow_environment *env, int error);
/* It takes no more bytes; what it said before is still to be received. */
void flow_backend_send_failed(
    struct flow *flow, struct flow_environment *env, int error);
/* What the backend is told before its socket is closed, if it can be at once:
 * the alert with which TLS failed, or QUIT behind a certificate that does not
 * do. Returns its length; 0: nothing. Only once. */
size_t flow_take_last_words(struct flow *flow, const uint8_t **words_out);

/* What FLOW_WANT_BACKEND_CLOSE asked for is done. */
void flow_backend_closed(struct flow *flow, struct flow_environment *env);

/* The present wait was too long. */
void flow_timed_out(struct flow *flow, struct flow_environment *env);
/* Its turn to do asymmetric arithmetic. */
void flow_handshake_turn(struct flow *flow, struct flow_environment *env);
/* A buffer may be free again. */
void flow_go_on(struct flow *flow, struct flow_environment *env);
/* The program stops: ends with 421 if that does no harm now, else later. */
void flow_stop(struct flow *flow, struct flow_environment *env);
/* It is over: writes the session's lines and gives everything back. */
void flow_finish(struct flow *flow, struct flow_environment *env);

/* The program ends now, and the kernel holds nothing any more: finishes the
 * flow in whatever state it is. */
void flow_cut_off(struct flow *flow, struct flow_environment *env);

/* A set of enum flow_want. Pure. */
unsigned flow_wants(const struct flow *flow);

/* The backend that was chosen. */
const struct backend *flow_backend(const struct flow *flow);

#endif
