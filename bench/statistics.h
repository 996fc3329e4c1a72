/* SPDX-License-Identifier: Apache-2.0 */
/* Medians and spreads of a few figures. Pure. */
#ifndef POSTERN_BENCH_STATISTICS_H
#define POSTERN_BENCH_STATISTICS_H

#include <stddef.h>

#define STATISTICS_VALUES_MAX 1001

/* The middle one, or the mean of the middle two; the order of `values` stays.
 * `count` is from 1 to STATISTICS_VALUES_MAX. */
double statistics_median(const double *values, size_t count);

/* The median distance to the median: the noise, blind to a single outlier. */
double statistics_spread(const double *values, size_t count);

#endif
