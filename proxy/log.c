/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/log.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "proxy/log_output.h"
#include "proxy/utf8.h"

#define HOST_SIZE 256
#define NAME_SIZE 256
/* "<191>Nov 23 15:04:05 HOST NAME[1234567]: " and the '\n' */
#define FRAME_SIZE_MAX (HOST_SIZE + NAME_SIZE + 64)

/* Then one line goes into a pipe as one piece, among those of other processes.
 */
_Static_assert(FRAME_SIZE_MAX + LOG_TEXT_SIZE_MAX <= PIPE_BUF,
    "a line must not be longer than what a pipe takes whole");

_Static_assert(LOG_FIELDS_LEN_MAX + FRAME_SIZE_MAX + LOG_TEXT_SIZE_MAX <=
		   LOG_OUTPUT_LINE_SIZE,
    "the journal takes the longest line");

struct log {
	struct log_output output;
	const char *fields; /* of the line that is being written, or NULL */
	enum log_level level;
	int syslog_facility;
	pid_t pid;
	char pid_text[24]; /* "[1234567]: " */
	time_t stamp_of_s; /* the second that `stamp` is of */
	char stamp[32];
	char host[HOST_SIZE];
	char name[NAME_SIZE];
	uint64_t lost;	    /* since log_take_lost */
	uint64_t lost_told; /* since the line that tells of them */
	bool is_stuck;	    /* the last time it could not write all */
	size_t buffer_len;
	char buffer[LOG_BUFFER_SIZE];
};

static const struct {
	const char *prefix;
	int priority;
} levels[] = {
    [LOG_LEVEL_DEBUG] = {"", LOG_DEBUG},
    [LOG_LEVEL_INFO] = {"", LOG_INFO},
    [LOG_LEVEL_WARNING] = {"warning: ", LOG_WARNING},
    [LOG_LEVEL_ERROR] = {"error: ", LOG_ERR},
    [LOG_LEVEL_FATAL] = {"fatal: ", LOG_CRIT},
};

bool log_takes_fields(const struct log *log)
{
	return log->output.kind == LOG_OUTPUT_JOURNAL;
}

static const char *stamp_now(struct log *log)
{
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec == log->stamp_of_s)
		return log->stamp;
	/* Not strftime: the names of months are English here in any locale. */
	if (localtime_r(&now.tv_sec, &parts) == NULL)
		memset(&parts, 0, sizeof(parts));
	snprintf(log->stamp, sizeof(log->stamp), "%s %2d %02d:%02d:%02d",
	    months[parts.tm_mon], parts.tm_mday, parts.tm_hour, parts.tm_min,
	    parts.tm_sec);
	log->stamp_of_s = now.tv_sec;
	return log->stamp;
}

static char *put(char *at, const char *text, size_t size_max)
{
	size_t len = strnlen(text, size_max);

	memcpy(at, text, len);
	return at + len;
}

/* Of each line in a file, so by hand; FRAME_SIZE_MAX is room for it. */
static size_t write_file_frame(struct log *log, const char *name, char *out)
{
	char *at = put(out, stamp_now(log), sizeof(log->stamp));

	*at++ = ' ';
	at = put(at, log->host, HOST_SIZE);
	*at++ = ' ';
	at = put(at, name, NAME_SIZE - 1);
	at = put(at, log->pid_text, sizeof(log->pid_text));
	return (size_t)(at - out);
}

static size_t write_frame(struct log *log, enum log_level level,
    const char *name, char *out, size_t out_size)
{
	int len;

	if (log->output.kind == LOG_OUTPUT_JOURNAL)
		len = snprintf(out, out_size,
		    "PRIORITY=%d" LOG_FIELD_END
		    "SYSLOG_FACILITY=%d" LOG_FIELD_END
		    "SYSLOG_IDENTIFIER=%.*s" LOG_FIELD_END
		    "SYSLOG_PID=%d" LOG_FIELD_END "MESSAGE=",
		    levels[level].priority, LOG_FAC(log->syslog_facility),
		    NAME_SIZE - 1, name, (int)log->pid);
	else if (log->output.kind == LOG_OUTPUT_SYSLOG)
		len = snprintf(out, out_size, "<%d>%s %.*s[%d]: ",
		    log->syslog_facility | levels[level].priority,
		    stamp_now(log), NAME_SIZE - 1, name, (int)log->pid);
	else
		return write_file_frame(log, name, out);
	assert(len > 0);
	assert((size_t)len < out_size);
	return (size_t)len;
}

/* The text with its prefix, made fit for a terminal; returns its length. */
__attribute__((format(printf, 2, 0))) static size_t write_text(
    enum log_level level, const char *format, va_list ap, char *out)
{
	size_t prefix_len = strlen(levels[level].prefix);
	size_t room = LOG_TEXT_SIZE_MAX + 1 - prefix_len;
	size_t len;
	int asked;

