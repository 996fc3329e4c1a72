/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "conf/loglevel.h"
#include "proxy/flow_pool.h"
#include "smtp/ehlo.h"
#include "tests/tls/fixture.h"

#define BUFFER_COUNT 8
#define STREAM_SIZE  ((size_t)4 << 20)

struct stream {
	uint8_t *bytes; /* STREAM_SIZE and a NUL */
	size_t len, used;
};

struct flow flow;
struct flow_environment env;
struct settings settings;
struct service services[HARNESS_SERVICE_COUNT];
size_t harness_receive_size;

static struct listener listener = {.service = "127.0.0.1:2525"};
static struct services house = {
    .services = services,
    .count = HARNESS_SERVICE_COUNT,
};
static struct stream to_flow, client_heard, backend_heard;
static size_t client_told, backend_told; /* of what was heard */
static size_t client_told_len, backend_told_len;
static uint8_t *kept[BUFFER_COUNT];
static SSL_CTX *client_ctx;
static SSL *client;
static const char *log_path;
static bool finished;

static void append(struct stream *stream, const void *bytes, size_t len)
{
	cr_assert_leq(stream->len + len, STREAM_SIZE);
	memcpy(stream->bytes + stream->len, bytes, len);
	stream->len += len;
	stream->bytes[stream->len] = '\0';
}

static void open_stream(struct stream *stream)
{
	*stream = (struct stream){.bytes = malloc(STREAM_SIZE + 1)};
	cr_assert_not_null(stream->bytes);
	stream->bytes[0] = '\0';
}

static void make_settings(void)
{
	settings = (struct settings){
	    .smtpd_timeout_s = 300,
	    .smtpd_starttls_timeout_s = 200,
	    .smtp_connect_timeout_s = 30,
	    .smtp_helo_timeout_s = 90,
	    .proxy_backend_reply_timeout_s = 600,
	    .proxy_backend_probe_timeout_s = 10,
	    .smtpd_min_data_rate = 500,
	    .proxy_backend_balance = SETTINGS_BALANCE_ROUND_ROBIN,
	    .proxy_backend_queue_limit = 1,
	    .proxy_backend_queue_timeout_s = 20,
	    .proxy_backend_probe_rise = 1,
	    .proxy_backend_probe_fall = 1,
	};
	listener.settings = &settings;
}

static void make_backends(struct service *service)
{
	static const char *const names[] = {"inet:first", "inet:second"};

	service->backend_count = BACKEND_COUNT;
	for (size_t i = 0; i < BACKEND_COUNT; i++) {
		struct backend *backend = &service->backends[i];

		backend->kind = BACKEND_SOCKET;
		backend->weight = 1;
		backend->state_index = state_backend_claim(env.state, names[i]);
		cr_assert_geq(backend->state_index, 0);
		snprintf(backend->name, sizeof(backend->name), "%s", names[i]);
	}
}

static void make_service(enum harness_service which, enum smtp_tls_level level)
{
	struct service *service = &services[which];

	*service = (struct service){
	    .listener = &listener,
	    .settings = &settings,
	    .log_name = "postern/smtpd",
	    .tls_log = LOGLEVEL_SUMMARY,
	    .policy =
		{
		    .hostname = "gate.test",
		    .banner = "gate.test ESMTP Postern",
		    .tls_level = level,
		    .auth_only = level == SMTP_TLS_ENCRYPT,
		    .forbidden_commands = "CONNECT GET POST",
		    .line_size_max = 2048,
		    .auth_line_size_max = 12288,
		    .hard_error_limit = 20,
		    .junk_command_limit = 100,
		},
	    .wrappermode = which == HARNESS_WRAPPED,
	};
	if (level != SMTP_TLS_NONE)
		service->tls = fixture_context(fixture_chain("p256"));
	make_backends(service);
}

static void make_house(void)
{
	struct service *sink = &services[HARNESS_SINK];

	make_service(HARNESS_MAY, SMTP_TLS_MAY);
	make_service(HARNESS_ENCRYPT, SMTP_TLS_ENCRYPT);
	make_service(HARNESS_WRAPPED, SMTP_TLS_ENCRYPT);
	make_service(HARNESS_CLEAR, SMTP_TLS_NONE);
	make_service(HARNESS_SINK, SMTP_TLS_MAY);
	sink->backend_count = 1;
	sink->backends[0] = (struct backend){
	    .kind = BACKEND_SINK, .name = "builtin:sink", .weight = 1};
	harness_probe_found(FIRST, HARNESS_BACKEND_EHLO);
	harness_probe_found(SECOND, HARNESS_BACKEND_EHLO);
}

