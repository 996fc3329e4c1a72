/* SPDX-License-Identifier: Apache-2.0 */
/* What is the least that a handshake can cost a server here? Three figures for
 * each cell, medians over rounds that take turns:
 *
 *   primitives   the signature, and making and using a key of the group
 *   in memory    the whole handshake of tls/, with one ticket, without a
 * network floor        the same dialogue and sizes over a ring, without TLS or
 * parsing
 *
 * limit [--rounds N] [--count N] [--dh FILE] [--memory N] [--json] CELL...
 *
 * A cell is PROTOCOL/GROUP/KEY/KIND, as TLSv1.3/X25519/ecdsa-p256/full; GROUP
 * may be custom, with --dh; KEY rsa-2048, rsa-3072, ecdsa-p256 or ed25519; KIND
 * full or resumed. --memory N: also what N held server sessions take. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/limit_cell.h"
#include "bench/ring_floor.h"
#include "bench/statistics.h"

#define ROUNDS_DEFAULT 5
#define ROUNDS_MAX     101
#define COUNT_DEFAULT  100
#define CELLS_MAX      128
#define FLOOR_FACTOR   20 /* sessions without TLS cost so much less */

struct figures {
	double memory_us[ROUNDS_MAX], floor_us[ROUNDS_MAX];
	double sign_us[ROUNDS_MAX], exchange_us[ROUNDS_MAX];
	double session_bytes;
};

struct limit {
	struct limit_cell cells[CELLS_MAX];
	struct figures figures[CELLS_MAX];
	size_t cell_count;
	int round_count, count;
	long held;
	const char *dh_file;
	bool json;
	char directory[LIMIT_PATH_SIZE];
};

static struct limit limit = {
    .round_count = ROUNDS_DEFAULT, .count = COUNT_DEFAULT};

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "limit: %s: %s\n", what, why);
	if (limit.directory[0] != '\0')
		rmdir(limit.directory);
	exit(1);
}

/* The octets of the dialogue around a handshake, as Postern speaks it. */
static double measure_floor(const struct limit_cell *cell)
{
	struct ring_floor_step steps[RING_FLOOR_STEPS_MAX] = {
	    {0, 34},   /* 220 */
	    {27, 140}, /* EHLO */
	    {10, 28},  /* STARTTLS */
	};
	size_t count = 3;

	for (size_t i = 0; i < cell->flight_count; i++)
		steps[count++] = (struct ring_floor_step){
		    cell->flights[i].client_len, cell->flights[i].server_len};
	return ring_floor_measure(
	    steps, count, (long)limit.count * FLOOR_FACTOR);
}

static double measure_memory(struct limit_cell *cell)
{
	double sum_us = 0;

	for (int i = 0; i < limit.count; i++) {
		double us = limit_handshake(cell);

		if (us < 0)
			fail(cell->name, "a handshake failed");
		sum_us += us;
	}
	return sum_us / limit.count;
}

static void run_round(int round, size_t number)
{
	struct limit_cell *cell = &limit.cells[number];
	struct figures *figures = &limit.figures[number];
	struct limit_primitives primitives;

	figures->memory_us[round] = measure_memory(cell);
	if (!limit_primitives(cell, limit.count, &primitives))
		fail(cell->name, "OpenSSL failed in a primitive");
	figures->sign_us[round] = primitives.sign_us;
	figures->exchange_us[round] =
	    primitives.generate_us + primitives.derive_us;
	figures->floor_us[round] = measure_floor(cell);
}

static double median(const double *values)
{
	return statistics_median(values, (size_t)limit.round_count);
}

static void print_table(void)
{
	printf("%s; us of processor time, medians of %d rounds of %d\n",
	    tls_library_version(), limit.round_count, limit.count);
	printf("%-36s %9s %9s %9s %7s %9s%s\n", "", "signature", "exchange",
	    "in memory", "floor", "limit",
	    limit.held > 0 ? "   B/session" : "");
	for (size_t i = 0; i < limit.cell_count; i++) {
		const struct figures *figures = &limit.figures[i];

		printf("%-36s %9.1f %9.1f %9.1f %7.1f %9.1f",
		    limit.cells[i].name, median(figures->sign_us),
		    median(figures->exchange_us), median(figures->memory_us),
		    median(figures->floor_us),
		    median(figures->memory_us) + median(figures->floor_us));
		if (limit.held > 0)
			printf(" %11.0f", figures->session_bytes);
		putchar('\n');
	}
}

