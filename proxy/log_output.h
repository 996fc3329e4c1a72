/* SPDX-License-Identifier: Apache-2.0 */
/* Where log lines go: a file, a pipe, a terminal, a stream or syslog's socket.
 * Takes what can be taken now and never waits for a reader. */
#ifndef POSTERN_PROXY_LOG_OUTPUT_H
#define POSTERN_PROXY_LOG_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

enum log_output_kind {
	LOG_OUTPUT_FILE,   /* on a disk: no reader to wait for */
	LOG_OUTPUT_PIPE,   /* or a terminal or device; an open file description
			    * of our own, so that O_NONBLOCK is nobody else's */
	LOG_OUTPUT_SHARED, /* standard output that could not be opened anew */
	LOG_OUTPUT_STREAM, /* standard output that is a socket */
	LOG_OUTPUT_SYSLOG,
	LOG_OUTPUT_JOURNAL, /* of systemd: fields, by its own protocol */
};

/* Stands behind each field of a line for the journal, where LF would end the
 * line. No text has it: it is a control character. */
#define LOG_OUTPUT_FIELD_END '\x1e'
/* The longest line for the journal, its fields and its end. */
#define LOG_OUTPUT_LINE_SIZE 8192

struct log_output {
	enum log_output_kind kind;
	int fd;			   /* -1: syslog's socket is not there */
	const char *syslog_socket; /* borrowed */
};

/* Opens file for appending ("/dev/stdout" is standard output as it is). False
 * with errno. */
bool log_output_open_file(
    struct log_output *output, const char *file, unsigned mode);

/* Never fails: a socket that is not there now is looked for at each write. */
void log_output_open_syslog(struct log_output *output, const char *socket_path);

/* Likewise for the journal's socket. */
void log_output_open_journal(
    struct log_output *output, const char *socket_path);

void log_output_close(struct log_output *output);

/* Hands over lines, each with its '\n'. Returns how many bytes are done with, 0
 * when none can be now. Less than whole lines only on a full disk: the rest of
 * the line is then to be given again. */
size_t log_output_write(
    struct log_output *output, const char *lines, size_t len);

#endif
