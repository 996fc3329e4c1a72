/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/shared.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

bool shared_create(struct shared *shared, struct report *report)
{
	size_t size = sizeof(*shared->ticket_keys);
	void *keys = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	*shared = (struct shared){0};
	if (keys == MAP_FAILED) {
		report_add(report, REPORT_ERROR, NULL,
		    "cannot map memory for the keys of session tickets: %s",
		    strerror(errno));
		return false;
	}
	/* They would outlive their rotation in a core file, or in swap. That
	 * the latter is forbidden to us is no reason not to start. */
	madvise(keys, size, MADV_DONTDUMP);
	(void)mlock(keys, size);
	shared->ticket_keys = keys;
	shared->edh_clients = edh_clients_create();
	if (shared->edh_clients == NULL) {
		report_add(report, REPORT_ERROR, NULL,
		    "cannot map memory for the budget of EDH: %s",
		    strerror(errno));
		return false;
	}
	if (name_channel_open(&shared->names))
		return true;
	report_add(report, REPORT_ERROR, NULL,
	    "cannot make sockets for questions to the control process: %s",
	    strerror(errno));
	return false;
}

void shared_destroy(struct shared *shared)
{
	if (shared->ticket_keys != NULL) {
		tls_ticket_keys_wipe(shared->ticket_keys);
		munmap(shared->ticket_keys, sizeof(*shared->ticket_keys));
	}
	edh_clients_destroy(&shared->edh_clients);
	name_channel_close(&shared->names);
	*shared = (struct shared){0};
}

bool shared_confine(const struct shared *shared)
{
	return mprotect(shared->ticket_keys, sizeof(*shared->ticket_keys),
		   PROT_READ) == 0;
}