	memcpy(out, levels[level].prefix, prefix_len);
	asked = vsnprintf(out + prefix_len, room, format, ap);
	if (asked < 0)
		return prefix_len;
	len = prefix_len + strlen(out + prefix_len);
	if ((size_t)asked >= room)
		len = utf8_whole(out, len);
	utf8_neuter(out, len);
	return len;
}

static void write_buffer(struct log *log)
{
	size_t done = 0;

	while (done < log->buffer_len) {
		size_t taken = log_output_write(
		    &log->output, log->buffer + done, log->buffer_len - done);

		if (taken == 0)
			break;
		done += taken;
	}
	log->buffer_len -= done;
	log->is_stuck = log->buffer_len != 0;
	if (done != 0 && log->is_stuck)
		memmove(log->buffer, log->buffer + done, log->buffer_len);
}

__attribute__((format(printf, 4, 0))) static bool append(struct log *log,
    enum log_level level, const char *name, const char *format, va_list ap)
{
	char line[LOG_FIELDS_LEN_MAX + FRAME_SIZE_MAX + LOG_TEXT_SIZE_MAX];
	size_t len = 0;

	if (log->fields != NULL && log_takes_fields(log)) {
		len = strlen(log->fields);
		assert(len <= LOG_FIELDS_LEN_MAX);
		memcpy(line, log->fields, len);
	}
	len += write_frame(log, level, name, line + len, FRAME_SIZE_MAX);
	len += write_text(level, format, ap, line + len);
	line[len++] = '\n';
	assert(len <= sizeof(line));
	/* Dumps come in thousands of lines between two flushes. */
	if (len > sizeof(log->buffer) - log->buffer_len && !log->is_stuck)
		write_buffer(log);
	if (len > sizeof(log->buffer) - log->buffer_len)
		return false;
	memcpy(log->buffer + log->buffer_len, line, len);
	log->buffer_len += len;
	return true;
}

__attribute__((format(printf, 3, 4))) static void append_own(
    struct log *log, enum log_level level, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	append(log, level, log->name, format, ap);
	va_end(ap);
}

struct log *log_create(const struct log_options *options)
{
	struct log *log = calloc(1, sizeof(*log));

	if (log == NULL)
		return NULL;
	if (options->file[0] == '\0' && options->journal_socket != NULL)
		log_output_open_journal(&log->output, options->journal_socket);
	else if (options->file[0] == '\0')
		log_output_open_syslog(&log->output,
		    options->syslog_socket == NULL ? "/dev/log"
						   : options->syslog_socket);
	else if (!log_output_open_file(
		     &log->output, options->file, options->file_mode))
		goto free_log;
	log->level = options->level;
	log->syslog_facility = options->syslog_facility;
	log->stamp_of_s = -1;
	if (gethostname(log->host, sizeof(log->host) - 1) != 0)
		snprintf(log->host, sizeof(log->host), "localhost");
	log_after_fork(log, options->name);
	return log;
free_log:
	free(log);
	return NULL;
}

void log_destroy(struct log **log)
{
	if (*log == NULL)
		return;
	log_output_close(&(*log)->output);
	free(*log);
	*log = NULL;
}

void log_after_fork(struct log *log, const char *name)
{
	/* What waits is the parent's to write. */
	log->buffer_len = 0;
	log->is_stuck = false;
	log->lost = 0;
	log->lost_told = 0;
	log->pid = getpid();
	snprintf(log->pid_text, sizeof(log->pid_text), "[%d]: ", (int)log->pid);
	snprintf(log->name, sizeof(log->name), "%s", name);
}

void log_line(struct log *log, enum log_level level, const char *name,
    const char *format, ...)
{
	va_list ap;

	if (level < log->level)
		return;
	va_start(ap, format);
	if (!append(log, level, name == NULL ? log->name : name, format, ap)) {
		log->lost++;
		log->lost_told++;
	}
	va_end(ap);
}

void log_line_with_fields(
    struct log *log, const char *name, const char *fields, const char *text)
{
	log->fields = fields;
	log_line(log, LOG_LEVEL_INFO, name, "%s", text);
	log->fields = NULL;
}

bool log_flush(struct log *log)
{
	write_buffer(log);
	if (log->buffer_len != 0)
		return false;
	if (log->lost_told == 0)
		return true;
	append_own(log, LOG_LEVEL_WARNING,
	    "%" PRIu64 " log lines were lost while the log could not be "
	    "written",
	    log->lost_told);
	log->lost_told = 0;
	write_buffer(log);
	return log->buffer_len == 0;
}

int log_descriptor(const struct log *log)
{
	return log->output.fd;
}

uint64_t log_take_lost(struct log *log)
{
	uint64_t lost = log->lost;

	log->lost = 0;
	return lost;
}
