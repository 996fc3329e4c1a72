/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "proxy/log.h"

static char folder[] = "/tmp/postern-log-XXXXXX";
static char path[128];

static void make_folder(void)
{
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
}

static void remove_folder(void)
{
	unlink(path);
	rmdir(folder);
}

TestSuite(log, .init = make_folder, .fini = remove_folder, .timeout = 30);

static struct log *open_log(const char *file)
{
	struct log_options options = {
	    .file = file,
	    .file_mode = 0640,
	    .syslog_facility = LOG_MAIL,
	    .name = "postern/master",
	    .level = LOG_LEVEL_INFO,
	    .syslog_socket = path,
	};
	struct log *log = log_create(&options);

	cr_assert_not_null(log, "%s: %s", file, strerror(errno));
	return log;
}

/* The whole file, NUL-terminated. */
static char *read_log(size_t *len_out)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	cr_assert_not_null(file);
	*len_out = fread(text, 1, (1 << 20) - 1, file);
	fclose(file);
	return text;
}

/* What stands behind the frame of the first line. */
static void read_text(char *out, size_t out_size)
{
	size_t len;
	char *log = read_log(&len);
	char *text = strstr(log, "]: ");

	cr_assert_not_null(text, "no frame in \"%s\"", log);
	text[strcspn(text, "\n")] = '\0';
	snprintf(out, out_size, "%s", text + 3);
	free(log);
}

static void assert_matches(const char *text, const char *pattern)
{
	regex_t regex;

	cr_assert_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	cr_assert_eq(regexec(&regex, text, 0, NULL, 0), 0,
	    "\"%s\" does not match \"%s\"", text, pattern);
	regfree(&regex);
}

Test(log, frame_is_that_of_postfix)
{
	char stamp_before[32];
	char stamp_after[32];
	char expected_before[512];
	char expected_after[512];
	char host[256];
	time_t now = time(NULL);
	struct log *log = open_log(path);
	size_t len;
	char *text;

	strftime(stamp_before, sizeof(stamp_before), "%b %e %H:%M:%S",
	    localtime(&now));
	log_line(log, LOG_LEVEL_INFO, "postern/smtpd", "connect from %s", "x");
	now = time(NULL);
	strftime(stamp_after, sizeof(stamp_after), "%b %e %H:%M:%S",
	    localtime(&now));
	cr_assert(log_flush(log));
	text = read_log(&len);
	gethostname(host, sizeof(host));
	snprintf(expected_before, sizeof(expected_before),
	    "%s %s postern/smtpd[%d]: connect from x\n", stamp_before, host,
	    (int)getpid());
	snprintf(expected_after, sizeof(expected_after),
	    "%s %s postern/smtpd[%d]: connect from x\n", stamp_after, host,
	    (int)getpid());
	cr_assert(strcmp(text, expected_before) == 0 ||
		      strcmp(text, expected_after) == 0,
	    "got \"%s\"", text);
	free(text);
	log_destroy(&log);
	cr_assert_null(log);
}

