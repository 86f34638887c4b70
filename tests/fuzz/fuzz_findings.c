/* SPDX-License-Identifier: MIT */
/* fuzz_findings.c - any strings as what --check has found, as text and as JSON
 *
 * The input: a byte for the topic, then the three strings of a finding, each ended by a NUL; and so
 * on. */
#include "../cmd/findings.h"
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

static void add(struct findings *findings, const uint8_t **bytes, size_t *size)
{
	char *strings[3];
	uint8_t topic;

	fuzz_take(bytes, size, &topic, sizeof(topic));
	for (int i = 0; i < 3; i++)
		strings[i] = take_string(bytes, size);
	findings_add(findings, (enum topic)(topic % (TOPIC_GRANT + 1)), strings[0], strings[1],
	             strings[2]);
	for (int i = 0; i < 3; i++)
		free(strings[i]);
}

static void check_lines(const struct findings *findings)
{
	const char *line = findings->text.data, *end = line + findings->text.length, *newline;

	REQUIRE(*end == '\0' && strlen(line) == findings->text.length);
	for (; line < end; line = newline + 1) {
		newline = memchr(line, '\n', (size_t)(end - line));
		REQUIRE(newline);
		if (findings->json)
			REQUIRE(json_is_object(line, newline, NULL, NULL));
		for (const char *at = line; at < newline && !findings->json; at++)
			REQUIRE(*at >= ' ' && *at <= '~');
	}
}

static void check(const uint8_t *bytes, size_t size, bool json)
{
	struct findings *findings = malloc(sizeof(*findings));

	REQUIRE(findings);
	findings_init(findings, json);
	while (size > 0)
		add(findings, &bytes, &size);
	check_lines(findings);
	free(findings);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	check(bytes, size, true);
	check(bytes, size, false);
	return 0;
}
