/* SPDX-License-Identifier: MIT */
/* report.h - the figures, and the tables that show them
 *
 * A report is in memory that the processes of the benchmark share. Each part runs in a process of
 * its own, one at a time, and adds its figures. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define REPORT_FIGURES 256
#define REPORT_BUDGETS 32
#define REPORT_TEXT 128

enum unit {
	UNIT_SECONDS, /* elapsed time or CPU time */
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
	double ratio;               /* median divided by the baseline */
	char note[REPORT_TEXT];     /* a remark, or the reason why there is no median */
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

/* Adds a figure. p99 NAN: not a latency. */
struct figure *report_figure(struct report *report, int part, enum unit unit, double median,
                             double p99, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
/* Adds the ratio of the figure to the value of a baseline. */
void report_compare(struct figure *figure, const char *baseline, double value);
void report_note(struct figure *figure, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Adds a figure that cannot be measured on this machine. */
void report_impossible(struct report *report, int part, const char *what, const char *why);

/* Adds a budget. The budget is met if the value is not above the limit. */
void report_budget(struct report *report, enum unit unit, double value, double limit,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Writes a value with its unit; "" for NAN. */
void report_format(char *text, size_t size, enum unit unit, double value);

/* The title of a part. */
const char *report_part(int part);

void report_markdown(const struct report *report, FILE *out);
void report_json(const struct report *report, bool quick, FILE *out);

#endif
