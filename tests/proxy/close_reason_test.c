/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/close_reason.h"

#include <signal.h>
#include <string.h>

#include <criterion/criterion.h>

Test(close_reason, names_are_what_stands_in_the_record_of_a_session)
{
	cr_assert_str_eq(close_reason_name(CLOSE_NONE), "NONE");
	cr_assert_str_eq(close_reason_name(CLOSE_CLIENT_QUIT), "CLIENT_QUIT");
	cr_assert_str_eq(close_reason_name(CLOSE_TIMED_OUT), "TIMED_OUT");
	cr_assert_str_eq(close_reason_name(CLOSE_PROBE_FAILED), "PROBE_FAILED");
}

Test(close_reason, each_has_a_name_and_a_text_of_its_own)
{
	for (int i = 0; i < CLOSE_REASON_COUNT; i++) {
		enum close_reason reason = (enum close_reason)i;

		cr_assert_gt(strlen(close_reason_text(reason)), 10);
		for (int j = 0; j < i; j++) {
			enum close_reason other = (enum close_reason)j;

			cr_assert_str_neq(close_reason_name(reason),
			    close_reason_name(other));
			cr_assert_str_neq(close_reason_text(reason),
			    close_reason_text(other));
		}
	}
}

Test(close_reason, each_end_of_the_smtp_machines_is_one)
{
	static const enum close_reason reasons[] = {
	    [SMTP_END_NONE] = CLOSE_NONE,
	    [SMTP_END_CLIENT_QUIT] = CLOSE_CLIENT_QUIT,
	    [SMTP_END_CLIENT_ERRORS] = CLOSE_CLIENT_ERRORS,
	    [SMTP_END_CLIENT_NOT_SMTP] = CLOSE_CLIENT_NOT_SMTP,
	    [SMTP_END_CLIENT_BARE_LF] = CLOSE_CLIENT_BARE_LF,
	    [SMTP_END_CLIENT_PIPELINED] = CLOSE_CLIENT_PIPELINED,
	    [SMTP_END_CLIENT_BAD_BDAT] = CLOSE_CLIENT_BAD_BDAT,
	    [SMTP_END_BACKEND_CLOSING] = CLOSE_BACKEND_CLOSING,
	    [SMTP_END_BACKEND_LOST] = CLOSE_BACKEND_LOST,
	    [SMTP_END_BACKEND_MALFORMED] = CLOSE_BACKEND_MALFORMED,
	    [SMTP_END_BACKEND_UNEXPECTED] = CLOSE_BACKEND_UNEXPECTED,
	};

	cr_assert_eq(sizeof(reasons) / sizeof(reasons[0]), SMTP_END_COUNT);
	for (int end = 0; end < SMTP_END_COUNT; end++)
		cr_assert_eq(
		    close_reason_of_smtp((enum smtp_end)end), reasons[end]);
}

Test(close_reason, what_is_none_is_a_bug, .signal = SIGABRT)
{
	close_reason_name(CLOSE_REASON_COUNT);
}
