/* SPDX-License-Identifier: MIT */
/* fuzz_report.c - any strings as the report of --check, as text and as JSON
 *
 * The input is a sequence of entries. An entry is a byte for the topic and three strings, each of
 * which ends with a NUL. */
#include "../cmd/report.h"
#include "fuzz.h"
#include "json.h"

static char *take_string(const uint8_t **bytes, size_t *size)
{
	size_t length = strnlen((const char *)*bytes, *size);
	char *string = fuzz_string(*bytes, length);

	length += length < *size;
	*bytes += length;
	*size -= length;
	return string;
}

static void add(struct report *report, const uint8_t **bytes, size_t *size)
{
	char *strings[3];
	uint8_t topic;

	fuzz_take(bytes, size, &topic, sizeof(topic));
	for (int i = 0; i < 3; i++)
		strings[i] = take_string(bytes, size);
	report_add(report, (enum topic)(topic % (TOPIC_GRANT + 1)), strings[0], strings[1],
	           strings[2]);
	for (int i = 0; i < 3; i++)
		free(strings[i]);
}

static void check_lines(const struct report *report)
{
	const char *line = report->text.data, *end = line + report->text.length, *newline;

	REQUIRE(*end == '\0' && strlen(line) == report->text.length);
	for (; line < end; line = newline + 1) {
		newline = memchr(line, '\n', (size_t)(end - line));
		REQUIRE(newline);
		if (report->json)
			REQUIRE(json_is_object(line, newline, NULL, NULL));
		for (const char *at = line; at < newline && !report->json; at++)
			REQUIRE(*at >= ' ' && *at <= '~');
	}
}

static void check(const uint8_t *bytes, size_t size, bool json)
{
	struct report *report = malloc(sizeof(*report));

	REQUIRE(report);
	report_init(report, json);
	while (size > 0)
		add(report, &bytes, &size);
	check_lines(report);
	free(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	check(bytes, size, true);
	check(bytes, size, false);
	return 0;
}
