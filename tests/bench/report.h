/* SPDX-License-Identifier: MIT */
/* report.h - what was measured, and the table that shows it
 *
 * A report lies in memory that the processes of the benchmark share: each part runs in a process of
 * its own, one at a time, and leaves its figures here. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define REPORT_FIGURES 256
#define REPORT_BUDGETS 32
#define REPORT_TEXT 128

enum unit {
	UNIT_SECONDS, /* a time: of a clock, or of CPU */
	UNIT_PERCENT, /* of one CPU */
	UNIT_BYTES,
	UNIT_COUNT,
	UNIT_RATIO,
};

struct figure {
	int part; /* 1 to 9 */
	char what[REPORT_TEXT];
	enum unit unit;
	double median, p99;         /* NAN: none */
	char baseline[REPORT_TEXT]; /* "": none */
	double ratio;               /* to the baseline */
	char note[REPORT_TEXT];     /* why there is no median, or what else is to be known */
};

struct budget {
	char what[REPORT_TEXT];
	enum unit unit;
	double limit, value; /* value NAN: not measured */
};

struct report {
	size_t figure_count, budget_count;
	struct figure figures[REPORT_FIGURES];
	struct budget budgets[REPORT_BUDGETS];
};

/* Adds a figure. p99 NAN: it isn't a latency. */
struct figure *report_figure(struct report *report, int part, enum unit unit, double median,
                             double p99, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
/* Its ratio to the value of a baseline. */
void report_compare(struct figure *figure, const char *baseline, double value);
void report_note(struct figure *figure, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A figure that can't be had here. */
void report_impossible(struct report *report, int part, const char *what, const char *why);

/* Adds a line of the budget: met where the value is not above the limit. */
void report_budget(struct report *report, enum unit unit, double value, double limit,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Writes a value with its unit; "" for NAN. */
void report_format(char *text, size_t size, enum unit unit, double value);

/* The title of a part. */
const char *report_part(int part);

void report_markdown(const struct report *report, FILE *out);
void report_json(const struct report *report, bool quick, FILE *out);

#endif