/* Large, and hardly touched. */
static struct state *map_state(void)
{
	struct state *state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	cr_assert_neq(state, MAP_FAILED);
	state->writable_fd = -1;
	return state;
}

static void make_environment(void)
{
	struct log_options options = {
	    .file_mode = 0600,
	    .name = "postern/worker",
	    .level = LOG_LEVEL_INFO,
	};

	log_path = fixture_path("log");
	options.file = log_path;
	env = (struct flow_environment){
	    .services = &house,
	    .state = map_state(),
	    .log = log_create(&options),
	    .client_scratch = malloc(FLOW_SCRATCH_SIZE),
	    .backend_scratch = malloc(FLOW_SCRATCH_SIZE),
	    .now_ms = 1000,
	};
	cr_assert_not_null(env.log);
	env.block = state_block_claim(env.state, STATE_WORKER, 1, 0);
	cr_assert_not_null(env.block);
	cr_assert(buffer_pool_init(&env.buffers, BUFFER_COUNT));
	cr_assert(offers_init(&env.offers, &house));
	cr_assert(flow_pools_init(&env.pools, &house));
}

void harness_init(void)
{
	fixture_init();
	make_settings();
	make_environment();
	make_house();
	open_stream(&to_flow);
	open_stream(&client_heard);
	open_stream(&backend_heard);
	client_ctx = fixture_client_ctx(0, 0);
	harness_receive_size = FLOW_RECEIVE_SIZE;
}

static void empty_stream(struct stream *stream)
{
	stream->len = 0;
	stream->used = 0;
	stream->bytes[0] = '\0';
}

void harness_next(void)
{
	cr_assert(finished);
	cr_assert_eq(buffer_pool_in_use(&env.buffers), 0);
	SSL_free(client);
	client = NULL;
	flow = (struct flow){0};
	finished = false;
	empty_stream(&to_flow);
	empty_stream(&client_heard);
	empty_stream(&backend_heard);
	client_told = 0;
	backend_told = 0;
	cr_assert(log_flush(env.log));
	cr_assert_eq(truncate(log_path, 0), 0);
}

void harness_again(void)
{
	harness_next();
	flow_pools_finish(&env.pools);
	cr_assert(flow_pools_init(&env.pools, &house));
	memset(env.block->cells, 0, sizeof(env.block->cells));
	memset(env.block->rows, 0, sizeof(env.block->rows));
	atomic_store(&env.block->row_count, 0);
	harness_probe_found(FIRST, HARNESS_BACKEND_EHLO);
	harness_probe_found(SECOND, HARNESS_BACKEND_EHLO);
}

void harness_fini(void)
{
	if (!finished && flow.service != NULL)
		flow_cut_off(&flow, &env);
	buffers_come_back();
	cr_assert_eq(buffer_pool_in_use(&env.buffers), 0);
	for (size_t i = 0; i < HARNESS_SERVICE_COUNT; i++)
		tls_context_destroy(&services[i].tls);
	SSL_free(client);
	SSL_CTX_free(client_ctx);
	buffer_pool_finish(&env.buffers);
	offers_finish(&env.offers);
	flow_pools_finish(&env.pools);
	log_destroy(&env.log);
	free(env.client_scratch);
	free(env.backend_scratch);
	munmap(env.state, sizeof(struct state));
	free(to_flow.bytes);
	free(client_heard.bytes);
	free(backend_heard.bytes);
	fixture_fini();
}

static struct state_backend *cells_of(int backend)
{
	int index = services[HARNESS_MAY].backends[backend].state_index;

	return &env.state->backends[index];
}

void harness_probe_found(int backend, const char *reply)
{
	struct smtp_ehlo ehlo;
	const struct state_probe probe = {
	    .ehlo = reply == NULL ? NULL : &ehlo,
	    .rise = 1,
	    .fall = 1,
	};

	if (reply != NULL)
		smtp_ehlo_parse((const uint8_t *)reply, strlen(reply), &ehlo);
	state_backend_publish(cells_of(backend), &probe);
}

