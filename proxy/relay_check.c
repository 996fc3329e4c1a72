/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/relay_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proxy/address.h"
#include "proxy/client_name.h"
#include "proxy/dane_watch.h"
#include "proxy/flow_pool.h"
#include "smtp/reply.h"

#define BUFFER_COUNT 4
#define HEARD_SIZE   ((size_t)64 * 1024)

/* RFC 5737: nobody's, so that no list of friends has it. */
static const char stranger[] = "192.0.2.1";

/* So it has no name, and there is no control process to ask for one. */
static const struct client_name no_name = {.status = CLIENT_NAME_UNKNOWN};

/* RFC 2606: no mail server is at home there. */
static const char *const commands[] = {
    "EHLO relay-check.example\r\n",
    "MAIL FROM:<>\r\n",
    "RCPT TO:<postern-relay-check@elsewhere.example>\r\n",
    "QUIT\r\n",
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))
#define MAIL_COMMAND  1
#define RCPT_COMMAND  2

/* One backend of one listener, as if there were no other. */
struct trial {
	struct service service;
	struct services services;
	struct edh_account account;
	struct flow_environment env;
	struct flow flow;
	int fd; /* of the backend; -1 */
	size_t said;
	char heard[HEARD_SIZE];
	size_t heard_len;
};

static int64_t now_in_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Large, and hardly touched. */
static struct state *make_state(void)
{
	struct state *state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (state == MAP_FAILED)
		return NULL;
	state->read_only_fd = -1;
	state->writable_fd = -1;
	return state;
}

/* What a client says in clear is heard, whatever the listener asks of it or of
 * proxies in front of it. */
static bool make_service(struct trial *trial, const struct service *service,
    const struct backend *backend, const char **why_out)
{
	struct backend *tried = &trial->service.backends[0];
	struct service_address address;

	trial->service = *service;
	trial->service.tls = NULL;
	trial->service.sni = NULL;
	trial->service.wrappermode = false;
	trial->service.upstream = (struct upstream){0};
	trial->service.policy.tls_level = SMTP_TLS_NONE;
	trial->service.policy.auth_only = false;
	*tried = *backend;
	tried->state_index = 0;
	trial->service.backend_count = 1;
	if (!backend->is_looked_up)
		return true;
	/* There is no control process that would know where it is. */
	tried->is_looked_up = false;
	if (address_resolve(backend->host, service_backend_port(backend),
		address_families(service->settings->inet_protocols), &address,
		1, why_out) == 0)
		return false;
	tried->address = address.address;
	tried->address_len = address.address_len;
	return true;
}

static bool make_environment(
    struct trial *trial, const struct services *services)
{
	const struct log_options log = {
	    .file = "/dev/stderr",
	    .name = "postern/check",
	    .level = LOG_LEVEL_WARNING,
	};
	struct flow_environment *env = &trial->env;

	trial->services = *services;
	trial->services.services = &trial->service;
	trial->services.count = 1;
	*env = (struct flow_environment){
	    .services = &trial->services,
	    .edh_accounts = &trial->account,
	    .state = make_state(),
	    .log = log_create(&log),
	    .client_scratch = malloc(FLOW_SCRATCH_SIZE),
	    .backend_scratch = malloc(FLOW_SCRATCH_SIZE),
	    .now_s = time(NULL),
	};
	if (env->state == NULL || env->log == NULL ||
	    env->client_scratch == NULL || env->backend_scratch == NULL ||
	    state_backend_claim(env->state, trial->service.backends[0].name) !=
		0)
		return false;
	env->block = state_block_claim(env->state, STATE_WORKER, 1, 0);
	return env->block != NULL &&
	       buffer_pool_init(&env->buffers, BUFFER_COUNT) &&
	       flow_pools_init(&env->pools, &trial->services) &&
	       offers_init(&env->offers, &trial->services);
}

static void finish(struct trial *trial)
{
	struct flow_environment *env = &trial->env;

	offers_finish(&env->offers);
	flow_pools_finish(&env->pools);
	buffer_pool_finish(&env->buffers);
	free(env->client_scratch);
	free(env->backend_scratch);
	log_destroy(&env->log);
	if (env->state != NULL)
		munmap(env->state, sizeof(*env->state));
}

/* At the levels dane and dane-only: what control would find out. */
static void ask_dns(struct trial *trial)
{
	const struct dane_watch_options options = {
	    .services = &trial->services,
	    .state = trial->env.state,
	    .log = trial->env.log,
	};
	const char *why;
	struct dane_watch *watch = dane_watch_create(&options, &why);

	/* Without it, the backend is not to be spoken to, and is not. */
	while (watch != NULL && dane_watch_is_waiting(watch, 0)) {
		struct pollfd ready = {.events = POLLIN};
		int64_t now_ms = now_in_ms();
		int64_t next_ms;

		dane_watch_run(watch, now_ms);
		next_ms = dane_watch_next_ms(watch);
		ready.fd = dane_watch_fd(watch);
		if (dane_watch_is_waiting(watch, 0) && next_ms > now_ms)
			poll(&ready, 1, (int)(next_ms - now_ms));
	}
	dane_watch_destroy(&watch);
}

