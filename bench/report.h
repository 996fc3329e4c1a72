/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a run, for people and for programs. */
#ifndef POSTERN_BENCH_REPORT_H
#define POSTERN_BENCH_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/options.h"
#include "bench/run.h"

void report_print(
    FILE *file, const struct options *options, const struct run_result *result);

/* False when it could not be written. */
bool report_write_json(
    FILE *file, const struct options *options, const struct run_result *result);

#endif