void harness_probe_never_found(int backend)
{
	cells_of(backend)->ever_reached = false;
	harness_probe_found(backend, NULL);
}

/* Whatever happened: no buffer is held without bytes, wants are pure, and there
 * is something that can move the session on. */
void harness_check(void)
{
	unsigned wants = flow_wants(&flow);
	uint32_t held = (flow.client.out != NULL) + (flow.backend.out != NULL);
	uint32_t hidden = 0;

	for (size_t i = 0; i < BUFFER_COUNT; i++)
		hidden += kept[i] != NULL;
	cr_assert_eq(flow_wants(&flow), wants);
	cr_assert_eq(buffer_pool_in_use(&env.buffers), held + hidden);
	cr_assert_eq(flow.client.out != NULL, leg_pending(&flow.client) > 0);
	cr_assert_eq(flow.backend.out != NULL, leg_pending(&flow.backend) > 0);
	if (flow.state == FLOW_CLOSED) {
		cr_assert_eq(wants, 0);
		cr_assert_neq(flow.reason, CLOSE_NONE);
		return;
	}
	cr_assert_neq(wants, 0, "state %d cannot go on", flow.state);
	if (flow.state < FLOW_DRAIN)
		cr_assert_eq(flow.reason, CLOSE_NONE);
	cr_assert_gt(flow.limit.duration_ms, 0);
}

static void come(enum harness_service which, enum limit refused)
{
	struct sockaddr_in peer = {
	    .sin_family = AF_INET,
	    .sin_port = htons(40112),
	};

	inet_pton(AF_INET, "192.0.2.9", &peer.sin_addr);
	flow_begin(&flow, &env, &services[which],
	    (const struct sockaddr *)&peer, refused);
	harness_check();
}

void begin_refused(enum harness_service which)
{
	come(which, LIMIT_SESSIONS);
}

void begin(enum harness_service which)
{
	come(which, LIMIT_NONE);
}

void begin_with_ehlo(enum harness_service which)
{
	begin(which);
	cr_assert_str_eq(client_hears(), HARNESS_GREETING);
	client_says("EHLO client.test\r\n");
	client_hears();
}

void begin_in_tls(enum harness_service which)
{
	begin(which);
	if (which != HARNESS_WRAPPED) {
		client_hears();
		client_says("STARTTLS\r\n");
		cr_assert_str_eq(client_hears(), HARNESS_READY);
	}
	client_handshakes(NULL);
	client_hears();
	cr_assert_eq(flow.state, FLOW_TLS_GATE);
}

void begin_in_relay(void)
{
	begin_in_tls(HARNESS_MAY);
	client_says("EHLO client.test\r\n");
	backend_connects();
	backend_says("220 backend.test ESMTP\r\n");
	cr_assert_str_eq(backend_hears(), "EHLO client.test\r\n");
	backend_says(HARNESS_BACKEND_EHLO);
	cr_assert_str_eq(client_hears(), HARNESS_EHLO_IN_TLS);
	cr_assert_eq(flow.state, FLOW_RELAY);
}

/* A receive gets memory of its own, so that whoever looks beyond it, or keeps
 * it, is caught. */
static void receive(
    void (*fact)(struct flow *flow, struct flow_environment *env,
	const uint8_t *data, size_t len),
    const uint8_t *bytes, size_t len)
{
	uint8_t *lent = malloc(len);

	cr_assert_not_null(lent);
	memcpy(lent, bytes, len);
	fact(&flow, &env, lent, len);
	free(lent);
	harness_check();
}

static void arrive(void)
{
	while (to_flow.used < to_flow.len &&
	       (flow_wants(&flow) & FLOW_WANT_CLIENT_RECV) != 0) {
		size_t len = to_flow.len - to_flow.used;
		const uint8_t *bytes = to_flow.bytes + to_flow.used;

		if (len > harness_receive_size)
			len = harness_receive_size;
		to_flow.used += len;
		receive(flow_client_received, bytes, len);
	}
}

static void write_wire(void)
{
	uint8_t wire[16384];
	int len;

	while ((len = BIO_read(SSL_get_wbio(client), wire, sizeof(wire))) > 0)
		append(&to_flow, wire, (size_t)len);
}