static void write_json(void)
{
	json_t *root = json_object();
	json_t *cells = json_object();

	for (size_t i = 0; i < limit.cell_count; i++) {
		const struct figures *figures = &limit.figures[i];

		json_object_set_new(cells, limit.cells[i].name,
		    json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "signature_us",
			median(figures->sign_us), "exchange_us",
			median(figures->exchange_us), "memory_us",
			median(figures->memory_us), "memory_spread_us",
			statistics_spread(
			    figures->memory_us, (size_t)limit.round_count),
			"floor_us", median(figures->floor_us), "session_bytes",
			figures->session_bytes));
	}
	json_object_set_new(
	    root, "openssl", json_string(tls_library_version()));
	json_object_set_new(root, "rounds", json_integer(limit.round_count));
	json_object_set_new(root, "count", json_integer(limit.count));
	json_object_set_new(root, "cells", cells);
	json_dumpf(root, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(root);
}

static void usage(void)
{
	fputs("usage: limit [--rounds N] [--count N] [--dh FILE] [--memory N] "
	      "[--json] PROTOCOL/GROUP/KEY/KIND...\n",
	    stderr);
	exit(2);
}

static long read_number(long max)
{
	char *end;
	long value = strtol(optarg, &end, 10);

	if (*end != '\0' || value < 1 || value > max) {
		fprintf(stderr,
		    "limit: %.40s: must be a number from 1 to %ld\n", optarg,
		    max);
		exit(2);
	}
	return value;
}

static void read_options(int argc, char **argv)
{
	static const struct option table[] = {
	    {"rounds", required_argument, NULL, 'r'},
	    {"count", required_argument, NULL, 'c'},
	    {"dh", required_argument, NULL, 'd'},
	    {"memory", required_argument, NULL, 'm'},
	    {"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
	int code;

	while ((code = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (code == 'r')
			limit.round_count = (int)read_number(ROUNDS_MAX);
		else if (code == 'c')
			limit.count = (int)read_number(1000000);
		else if (code == 'm')
			limit.held = read_number(100000);
		else if (code == 'd')
			limit.dh_file = optarg;
		else if (code == 'j')
			limit.json = true;
		else
			usage();
	}
	if (optind == argc || argc - optind > CELLS_MAX)
		usage();
	for (; optind < argc; optind++)
		if (!limit_cell_parse(
			&limit.cells[limit.cell_count++], argv[optind]))
			fail(argv[optind], "must be PROTOCOL/GROUP/KEY/KIND, "
					   "as TLSv1.3/X25519/rsa-2048/full");
}

int main(int argc, char **argv)
{
	const char *base = getenv("TMPDIR");

	read_options(argc, argv);
	snprintf(limit.directory, sizeof(limit.directory),
	    "%.180s/postern-limit-XXXXXX", base != NULL ? base : "/tmp");
	if (mkdtemp(limit.directory) == NULL)
		fail("temporary directory", "cannot make one");
	for (size_t i = 0; i < limit.cell_count; i++) {
		const char *fault = limit_cell_open(
		    &limit.cells[i], limit.directory, limit.dh_file);

		if (fault != NULL)
			fail(limit.cells[i].name, fault);
		/* What OpenSSL keeps after a first time, and the ticket. */
		if (limit_handshake(&limit.cells[i]) < 0)
			fail(limit.cells[i].name, "the handshake failed");
		if (limit.held > 0)
			limit.figures[i].session_bytes = limit_session_bytes(
			    &limit.cells[i], (size_t)limit.held);
	}
	rmdir(limit.directory);
	for (int round = 0; round < limit.round_count; round++)
		for (size_t i = 0; i < limit.cell_count; i++)
			run_round(round, i);
	if (limit.json)
		write_json();
	else
		print_table();
	for (size_t i = 0; i < limit.cell_count; i++)
		limit_cell_close(&limit.cells[i]);
	return 0;
}
