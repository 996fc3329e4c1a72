/* SPDX-License-Identifier: Apache-2.0 */
/* Text from anyone, made fit for a log file and the terminal that shows it. */
#ifndef POSTERN_PROXY_UTF8_H
#define POSTERN_PROXY_UTF8_H

#include <stddef.h>

/* Puts '?' in place of each byte that is a control character (C0, DEL, and C1,
 * which some terminals obey) or no part of well-formed UTF-8 (RFC 3629, 4). */
void utf8_neuter(char *text, size_t len);

/* The length without a character at the end that was cut in the middle. */
size_t utf8_whole(const char *text, size_t len);

#endif
