/* SPDX-License-Identifier: Apache-2.0 */
/* `postern top`: what goes on, on a terminal, or once. Reads the shared state
 * and nothing else, so that it works whatever the processes do. */
#ifndef POSTERN_PROXY_TOP_H
#define POSTERN_PROXY_TOP_H

#include <stdbool.h>

#include "proxy/top_view.h"

struct top_options {
	bool once; /* print one page and end */
	bool json; /* of `once` */
	enum top_sort sort;
	const char *filter; /* NULL: none */
};

/* state_path is the file of the running Postern. Returns an exit status. */
int top_run(const struct top_options *options, const char *state_path);

#endif
