/* SPDX-License-Identifier: MIT */
/* samples.c - measured values and their quantiles */
#include <math.h>
#include <stdlib.h>

#include "samples.h"

void samples_add(struct samples *samples, double value)
{
	if (samples->count < SAMPLES_MAX)
		samples->values[samples->count++] = value;
}

static int compare(const void *left, const void *right)
{
	const double *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

double samples_quantile(struct samples *samples, double part)
{
	size_t index;

	if (samples->count == 0)
		return NAN;
	qsort(samples->values, samples->count, sizeof(samples->values[0]), compare);
	index = (size_t)(part * (double)samples->count);
	return samples->values[index < samples->count ? index : samples->count - 1];
}

double samples_median(struct samples *samples)
{
	return samples_quantile(samples, 0.5);
}
