/* SPDX-License-Identifier: Apache-2.0 */
/* main.cf and master.cf, read, expanded and checked: what the whole program
 * runs on. Immutable; a reload makes another one. */
#ifndef POSTERN_CONF_CONFIGURATION_H
#define POSTERN_CONF_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/report.h"
#include "conf/settings.h"

/* One line of master.cf with the command smtpd and the type inet or unix. */
struct listener {
	const char
	    *service;	   /* as typed: "smtp", "127.0.0.1:2525", "[::1]:465" */
	const char *place; /* "/etc/postern/master.cf:12" */
	bool is_unix;	   /* type unix: `path` is set, host and port are not */
	const char *host;  /* numeric or name, without brackets; "" = all */
	const char *port;  /* a number; names of services(5) are looked up */
	const char *path;  /* absolute; without /, it was below the queue
			    * directory */
	int64_t maxproc;   /* sessions at the most; 0: no limit of its own */
	unsigned verbose;  /* -v given so often */
	const struct settings *settings;
};

/* No two listeners have the same host (in any letter case) and port, or path.
 */
struct configuration {
	const char *directory;		 /* config_directory */
	const struct settings *settings; /* of main.cf alone */
	const struct listener *listeners;
	size_t listener_count;
};

/* Reads directory/main.cf and directory/master.cf. Everything that is wrong
 * goes into report; NULL when any of it was an error. */
struct configuration *configuration_load(
    const char *directory, struct report *report);

/* The same of texts in memory, which are borrowed; `directory` is only named.
 */
struct configuration_text {
	const char *directory;
	const char *main; /* NULL: could not be read, which was told */
	size_t main_len;
	const char *master;
	size_t master_len;
};

struct configuration *configuration_parse(
    const struct configuration_text *text, struct report *report);

/* Accepts NULL inside; sets it to NULL. */
void configuration_destroy(struct configuration **configuration);

#endif
