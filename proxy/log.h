/* SPDX-License-Identifier: Apache-2.0 */
/* Lines out, without stopping who writes them: log_line fills a buffer;
 * log_flush, called outside of handlers or by a line for which there is no
 * room, hands it to the file, the pipe or syslog and never blocks. What cannot
 * be written is counted, and told when writing works again. The frame is
 * Postfix's: Nov 23 15:04:05 HOST postern/smtpd[123]: TEXT */
#ifndef POSTERN_PROXY_LOG_H
#define POSTERN_PROXY_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What waits to be written at the most; lines beyond that are lost. */
#define LOG_BUFFER_SIZE	   ((size_t)256 * 1024)
#define LOG_TEXT_SIZE_MAX  2048
#define LOG_FIELD_END	   "\x1e"
#define LOG_FIELDS_LEN_MAX 4096

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_FATAL,
};

struct log; /* opaque */

struct log_options {
	const char *file;    /* maillog_file; "" is syslog; "/dev/stdout" */
	unsigned file_mode;  /* maillog_file_permissions */
	int syslog_facility; /* LOG_MAIL … */
	const char *name;    /* "postern/master": who writes where no other name
			      * is given */
	enum log_level level;	   /* what is below is not written */
	const char *syslog_socket; /* NULL: /dev/log */
	/* Of systemd: instead of syslog's, if it is not NULL. */
	const char *journal_socket;
};

/* Opens the destination; NULL with errno. Inherited over fork: a child calls
 * log_after_fork first, with its own name. Without a syslog daemon lines wait
 * until there is one. */
struct log *log_create(const struct log_options *options);
void log_destroy(struct log **log);
void log_after_fork(struct log *log, const char *name);

/* One line. `name` NULL: the log's own. Warnings, errors and fatals get
 * Postfix's "warning: ", "error: ", "fatal: ". Control bytes become '?' and
 * what is no UTF-8 too (threats D20). At most 2,048 bytes; the rest is cut off.
 */
void log_line(struct log *log, enum log_level level, const char *name,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same line of level INFO, to which the journal attaches `fields`:
 * NAME=value of each, printable ASCII, with LOG_FIELD_END behind it; at most
 * LOG_FIELDS_LEN_MAX in all. Elsewhere they have no place. */
void log_line_with_fields(
    struct log *log, const char *name, const char *fields, const char *text);

/* Whether they have one. */
bool log_takes_fields(const struct log *log);

/* Writes what is buffered as far as it can be written now. True when nothing is
 * left. */
bool log_flush(struct log *log);

/* The descriptor that a child must keep open, or -1. */
int log_descriptor(const struct log *log);

/* Lines lost since the last call. */
uint64_t log_take_lost(struct log *log);

#endif
