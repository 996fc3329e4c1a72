/* SPDX-License-Identifier: Apache-2.0 */
/* The page of metrics: Prometheus' text format 0.0.4, or OpenMetrics 1.0.0.
 * Reads the shared state alone; the processes are not asked. */
#ifndef POSTERN_PROXY_EXPOSITION_H
#define POSTERN_PROXY_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proxy/service.h"
#include "proxy/state.h"

struct exposition_source {
	const struct state *state;
	const struct services *services;
	int64_t ticket_now_s;		/* tls_ticket_keys_now() */
	const char *openssl, *liburing; /* versions */
};

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

/* The media type that stands in Content-Type. */
const char *exposition_type(enum exposition_format format);

/* The format that an Accept header asks for: OpenMetrics where it names it, and
 * likes it as much as text. NULL: there is no such header. */
enum exposition_format exposition_negotiate(const char *accept);

/* The page; free() it. NULL without memory. */
char *exposition_write(const struct exposition_source *source,
    enum exposition_format format, size_t *len_out);

/* The rest is for the files exposition*.c alone. */

struct exposition {
	const struct exposition_source *source;
	enum exposition_format format;
	FILE *out;
	const struct metric_family *family; /* that is being written */
};

/* One sample of the present family: name, labels (as many as it has, "" for
 * none), and then a value. */
void exposition_begin_sample(const struct exposition *exposition,
    const char *const *names, const char *const *values, size_t count);
void exposition_computed(const struct exposition *exposition);

#endif
