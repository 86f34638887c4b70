/* SPDX-License-Identifier: MIT */
/* report.c - collects the figures */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "bench.h"
#include "report.h"

static const char *const parts[] = {
	"",
	"listen(2) to callback",
	"one idle poll cycle of one namespace",
	"a new listener's owner",
	"many namespaces",
	"tables",
	"storm of 10,000 listens and closes",
	"`pwatch --once`",
	"listen(2) to callback of a server that was just started",
	"CPU while others are busy",
};

const char *report_part(int part)
{
	return part >= 1 && part <= BENCH_PARTS ? parts[part] : "";
}

/* If the report is full, which is a bug, the last figure is overwritten. */
static struct figure *new_figure(struct report *report, int part)
{
	struct figure *figure = &report->figures[REPORT_FIGURES - 1];

	if (report->figure_count < REPORT_FIGURES)
		figure = &report->figures[report->figure_count++];
	memset(figure, 0, sizeof(*figure));
	figure->part = part;
	figure->median = figure->p99 = figure->ratio = NAN;
	return figure;
}

struct figure *report_figure(struct report *report, int part, enum unit unit, double median,
                             double p99, const char *format, ...)
{
	struct figure *figure = new_figure(report, part);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(figure->what, sizeof(figure->what), format, arguments);
	va_end(arguments);
	figure->unit = unit;
	figure->median = median;
	figure->p99 = p99;
	return figure;
}

void report_compare(struct figure *figure, const char *baseline, double value)
{
	if (isnan(value) || value <= 0)
		return;
	snprintf(figure->baseline, sizeof(figure->baseline), "%s", baseline);
	figure->ratio = figure->median / value;
}

void report_note(struct figure *figure, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(figure->note, sizeof(figure->note), format, arguments);
	va_end(arguments);
}

void report_impossible(struct report *report, int part, const char *what, const char *why)
{
	struct figure *figure = new_figure(report, part);

	snprintf(figure->what, sizeof(figure->what), "%s", what);
	snprintf(figure->note, sizeof(figure->note), "not possible here: %s", why);
}

void report_budget(struct report *report, enum unit unit, double value, double limit,
                   const char *format, ...)
{
	struct budget *budget = &report->budgets[REPORT_BUDGETS - 1];
	va_list arguments;

	if (report->budget_count < REPORT_BUDGETS)
		budget = &report->budgets[report->budget_count++];
	va_start(arguments, format);
	vsnprintf(budget->what, sizeof(budget->what), format, arguments);
	va_end(arguments);
	budget->unit = unit;
	budget->value = value;
	budget->limit = limit;
}
