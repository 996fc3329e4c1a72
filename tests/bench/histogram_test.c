/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/histogram.h"

#include <criterion/criterion.h>

static struct histogram histogram;

Test(histogram, empty_one_has_no_percentiles)
{
	cr_assert_eq(histogram_percentile(&histogram, 0.5), 0);
	cr_assert_eq(histogram_percentile(&histogram, 1), 0);
	cr_assert_eq(histogram_mean(&histogram), 0);
}

Test(histogram, small_values_are_exact)
{
	for (uint64_t value = 1; value <= 100; value++)
		histogram_record(&histogram, value);
	cr_assert_eq(histogram_percentile(&histogram, 0), 1);
	cr_assert_eq(histogram_percentile(&histogram, 0.5), 50);
	cr_assert_eq(histogram_percentile(&histogram, 0.501), 51);
	cr_assert_eq(histogram_percentile(&histogram, 0.99), 99);
	cr_assert_eq(histogram_percentile(&histogram, 1), 100);
	cr_assert_eq(histogram_mean(&histogram), 50.5);
	cr_assert_eq(histogram.max, 100);
}

/* Every power of two and its neighbours: where a bucket ends. */
Test(histogram, a_value_comes_back_within_its_precision)
{
	for (unsigned bits = 1; bits < HISTOGRAM_VALUE_BITS; bits++)
		for (int near = -1; near <= 1; near++) {
			uint64_t value = (UINT64_C(1) << bits) + (uint64_t)near;
			uint64_t found;

			histogram = (struct histogram){0};
			histogram_record(&histogram, value);
			/* A greater one, or the maximum would be exact. */
			histogram_record(&histogram, value * 4 + 4);
			found = histogram_percentile(&histogram, 0.5);
			cr_assert_geq(found, value);
			cr_assert_leq((double)(found - value),
			    (double)value / 128, "%llu gave %llu",
			    (unsigned long long)value,
			    (unsigned long long)found);
		}
}

Test(histogram, a_bucket_is_named_by_its_highest_value)
{
	/* 1000 lies in a bucket of 8 (1000 to 1007): 2^9 * (1 + 122/128). */
	histogram_record(&histogram, 1000);
	histogram_record(&histogram, 5000);
	cr_assert_eq(histogram_percentile(&histogram, 0.5), 1003);
}

Test(histogram, no_percentile_is_above_the_maximum)
{
	histogram_record(&histogram, 1000000001);
	cr_assert_eq(histogram_percentile(&histogram, 0.999), 1000000001);
}

Test(histogram, what_is_too_great_counts_in_the_last_bucket)
{
	uint64_t huge = UINT64_C(1) << 50;

	histogram_record(&histogram, 7);
	histogram_record(&histogram, huge);
	cr_assert_eq(histogram.count, 2);
	cr_assert_eq(histogram_percentile(&histogram, 0.5), 7);
	cr_assert_eq(histogram_percentile(&histogram, 1), huge);
}

Test(histogram, sums_of_two)
{
	static struct histogram other;

	for (uint64_t value = 1; value <= 10; value++)
		histogram_record(&histogram, value);
	for (uint64_t value = 11; value <= 30; value++)
		histogram_record(&other, value);
	histogram_add(&histogram, &other);
	cr_assert_eq(histogram.count, 30);
	cr_assert_eq(histogram.max, 30);
	cr_assert_eq(histogram_percentile(&histogram, 0.5), 15);
	cr_assert_eq(histogram_mean(&histogram), 15.5);
}
