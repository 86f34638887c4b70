/* SPDX-License-Identifier: MIT */
/* samples.h - measured values and their quantiles */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stddef.h>

#define SAMPLES_MAX 4096

struct samples {
	double values[SAMPLES_MAX];
	size_t count;
};

/* Drops values beyond SAMPLES_MAX. */
void samples_add(struct samples *samples, double value);

/* The value below which the given part (0 to 1) of all values is; NAN: no values. Sorts the values.
 */
double samples_quantile(struct samples *samples, double part);
double samples_median(struct samples *samples);

#endif
