/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "smtp/command.h"

struct row {
	const char *line;
	enum smtp_verb verb;
	const char *word, *argument;
	bool foreign; /* with "CONNECT GET POST" forbidden */
};

static const struct row rows[] = {
    {"HELO a", SMTP_VERB_HELO, "HELO", "a", false},
    {"ehlo a b ", SMTP_VERB_EHLO, "ehlo", "a b", false},
    {"XCLIENT ADDR=1.2.3.4", SMTP_VERB_XCLIENT, "XCLIENT", "ADDR=1.2.3.4",
	false},
    {"xClient\tADDR=1.2.3.4", SMTP_VERB_XCLIENT, "xClient", "ADDR=1.2.3.4",
	false},
    {"XCLIENT\vADDR=1.2.3.4", SMTP_VERB_XCLIENT, "XCLIENT", "ADDR=1.2.3.4",
	false},
    {"\fXCLIENT\fADDR=1.2.3.4", SMTP_VERB_XCLIENT, "XCLIENT", "ADDR=1.2.3.4",
	false},
    {"XFORWARD NAME=a", SMTP_VERB_XFORWARD, "XFORWARD", "NAME=a", false},
    {"STARTTLS", SMTP_VERB_STARTTLS, "STARTTLS", "", false},
    {"starttls \t ", SMTP_VERB_STARTTLS, "starttls", "", false},
    {"AUTH PLAIN", SMTP_VERB_AUTH, "AUTH", "PLAIN", false},
    {"MAIL FROM:<a@b>", SMTP_VERB_MAIL, "MAIL", "FROM:<a@b>", false},
    {"  MAIL   FROM:<>", SMTP_VERB_MAIL, "MAIL", "FROM:<>", false},
    {"RCPT TO:<a@b>", SMTP_VERB_RCPT, "RCPT", "TO:<a@b>", false},
    {"DATA", SMTP_VERB_DATA, "DATA", "", false},
    {"BDAT 5 LAST", SMTP_VERB_BDAT, "BDAT", "5 LAST", false},
    {"RSET", SMTP_VERB_RSET, "RSET", "", false},
    {"noop x", SMTP_VERB_NOOP, "noop", "x", false},
    {"VRFY a", SMTP_VERB_VRFY, "VRFY", "a", false},
    {"ETRN a", SMTP_VERB_ETRN, "ETRN", "a", false},
    {"Quit", SMTP_VERB_QUIT, "Quit", "", false},
    {"HELP", SMTP_VERB_HELP, "HELP", "", false},
    {"", SMTP_VERB_UNKNOWN, "", "", false},
    {" \t", SMTP_VERB_UNKNOWN, "", "", false},
    {"UNKNOWN", SMTP_VERB_UNKNOWN, "UNKNOWN", "", false},
    {"EXPN a", SMTP_VERB_UNKNOWN, "EXPN", "a", false},
    {"DATAX", SMTP_VERB_UNKNOWN, "DATAX", "", false},
    {"DAT", SMTP_VERB_UNKNOWN, "DAT", "", false},
    {"GETTER", SMTP_VERB_UNKNOWN, "GETTER", "", false},
    {"get / HTTP/1.1", SMTP_VERB_UNKNOWN, "get", "/ HTTP/1.1", true},
    {"CONNECT a:25", SMTP_VERB_UNKNOWN, "CONNECT", "a:25", true},
    {"POST /", SMTP_VERB_UNKNOWN, "POST", "/", true},
    {"Subject: x", SMTP_VERB_UNKNOWN, "Subject:", "x", true},
    {"MAIL:", SMTP_VERB_UNKNOWN, "MAIL:", "", true},
    {"\x16\x03\x01", SMTP_VERB_UNKNOWN, "\x16\x03\x01", "", true},
    {".", SMTP_VERB_UNKNOWN, ".", "", true},
    {"\xc3\xa4", SMTP_VERB_UNKNOWN, "\xc3\xa4", "", true},
};

static void check_text(
    const char *got, size_t got_len, const char *expected, const char *line)
{
	cr_assert_eq(got_len, strlen(expected), "of \"%s\"", line);
	cr_assert_eq(memcmp(got, expected, got_len), 0, "of \"%s\"", line);
}

