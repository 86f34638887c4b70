/* SPDX-License-Identifier: MIT */
/* format.c - formats events, as text and as JSON */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "format.h"
#include "text.h"

#define NANOSECONDS 1000000000U

/* The width of "255.255.255.255:65535", the longest IPv4 address with a port. */
#define ADDRESS_WIDTH 21

struct kind_look {
	const char *name;
	const char *colour;
};

static struct kind_look kind_look(enum portwatch_event_kind kind)
{
	switch (kind) {
	case PORTWATCH_EVENT_OPEN:
		return (struct kind_look){"open", "\033[32m"};
	case PORTWATCH_EVENT_CLOSE:
		return (struct kind_look){"close", "\033[31m"};
	case PORTWATCH_EVENT_END:
		return (struct kind_look){"end", "\033[33m"};
	case PORTWATCH_EVENT_OWNER:
		return (struct kind_look){"owner", "\033[36m"};
	}
	return (struct kind_look){"?", ""};
}

static void add_local_time(struct text *text, uint64_t realtime, bool date)
{
	time_t seconds = (time_t)(realtime / NANOSECONDS);
	unsigned int milliseconds = (unsigned int)(realtime % NANOSECONDS / 1000000);
	struct tm tm = {0};

	localtime_r(&seconds, &tm);
	if (date)
		text_add(text, "%04d-%02d-%02d ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	text_add(text, "%02d:%02d:%02d.%03u", tm.tm_hour, tm.tm_min, tm.tm_sec, milliseconds);
}

static void add_kind(struct text *text, const struct format_fields *fields, bool colour)
{
	struct kind_look look = kind_look(fields->kind);

	if (colour)
		text_add(text, " %s%-5s\033[0m", look.colour, look.name);
	else
		text_add(text, " %-5s", look.name);
}

static void add_port(struct text *text, const struct format_fields *fields)
{
	char port[80];

	if (fields->kind == PORTWATCH_EVENT_END)
		snprintf(port, sizeof(port), "-");
	else
		snprintf(port, sizeof(port), fields->family == AF_INET6 ? "[%s]:%u" : "%s:%u",
		         fields->address, fields->port);
	text_add(text, "  %-*s", ADDRESS_WIDTH, port);
}

static void add_owner(struct text *text, const struct format_fields *fields, const char *name,
                      bool utf8)
{
	if (fields->kind == PORTWATCH_EVENT_END) {
		text_add(text, "  tree of %d", (int)fields->pid);
		return;
	}
	if (fields->pid == 0) {
		text_add(text, "  -");
		return;
	}
	text_add(text, "  ");
	text_add_visible(text, *name != '\0' ? name : "?", utf8);
	text_add(text, "[%d]", (int)fields->pid);
	if (fields->owners > 1)
		text_add(text, " (%u owners)", fields->owners);
}

static void add_text(struct text *text, const struct format_fields *fields, const char *name,
                     const struct format_style *style)
{
	if (style->processes && fields->command && *fields->command != '\0')
		name = fields->command;
	add_local_time(text, fields->realtime, style->date);
	add_kind(text, fields, style->colour);
	add_port(text, fields);
	add_owner(text, fields, name, style->utf8);
	/* A line without a namespace means the namespace of pwatch, so an unknown namespace is
	 * printed. */
	if (fields->netns == 0 && fields->kind != PORTWATCH_EVENT_END)
		text_add(text, "  netns ?");
	else if (fields->netns != 0 && fields->netns != style->own_netns)
		text_add(text, "  netns %" PRIu64, fields->netns);
}

static void add_utc_time(struct text *text, uint64_t realtime)
{
	time_t seconds = (time_t)(realtime / NANOSECONDS);
	unsigned int microseconds = (unsigned int)(realtime % NANOSECONDS / 1000);
	struct tm tm = {0};

	gmtime_r(&seconds, &tm);
	text_add(text, "%04d-%02d-%02dT%02d:%02d:%02d.%06uZ", tm.tm_year + 1900, tm.tm_mon + 1,
	         tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, microseconds);
}

/* Appends a key with its value, or with null unless `known`. */
static void add_number(struct text *text, const char *key, uint64_t value, bool known)
{
	if (known)
		text_add(text, ",\"%s\":%" PRIu64, key, value);
	else
		text_add(text, ",\"%s\":null", key);
}

static void add_string(struct text *text, const char *key, const char *value)
{
	if (*value == '\0') {
		text_add(text, ",\"%s\":null", key);
		return;
	}
	text_add(text, ",\"%s\":\"", key);
	text_add_json(text, value);
	text_add(text, "\"");
}

static const char *family_name(int family)
{
	return family == AF_INET ? "inet" : family == AF_INET6 ? "inet6" : "";
}

static void add_json(struct text *text, const struct format_fields *fields, const char *name)
{
	text_add(text, "{\"time\":\"");
	add_utc_time(text, fields->realtime);
	text_add(text, "\"");
	add_string(text, "event", kind_look(fields->kind).name);
	add_string(text, "address", fields->address);
	add_number(text, "port", fields->port, fields->port != 0);
	add_string(text, "family", family_name(fields->family));
	add_number(text, "pid", (uint64_t)fields->pid, fields->pid != 0);
	add_string(text, "process", name);
	add_number(text, "owners", fields->owners, fields->owners != 0);
	add_number(text, "netns", fields->netns, fields->netns != 0);
	add_number(text, "inode", fields->inode, fields->inode != 0);
	text_add(text, ",\"initial\":%s", fields->initial ? "true" : "false");
	add_number(text, "id", fields->id, fields->id != 0);
	text_add(text, "}");
}

/* --- the text of --format ------------------------------------------------------------------
 */

/* Appends the value of a name between braces. Returns false if there is no such name. Without
 * `fields` it only checks the name. */
static bool add_value(struct text *text, const char *key, size_t length,
                      const struct format_fields *fields, const char *name, bool utf8)
{
	static const char *const keys[] = {"time",   "event", "address", "port",
	                                   "family", "pid",   "process", "owners",
	                                   "netns",  "inode", "initial", "id"};
	enum {
		TIME,
		EVENT,
		ADDRESS,
		PORT,
		FAMILY,
		PID,
		PROCESS,
		OWNERS,
		NETNS,
		INODE,
		INITIAL,
		ID
	};
	const char *string = NULL;
	uint64_t number = 0;
	size_t which = 0;

	while (which <= ID &&
	       (strlen(keys[which]) != length || memcmp(keys[which], key, length) != 0))
		which++;
	if (which > ID || !fields)
		return which <= ID;
	if (which == TIME)
		add_utc_time(text, fields->realtime);
	else if (which == EVENT)
		string = kind_look(fields->kind).name;
	else if (which == ADDRESS)
		string = fields->address;
	else if (which == FAMILY)
		string = family_name(fields->family);
	else if (which == PROCESS)
		string = name;
	else if (which == INITIAL)
		string = fields->initial ? "true" : "false";
	else
		number = which == PORT     ? fields->port
		         : which == PID    ? (uint64_t)fields->pid
		         : which == OWNERS ? fields->owners
		         : which == NETNS  ? fields->netns
		         : which == INODE  ? fields->inode
		                           : fields->id;
	if (string && *string != '\0')
		text_add_visible(text, string, utf8);
	else if (number != 0)
		text_add(text, "%" PRIu64, number);
	else if (which != TIME)
		text_add(text, "-");
	return true;
}

/* Formats a line, or without `fields` only checks the format. */
static bool add_format(struct text *text, const char *format, const struct format_fields *fields,
                       const char *name, bool utf8)
{
	size_t length;

	for (; *format; format++) {
		char byte = *format;

		if ((byte == '{' || byte == '}') && format[1] == byte) {
			format++;
		} else if (byte == '{') {
			length = strcspn(++format, "}");
			if (format[length] == '\0' ||
			    !add_value(text, format, length, fields, name, utf8))
				return false;
			format += length;
			continue;
		} else if (byte == '}') {
			return false;
		} else if (byte == '\\') {
			format++;
			byte = *format == 't' ? '\t' : *format == 'n' ? '\n' : *format;
			if (byte != '\t' && byte != '\n' && byte != '\\')
				return false;
		}
		if (fields)
			text_add(text, "%c", byte);
	}
	return true;
}

bool format_is_valid(const char *format)
{
	return strlen(format) <= FORMAT_TEXT_MAX && add_format(NULL, format, NULL, "", false);
}

size_t format_line(const struct format_fields *fields, const struct format_style *style,
                   char line[FORMAT_LINE_MAX])
{
	char name[FORMAT_NAME_MAX + 1];
	struct text text;

	snprintf(name, sizeof(name), "%s", fields->process);
	/* The newline needs room even if the caller's format repeats long names. */
	text_init(&text, line, FORMAT_LINE_MAX - 1);
	if (style->json)
		add_json(&text, fields, name);
	else if (style->format)
		(void)add_format(&text, style->format, fields, name, style->utf8);
	else
		add_text(&text, fields, name, style);
	text.size = FORMAT_LINE_MAX;
	text_add(&text, "\n");
	return text.length;
}
