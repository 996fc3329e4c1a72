/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>

#include "smtp/answer.h"

static const struct {
	enum smtp_answer answer;
	enum smtp_end end;
	const char *text;
} rows[] = {
    {SMTP_ANSWER_NOT_AUTHORIZED, SMTP_END_NONE,
	"550 5.7.0 Error: insufficient authorization\r\n"},
    {SMTP_ANSWER_STARTTLS_READY, SMTP_END_NONE,
	"220 2.0.0 Ready to start TLS\r\n"},
    {SMTP_ANSWER_TOO_LONG, SMTP_END_NONE,
	"500 5.5.2 mx.test Error: command too long\r\n"},
    {SMTP_ANSWER_BARE_LF, SMTP_END_CLIENT_BARE_LF,
	"550 5.5.2 mx.test Error: bare <LF> received\r\n"},
    {SMTP_ANSWER_MESSAGE_LOST, SMTP_END_NONE,
	"451 4.3.0 Error: backend connection lost\r\n"},
    {SMTP_ANSWER_BACKEND_LOST, SMTP_END_BACKEND_LOST,
	"421 4.3.0 mx.test Error: backend connection lost\r\n"},
};

Test(answer, is_written_in_postfix_words)
{
	char out[SMTP_ANSWER_SIZE_MAX];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = smtp_answer_write(
		    rows[i].answer, "mx.test", out, sizeof(out));
		cr_assert_eq(len, strlen(rows[i].text), "row %zu", i);
		cr_assert_eq(memcmp(out, rows[i].text, len), 0, "row %zu", i);
		cr_assert_eq(smtp_answer_end(rows[i].answer), rows[i].end);
	}
}

/* No answer of ours may be a success, but for the 220 of STARTTLS and the 221
 * that sends a stranger away. */
Test(answer, is_no_success)
{
	char out[SMTP_ANSWER_SIZE_MAX];
	for (unsigned i = SMTP_ANSWER_NONE + 1; i < SMTP_ANSWER_COUNT; i++) {
		enum smtp_answer answer = (enum smtp_answer)i;
		smtp_answer_write(answer, "mx.test", out, sizeof(out));
		bool success = answer == SMTP_ANSWER_STARTTLS_READY ||
			       answer == SMTP_ANSWER_NOT_SMTP;
		cr_assert_eq(out[0] == '2', success, "%s", out);
	}
}

Test(answer, has_room_for_any_name)
{
	char hostname[1000];
	memset(hostname, 'h', sizeof(hostname) - 1);
	hostname[sizeof(hostname) - 1] = '\0';
	for (unsigned i = SMTP_ANSWER_NONE + 1; i < SMTP_ANSWER_COUNT; i++) {
		char out[SMTP_ANSWER_SIZE_MAX];
		size_t len = smtp_answer_write(
		    (enum smtp_answer)i, hostname, out, sizeof(out));
		cr_assert_lt(len, sizeof(out));
		cr_assert_eq(memcmp(out + len - 2, "\r\n", 2), 0);
	}
}
