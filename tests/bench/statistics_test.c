/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/statistics.h"

#include <criterion/criterion.h>

Test(statistics, the_middle_of_an_odd_count)
{
	const double values[] = {9, 1, 5};

	cr_assert_eq(statistics_median(values, 3), 5);
	cr_assert_eq(values[0], 9, "the order stays");
}

Test(statistics, the_mean_of_the_middle_two)
{
	const double values[] = {4, 1, 100, 2};

	cr_assert_eq(statistics_median(values, 4), 3);
}

Test(statistics, one_value)
{
	const double value = 42;

	cr_assert_eq(statistics_median(&value, 1), 42);
	cr_assert_eq(statistics_spread(&value, 1), 0);
}

Test(statistics, the_spread_does_not_see_an_outlier)
{
	const double values[] = {10, 11, 12, 13, 1000};

	cr_assert_eq(statistics_spread(values, 5), 1);
}