Test(log, levels_have_words_and_a_threshold)
{
	static const struct {
		enum log_level level;
		const char *expected; /* NULL: not written */
	} rows[] = {
	    {LOG_LEVEL_DEBUG, NULL},
	    {LOG_LEVEL_INFO, "text"},
	    {LOG_LEVEL_WARNING, "warning: text"},
	    {LOG_LEVEL_ERROR, "error: text"},
	    {LOG_LEVEL_FATAL, "fatal: text"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct log *log = open_log(path);
		char text[64];

		log_line(log, rows[i].level, NULL, "text");
		cr_assert(log_flush(log));
		if (rows[i].expected == NULL) {
			struct stat status;

			cr_assert_eq(stat(path, &status), 0);
			cr_assert_eq(status.st_size, 0);
		} else {
			read_text(text, sizeof(text));
			cr_assert_str_eq(text, rows[i].expected);
		}
		log_destroy(&log);
		unlink(path);
	}
}

Test(log, text_is_made_fit_for_a_terminal)
{
	static const struct {
		const char *raw, *expected;
	} rows[] = {
	    {"plain", "plain"},
	    {"a\nb\rc\td", "a?b?c?d"},
	    {"\033]0;title\007", "?]0;title?"},
	    {"\177", "?"},
	    {"gr\303\274n", "gr\303\274n"},
	    {"\303", "?"},
	    {"\303(", "?("},
	    {"\200\277", "??"},
	    /* C1: CSI as one character */
	    {"\302\233"
	     "1m",
		"??1m"},
	    {"\302\240", "\302\240"},
	    /* overlong "/" in two and three bytes */
	    {"\300\257", "??"},
	    {"\340\200\257", "???"},
	    /* a surrogate, and beyond U+10FFFF */
	    {"\355\240\200", "???"},
	    {"\364\220\200\200", "????"},
	    {"\360\237\230\200!", "\360\237\230\200!"},
	    {"\360\237\230", "???"},
	    {"\377\376", "??"},
	    {"%n%s", "%n%s"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct log *log = open_log(path);
		char text[64];

		log_line(log, LOG_LEVEL_INFO, NULL, "%s", rows[i].raw);
		cr_assert(log_flush(log));
		read_text(text, sizeof(text));
		cr_assert_str_eq(
		    text, rows[i].expected, "row %zu: \"%s\"", i, text);
		log_destroy(&log);
		unlink(path);
	}
}

Test(log, long_text_is_cut_at_a_character)
{
	static const struct {
		size_t blanks; /* before the end */
		const char *end;
		size_t expected_len;
	} rows[] = {
	    {0, "", 0},
	    {2047, "", 2047},
	    {2048, "", 2048},
	    {2049, "", 2048},
	    {2046, "\303\274", 2048},
	    {2047, "\303\274", 2047},
	    {2045, "\360\237\230\200", 2045},
	    {2044, "\360\237\230\200", 2048},
	    {9000, "\303\274", 2048},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct log *log = open_log(path);
		char text[4096];

		log_line(log, LOG_LEVEL_INFO, NULL, "%*s%s",
		    (int)rows[i].blanks, "", rows[i].end);
		cr_assert(log_flush(log));
		read_text(text, sizeof(text));
		cr_assert_eq(strlen(text), rows[i].expected_len,
		    "row %zu: %zu bytes", i, strlen(text));
		cr_assert_null(strchr(text, '?'), "row %zu", i);
		log_destroy(&log);
		unlink(path);
	}
}

Test(log, file_has_the_permissions_asked_for)
{
	struct stat status;
	struct log *log;

	umask(077);
	log = open_log(path);
	cr_assert_eq(stat(path, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0640);
	log_destroy(&log);
	/* Those of a file that logrotate has made are its own. */
	chmod(path, 0604);
	log = open_log(path);
	cr_assert_eq(stat(path, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0604);
	log_destroy(&log);
}

Test(log, a_file_that_cannot_be_had_is_an_error)
{
	struct log_options options = {.file = "/nonexistent/log", .name = "x"};

	cr_assert_null(log_create(&options));
	cr_assert_eq(errno, ENOENT);
}

/* Puts a pipe in the place of standard output. Returns its reading end. */
static int pipe_stdout(void)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_neq(dup2(ends[1], STDOUT_FILENO), -1);
	close(ends[1]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return ends[0];
}

/* Asserts that only whole, numbered lines come out; returns the next number. */
static unsigned read_numbered(char *text, unsigned next)
{
	char *line = text;

	for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		char *number = strstr(line, "]: line ");

		*end = '\0';
		if (number == NULL) {
			assert_matches(
			    line, "warning: [0-9]+ log lines were lost");
			continue;
		}
		cr_assert_eq(strtoul(number + 8, NULL, 10), next);
		next++;
	}
	cr_assert_eq(*line, '\0', "half a line: \"%s\"", line);
	return next;
}

Test(log, a_full_pipe_stops_nobody)
{
	int out = pipe_stdout();
	struct log *log = open_log("/dev/stdout");
	static char text[1 << 20];
	size_t text_len = 0;
	unsigned written = 0;
	uint64_t lost = 0;
	char told[64];
	bool done = false;

	/* Far more than a pipe of 64 KiB and a buffer of 256 KiB take. */
	for (; written < 20000; written++) {
		log_line(log, LOG_LEVEL_INFO, NULL, "line %u", written);
		if (written % 100 == 0)
			done = log_flush(log);
	}
	cr_assert_not(done);
	lost = log_take_lost(log);
	cr_assert_gt(lost, 10000);
	cr_assert_eq(log_take_lost(log), 0);
	while (!done) {
		ssize_t len;

		done = log_flush(log);
		len = read(out, text + text_len, sizeof(text) - text_len - 1);
		text_len += len > 0 ? (size_t)len : 0;
	}
	snprintf(told, sizeof(told),
	    "warning: %llu log lines were lost while the log could not be",
	    (unsigned long long)lost);
	cr_assert_not_null(strstr(text, told));
	cr_assert_eq(read_numbered(text, 0), written - lost);
	log_destroy(&log);
}

Test(log, standard_output_keeps_its_flags)
{
	int out = pipe_stdout();
	struct log *log = open_log("/dev/stdout");

	cr_assert_eq(fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK, 0);
	log_destroy(&log);
	close(out);
}

Test(log, standard_output_can_be_a_socket)
{
	int ends[2];
	struct log *log;
	char text[4096] = "";
	unsigned written = 0;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	dup2(ends[1], STDOUT_FILENO);
	log = open_log("/dev/stdout");
	log_line(log, LOG_LEVEL_INFO, NULL, "line 0");
	cr_assert(log_flush(log));
	cr_assert_gt(recv(ends[0], text, sizeof(text) - 1, 0), 0);
	cr_assert_eq(read_numbered(text, 0), 1);
	/* Nobody reads any more: it must not block. */
	while (log_flush(log) && written++ < 100000)
		log_line(log, LOG_LEVEL_INFO, NULL, "line");
	cr_assert_lt(written, 100000);
	log_destroy(&log);
}

Test(log, a_reader_that_went_away_is_no_signal)
{
	int out = pipe_stdout();
	struct log *log = open_log("/dev/stdout");

	signal(SIGPIPE, SIG_IGN);
	close(out);
	log_line(log, LOG_LEVEL_INFO, NULL, "text");
	cr_assert_not(log_flush(log));
	log_destroy(&log);
}

Test(log, a_fifo_without_a_reader_stops_nobody)
{
	struct log *log;

	cr_assert_eq(mkfifo(path, 0600), 0);
	log = open_log(path);
	for (unsigned i = 0; i < 20000; i++)
		log_line(log, LOG_LEVEL_INFO, NULL, "line %u", i);
	cr_assert_not(log_flush(log));
	log_destroy(&log);
}

Test(log, a_full_device_loses_lines_and_counts_them)
{
	struct log *log = open_log("/dev/full");
	uint64_t lost;

	log_line(log, LOG_LEVEL_INFO, NULL, "text");
	cr_assert_not(log_flush(log));
	cr_assert_eq(log_take_lost(log), 0, "it may still be written");
	for (unsigned i = 0; i < 20000; i++)
		log_line(log, LOG_LEVEL_INFO, NULL, "line %u", i);
	cr_assert_not(log_flush(log));
	lost = log_take_lost(log);
	cr_assert_gt(lost, 10000);
	log_destroy(&log);
}

/* A limit on the size of files acts like a disk with so many bytes left. */
static void limit_files(rlim_t size)
{
	struct rlimit limit = {.rlim_cur = size, .rlim_max = RLIM_INFINITY};

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(log, a_disk_that_has_room_again_gets_whole_lines)
{
	struct log *log = open_log(path);
	size_t len;
	char *text;

	for (unsigned i = 0; i < 100; i++)
		log_line(log, LOG_LEVEL_INFO, NULL, "line %u", i);
	limit_files(1000);
	cr_assert_not(log_flush(log));
	text = read_log(&len);
	cr_assert_eq(len, 1000);
	cr_assert_neq(text[len - 1], '\n', "the test cuts within a line");
	free(text);
	limit_files(RLIM_INFINITY);
	cr_assert(log_flush(log));
	text = read_log(&len);
	cr_assert_eq(read_numbered(text, 0), 100);
	free(text);
	log_destroy(&log);
}

static int bind_syslog(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void assert_received(int fd, const char *pattern)
{
	char text[4096];
	ssize_t len = recv(fd, text, sizeof(text) - 1, 0);

	cr_assert_gt(len, 0, "nothing came: %s", strerror(errno));
	text[len] = '\0';
	assert_matches(text, pattern);
}

#define STAMP "[A-Z][a-z]{2} [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2}"

Test(log, syslog_gets_datagrams_also_after_a_restart)
{
	struct log *log = open_log("");
	int server;

	log_line(log, LOG_LEVEL_INFO, NULL, "first");
	cr_assert_not(log_flush(log), "there is no daemon yet");
	server = bind_syslog();
	log_line(log, LOG_LEVEL_WARNING, "postern/smtpd", "second");
	cr_assert(log_flush(log));
	/* mail is facility 2: 2 * 8 + 6, 2 * 8 + 4 */
	assert_received(
	    server, "^<22>" STAMP " postern/master\\[[0-9]+\\]: first$");
	assert_received(server,
	    "^<20>" STAMP " postern/smtpd\\[[0-9]+\\]: warning: second$");
	close(server);
	log_line(log, LOG_LEVEL_ERROR, NULL, "third");
	cr_assert_not(log_flush(log));
	server = bind_syslog();
	cr_assert(log_flush(log));
	assert_received(server, "^<19>.*: error: third$");
	log_destroy(&log);
	close(server);
}

static void expect_datagram(int fd, const char *before, const char *after)
{
	char text[4096], expected[4096];
	ssize_t len = recv(fd, text, sizeof(text) - 1, 0);

	cr_assert_gt(len, 0, "nothing came: %s", strerror(errno));
	text[len] = '\0';
	snprintf(expected, sizeof(expected), "%sSYSLOG_PID=%d\n%s", before,
	    (int)getpid(), after);
	cr_assert_str_eq(text, expected);
}

/* What is no control character in a text can be no field of its own. */
Test(log, the_journal_gets_fields)
{
	int server = bind_syslog();
	struct log_options options = {
	    .file = "",
	    .syslog_facility = LOG_MAIL,
	    .name = "postern/master",
	    .level = LOG_LEVEL_INFO,
	    .journal_socket = path,
	};
	struct log *log = log_create(&options);

	cr_assert(log_takes_fields(log));
	log_line(log, LOG_LEVEL_WARNING, NULL, "a\nPRIORITY=0\x1e%s", "b=c");
	log_line_with_fields(log, "postern/smtpd",
	    "POSTERN_SESSION=1-1" LOG_FIELD_END "POSTERN_MS=5" LOG_FIELD_END,
	    "session=1-1 ms=5");
	log_line(log, LOG_LEVEL_INFO, NULL, "without");
	cr_assert(log_flush(log));
	expect_datagram(server,
	    "PRIORITY=4\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=postern/master\n",
	    "MESSAGE=warning: a?PRIORITY=0?b=c\n");
	expect_datagram(server,
	    "POSTERN_SESSION=1-1\nPOSTERN_MS=5\nPRIORITY=6\n"
	    "SYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=postern/smtpd\n",
	    "MESSAGE=session=1-1 ms=5\n");
	expect_datagram(server,
	    "PRIORITY=6\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=postern/master\n",
	    "MESSAGE=without\n");
	log_destroy(&log);
	close(server);
}

Test(log, fields_have_no_place_in_a_file)
{
	struct log *log = open_log(path);
	char *text;
	size_t len;

	cr_assert_not(log_takes_fields(log));
	log_line_with_fields(
	    log, NULL, "POSTERN_SESSION=1-1" LOG_FIELD_END, "session=1-1");
	cr_assert(log_flush(log));
	text = read_log(&len);
	cr_assert_not_null(strstr(text, "]: session=1-1\n"));
	cr_assert_null(strstr(text, "POSTERN_SESSION"));
	free(text);
	log_destroy(&log);
}

Test(log, a_syslog_daemon_that_hangs_stops_nobody)
{
	int server = bind_syslog();
	struct log *log = open_log("");

	for (unsigned i = 0; i < 10000; i++)
		log_line(log, LOG_LEVEL_INFO, NULL, "line %u", i);
	cr_assert_not(log_flush(log));
	assert_received(server, ": line 0$");
	log_destroy(&log);
	close(server);
}

Test(log, a_child_writes_only_its_own)
{
	struct log *log = open_log(path);
	char own[128];
	size_t len;
	char *text;
	pid_t child;

	log_line(log, LOG_LEVEL_INFO, NULL, "of the parent");
	child = fork();
	if (child == 0) {
		log_after_fork(log, "postern/smtpd");
		log_line(log, LOG_LEVEL_INFO, NULL, "of the child");
		_exit(log_flush(log) ? 0 : 1);
	}
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert(log_flush(log));
	text = read_log(&len);
	snprintf(
	    own, sizeof(own), "postern/smtpd[%d]: of the child\n", (int)child);
	cr_assert_not_null(strstr(text, own));
	cr_assert_null(
	    strstr(strstr(text, "of the parent") + 1, "of the parent"));
	free(text);
	log_destroy(&log);
}

Test(log, lines_of_many_processes_stay_whole)
{
	struct log *log = open_log(path);
	unsigned line_count = 0;
	size_t len;
	char *text;

	for (unsigned i = 0; i < 4; i++) {
		if (fork() != 0)
			continue;
		log_after_fork(log, "child");
		for (unsigned j = 0; j < 400; j++) {
			log_line(log, LOG_LEVEL_INFO, NULL, "%0200u end", i);
			if (j % 7 == 0)
				log_flush(log);
		}
		_exit(log_flush(log) ? 0 : 1);
	}
	for (unsigned i = 0; i < 4; i++) {
		int status;

		wait(&status);
		cr_assert_eq(status, 0);
	}
	text = read_log(&len);
	for (char *line = text; *line != '\0'; line_count++) {
		char *end = strchr(line, '\n');

		cr_assert_not_null(end);
		*end = '\0';
		assert_matches(line,
		    "^" STAMP " [^ ]+ child\\[[0-9]+\\]: 0{199}[0-3] end$");
		line = end + 1;
	}
	cr_assert_eq(line_count, 1600);
	free(text);
	log_destroy(&log);
}
