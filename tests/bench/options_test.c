/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/options.h"

#include <string.h>

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#define WORDS_MAX 20

static struct options options;
static char fault[OPTIONS_FAULT_SIZE];

static enum options_status parse(const char *line)
{
	static char text[400];
	static char name[] = "postern-bench";
	char *words[WORDS_MAX + 1] = {name};
	int count = 1;

	snprintf(text, sizeof(text), "%s", line);
	for (char *word = strtok(text, " "); word != NULL;
	     word = strtok(NULL, " "))
		words[count++] = word;
	words[count] = NULL;
	return options_parse(&options, count, words, fault);
}

Test(options, what_is_not_given_has_its_default)
{
	cr_assert_eq(parse("handshake 127.0.0.1:25"), OPTIONS_RUN, "%s", fault);
	cr_assert_str_eq(options.host, "127.0.0.1");
	cr_assert_str_eq(options.port, "25");
	cr_assert_eq(options.job_count, 1);
	cr_assert_str_eq(options.jobs[0].name, "full");
	cr_assert_eq(options.jobs[0].connections, 16);
	cr_assert_eq(options.jobs[0].rate_per_s, 0);
	cr_assert_eq(options.tls, DIALOGUE_STARTTLS);
	cr_assert_eq(options.hold, DIALOGUE_GREETED);
	cr_assert_eq(options.size, 4096);
	cr_assert_eq(options.duration_s, 5);
}

Test(options, what_is_given_is_taken)
{
	cr_assert_eq(parse("--tls implicit --protocol TLSv1.2 --groups P-256 "
			   "--connections 64 --rate 2.5 --size 64K "
			   "relay [::1]:465"),
	    OPTIONS_RUN, "%s", fault);
	cr_assert_str_eq(options.host, "::1");
	cr_assert_str_eq(options.port, "465");
	cr_assert_eq(options.tls, DIALOGUE_IMPLICIT);
	cr_assert_eq(options.protocol, 2);
	cr_assert_str_eq(options.groups, "P-256");
	cr_assert_eq(options.jobs[0].work, DIALOGUE_RELAY);
	cr_assert_eq(options.jobs[0].connections, 64);
	cr_assert_eq(options.jobs[0].rate_per_s, 2.5);
	cr_assert_eq(options.size, 65536);
}

Test(options, resumed_handshakes)
{
	cr_assert_eq(parse("--resume handshake mx:25"), OPTIONS_RUN);
	cr_assert_str_eq(options.jobs[0].name, "resumed");
	cr_assert(options.jobs[0].resume);
}

Test(options, lists)
{
	cr_assert_eq(parse("--sessions 2000,10000 --server-pid 17,4 "
			   "--hold rcpt idle mx:25"),
	    OPTIONS_RUN);
	cr_assert_eq(options.sessions.count, 2);
	cr_assert_eq(options.sessions.values[1], 10000);
	cr_assert_eq(options.server_pids.count, 2);
	cr_assert_eq(options.server_pids.values[0], 17);
	cr_assert_eq(options.hold, DIALOGUE_ADDRESSED);
}

Test(options, a_mix)
{
	cr_assert_eq(parse("--mix full:56,resumed:4,noop:2@200.5 mixed mx:25"),
	    OPTIONS_RUN, "%s", fault);
	cr_assert_eq(options.job_count, 3);
	cr_assert_eq(options.jobs[0].work, DIALOGUE_HANDSHAKE);
	cr_assert_eq(options.jobs[0].connections, 56);
	cr_assert(options.jobs[1].resume);
	cr_assert_eq(options.jobs[2].work, DIALOGUE_NOOP);
	cr_assert_eq(options.jobs[2].connections, 2);
	cr_assert_eq(options.jobs[2].rate_per_s, 200.5);
}

Test(options, help_and_version)
{
	cr_assert_eq(parse("--help"), OPTIONS_HELP);
	cr_assert_eq(parse("--version"), OPTIONS_VERSION);
}

struct bad {
	char line[100];
	char fault[100]; /* is in what is said */
};

static struct bad bad_lines[] = {
    {"", "give a WORK and a HOST:PORT"},
    {"handshake", "give a WORK and a HOST:PORT"},
    {"handshake mx:25 more", "nothing else"},
    {"handshakes mx:25", "handshakes: must be handshake, relay, idle"},
    {"handshake mx", "mx: must be HOST:PORT"},
    {"handshake :25", "must be HOST:PORT"},
    {"handshake mx:", "must be HOST:PORT"},
    {"handshake [::1:25", "must be HOST:PORT"},
    {"--nonsense handshake mx:25", "--nonsense: no such option"},
    {"handshake mx:25 --size", "--size: needs a value"},
    {"--connections 0 handshake mx:25", "from 1 to 1000000"},
    {"--connections 1.5 handshake mx:25", "from 1 to 1000000"},
    {"--connections many handshake mx:25", "--connections many: must be"},
    {"--duration 0 handshake mx:25", "--duration 0: must be from 0.01"},
    {"--duration nan handshake mx:25", "--duration nan: must be"},
    {"--size 63 relay mx:25", "--size 63: must be from 64"},
    {"--size 4G relay mx:25", "--size 4G: must be"},
    {"--tls maybe handshake mx:25", "starttls, implicit or none"},
    {"--sessions 10,,20 idle mx:25", "--sessions 10,,20: must be"},
    {"--sessions 20,10 idle mx:25", "must ascend"},
    {"--tls none handshake mx:25", "needs --tls starttls or implicit"},
    {"--resume relay mx:25", "--resume is for"},
    {"mixed mx:25", "mixed needs --mix"},
    {"--mix full:3 relay mx:25", "--mix is for"},
    {"--mix full mixed mx:25", "--mix full: must be"},
    {"--mix full:0 mixed mx:25", "--mix full:0: must be"},
    {"--mix full:3, mixed mx:25", "must be"},
    {"--mix idle:3 mixed mx:25", "must be"},
    {"--mix noop:3@0 mixed mx:25", "must be"},
    {"--mix full:3 --rate 5 mixed mx:25", "stands in --mix"},
};

ParameterizedTestParameters(options, bad_ones_are_told)
{
	return cr_make_param_array(
	    struct bad, bad_lines, sizeof(bad_lines) / sizeof(bad_lines[0]));
}

ParameterizedTest(struct bad *bad, options, bad_ones_are_told)
{
	cr_assert_eq(parse(bad->line), OPTIONS_BAD, "%s", bad->line);
	cr_assert_neq(
	    strstr(fault, bad->fault), NULL, "%s: %s", bad->line, fault);
}

static void find_size(void *argument, const char *name, const char *value)
{
	if (strcmp(name, "size") == 0)
		snprintf(argument, 20, "%s", value);
}

Test(options, the_report_has_what_was_given)
{
	char size[20] = "";

	parse("--size 1M relay mx:25");
	options_each(&options, size, find_size);
	cr_assert_str_eq(size, "1048576");
}
