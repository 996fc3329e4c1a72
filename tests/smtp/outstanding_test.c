/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "smtp/outstanding.h"

Test(outstanding, keeps_the_order)
{
	struct smtp_outstanding outstanding = {0};
	cr_assert(smtp_outstanding_is_empty(&outstanding));
	smtp_outstanding_push(&outstanding, SMTP_DUE_MAIL);
	smtp_outstanding_push_answer(&outstanding, SMTP_ANSWER_NOT_AUTHORIZED);
	smtp_outstanding_push(&outstanding, SMTP_DUE_END_OF_MESSAGE);
	smtp_outstanding_push(&outstanding, SMTP_DUE_BDAT_LAST);
	smtp_outstanding_drop_last(&outstanding);

	cr_assert_eq(smtp_outstanding_first(&outstanding), SMTP_DUE_MAIL);
	smtp_outstanding_drop_first(&outstanding);
	cr_assert_eq(smtp_outstanding_first(&outstanding), SMTP_DUE_ANSWER);
	cr_assert_eq(smtp_outstanding_first_answer(&outstanding),
	    SMTP_ANSWER_NOT_AUTHORIZED);
	smtp_outstanding_drop_first(&outstanding);
	cr_assert_eq(
	    smtp_outstanding_first(&outstanding), SMTP_DUE_END_OF_MESSAGE);
	smtp_outstanding_drop_first(&outstanding);
	cr_assert(smtp_outstanding_is_empty(&outstanding));
}

/* From each place in the ring it can be filled, and comes out as it went in. */
Test(outstanding, goes_round)
{
	static const enum smtp_due dues[] = {SMTP_DUE_MAIL, SMTP_DUE_RCPT,
	    SMTP_DUE_DATA, SMTP_DUE_END_OF_MESSAGE, SMTP_DUE_RSET};
	for (int start = 0; start < SMTP_OUTSTANDING_MAX; start++) {
		struct smtp_outstanding outstanding = {0};
		for (int i = 0; i < start; i++) {
			smtp_outstanding_push(&outstanding, SMTP_DUE_NOOP);
			smtp_outstanding_drop_first(&outstanding);
		}
		for (int i = 0; i < SMTP_OUTSTANDING_MAX; i++) {
			cr_assert_not(smtp_outstanding_is_full(&outstanding));
			smtp_outstanding_push(&outstanding, dues[i % 5]);
		}
		cr_assert(smtp_outstanding_is_full(&outstanding));
		for (int i = 0; i < SMTP_OUTSTANDING_MAX; i++) {
			cr_assert_eq(
			    smtp_outstanding_first(&outstanding), dues[i % 5]);
			smtp_outstanding_drop_first(&outstanding);
		}
		cr_assert(smtp_outstanding_is_empty(&outstanding));
	}
}
