/* SPDX-License-Identifier: Apache-2.0 */
/* How often each command came and how often it was obeyed: the figures of
 * Postfix's disconnect line. Pure. */
#ifndef POSTERN_SMTP_COUNTS_H
#define POSTERN_SMTP_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/command.h"

struct smtp_counts {
	uint16_t total[SMTP_VERB_COUNT]; /* saturating */
	uint16_t ok[SMTP_VERB_COUNT];
};

void smtp_counts_came(struct smtp_counts *counts, enum smtp_verb verb);
void smtp_counts_obeyed(struct smtp_counts *counts, enum smtp_verb verb);
/* It came, was not obeyed, and will come again. */
void smtp_counts_taken_back(struct smtp_counts *counts, enum smtp_verb verb);

/* Writes "ehlo=2 starttls=1 rcpt=0/1 commands=3/4": an item per command that
 * came, in the order of verb.def, `ok` or `ok/total` where they differ, and the
 * sum. NUL-terminated, cut off at out_size. Returns the length. */
size_t smtp_counts_format(
    const struct smtp_counts *counts, char *out, size_t out_size);

/* Sum over all verbs. */
unsigned smtp_counts_total(const struct smtp_counts *counts);

#endif
