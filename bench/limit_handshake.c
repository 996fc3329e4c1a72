/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/limit_cell.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/process_tree.h"
#include "tls/session.h"

#define WIRE_SIZE 65536

/* One handshake: the client is OpenSSL's with memory BIOs, untimed. */
struct shake {
	struct limit_cell *cell;
	struct tls_session *server;
	SSL *client;
	BIO *in, *out; /* the client's; belong to it */
	double us;     /* the server's, so far */
};

double limit_cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static bool begin(struct shake *shake, struct limit_cell *cell)
{
	double begin_us = limit_cpu_us();
	SSL_SESSION *copy;

	shake->cell = cell;
	shake->server = tls_session_create(cell->context);
	shake->us = limit_cpu_us() - begin_us;
	shake->client = SSL_new(cell->client);
	shake->in = BIO_new(BIO_s_mem());
	shake->out = BIO_new(BIO_s_mem());
	if (shake->server == NULL || shake->client == NULL)
		return false;
	SSL_set_bio(shake->client, shake->in, shake->out);
	SSL_set_connect_state(shake->client);
	if (cell->session == NULL)
		return true;
	/* OpenSSL lets a client use a ticket of TLS 1.3 once only. */
	copy = SSL_SESSION_dup(cell->session);
	SSL_set_session(shake->client, copy);
	SSL_SESSION_free(copy);
	return true;
}

static void note_flight(
    struct shake *shake, size_t client_len, size_t server_len)
{
	struct limit_cell *cell = shake->cell;

	if (cell->flight_count < LIMIT_FLIGHTS_MAX)
		cell->flights[cell->flight_count++] =
		    (struct limit_flight){client_len, server_len};
}

/* Until both are done, and the client has read what came behind. */
static bool go_on(struct shake *shake)
{
	static uint8_t to_server[WIRE_SIZE];
	static uint8_t to_client[WIRE_SIZE];
	enum tls_status status = TLS_WANT_INPUT;
	char text[16];

	shake->cell->flight_count = 0;
	while (status == TLS_WANT_INPUT) {
		struct tls_wire wire = {
		    .in = to_server, .out = to_client, .out_size = WIRE_SIZE};
		double begin_us;
		int len;

		SSL_do_handshake(shake->client);
		len = BIO_read(shake->out, to_server, WIRE_SIZE);
		if (len <= 0)
			return false;
		wire.in_len = (size_t)len;
		begin_us = limit_cpu_us();
		status = tls_session_handshake(shake->server, &wire);
		shake->us += limit_cpu_us() - begin_us;
		note_flight(shake, wire.in_len, wire.out_len);
		BIO_write(shake->in, to_client, (int)wire.out_len);
	}
	if (status != TLS_DONE || SSL_do_handshake(shake->client) != 1)
		return false;
	SSL_read(shake->client, text, sizeof(text)); /* a ticket */
	return true;
}

static void end(struct shake *shake)
{
	double begin_us = limit_cpu_us();

	tls_session_destroy(&shake->server);
	shake->us += limit_cpu_us() - begin_us;
	if (shake->client != NULL)
		SSL_set_shutdown(
		    shake->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(shake->client);
}

double limit_handshake(struct limit_cell *cell)
{
	struct shake shake = {0};
	bool must_resume = cell->session != NULL;
	bool fine = begin(&shake, cell) && go_on(&shake);

	if (fine && must_resume)
		fine = SSL_session_reused(shake.client) == 1;
	end(&shake);
	return fine ? shake.us : -1;
}

/* In a process of its own, for memory that was freed would be used again. */
static double hold(struct limit_cell *cell, size_t count)
{
	struct tls_session **held = calloc(count, sizeof(struct tls_session *));
	long self = getpid();
	struct process_usage before, after;
	long bad;
	bool fine;

	if (held == NULL)
		return 0;
	limit_handshake(cell); /* what OpenSSL keeps after a first time */
	fine = process_tree_read(&self, 1, true, &before, &bad);
	for (size_t done = 0; done < count && fine; done++) {
		struct shake shake = {0};

		fine = begin(&shake, cell) && go_on(&shake);
		held[done] = shake.server;
		shake.server = NULL;
		end(&shake);
	}
	if (!fine || !process_tree_read(&self, 1, true, &after, &bad) ||
	    after.pss_bytes < before.pss_bytes)
		return 0;
	return (double)(after.pss_bytes - before.pss_bytes) / (double)count;
}

double limit_session_bytes(struct limit_cell *cell, size_t count)
{
	double bytes = 0;
	int pipes[2];
	pid_t child;

	if (pipe(pipes) != 0)
		return 0;
	child = fork();
	if (child == 0) {
		bytes = hold(cell, count);
		_exit(write(pipes[1], &bytes, sizeof(bytes)) < 0);
	}
	close(pipes[1]);
	if (child < 0 ||
	    read(pipes[0], &bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes))
		bytes = 0;
	close(pipes[0]);
	if (child > 0)
		waitpid(child, NULL, 0);
	return bytes;
}