void client_sends(const void *bytes, size_t len)
{
	const uint8_t *text = bytes;

	while (client != NULL && len > 0) {
		size_t written;

		cr_assert_eq(SSL_write_ex(client, text, len, &written), 1);
		text += written;
		len -= written;
		write_wire();
	}
	append(&to_flow, text, len);
	arrive();
}

void client_says(const char *text)
{
	client_sends(text, strlen(text));
}

size_t client_unsent(void)
{
	return to_flow.len - to_flow.used;
}

static void read_wire(const uint8_t *wire, size_t len)
{
	uint8_t plain[16384];
	size_t plain_len;

	cr_assert_eq(BIO_write(SSL_get_rbio(client), wire, (int)len), (int)len);
	if (!SSL_is_init_finished(client))
		return;
	while (SSL_read_ex(client, plain, sizeof(plain), &plain_len) == 1)
		append(&client_heard, plain, plain_len);
	write_wire();
}

bool client_takes(size_t size)
{
	struct leg *leg = &flow.client;
	size_t len = leg_pending(leg);

	if ((flow_wants(&flow) & FLOW_WANT_CLIENT_SEND) == 0)
		return false;
	if (len > size)
		len = size;
	if (client != NULL)
		read_wire(leg->out + leg->out_start, len);
	else
		append(&client_heard, leg->out + leg->out_start, len);
	flow_client_sent(&flow, &env, len);
	harness_check();
	return true;
}

static const char *news(
    const struct stream *stream, size_t *told, size_t *told_len)
{
	const char *text = (const char *)stream->bytes + *told;

	*told_len = stream->len - *told;
	*told = stream->len;
	return text;
}

const char *client_hears(void)
{
	do
		arrive();
	while (client_takes(SIZE_MAX));
	return news(&client_heard, &client_told, &client_told_len);
}

size_t client_heard_len(void)
{
	return client_told_len;
}

void client_leaves(void)
{
	cr_assert_eq(client_unsent(), 0);
	cr_assert_neq(flow_wants(&flow) & FLOW_WANT_CLIENT_RECV, 0);
	flow_client_received(&flow, &env, NULL, 0);
	harness_check();
}

void client_begins_handshake(void)
{
	BIO *in = BIO_new(BIO_s_mem());

	client = SSL_new(client_ctx);
	cr_assert_not_null(client);
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(client, in, BIO_new(BIO_s_mem()));
	SSL_set_connect_state(client);
	SSL_do_handshake(client);
	write_wire();
	arrive();
}

void client_handshakes(const char *first_words)
{
	size_t written;

	client_begins_handshake();
	while (SSL_do_handshake(client) != 1) {
		write_wire();
		arrive();
		cr_assert_eq(flow.state, FLOW_HANDSHAKE);
		if ((flow_wants(&flow) & FLOW_WANT_HANDSHAKE) != 0) {
			flow_handshake_turn(&flow, &env);
			harness_check();
		}
		while (client_takes(SIZE_MAX))
			;
	}
	if (first_words != NULL)
		cr_assert_eq(SSL_write_ex(client, first_words,
				 strlen(first_words), &written),
		    1);
	write_wire();
	arrive();
	while ((flow_wants(&flow) & FLOW_WANT_HANDSHAKE) != 0) {
		cr_assert_eq(flow.state, FLOW_HANDSHAKE);
		flow_handshake_turn(&flow, &env);
		harness_check();
		arrive();
	}
}

void client_closes_tls(void)
{
	SSL_shutdown(client);
	write_wire();
	arrive();
}

void backend_connects(void)
{
	cr_assert_neq(flow_wants(&flow) & FLOW_WANT_BACKEND_CONNECT, 0);
	flow_backend_connected(&flow, &env);
	harness_check();
}

void backend_refuses(int error)
{
	cr_assert_neq(flow_wants(&flow) & FLOW_WANT_BACKEND_CONNECT, 0);
	flow_backend_failed(&flow, &env, error);
	harness_check();
}

void backend_sends(const void *bytes, size_t len)
{
	cr_assert_neq(flow_wants(&flow) & FLOW_WANT_BACKEND_RECV, 0);
	receive(flow_backend_received, bytes, len);
}

