/* SPDX-License-Identifier: MIT */
/* report.c - the report of --check, as text and as JSON */
#include <stdio.h>
#include <string.h>

#include "report.h"

#define NAME_WIDTH 22
/* The most bytes of each string that are shown: only an absurdly long path needs more. The limit
 * ensures that a line is complete. */
#define STRING_MAX_LENGTH 1000
#define ELLIPSIS "..."
/* An escaped byte takes six bytes. */
#define LINE_MAX_LENGTH (3 * (6 * STRING_MAX_LENGTH + sizeof(ELLIPSIS)) + 256)

struct topic_text {
	const char *name;
	const char *headline;
};

static struct topic_text topic_text(enum topic topic)
{
	switch (topic) {
	case TOPIC_RESULT:
		return (struct topic_text){"result", "Can the ports be seen?"};
	case TOPIC_PRIVILEGE:
		return (struct topic_text){"privilege", "What pwatch may do here"};
	case TOPIC_NAMESPACE:
		return (struct topic_text){"namespace", "How the network namespaces are read"};
	case TOPIC_NOTIFIER:
		return (struct topic_text){
			"notifier", "How the kernel reports changes (otherwise pwatch polls)"};
	case TOPIC_MISSING:
		return (struct topic_text){"missing", "What is missing"};
	case TOPIC_GRANT:
		return (struct topic_text){"grant",
		                           "What to grant so that pwatch sees more (one of these)"};
	}
	return (struct topic_text){"?", "?"};
}

void report_init(struct report *report, bool json)
{
	report->json = json;
	report->begun = false;
	text_init(&report->text, report->buffer, sizeof(report->buffer));
}

struct shown {
	char string[STRING_MAX_LENGTH + sizeof(ELLIPSIS)];
};

static const char *show(struct shown *shown, const char *string)
{
	bool whole = strlen(string) <= STRING_MAX_LENGTH;

	snprintf(shown->string, sizeof(shown->string), "%.*s%s", STRING_MAX_LENGTH, string,
	         whole ? "" : ELLIPSIS);
	return shown->string;
}

static void add_string(struct text *line, const char *key, const char *value)
{
	if (*value == '\0') {
		text_add(line, "\"%s\":null", key);
		return;
	}
	text_add(line, "\"%s\":\"", key);
	text_add_json(line, value);
	text_add(line, "\"");
}

static void add_json(struct text *line, const char *topic, const char *const values[3])
{
	text_add(line, "{\"topic\":\"%s\",", topic);
	add_string(line, "name", values[0]);
	text_add(line, ",");
	add_string(line, "value", values[1]);
	text_add(line, ",");
	add_string(line, "note", values[2]);
	text_add(line, "}\n");
}

static void add_text(struct text *line, const char *const values[3])
{
	size_t start = line->length, width;

	text_add(line, "  ");
	text_add_visible(line, values[0], false);
	width = line->length - start;
	text_add(line, "%*s", width < NAME_WIDTH ? (int)(NAME_WIDTH - width) : 1, "");
	text_add_visible(line, values[1], false);
	if (*values[2] != '\0') {
		text_add(line, "%s", *values[1] != '\0' ? " - " : "");
		text_add_visible(line, values[2], false);
	}
	text_add(line, "\n");
}

void report_add(struct report *report, enum topic topic, const char *name, const char *value,
                const char *note)
{
	struct shown shown[3];
	const char *const values[] = {show(&shown[0], name), show(&shown[1], value),
	                              show(&shown[2], note)};
	struct topic_text look = topic_text(topic);
	char buffer[LINE_MAX_LENGTH];
	struct text line;

	text_init(&line, buffer, sizeof(buffer));
	if (report->json) {
		add_json(&line, look.name, values);
	} else {
		if (!report->begun || topic != report->topic)
			text_add(&line, "%s%s\n", report->begun ? "\n" : "", look.headline);
		add_text(&line, values);
	}
	report->begun = true;
	report->topic = topic;
	text_add(&report->text, "%s", buffer);
}
