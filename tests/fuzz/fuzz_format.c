/* SPDX-License-Identifier: MIT */
/* fuzz_format.c - an event with any values and any bytes as the name of its process: as text, as
 * JSON and as a row of a listing */
#include <arpa/inet.h>

#include "../cmd/format.h"
#include "../cmd/listing.h"
#include "../cmd/text.h"
#include "fuzz.h"
#include "json.h"

struct input {
	uint64_t realtime, netns, inode;
	int32_t pid;
	uint32_t owners;
	uint8_t address[16];
	uint16_t port;
	uint8_t kind, family, initial, utf8, colour, foreign;
};

/* The name in JSON is the beginning of the name, with U+FFFD for each byte that is not part of a
 * character. */
static void check_name(void *data, const struct json_string *string)
{
	const char *name = data, *end = name + strnlen(name, FORMAT_NAME_MAX);
	uint32_t character;

	if (strcmp(string->key, "process") != 0)
		return;
	for (size_t i = 0; i < string->length; i++) {
		REQUIRE(name < end);
		if (!utf8_next(&name, end, &character)) {
			character = 0xfffd;
			name++;
		}
		REQUIRE(string->characters[i] == character);
	}
	REQUIRE(name == end);
}

static const char *skip_colour(const char *at)
{
	static const char *const colours[] = {"\033[32m", "\033[31m", "\033[33m", "\033[36m",
	                                      "\033[0m"};

	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
		if (strncmp(at, colours[i], strlen(colours[i])) == 0)
			return at + strlen(colours[i]);
	return at;
}

/* No character of a text moves the cursor or is outside of the terminal's character set. */
static void check_text(const char *at, const char *end, const struct format_style *style)
{
	uint32_t character;

	while (at < end) {
		const char *next = style->colour ? skip_colour(at) : at;

		if (next > at) {
			at = next;
			continue;
		}
		REQUIRE(utf8_next(&at, end, &character));
		REQUIRE(character >= ' ' && (character < 0x7f || style->utf8));
		REQUIRE(character < 0x7f || character > 0x9f);
		REQUIRE(character < 0x202a || character > 0x202e);
	}
}

static void check(const struct format_fields *fields, struct format_style style)
{
	char line[FORMAT_LINE_MAX], *end;
	size_t length;

	style.json = true;
	length = format_line(fields, &style, line);
	end = line + length - 1;
	REQUIRE(length > 1 && length < sizeof(line) && *end == '\n' && end[1] == '\0');
	REQUIRE(json_is_object(line, end, check_name, (void *)fields->process));
	style.json = false;
	/* Uses the name as a --format too. */
	if (format_is_valid(fields->process)) {
		style.format = fields->process;
		length = format_line(fields, &style, line);
		REQUIRE(length > 0 && length < sizeof(line) && line[length - 1] == '\n');
		REQUIRE(strlen(line) == length);
		style.format = NULL;
	}
	length = format_line(fields, &style, line);
	end = line + length - 1;
	REQUIRE(length > 1 && length < sizeof(line) && *end == '\n' && end[1] == '\0');
	check_text(line, end, &style);
}

/* The same event as a row of a listing of the given width. */
static void check_row(const struct format_fields *fields, const struct format_style *style,
                      size_t width)
{
	struct format_style plain = *style;
	struct listing_columns columns;
	char line[FORMAT_LINE_MAX];
	size_t length;

	if (fields->kind == PORTWATCH_EVENT_END)
		return;
	listing_measure(&fields, 1, style, &columns);
	length = listing_header(&columns, width, line);
	REQUIRE(length > 0 && length + 1 < sizeof(line) && strlen(line) == length);
	length = listing_line(fields, &columns, style, width, line);
	REQUIRE(length > 0 && length + 1 < sizeof(line) && strlen(line) == length);
	check_text(line, line + length, style);
	plain.colour = false;
	length = listing_line(fields, &columns, &plain, width, line);
	REQUIRE(width == 0 || text_width(line, length) <= width ||
	        text_width(line, length) <= columns.address);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct format_fields fields = {0};
	char address[INET6_ADDRSTRLEN];
	struct format_style style;
	struct input input;
	char *name;

	fuzz_take(&bytes, &size, &input, sizeof(input));
	name = fuzz_string(bytes, size);
	fields.realtime = input.realtime;
	fields.kind = (enum portwatch_event_kind)(1U << input.kind % 4);
	fields.family = input.family & 1 ? AF_INET6 : AF_INET;
	inet_ntop(fields.family, input.address, address, sizeof(address));
	fields.address = input.family & 2 ? "" : address;
	fields.port = input.port;
	fields.pid = input.pid & 0x7fffffff;
	fields.process = fields.command = name;
	fields.owners = input.owners;
	fields.netns = input.netns;
	fields.inode = input.inode;
	fields.initial = input.initial & 1;
	fields.id = input.realtime;
	style = (struct format_style){
		.colour = input.colour & 1,
		.utf8 = input.utf8 & 1,
		.processes = input.utf8 & 2,
		.date = input.colour & 2,
		.own_netns = input.foreign & 1 ? 0 : input.netns,
	};
	check(&fields, style);
	check_row(&fields, &style, input.port % 256);
	free(name);
	return 0;
}
