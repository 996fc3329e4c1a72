/* SPDX-License-Identifier: Apache-2.0 */
/* `postern dhparam`: makes a prime for smtpd_tls_dh1024_param_file. */
#ifndef POSTERN_PROXY_DHPARAM_H
#define POSTERN_PROXY_DHPARAM_H

#include <stdbool.h>

#define DHPARAM_BITS_DEFAULT 2048

struct dhparam_options {
	int bits;
	bool allow_weak; /* fewer than 2048 bits */
	const char *path;
};

/* Shows on a terminal how it gets on; is silent elsewhere. What was in the file
 * is there until the new group is, whole, on disk. Returns the exit status; on
 * failure standard error says why. */
int dhparam_run(const struct dhparam_options *options);

#endif
