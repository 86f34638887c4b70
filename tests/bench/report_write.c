/* SPDX-License-Identifier: MIT */
/* report_write.c - the report as a Markdown table and as JSON */
#include <math.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "report.h"

static void format_seconds(char *text, size_t size, double value)
{
	if (value >= 1)
		snprintf(text, size, "%.2f s", value);
	else if (value >= 1e-3)
		snprintf(text, size, "%.2f ms", value * 1e3);
	else
		snprintf(text, size, "%.1f us", value * 1e6);
}

void report_format(char *text, size_t size, enum unit unit, double value)
{
	text[0] = '\0';
	if (isnan(value))
		return;
	switch (unit) {
	case UNIT_SECONDS:
		format_seconds(text, size, value);
		break;
	case UNIT_PERCENT:
		snprintf(text, size, "%.3f%%", value);
		break;
	case UNIT_BYTES:
		if (value >= 1 << 20)
			snprintf(text, size, "%.1f MiB", value / (1 << 20));
		else
			snprintf(text, size, "%.0f KiB", value / 1024);
		break;
	case UNIT_COUNT:
		snprintf(text, size, value < 100 && value != (double)(long)value ? "%.1f" : "%.0f",
		         value);
		break;
	case UNIT_RATIO:
		snprintf(text, size, value < 0.095 && value > 0 ? "1/%.0f" : "%.2fx",
		         value < 0.095 && value > 0 ? 1 / value : value);
		break;
	}
}

static void write_machine(FILE *out)
{
	struct utsname name;
	struct sysinfo info;

	if (uname(&name) < 0 || sysinfo(&info) < 0)
		return;
	fprintf(out, "%s %s %s, %ld CPUs, %.1f GiB of memory, %s\n\n", name.sysname, name.release,
	        name.machine, sysconf(_SC_NPROCESSORS_ONLN),
	        (double)info.totalram * info.mem_unit / (1 << 30),
	        geteuid() == 0 ? "as root" : "as an ordinary user");
}

static void write_figure(const struct figure *figure, FILE *out)
{
	char median[32], p99[32], ratio[32];

	report_format(median, sizeof(median), figure->unit, figure->median);
	report_format(p99, sizeof(p99), figure->unit, figure->p99);
	report_format(ratio, sizeof(ratio), UNIT_RATIO, figure->ratio);
	fprintf(out, "| %d. %s: %s | %s | %s | %s%s%s | %s |\n", figure->part,
	        report_part(figure->part), figure->what, median, p99, ratio, ratio[0] ? " of " : "",
	        figure->baseline, figure->note);
}

static const char *verdict(const struct budget *budget)
{
	if (isnan(budget->value))
		return "not measured";
	return budget->value <= budget->limit ? "met" : "**missed**";
}

static void write_budget(const struct budget *budget, FILE *out)
{
	char value[32], limit[32];

	report_format(value, sizeof(value), budget->unit, budget->value);
	report_format(limit, sizeof(limit), budget->unit, budget->limit);
	fprintf(out, "| budget: %s | %s | | at most %s | %s |\n", budget->what, value, limit,
	        verdict(budget));
}

void report_markdown(const struct report *report, FILE *out)
{
	write_machine(out);
	fprintf(out, "| what | median | p99 | baseline | remark |\n");
	fprintf(out, "|---|---:|---:|---:|---|\n");
	for (size_t i = 0; i < report->figure_count; i++)
		write_figure(&report->figures[i], out);
	for (size_t i = 0; i < report->budget_count; i++)
		write_budget(&report->budgets[i], out);
	fflush(out);
}

/* The texts are literals of this program, so only these two characters need an escape. */
static void write_string(const char *name, const char *text, FILE *out)
{
	fprintf(out, "\"%s\":\"", name);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void write_number(const char *name, double value, FILE *out)
{
	if (isnan(value))
		fprintf(out, ",\"%s\":null", name);
	else
		fprintf(out, ",\"%s\":%.9g", name, value);
}

static const char *unit_name(enum unit unit)
{
	static const char *const names[] = {"seconds", "percent", "bytes", "count", "ratio"};

	return names[unit];
}

static void write_figure_json(const struct figure *figure, FILE *out)
{
	fprintf(out, "{\"part\":%d,", figure->part);
	write_string("what", figure->what, out);
	fprintf(out, ",\"unit\":\"%s\"", unit_name(figure->unit));
	write_number("median", figure->median, out);
	write_number("p99", figure->p99, out);
	fputc(',', out);
	write_string("baseline", figure->baseline, out);
	write_number("ratio", figure->ratio, out);
	fputc(',', out);
	write_string("remark", figure->note, out);
	fputc('}', out);
}

static void write_budget_json(const struct budget *budget, FILE *out)
{
	fputc('{', out);
	write_string("what", budget->what, out);
	fprintf(out, ",\"unit\":\"%s\"", unit_name(budget->unit));
	write_number("value", budget->value, out);
	write_number("limit", budget->limit, out);
	if (isnan(budget->value))
		fprintf(out, ",\"met\":null}");
	else
		fprintf(out, ",\"met\":%s}", budget->value <= budget->limit ? "true" : "false");
}

void report_json(const struct report *report, bool quick, FILE *out)
{
	struct utsname name;
	struct sysinfo info;

	if (uname(&name) < 0 || sysinfo(&info) < 0)
		return;
	fprintf(out, "{\"kernel\":\"%s\",\"cpus\":%ld,\"memory\":%.0f,\"root\":%s,\"quick\":%s",
	        name.release, sysconf(_SC_NPROCESSORS_ONLN), (double)info.totalram * info.mem_unit,
	        geteuid() == 0 ? "true" : "false", quick ? "true" : "false");
	fprintf(out, ",\n\"figures\":[");
	for (size_t i = 0; i < report->figure_count; i++) {
		fputs(i ? ",\n" : "\n", out);
		write_figure_json(&report->figures[i], out);
	}
	fprintf(out, "],\n\"budgets\":[");
	for (size_t i = 0; i < report->budget_count; i++) {
		fputs(i ? ",\n" : "\n", out);
		write_budget_json(&report->budgets[i], out);
	}
	fprintf(out, "]}\n");
}