/* The reply to a command; -1 is the greeting. False: it has not come. */
static bool find_reply(
    const struct trial *trial, int command, struct smtp_reply *reply_out)
{
	size_t used = 0;

	for (int i = -1; i <= command; i++) {
		if (smtp_reply_find((const uint8_t *)trial->heard + used,
			trial->heard_len - used, reply_out) != SMTP_REPLY_FOUND)
			return false;
		used += reply_out->used;
	}
	return true;
}

static bool is_time_to_speak(const struct trial *trial)
{
	struct smtp_reply reply;

	return trial->said < COMMAND_COUNT &&
	       find_reply(trial, (int)trial->said - 1, &reply);
}

static void hear(struct trial *trial)
{
	const struct leg *leg = &trial->flow.client;
	size_t len = leg_pending(leg);
	size_t room = HEARD_SIZE - trial->heard_len;
	size_t kept = len < room ? len : room;

	memcpy(
	    trial->heard + trial->heard_len, leg->out + leg->out_start, kept);
	trial->heard_len += kept;
	flow_client_sent(&trial->flow, &trial->env, len);
}

static void speak(struct trial *trial)
{
	const char *command = commands[trial->said++];

	flow_client_received(&trial->flow, &trial->env,
	    (const uint8_t *)command, strlen(command));
}

static void close_backend(struct trial *trial)
{
	if (trial->fd != -1)
		close(trial->fd);
	trial->fd = -1;
	flow_backend_closed(&trial->flow, &trial->env);
}

