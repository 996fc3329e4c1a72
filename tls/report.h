/* SPDX-License-Identifier: Apache-2.0 */
/* How the leaf tells what it found wrong while it builds a context: the caller
 * knows in which file and line the parameter stands. */
#ifndef POSTERN_TLS_REPORT_H
#define POSTERN_TLS_REPORT_H

#include <stdbool.h>

struct tls_report {
	void *argument; /* handed to tell() */
	/* `parameter` is the main.cf parameter whose value is at fault; `text`
	 * says what is wrong with it and what would be right, without its name.
	 * Both are borrowed for the call. is_error: the context cannot be
	 * built. */
	void (*tell)(void *argument, bool is_error, const char *parameter,
	    const char *text);
};

#endif
