/* SPDX-License-Identifier: Apache-2.0 */
/* The open files of a process that was forked. */
#ifndef POSTERN_PROXY_DESCRIPTORS_H
#define POSTERN_PROXY_DESCRIPTORS_H

#include <stddef.h>

/* Closes all but standard input, output and error and those in `kept` (sorted
 * by this call; -1 is passed over). What a child holds by mistake lives on
 * after the master: its lock, the sockets and pipes of its siblings. */
void descriptors_keep(int *kept, size_t kept_count);

#endif
