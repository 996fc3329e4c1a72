/* SPDX-License-Identifier: Apache-2.0 */
/* The words behind `postern` -> what is asked for. */
#ifndef POSTERN_PROXY_COMMAND_LINE_H
#define POSTERN_PROXY_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/print.h"
#include "proxy/probe_options.h"
#include "proxy/session_report.h"
#include "proxy/top.h"

#define COMMAND_LINE_DIRECTORY "/etc/postern"

enum verb {
	VERB_START_FG,
	VERB_START,
	VERB_STOP,
	VERB_RELOAD,
	VERB_STATUS,
	VERB_CHECK,
	VERB_CONF,
	VERB_CIPHERS,
	VERB_DHPARAM,
	VERB_REPORT,
	VERB_PROBE,
	VERB_TOP,
	VERB_HELP,    /* --help */
	VERB_VERSION, /* --version */
};

struct command_line {
	enum verb verb;
	const char *directory; /* as typed */
	unsigned verbose;      /* -v given so often */
	/* Of `conf`. */
	enum print_what print;
	bool expand;
	bool backends; /* of `check`: ask them, too */
	/* Of `dhparam`. */
	long bits; /* 0: not given */
	bool allow_weak;
	/* Of `report`; its paths are the names. */
	struct session_report_options report;
	struct top_options top;
	struct probe_options probe;
	/* Of `conf` parameters, of `ciphers` a service or none, of `dhparam`
	 * the file. Borrowed from argv. */
	const char *const *names;
	size_t name_count;
};

/* False with a line for the user in `why`: what is wrong and what would be
 * right. */
bool command_line_parse(int argc, char *const *argv,
    struct command_line *line_out, char *why, size_t why_size);

#endif
