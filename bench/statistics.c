/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/statistics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
	double difference = *(const double *)left - *(const double *)right;

	return (difference > 0) - (difference < 0);
}

double statistics_median(const double *values, size_t count)
{
	double sorted[STATISTICS_VALUES_MAX];

	assert(count > 0);
	assert(count <= STATISTICS_VALUES_MAX);
	memcpy(sorted, values, count * sizeof(*values));
	qsort(sorted, count, sizeof(*sorted), compare);
	if (count % 2 == 1)
		return sorted[count / 2];
	return (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

double statistics_spread(const double *values, size_t count)
{
	double distances[STATISTICS_VALUES_MAX];
	double median = statistics_median(values, count);

	for (size_t i = 0; i < count; i++)
		distances[i] = fabs(values[i] - median);
	return statistics_median(distances, count);
}
