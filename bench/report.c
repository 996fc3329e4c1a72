/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report.h"

#include <jansson.h>

#include "bench/machine.h"
#include "bench/tls_client.h"

#define PERCENTILE_COUNT 4

static const struct {
	const char *name, *title;
	double share;
} percentiles[PERCENTILE_COUNT] = {
    {"p50", "p50", 0.5},
    {"p90", "p90", 0.9},
    {"p99", "p99", 0.99},
    {"p99_9", "p99.9", 0.999},
};

static double us(uint64_t ns)
{
	return (double)ns / 1e3;
}

static const char *unit_of(const struct options_job *job)
{
	switch (job->work) {
	case DIALOGUE_HANDSHAKE:
		return "handshakes";
	case DIALOGUE_RELAY:
		return "messages";
	case DIALOGUE_NOOP:
		return "NOOPs";
	case DIALOGUE_IDLE:
		return "sessions";
	}
	return "";
}

static double cpu_us(const struct run_result *result)
{
	return us(result->end.cpu_ns - result->begin.cpu_ns);
}

static uint64_t all_measured(
    const struct options *options, const struct run_result *result)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < options->job_count; i++)
		sum += result->jobs[i].units;
	return sum;
}

static void print_option(void *argument, const char *name, const char *value)
{
	fprintf(argument, " %s=%s", name, value);
}

static void print_heading(FILE *file, const struct options *options)
{
	struct machine machine;

	machine_read(&machine);
	fprintf(file, "postern-bench %s: %s against %s:%s\n", POSTERN_VERSION,
	    options->work_name, options->host, options->port);
	fprintf(file, "machine: %s, %ld processors, %s, %s\n",
	    machine.processor, machine.processor_count, machine.architecture,
	    machine.kernel);
	fprintf(file,
	    "client:  %s, liburing %s\noptions:", tls_client_library(),
	    POSTERN_LIBURING_VERSION);
	options_each(options, file, print_option);
	fputs("\n\n", file);
}

static void print_latency(
    FILE *file, const char *title, const struct histogram *histogram)
{
	if (histogram->count == 0)
		return;
	fprintf(file, "  %-9s us:", title);
	for (size_t i = 0; i < PERCENTILE_COUNT; i++)
		fprintf(file, "  %s %.0f", percentiles[i].title,
		    us(histogram_percentile(histogram, percentiles[i].share)));
	fprintf(file, "  max %.0f\n", us(histogram->max));
}

static void print_errors(FILE *file, const struct load_tally *tally)
{
	for (size_t i = 0; i < LOAD_ERROR_COUNT; i++)
		if (tally->errors[i] > 0)
			fprintf(file, "  failed:  %llu %s\n",
			    (unsigned long long)tally->errors[i],
			    load_error_name((enum load_error)i));
	if (tally->fault[0] != '\0')
		fprintf(file, "  first:   %s\n", tally->fault);
}

static void print_job(FILE *file, const struct options_job *job,
    const struct load_tally *tally, const struct run_result *result)
{
	fprintf(file, "%s: %llu %s in %.3f s, %.1f per second\n", job->name,
	    (unsigned long long)tally->units, unit_of(job), result->wall_s,
	    (double)tally->units / result->wall_s);
	if (tally->octets > 0)
		fprintf(file, "  volume:  %.3f MB/s\n",
		    (double)tally->octets / 1e6 / result->wall_s);
	if (tally->facts.protocol[0] != '\0')
		fprintf(file,
		    "  TLS:     %s %s, %s, %s; %llu full, %llu "
		    "resumed handshakes in all\n",
		    tally->facts.protocol, tally->facts.cipher,
		    tally->facts.group[0] != '\0' ? tally->facts.group
						  : "no key exchange",
		    tally->facts.certificate,
		    (unsigned long long)tally->all_full,
		    (unsigned long long)tally->all_resumed);
	print_latency(file, "latency", &tally->latency);
	print_latency(file, "to TLS", &tally->setup);
	print_errors(file, tally);
}

static void print_cpu(
    FILE *file, const struct options *options, const struct run_result *result)
{
	uint64_t units = all_measured(options, result);

	if (options->server_pids.count == 0)
		return;
	fprintf(file,
	    "server:  %.3f s of processor time in %zu processes, "
	    "%.0f %% of one processor",
	    cpu_us(result) / 1e6, result->end.process_count,
	    result->wall_s > 0 ? cpu_us(result) / 1e4 / result->wall_s : 0);
	if (units > 0 && options->job_count == 1)
		fprintf(
		    file, ", %.2f us per unit", cpu_us(result) / (double)units);
	fputc('\n', file);
}

static double session_bytes(const struct run_result *result, size_t row)
{
	const struct run_memory *memory = &result->memory[row];

	return ((double)memory->usage.pss_bytes -
		   (double)result->memory[0].usage.pss_bytes) /
	       (double)memory->held;
}

static void print_memory(
    FILE *file, const struct options *options, const struct run_result *result)
{
	fprintf(file, "%10s %14s %18s %10s\n", "held", "PSS in kB",
	    "kB per session", "processes");
	for (size_t i = 0; i < result->memory_count; i++) {
		const struct run_memory *row = &result->memory[i];

		fprintf(file, "%10ld", row->held);
		if (options->server_pids.count == 0)
			fputs("   (give --server-pid to see the memory)", file);
		else
			fprintf(file, " %14.0f",
			    (double)row->usage.pss_bytes / 1024);
		if (options->server_pids.count > 0 && row->held > 0)
			fprintf(
			    file, " %18.2f", session_bytes(result, i) / 1024);
		else if (options->server_pids.count > 0)
			fprintf(file, " %18s", "");
		if (options->server_pids.count > 0)
			fprintf(file, " %10zu", row->usage.process_count);
		fputc('\n', file);
	}
	print_errors(file, &result->jobs[0]);
}