Test(command, tells_verb_and_argument)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct smtp_command command;
		smtp_command_parse(row->line, strlen(row->line), &command);
		cr_assert_eq(command.verb, row->verb, "of \"%s\"", row->line);
		check_text(
		    command.word, command.word_len, row->word, row->line);
		check_text(command.argument, command.argument_len,
		    row->argument, row->line);
		cr_assert_eq(
		    smtp_command_is_foreign(&command, "CONNECT GET, POST"),
		    row->foreign, "of \"%s\"", row->line);
	}
}

Test(command, forbids_only_what_the_list_says)
{
	struct smtp_command command;
	smtp_command_parse("GET /", 5, &command);
	cr_assert_not(smtp_command_is_foreign(&command, ""));
	cr_assert_not(smtp_command_is_foreign(&command, "GETS GE POST"));
	cr_assert(smtp_command_is_foreign(&command, " ,get"));
	smtp_command_parse("VRFY a", 6, &command);
	cr_assert_not(smtp_command_is_foreign(&command, "VRFY"));
}

Test(command, names_verbs_as_the_log_does)
{
	cr_assert_str_eq(smtp_verb_name(SMTP_VERB_HELO), "HELO");
	cr_assert_str_eq(smtp_verb_name(SMTP_VERB_STARTTLS), "STARTTLS");
	cr_assert_str_eq(smtp_verb_name(SMTP_VERB_UNKNOWN), "UNKNOWN");
}

/* The lists of Postfix's smtpd, a letter per verb in the order of verb.def. */
Test(command, knows_batches_and_junk)
{
	static const char batch[] = "yynnnnnnynnyynnnn";
	static const char junk[] = "yynnnnnnnnyyyynnn";
	cr_assert_eq(sizeof(batch) - 1, SMTP_VERB_COUNT);
	cr_assert_eq(sizeof(junk) - 1, SMTP_VERB_COUNT);
	for (unsigned i = 0; i < SMTP_VERB_COUNT; i++) {
		enum smtp_verb verb = (enum smtp_verb)i;
		cr_assert_eq(smtp_verb_ends_batch(verb), batch[i] == 'y');
		cr_assert_eq(smtp_verb_is_junk(verb), junk[i] == 'y');
	}
}

static const struct bdat_row {
	const char *argument;
	bool good;
	uint64_t size;
	bool last;
} bdat_rows[] = {
    {"0", true, 0, false},
    {"0 LAST", true, 0, true},
    {"86 last", true, 86, true},
    {"86 \t LaSt", true, 86, true},
    {"007", true, 7, false},
    {"9223372036854775807", true, INT64_MAX, false},
    {"9223372036854775808", false, 0, false},
    {"18446744073709551615", false, 0, false},
    {"18446744073709551621", false, 0, false},
    {"99999999999999999999999", false, 0, false},
    {"", false, 0, false},
    {"LAST", false, 0, false},
    {"-1", false, 0, false},
    {"+1", false, 0, false},
    {"1e3", false, 0, false},
    {"0x10", false, 0, false},
    {"1.0", false, 0, false},
    {"1LAST", false, 0, false},
    {"1 LAST x", false, 0, false},
    {"1 LASTX", false, 0, false},
    {"1 LAS", false, 0, false},
    {"1 2", false, 0, false},
    {"1\vLAST", false, 0, false},
};

Test(command, reads_bdat_strictly)
{
	for (unsigned i = 0; i < sizeof(bdat_rows) / sizeof(bdat_rows[0]);
	     i++) {
		const struct bdat_row *row = &bdat_rows[i];
		uint64_t size = 0;
		bool last = false;
		bool good = smtp_bdat_parse(
		    row->argument, strlen(row->argument), &size, &last);
		cr_assert_eq(good, row->good, "of \"%s\"", row->argument);
		cr_assert_eq(size, row->size, "of \"%s\"", row->argument);
		cr_assert_eq(last, row->last, "of \"%s\"", row->argument);
	}
}
