/* SPDX-License-Identifier: Apache-2.0 */
/* Probes for bpftrace, perf and SystemTap, of the provider "postern": a note in
 * the binary and one instruction that does nothing, until somebody looks. Their
 * arguments are what the session knows anyway; `session` is the number behind
 * the hyphen of its id. Without <sys/sdt.h> at build time there are none.
 *
 *   session_begin(session, listener)
 *   handshake_done(session, protocol, cipher, forward_secret, resumed)
 *   handshake_failed(session, fault)
 *   relay_begin(session, backend)
 *   message(session, reply_code)
 *   session_end(session, reason, octets_in, octets_out) */
#ifndef POSTERN_PROXY_USDT_H
#define POSTERN_PROXY_USDT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef POSTERN_USDT

#include <sys/sdt.h>

static inline void usdt_session_begin(uint32_t session, const char *listener)
{
	DTRACE_PROBE2(postern, session_begin, session, listener);
}

static inline void usdt_handshake_done(uint32_t session, const char *protocol,
    const char *cipher, bool forward_secret, bool resumed)
{
	DTRACE_PROBE5(postern, handshake_done, session, protocol, cipher,
	    forward_secret, resumed);
}

static inline void usdt_handshake_failed(uint32_t session, const char *fault)
{
	DTRACE_PROBE2(postern, handshake_failed, session, fault);
}

static inline void usdt_relay_begin(uint32_t session, const char *backend)
{
	DTRACE_PROBE2(postern, relay_begin, session, backend);
}

static inline void usdt_message(uint32_t session, int reply_code)
{
	DTRACE_PROBE2(postern, message, session, reply_code);
}

static inline void usdt_session_end(uint32_t session, const char *reason,
    uint64_t octets_in, uint64_t octets_out)
{
	DTRACE_PROBE4(
	    postern, session_end, session, reason, octets_in, octets_out);
}

#else

static inline void usdt_session_begin(uint32_t session, const char *listener)
{
	(void)session;
	(void)listener;
}

static inline void usdt_handshake_done(uint32_t session, const char *protocol,
    const char *cipher, bool forward_secret, bool resumed)
{
	(void)session;
	(void)protocol;
	(void)cipher;
	(void)forward_secret;
	(void)resumed;
}

static inline void usdt_handshake_failed(uint32_t session, const char *fault)
{
	(void)session;
	(void)fault;
}

static inline void usdt_relay_begin(uint32_t session, const char *backend)
{
	(void)session;
	(void)backend;
}

static inline void usdt_message(uint32_t session, int reply_code)
{
	(void)session;
	(void)reply_code;
}

static inline void usdt_session_end(uint32_t session, const char *reason,
    uint64_t octets_in, uint64_t octets_out)
{
	(void)session;
	(void)reason;
	(void)octets_in;
	(void)octets_out;
}

#endif

#endif
