/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the end of a body sent with DATA: CRLF.CRLF and nothing that looks like
 * it (RFC 5321, 4.1.1.4; SMTP smuggling, CVE-2023-51764 and its kin). Runs at
 * memchr speed. Pure. */
#ifndef POSTERN_SMTP_BODY_H
#define POSTERN_SMTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct smtp_body {
	uint8_t matched; /* bytes of CR LF . CR LF that the last bytes were */
};

/* The first line may be the end: 354 was answered, so CRLF counts as seen. */
void smtp_body_init(struct smtp_body *body);

/* Scans on. Returns how many bytes of `input` belong to the body, end marker
 * included; *end_out tells whether the last of them ended it. */
size_t smtp_body_scan(struct smtp_body *body, const uint8_t *input,
    size_t input_len, bool *end_out);

#endif
