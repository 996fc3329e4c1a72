/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of what handshakes negotiated, as samples. */
#ifndef POSTERN_PROXY_EXPOSITION_ROWS_H
#define POSTERN_PROXY_EXPOSITION_ROWS_H

#include "proxy/exposition.h"

/* Those of all processes, the same ones being one. */
void exposition_rows(const struct exposition *exposition);

#endif
