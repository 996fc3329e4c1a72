/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/histogram.h"

#include <assert.h>
#include <stddef.h>

#define BITS  HISTOGRAM_PRECISION_BITS
#define FIRST (1U << BITS) /* below it each value has a bucket */

static size_t bucket_of(uint64_t value)
{
	unsigned shift;

	if (value < FIRST)
		return (size_t)value;
	shift = 63U - (unsigned)__builtin_clzll(value) - BITS;
	return ((size_t)shift << BITS) + (size_t)(value >> shift);
}

static uint64_t highest_of(size_t bucket)
{
	unsigned shift;
	uint64_t top;

	if (bucket < FIRST)
		return bucket;
	shift = (unsigned)(bucket >> BITS) - 1;
	top = (bucket & (FIRST - 1)) + FIRST;
	return ((top + 1) << shift) - 1;
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
	size_t bucket;

	if (value > histogram->max)
		histogram->max = value;
	histogram->sum += (double)value;
	histogram->count++;
	if (value >= UINT64_C(1) << HISTOGRAM_VALUE_BITS)
		value = (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1;
	bucket = bucket_of(value);
	assert(bucket < HISTOGRAM_BUCKET_COUNT);
	histogram->counts[bucket]++;
}

void histogram_add(struct histogram *sum, const struct histogram *other)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKET_COUNT; i++)
		sum->counts[i] += other->counts[i];
	sum->count += other->count;
	sum->sum += other->sum;
	if (other->max > sum->max)
		sum->max = other->max;
}

uint64_t histogram_percentile(const struct histogram *histogram, double share)
{
	double exact = share * (double)histogram->count;
	uint64_t rank = (uint64_t)exact;
	uint64_t seen = 0;

	if ((double)rank < exact || rank == 0)
		rank++;
	for (size_t i = 0; i < HISTOGRAM_BUCKET_COUNT - 1; i++) {
		seen += histogram->counts[i];
		if (seen >= rank) {
			uint64_t value = highest_of(i);

			return value < histogram->max ? value : histogram->max;
		}
	}
	return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
	if (histogram->count == 0)
		return 0;
	return histogram->sum / (double)histogram->count;
}
