/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP on the loop of the control process. */
#include "proxy/worker_internal.h"
#include "tls/ticket_keys.h"

void worker_http_init(struct worker *worker)
{
	const struct worker_options *options = worker->options;
	struct worker_http *http = &worker->http;

	if (options->http_fd_count == 0)
		return;
	http->source = (struct exposition_source){
	    .state = options->state,
	    .services = options->services,
	    .openssl = tls_library_version(),
	    .liburing = worker_liburing_version(),
	};
	http->server = http_create(
	    &http->source, options->http_fds, options->http_fd_count);
	if (http->server == NULL)
		log_line(options->log, LOG_LEVEL_WARNING, NULL,
		    "proxy_metrics_listen: no memory or descriptors for it: "
		    "going on without metrics");
}

void worker_http_run(struct worker *worker)
{
	struct worker_http *http = &worker->http;

	if (http->server == NULL)
		return;
	http->source.ticket_now_s = tls_ticket_keys_now();
	http_run(http->server);
	for (uint32_t i = 0; i < http_watched_count(http->server); i++) {
		struct op op = {.kind = OP_HTTP, .slot = i};

		if ((http->armed >> i & 1) == 0 &&
		    ring_watch(
			&worker->ring, http_watched(http->server, i), op))
			http->armed |= UINT32_C(1) << i;
	}
}

void worker_http_completed(struct worker *worker, struct op op)
{
	worker->http.armed &= ~(UINT32_C(1) << op.slot);
}

int64_t worker_http_next_ms(const struct worker *worker)
{
	int64_t wait_ms;

	if (worker->http.server == NULL)
		return DEADLINE_NONE;
	wait_ms = http_wait_ms(worker->http.server);
	return wait_ms < 0 ? DEADLINE_NONE : worker->env.now_ms + wait_ms;
}

void worker_http_finish(struct worker *worker)
{
	http_destroy(&worker->http.server);
}