/* SO_SNDTIMEO is the limit of a connect, too. */
static void connect_backend(struct trial *trial)
{
	const struct backend *backend = flow_backend(&trial->flow);
	const int on = 1;
	const struct timeval limit = {
	    .tv_sec = trial->flow.limit.duration_ms / 1000 + 1,
	};

	trial->fd =
	    socket(backend->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (trial->fd != -1) {
		setsockopt(
		    trial->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		setsockopt(
		    trial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	if (trial->fd != -1 &&
	    connect(trial->fd, (const struct sockaddr *)&backend->address,
		backend->address_len) == 0)
		flow_backend_connected(&trial->flow, &trial->env);
	else
		flow_backend_failed(&trial->flow, &trial->env,
		    errno == EINPROGRESS ? ETIMEDOUT : errno);
}

static void receive(struct trial *trial)
{
	static uint8_t data[FLOW_RECEIVE_SIZE];
	ssize_t len = recv(trial->fd, data, sizeof(data), MSG_DONTWAIT);

	if (len >= 0)
		flow_backend_received(
		    &trial->flow, &trial->env, data, (size_t)len);
	else if (errno != EAGAIN && errno != EINTR)
		flow_backend_failed(&trial->flow, &trial->env, errno);
}

static void send_pending(struct trial *trial)
{
	const struct leg *leg = &trial->flow.backend;
	ssize_t len = send(trial->fd, leg->out + leg->out_start,
	    leg_pending(leg), MSG_NOSIGNAL | MSG_DONTWAIT);

	if (len >= 0)
		flow_backend_sent(&trial->flow, &trial->env, (size_t)len);
	else if (errno != EAGAIN && errno != EINTR)
		flow_backend_failed(&trial->flow, &trial->env, errno);
}

static void wait_for_backend(struct trial *trial, unsigned wants)
{
	struct pollfd backend = {.fd = trial->fd};
	int64_t limit_ms = trial->flow.limit.duration_ms;
	const struct settings *settings = trial->service.settings;
	int64_t patience_ms =
	    (int64_t)settings->proxy_backend_probe_timeout_s * 1000;

	if (limit_ms > patience_ms)
		limit_ms = patience_ms;
	if ((wants & FLOW_WANT_BACKEND_RECV) != 0)
		backend.events |= POLLIN;
	if ((wants & FLOW_WANT_BACKEND_SEND) != 0)
		backend.events |= POLLOUT;
	if (poll(&backend, 1, (int)limit_ms) == 0)
		flow_timed_out(&trial->flow, &trial->env);
	else if ((backend.revents & POLLOUT) != 0)
		send_pending(trial);
	else if (backend.revents != 0)
		receive(trial);
}

/* One deed; what it changes is looked at anew. */
static void advance(struct trial *trial)
{
	unsigned wants = flow_wants(&trial->flow);
	unsigned waits = FLOW_WANT_BACKEND_RECV | FLOW_WANT_BACKEND_SEND;

	if ((wants & FLOW_WANT_BACKEND_CLOSE) != 0)
		close_backend(trial);
	else if ((wants & FLOW_WANT_NAME) != 0)
		flow_named(&trial->flow, &trial->env, &no_name);
	else if ((wants & FLOW_WANT_CLIENT_SEND) != 0)
		hear(trial);
	else if ((wants & FLOW_WANT_CLIENT_SHUTDOWN) != 0)
		flow_client_shut_down(&trial->flow);
	else if ((wants & FLOW_WANT_BACKEND_CONNECT) != 0)
		connect_backend(trial);
	else if ((wants & FLOW_WANT_HANDSHAKE) != 0)
		flow_handshake_turn(&trial->flow, &trial->env);
	else if ((wants & FLOW_WANT_BUFFER) != 0)
		flow_go_on(&trial->flow, &trial->env);
	else if ((wants & FLOW_WANT_CLIENT_RECV) != 0 &&
		 is_time_to_speak(trial))
		speak(trial);
	else if ((wants & waits) != 0)
		wait_for_backend(trial, wants);
	else if ((wants & FLOW_WANT_CLIENT_RECV) != 0)
		flow_client_received(&trial->flow, &trial->env, NULL, 0);
	else
		flow_timed_out(&trial->flow, &trial->env);
}

static void run(struct trial *trial)
{
	while (trial->flow.state != FLOW_CLOSED) {
		trial->env.now_ms = now_in_ms();
		advance(trial);
	}
	flow_finish(&trial->flow, &trial->env);
	if (trial->fd != -1)
		close(trial->fd);
	trial->fd = -1;
	log_flush(trial->env.log);
}

/* The gate offers what a health check has found, so there is one first. */
static void talk(struct trial *trial)
{
	struct sockaddr_in peer = {
	    .sin_family = AF_INET,
	    .sin_port = htons(25),
	};

	inet_pton(AF_INET, stranger, &peer.sin_addr);
	trial->fd = -1;
	trial->env.now_ms = now_in_ms();
	flow_begin_probe(&trial->flow, &trial->env, &trial->service, 0);
	run(trial);
	trial->flow = (struct flow){0};
	flow_begin(&trial->flow, &trial->env, &trial->service,
	    (const struct sockaddr *)&peer, false);
	run(trial);
}

static const char *remedy_of(const struct backend *backend)
{
	if (backend->handover.way == HANDOVER_NONE)
		return "it takes every client for Postern: set "
		       "proxy_backend_handover, or take Postern's address out "
		       "of its mynetworks";
	return "and that although it was told the client's address: look at "
	       "its mynetworks and its relay restrictions";
}

/* Both are of the listener: "BACKEND, behind LISTENER". */
static void judge(const struct trial *trial, const char *place, FILE *out,
    struct report *report)
{
	const char *backend = trial->service.backends[0].name;
	const char *listener = trial->service.listener->service;
	struct smtp_reply reply = {0};
	int command = RCPT_COMMAND;

	/* A 5xx to MAIL refuses it all; what comes behind it says no more. */
	if (find_reply(trial, MAIL_COMMAND, &reply) && reply.code >= 500)
		command = MAIL_COMMAND;
	if (!find_reply(trial, command, &reply)) {
		report_add(report, REPORT_ERROR, place,
		    "backend %s, behind %s: could not be asked whether it "
		    "relays for strangers",
		    backend, listener);
		return;
	}
	if (reply.code >= 500)
		fprintf(out,
		    "backend %s, behind %s: does not relay for strangers: "
		    "%d %.*s\n",
		    backend, listener, reply.code, (int)reply.text_len,
		    reply.text);
	else if (reply.code >= 400)
		report_add(report, REPORT_ERROR, place,
		    "backend %s, behind %s: did not say whether it relays for "
		    "strangers: %d %.*s",
		    backend, listener, reply.code, (int)reply.text_len,
		    reply.text);
	else
		report_add(report, REPORT_ERROR, place,
		    "backend %s, behind %s: relays for strangers: it answered "
		    "a client at %s, a recipient elsewhere, with %d; %s",
		    backend, listener, stranger, reply.code,
		    remedy_of(&trial->service.backends[0]));
}

static void check_backend(const struct services *services,
    const struct service *service, const struct backend *backend, FILE *out,
    struct report *report)
{
	const char *place = settings_place(service->settings, "proxy_backend");
	struct trial *trial = calloc(1, sizeof(*trial));
	const char *why = NULL;

	if (trial == NULL)
		return;
	if (make_service(trial, service, backend, &why) &&
	    make_environment(trial, services)) {
		ask_dns(trial);
		talk(trial);
		judge(trial, place, out, report);
	} else {
		report_add(report, REPORT_ERROR, place,
		    "backend %s: cannot be checked: %s", backend->name,
		    why != NULL ? why : strerror(errno));
	}
	finish(trial);
	free(trial);
}

void relay_check_run(
    const struct services *services, FILE *out, struct report *report)
{
	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];

		for (size_t j = 0; j < service->backend_count; j++)
			if (service->backends[j].kind == BACKEND_SOCKET &&
			    service->backends[j].slot == 0)
				check_backend(services, service,
				    &service->backends[j], out, report);
	}
}
