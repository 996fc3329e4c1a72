/* SPDX-License-Identifier: Apache-2.0 */
/* postern-bench: puts a load on an SMTP server and tells what it did. Its
 * manual is conf/man/postern-bench.1.scd. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/options.h"
#include "bench/report.h"
#include "bench/run.h"

#define EXIT_FAILED 1
#define EXIT_USAGE  2

static bool write_json(
    const struct options *options, const struct run_result *result)
{
	FILE *file = stdout;
	bool written;

	if (strcmp(options->json, "-") == 0)
		return report_write_json(file, options, result);
	file = fopen(options->json, "w");
	if (file == NULL)
		return false;
	written = report_write_json(file, options, result);
	return fclose(file) == 0 && written;
}

static int tell(const struct options *options, const struct run_result *result)
{
	bool json_only =
	    options->json != NULL && strcmp(options->json, "-") == 0;

	if (!options->quiet && !json_only)
		report_print(stdout, options, result);
	if (options->json != NULL && !write_json(options, result)) {
		fprintf(stderr, "postern-bench: cannot write %s: %s\n",
		    options->json, strerror(errno));
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < options->job_count; i++)
		if (result->jobs[i].fault[0] != '\0')
			fprintf(stderr,
			    "postern-bench: %llu sessions failed; the first "
			    "because: %s\n",
			    (unsigned long long)result->error_count,
			    result->jobs[i].fault);
	if (result->interrupted ||
	    result->error_count > (uint64_t)options->errors_max)
		return EXIT_FAILED;
	return 0;
}

int main(int argc, char **argv)
{
	struct options options;
	struct run_result *result;
	char fault[LOAD_FAULT_SIZE];
	int status;

	switch (options_parse(&options, argc, argv, fault)) {
	case OPTIONS_HELP:
		options_print_help(stdout);
		return 0;
	case OPTIONS_VERSION:
		puts("postern-bench " POSTERN_VERSION);
		return 0;
	case OPTIONS_BAD:
		fprintf(stderr, "postern-bench: %s\n", fault);
		return EXIT_USAGE;
	case OPTIONS_RUN:
		break;
	}
	result = calloc(1, sizeof(*result));
	if (result == NULL || !run_load(&options, result, fault)) {
		fprintf(stderr, "postern-bench: %s\n",
		    result == NULL ? "no memory" : fault);
		free(result);
		return EXIT_FAILED;
	}
	status = tell(&options, result);
	free(result);
	return status;
}
