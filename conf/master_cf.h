/* SPDX-License-Identifier: Apache-2.0 */
/* master.cf: text -> services with their arguments. Pure. */
#ifndef POSTERN_CONF_MASTER_CF_H
#define POSTERN_CONF_MASTER_CF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/scope.h"
#include "conf/lines.h"

enum service_type {
	SERVICE_INET,
	SERVICE_UNIX,
	SERVICE_UNIX_DATAGRAM,
	SERVICE_FIFO,
	SERVICE_PASS,
};

/* The columns, in the order of the file. */
enum service_field {
	SERVICE_NAME,
	SERVICE_TYPE,
	SERVICE_PRIVATE,
	SERVICE_UNPRIVILEGED,
	SERVICE_CHROOT,
	SERVICE_WAKEUP,
	SERVICE_MAXPROC,
	SERVICE_COMMAND,
	SERVICE_FIELD_COUNT,
};

/* One word behind the command. */
struct argument {
	const char *text; /* without braces; name=value behind -o */
	bool is_braced;
	bool is_override; /* stands behind -o */
	const char *place;
	struct argument *next;
};

/* One line; all of it in the arena. What is wrong in the arguments of another
 * program than smtpd is not ours to say. */
struct service {
	const char *fields[SERVICE_FIELD_COUNT]; /* as typed */
	const char *place;
	enum service_type type;
	bool is_smtpd;
	int64_t maxproc; /* -1: default_process_limit */
	unsigned verbose;
	struct argument *arguments;
	struct scope overrides;
	struct service *next;
};

/* The services in the order of the file; a line that is wrong is told in
 * lines->report, and left out when it has no eight good fields. False when the
 * text could not be read at all. `outer` becomes the scope around each
 * service's overrides. Call scope_finish for each service's overrides. */
bool master_cf_parse(struct lines *lines, const struct scope *outer,
    struct service **services_out);

/* Is it one that Postern serves: smtpd, of type inet or unix? */
bool master_cf_is_listener(const struct service *service);

#endif
