/* SPDX-License-Identifier: Apache-2.0 */
/* A session without sockets and without a kernel: the test is the client, the
 * backend and the worker. After each fact it looks at what must always hold. */
#ifndef POSTERN_TESTS_PROXY_HARNESS_H
#define POSTERN_TESTS_PROXY_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/flow.h"

/* The listeners of the house. All but SINK have the backends "inet:first" and
 * "inet:second", which a test plays. */
enum harness_service {
	HARNESS_MAY,	 /* TLS is offered */
	HARNESS_ENCRYPT, /* TLS is a must */
	HARNESS_WRAPPED, /* TLS from the first byte */
	HARNESS_CLEAR,	 /* no TLS */
	HARNESS_SINK,	 /* TLS is offered; builtin:sink */
	HARNESS_SERVICE_COUNT,
};

enum { FIRST, SECOND, BACKEND_COUNT };

#define HARNESS_GREETING "220 gate.test ESMTP Postern\r\n"
#define HARNESS_READY	 "220 2.0.0 Ready to start TLS\r\n"
/* What the health check found at both backends. */
#define HARNESS_BACKEND_EHLO          \
	"250-backend.test\r\n"        \
	"250-PIPELINING\r\n"          \
	"250-SIZE 1000000\r\n"        \
	"250-ENHANCEDSTATUSCODES\r\n" \
	"250-8BITMIME\r\n"            \
	"250 CHUNKING\r\n"
/* What the gate makes of it in clear, and what a client sees behind TLS. */
#define HARNESS_EHLO_IN_CLEAR         \
	"250-gate.test\r\n"           \
	"250-PIPELINING\r\n"          \
	"250-SIZE 1000000\r\n"        \
	"250-STARTTLS\r\n"            \
	"250-ENHANCEDSTATUSCODES\r\n" \
	"250-8BITMIME\r\n"            \
	"250 CHUNKING\r\n"
#define HARNESS_EHLO_IN_TLS           \
	"250-gate.test\r\n"           \
	"250-PIPELINING\r\n"          \
	"250-SIZE 1000000\r\n"        \
	"250-ENHANCEDSTATUSCODES\r\n" \
	"250-8BITMIME\r\n"            \
	"250 CHUNKING\r\n"

extern struct flow flow;
extern struct flow_environment env;
extern struct settings settings; /* of all listeners */
extern struct service services[HARNESS_SERVICE_COUNT];

/* Bytes of one receive at the most. */
extern size_t harness_receive_size;

void harness_init(void);
void harness_fini(void);
/* For a test that plays many sessions: as if nothing had been before, but for
 * what the test changed of settings and policies. */
void harness_again(void);
/* The next session of the same worker; the log begins anew. */
void harness_next(void);

/* What the health check found: the whole EHLO reply; NULL: it is down. */
void harness_probe_found(int backend, const char *reply);

/* It never found anything. */
void harness_probe_never_found(int backend);

/* A client comes. */
void begin_refused(enum harness_service which); /* a limit is reached */
void begin(enum harness_service which);
/* … and is greeted, says EHLO, and reads the answer. */
void begin_with_ehlo(enum harness_service which);
/* … and TLS is up, and what the gate said so far was read. */
void begin_in_tls(enum harness_service which);
/* … EHLO was answered by the first backend, in TLS. */
void begin_in_relay(void);

/* The client writes to its socket; what a receive is armed for arrives. */
void client_says(const char *text);
void client_sends(const void *bytes, size_t len);
/* What it wrote and nobody received yet. */
size_t client_unsent(void);
/* It reads all that there is, as long as there is something, and what it wrote
 * goes on arriving. Returns what it read since the last call. */
const char *client_hears(void);
size_t client_heard_len(void); /* of what client_hears() returned last */
/* One send of at most `size` bytes; false: nothing is to be sent. */
bool client_takes(size_t size);
/* It will write no more. */
void client_leaves(void);
/* The client's end of TLS, with `first_words` in the segment of its Finished
 * (NULL: none). */
void client_handshakes(const char *first_words);
/* Its first flight, and no more. */
void client_begins_handshake(void);
void client_closes_tls(void);

/* The facts of the backend. */
void backend_connects(void);
void backend_refuses(int error);
void backend_says(const char *text);
void backend_sends(const void *bytes, size_t len);
const char *backend_hears(void);
size_t backend_heard_len(void);
bool backend_takes(size_t size);
void backend_leaves(void);
void backend_breaks(int error);
/* The worker closed its socket, as it was asked to. */
void backend_is_closed(void);
/* Connect, greeting, EHLO; `reply` is the answer to it. */
void backend_serves(const char *reply);

/* Takes all buffers of the pool but `left`; gives them back. */
void buffers_run_out(uint32_t left);
void buffers_come_back(void);

/* Everything that the flow wants and that needs nobody's help, until it is
 * over: then it must be for this reason, and nothing may be left. */
void ends_because(enum close_reason reason);

/* What must hold after each fact; called by all of the above. */
void harness_check(void);

uint64_t counted(enum metric metric);
/* All that was logged so far. */
const char *logged(void);
unsigned logged_times(const char *text);

#endif
