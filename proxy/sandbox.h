/* SPDX-License-Identifier: Apache-2.0 */
/* What a process that talks to strangers may still ask of the kernel. Who takes
 * it over finds no program to start, no file to write and no other process to
 * signal. Calls that go through io_uring pass by a seccomp filter: the ring has
 * restrictions of its own (proxy/ring.h). */
#ifndef POSTERN_PROXY_SANDBOX_H
#define POSTERN_PROXY_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

struct sandbox_options {
	const char *const *readable; /* files and folders, "" is skipped */
	size_t readable_count;
	bool is_control; /* serves HTTP and looks at the other processes */
};

/* In a child, for good, after it has given up its privileges and has its ring.
 * Every call that is not needed fails with EPERM. False, and the reason in one
 * line, where the kernel has no seccomp: the process goes on without. Where the
 * kernel has no Landlock, files are guarded by their modes alone. */
bool sandbox_enter(
    const struct sandbox_options *options, char *why, size_t why_size);

/* Whether this build confines at all: those with sanitizers or with coverage
 * write files and start helpers at their end, and do not. */
bool sandbox_is_built(void);

#endif