void backend_says(const char *text)
{
	backend_sends(text, strlen(text));
}

bool backend_takes(size_t size)
{
	struct leg *leg = &flow.backend;
	size_t len = leg_pending(leg);

	if ((flow_wants(&flow) & FLOW_WANT_BACKEND_SEND) == 0)
		return false;
	if (len > size)
		len = size;
	append(&backend_heard, leg->out + leg->out_start, len);
	flow_backend_sent(&flow, &env, len);
	harness_check();
	return true;
}

const char *backend_hears(void)
{
	do
		arrive();
	while (backend_takes(SIZE_MAX));
	return news(&backend_heard, &backend_told, &backend_told_len);
}

size_t backend_heard_len(void)
{
	return backend_told_len;
}

void backend_leaves(void)
{
	cr_assert_neq(flow_wants(&flow) & FLOW_WANT_BACKEND_RECV, 0);
	flow_backend_received(&flow, &env, NULL, 0);
	harness_check();
}

void backend_breaks(int error)
{
	flow_backend_failed(&flow, &env, error);
	harness_check();
}

void backend_is_closed(void)
{
	cr_assert_neq(flow_wants(&flow) & FLOW_WANT_BACKEND_CLOSE, 0);
	flow_backend_closed(&flow, &env);
	harness_check();
}

void backend_serves(const char *reply)
{
	backend_connects();
	backend_says("220 backend.test ESMTP\r\n");
	cr_assert_str_eq(backend_hears(), "EHLO client.test\r\n");
	backend_says(reply);
}

void buffers_run_out(uint32_t left)
{
	uint32_t count = BUFFER_COUNT - buffer_pool_in_use(&env.buffers);

	cr_assert_geq(count, left);
	for (uint32_t i = 0; i < count - left; i++)
		kept[i] = buffer_take(&env.buffers);
}

void buffers_come_back(void)
{
	for (size_t i = 0; i < BUFFER_COUNT; i++)
		buffer_give(&env.buffers, &kept[i]);
}

static void act_out(void)
{
	unsigned wants;

	while ((wants = flow_wants(&flow)) != 0) {
		if ((wants & FLOW_WANT_CLIENT_SEND) != 0)
			client_takes(SIZE_MAX);
		else if ((wants & FLOW_WANT_CLIENT_SHUTDOWN) != 0)
			flow_client_shut_down(&flow);
		else if ((wants & FLOW_WANT_BACKEND_CLOSE) != 0)
			backend_is_closed();
		else
			return;
		harness_check();
	}
}

void ends_because(enum close_reason reason)
{
	act_out();
	if (flow.state == FLOW_LINGER)
		client_leaves();
	cr_assert_eq(flow.state, FLOW_CLOSED);
	cr_assert_eq(
	    flow.reason, reason, "it was %s", close_reason_name(flow.reason));
	flow_finish(&flow, &env);
	finished = true;
	buffers_come_back();
	cr_assert_eq(buffer_pool_in_use(&env.buffers), 0);
	cr_assert_eq(counted(METRIC_sessions_open), 0);
	cr_assert_eq(counted(METRIC_backend_sessions), 0);
	cr_assert_null(flow.client.tls);
	cr_assert_null(flow.client.held);
	cr_assert_null(flow.backend.held);
	if (flow.is_probe)
		return;
	cr_assert_eq(logged_times("connect from "), 2);
	cr_assert_eq(logged_times("disconnect from "), 1);
	if (!settings.smtpd_peername_lookup)
		cr_assert_eq(
		    logged_times("connect from unknown[192.0.2.9]"), 2);
	cr_assert_eq(logged_times(" reason="), 1);
}

uint64_t counted(enum metric metric)
{
	return state_metric_total(env.state, metric);
}

const char *logged(void)
{
	static char text[(size_t)1 << 20];
	FILE *file;
	size_t len;

	cr_assert(log_flush(env.log));
	file = fopen(log_path, "r");
	cr_assert_not_null(file);
	len = fread(text, 1, sizeof(text) - 1, file);
	text[len] = '\0';
	fclose(file);
	return text;
}

unsigned logged_times(const char *text)
{
	unsigned times = 0;

	for (const char *at = logged(); (at = strstr(at, text)) != NULL; at++)
		times++;
	return times;
}
