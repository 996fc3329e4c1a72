/* SPDX-License-Identifier: Apache-2.0 */
/* Counts durations in buckets that grow with the value, so that each percentile
 * is right to 0.8 % whatever its size, at a fixed cost in memory and time.
 * Pure: no allocation, no clock. */
#ifndef POSTERN_BENCH_HISTOGRAM_H
#define POSTERN_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_PRECISION_BITS 7  /* 128 buckets per power of two */
#define HISTOGRAM_VALUE_BITS	 40 /* 18 minutes in nanoseconds */
#define HISTOGRAM_BUCKET_COUNT                                 \
	((HISTOGRAM_VALUE_BITS - HISTOGRAM_PRECISION_BITS + 1) \
	    << HISTOGRAM_PRECISION_BITS)

/* All zero is an empty one. */
struct histogram {
	uint64_t counts[HISTOGRAM_BUCKET_COUNT];
	uint64_t count;
	uint64_t max; /* exact, also beyond the last bucket */
	double sum;
};

/* What does not fit into 40 bits counts in the last bucket. */
void histogram_record(struct histogram *histogram, uint64_t value);

void histogram_add(struct histogram *sum, const struct histogram *other);

/* The highest value of the bucket in which that share of the values ends, and
 * never more than the greatest value seen; 0 when there is none. `share` is
 * from 0 to 1. */
uint64_t histogram_percentile(const struct histogram *histogram, double share);

double histogram_mean(const struct histogram *histogram);

#endif
