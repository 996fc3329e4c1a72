/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/ticket_rotation.h"

#include <stddef.h>

#include "proxy/service_tls.h"
#include "tls/ticket_keys.h"

#define LIFETIME_MIN_S 120 /* as of the sessions (tls/context.h) */

static int64_t lifetime_of(const struct service *service)
{
	const struct settings *settings = service->settings;
	int64_t lifetime_s = settings->smtpd_tls_session_cache_timeout_s;

	if (service->tls == NULL || lifetime_s <= 0 ||
	    settings->tls_session_ticket_cipher[0] == '\0')
		return 0;
	return lifetime_s < LIFETIME_MIN_S ? LIFETIME_MIN_S : lifetime_s;
}

int64_t ticket_rotation_lifetime_s(const struct services *services)
{
	int64_t shortest_s = 0;

	for (size_t i = 0; i < services->count; i++) {
		int64_t lifetime_s = lifetime_of(&services->services[i]);

		if (lifetime_s > 0 &&
		    (shortest_s == 0 || lifetime_s < shortest_s))
			shortest_s = lifetime_s;
	}
	return shortest_s;
}

bool ticket_rotation_configure(struct tls_ticket_keys *keys,
    const struct services *services, struct report *report)
{
	const struct settings *settings = services->configuration->settings;
	struct service_tls_finder finder = {settings, report};
	struct tls_report tls_report = service_tls_report(&finder);
	const char *names = settings->proxy_tls_ticket_key_files;
	int64_t lifetime_s = ticket_rotation_lifetime_s(services);
	struct tls_ticket_files files;
	bool done = true;

	if (lifetime_s == 0)
		return true;
	if (names[0] != '\0' &&
	    !tls_ticket_files_read(
		names, "proxy_tls_ticket_key_files", &tls_report, &files))
		return false;
	if (keys != NULL)
		done = tls_ticket_keys_configure(keys, lifetime_s,
		    names[0] != '\0' ? &files : NULL, tls_ticket_keys_now());
	if (names[0] != '\0')
		tls_ticket_files_finish(&files);
	if (!done)
		report_add(report, REPORT_ERROR, NULL,
		    "no random bytes for the keys of session tickets");
	return done;
}
