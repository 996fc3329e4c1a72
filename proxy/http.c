/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/http.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/http_internal.h"

/* Scrapers are few. Who holds more, or says nothing, waits for others. */
#define CONNECTIONS_MAX	       64
#define CONNECTIONS_PER_IP_MAX 48
#define SILENCE_MAX_S	       30
/* Request line, headers, and what MHD needs besides. */
#define CONNECTION_MEMORY_SIZE 16384

#define TEXT "text/plain; charset=utf-8"
#define HTML "text/html; charset=utf-8"

struct http {
	struct exposition_source *source;
	size_t count;
	struct MHD_Daemon *daemons[SERVICE_ADDRESSES_MAX];
};

struct answer {
	unsigned status;
	const char *type;
	struct MHD_Response *response; /* NULL: no memory */
};

static const char index_page[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<title>Postern</title></head><body>\n"
    "<h1>Postern " POSTERN_VERSION "</h1>\n"
    "<p>A TLS gate in front of mail servers. What it tells of itself:</p>\n"
    "<ul>\n"
    "<li><a href=\"metrics\">/metrics</a>: counters for Prometheus, as text "
    "or, where the client asks for it, as OpenMetrics</li>\n"
    "<li><a href=\"sessions\">/sessions</a>: the sessions that are open, in "
    "JSON</li>\n"
    "<li><a href=\"healthz\">/healthz</a>: 200 while the control process is "
    "alive</li>\n"
    "<li><a href=\"readyz\">/readyz</a>: 200 while mail can be taken, else "
    "503 and why not</li>\n"
    "</ul>\n"
    "<p>postern-metrics(7) explains each metric.</p>\n"
    "</body></html>\n";

static struct MHD_Response *copy_of(const char *text)
{
	return MHD_create_response_from_buffer(
	    strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
}

static struct answer say(unsigned status, const char *type, const char *text)
{
	return (struct answer){status, type, copy_of(text)};
}

static struct answer show_metrics(
    const struct http *http, struct MHD_Connection *connection)
{
	enum exposition_format format =
	    exposition_negotiate(MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
	struct answer answer = {MHD_HTTP_OK, exposition_type(format), NULL};
	size_t len;
	char *page = exposition_write(http->source, format, &len);

	if (page == NULL)
		return answer;
	answer.response =
	    MHD_create_response_from_buffer(len, page, MHD_RESPMEM_MUST_FREE);
	if (answer.response == NULL)
		free(page);
	return answer;
}

static struct answer show_readiness(const struct http *http)
{
	char why[512];

	if (http_is_ready(http->source, why, sizeof(why)))
		return say(MHD_HTTP_OK, TEXT, "ready\n");
	return say(MHD_HTTP_SERVICE_UNAVAILABLE, TEXT, why);
}

static struct answer show(const struct http *http,
    struct MHD_Connection *connection, const char *path)
{
	if (strcmp(path, "/metrics") == 0)
		return show_metrics(http, connection);
	if (strcmp(path, "/sessions") == 0)
		return (struct answer){MHD_HTTP_OK, "application/json",
		    http_sessions(http->source->state)};
	if (strcmp(path, "/healthz") == 0)
		return say(MHD_HTTP_OK, TEXT, "alive\n");
	if (strcmp(path, "/readyz") == 0)
		return show_readiness(http);
	if (strcmp(path, "/") == 0)
		return say(MHD_HTTP_OK, HTML, index_page);
	return say(MHD_HTTP_NOT_FOUND, TEXT, "there is nothing here\n");
}

static enum MHD_Result send_answer(
    struct MHD_Connection *connection, const struct answer *answer)
{
	enum MHD_Result result;

	if (answer->response == NULL)
		return MHD_NO; /* hangs up */
	MHD_add_response_header(
	    answer->response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
	MHD_add_response_header(
	    answer->response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(
	    answer->response, "X-Content-Type-Options", "nosniff");
	if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(
		    answer->response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result =
	    MHD_queue_response(connection, answer->status, answer->response);
	MHD_destroy_response(answer->response);
	return result;
}

/* Called when the headers are there, and again when the whole request is. */
static enum MHD_Result on_request(void *argument,
    struct MHD_Connection *connection, const char *path, const char *method,
    const char *version, const char *body, size_t *body_len, void **seen)
{
	const struct http *http = argument;
	struct answer answer;

	(void)version;
	(void)body;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		answer = say(MHD_HTTP_METHOD_NOT_ALLOWED, TEXT,
		    "GET and HEAD are all there is\n");
		return send_answer(connection, &answer);
	}
	if (*seen == NULL) {
		*seen = argument;
		return MHD_YES;
	}
	if (*body_len > 0) {
		*body_len = 0; /* of no interest */
		return MHD_YES;
	}
	answer = show(http, connection, path);
	return send_answer(connection, &answer);
}

struct http *http_create(
    struct exposition_source *source, const int *listening_fds, size_t count)
{
	struct http *http = calloc(1, sizeof(*http));

	assert(count <= SERVICE_ADDRESSES_MAX);
	if (http == NULL)
		return NULL;
	http->source = source;
	for (size_t i = 0; i < count; i++) {
		http->daemons[i] =
		    MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request,
			http, MHD_OPTION_LISTEN_SOCKET, listening_fds[i],
			MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
			MHD_OPTION_PER_IP_CONNECTION_LIMIT,
			(unsigned)CONNECTIONS_PER_IP_MAX,
			MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_MAX_S,
			MHD_OPTION_CONNECTION_MEMORY_LIMIT,
			(size_t)CONNECTION_MEMORY_SIZE, MHD_OPTION_END);
		if (http->daemons[i] == NULL) {
			http_destroy(&http);
			return NULL;
		}
		http->count++;
	}
	return http;
}

void http_destroy(struct http **http)
{
	if (*http == NULL)
		return;
	for (size_t i = 0; i < (*http)->count; i++) {
		/* The socket is not its own: others go on with it. */
		MHD_quiesce_daemon((*http)->daemons[i]);
		MHD_stop_daemon((*http)->daemons[i]);
	}
	free(*http);
	*http = NULL;
}

size_t http_watched_count(const struct http *http)
{
	return http->count;
}

int http_watched(const struct http *http, size_t index)
{
	const union MHD_DaemonInfo *info =
	    MHD_get_daemon_info(http->daemons[index], MHD_DAEMON_INFO_EPOLL_FD);

	assert(info != NULL);
	return info->epoll_fd;
}

void http_run(struct http *http)
{
	for (size_t i = 0; i < http->count; i++)
		MHD_run(http->daemons[i]);
}

int64_t http_wait_ms(const struct http *http)
{
	int64_t wait_ms = -1;

	for (size_t i = 0; i < http->count; i++) {
		MHD_UNSIGNED_LONG_LONG found;

		if (MHD_get_timeout(http->daemons[i], &found) == MHD_YES &&
		    (wait_ms < 0 || (int64_t)found < wait_ms))
			wait_ms = (int64_t)found;
	}
	return wait_ms;
}