void report_print(
    FILE *file, const struct options *options, const struct run_result *result)
{
	print_heading(file, options);
	if (options->jobs[0].work == DIALOGUE_IDLE)
		print_memory(file, options, result);
	else
		for (size_t i = 0; i < options->job_count; i++)
			print_job(
			    file, &options->jobs[i], &result->jobs[i], result);
	print_cpu(file, options, result);
	if (result->interrupted)
		fputs("interrupted: the figures are those of a part\n", file);
}

static void set(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

static void set_count(json_t *object, const char *name, uint64_t value)
{
	set(object, name, json_integer((json_int_t)value));
}

static void set_option(void *argument, const char *name, const char *value)
{
	set(argument, name, json_string(value));
}

static json_t *latency_json(const struct histogram *histogram)
{
	json_t *object = json_object();

	set_count(object, "count", histogram->count);
	set(object, "mean", json_real(histogram_mean(histogram) / 1e3));
	for (size_t i = 0; i < PERCENTILE_COUNT; i++)
		set(object, percentiles[i].name,
		    json_real(us(histogram_percentile(
			histogram, percentiles[i].share))));
	set(object, "max", json_real(us(histogram->max)));
	return object;
}

static json_t *job_json(const struct options_job *job,
    const struct load_tally *tally, double wall_s)
{
	json_t *object = json_object();
	json_t *errors = json_object();
	json_t *tls = json_object();

	set(object, "work", json_string(job->name));
	set(object, "unit", json_string(unit_of(job)));
	set_count(object, "units", tally->units);
	set(object, "units_per_s",
	    json_real(wall_s > 0 ? (double)tally->units / wall_s : 0));
	set_count(object, "octets", tally->octets);
	set(object, "latency_us", latency_json(&tally->latency));
	set(object, "setup_us", latency_json(&tally->setup));
	set_count(object, "all_units", tally->all_units);
	set_count(object, "all_sessions", tally->all_sessions);
	set_count(object, "all_full_handshakes", tally->all_full);
	set_count(object, "all_resumed_handshakes", tally->all_resumed);
	for (size_t i = 0; i < LOAD_ERROR_COUNT; i++)
		set_count(errors, load_error_name((enum load_error)i),
		    tally->errors[i]);
	set(object, "errors", errors);
	set(object, "first_error",
	    tally->fault[0] != '\0' ? json_string(tally->fault) : json_null());
	set(tls, "protocol", json_string(tally->facts.protocol));
	set(tls, "cipher", json_string(tally->facts.cipher));
	set(tls, "key_exchange", json_string(tally->facts.group));
	set(tls, "certificate", json_string(tally->facts.certificate));
	set(object, "tls", tls);
	return object;
}

static json_t *machine_json(void)
{
	json_t *object = json_object();
	struct machine machine;

	machine_read(&machine);
	set(object, "processor", json_string(machine.processor));
	set(object, "processors", json_integer(machine.processor_count));
	set(object, "architecture", json_string(machine.architecture));
	set(object, "kernel", json_string(machine.kernel));
	set(object, "openssl", json_string(tls_client_library()));
	set(object, "liburing", json_string(POSTERN_LIBURING_VERSION));
	return object;
}

static json_t *server_json(
    const struct options *options, const struct run_result *result)
{
	json_t *object = json_object();
	json_t *memory = json_array();
	uint64_t units = all_measured(options, result);

	set(object, "cpu_us", json_real(cpu_us(result)));
	set(object, "cpu_us_per_unit",
	    units > 0 ? json_real(cpu_us(result) / (double)units)
		      : json_null());
	set_count(object, "processes", result->end.process_count);
	for (size_t i = 0; i < result->memory_count; i++) {
		const struct run_memory *row = &result->memory[i];
		json_t *item = json_object();

		set(item, "held", json_integer(row->held));
		set_count(item, "pss_bytes", row->usage.pss_bytes);
		set(item, "bytes_per_session",
		    row->held > 0 ? json_real(session_bytes(result, i))
				  : json_null());
		json_array_append_new(memory, item);
	}
	set(object, "memory", memory);
	return object;
}

bool report_write_json(
    FILE *file, const struct options *options, const struct run_result *result)
{
	json_t *root = json_object();
	json_t *given = json_object();
	json_t *jobs = json_array();
	bool written;

	set(root, "program", json_string("postern-bench " POSTERN_VERSION));
	set(root, "work", json_string(options->work_name));
	set(root, "host", json_string(options->host));
	set(root, "port", json_string(options->port));
	set(root, "machine", machine_json());
	options_each(options, given, set_option);
	set(root, "options", given);
	set(root, "wall_s", json_real(result->wall_s));
	set_count(root, "failed", result->error_count);
	set(root, "interrupted", json_boolean(result->interrupted));
	for (size_t i = 0; i < options->job_count; i++)
		json_array_append_new(
		    jobs, job_json(&options->jobs[i], &result->jobs[i],
			      result->wall_s));
	set(root, "jobs", jobs);
	set(root, "server",
	    options->server_pids.count > 0 ? server_json(options, result)
					   : json_null());
	written = json_dumpf(root, file, JSON_INDENT(1)) == 0 &&
		  fputc('\n', file) != EOF && fflush(file) == 0;
	json_decref(root);
	return written;
}
