/* SPDX-License-Identifier: MIT */
/* listing.c - the open ports, as a table */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "listing.h"
#include "text.h"

/* A longer name shifts the rest of its own row and does not widen the column. */
#define PROCESS_WIDTH_MAX 40

#define ADDRESS_SIZE 64 /* more than INET6_ADDRSTRLEN */
#define CELL_SIZE (4 * FORMAT_NAME_MAX + 64)

#define GREEN "\033[32m"
#define PLAIN "\033[0m"

/* The length of a line without its newline and colour sequences. */
#define LINE_SIZE (FORMAT_LINE_MAX - sizeof(GREEN PLAIN "\n"))

struct listing_row {
	struct format_fields fields;
	char address[ADDRESS_SIZE];
	char *process, *command;
};

/* --- the rows ----------------------------------------------------------------------------------
 */

static void free_row(struct listing_row *row)
{
	free(row->process);
	free(row->command);
	free(row);
}

static struct listing_row *make_row(const struct format_fields *fields)
{
	struct listing_row *row = calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->fields = *fields;
	row->process = strdup(fields->process);
	row->command = strdup(fields->command ? fields->command : "");
	if (!row->process || !row->command) {
		free_row(row);
		return NULL;
	}
	snprintf(row->address, sizeof(row->address), "%s", fields->address);
	row->fields.address = row->address;
	row->fields.process = row->process;
	row->fields.command = row->command;
	return row;
}

/* Returns the position of the first row whose id is not less. */
static size_t find(const struct listing *listing, uint64_t id)
{
	size_t first = 0, end = listing->count, middle;

	while (first < end) {
		middle = first + (end - first) / 2;
		if (listing->rows[middle]->fields.id < id)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

static int make_room(struct listing *listing)
{
	size_t size = listing->size ? 2 * listing->size : 64;
	struct listing_row **grown;

	if (listing->count < listing->size)
		return 0;
	grown = realloc(listing->rows, size * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	listing->rows = grown;
	listing->size = size;
	return 0;
}

static void remove_row(struct listing *listing, size_t position)
{
	struct listing_row **row = &listing->rows[position];

	free_row(*row);
	listing->count--;
	memmove(row, row + 1, (listing->count - position) * sizeof(*row));
}

int listing_take(struct listing *listing, const struct format_fields *fields)
{
	size_t position = find(listing, fields->id);
	bool known = position < listing->count && listing->rows[position]->fields.id == fields->id;
	struct listing_row *row;

	if (fields->kind == PORTWATCH_EVENT_END)
		return 0;
	if (fields->kind == PORTWATCH_EVENT_CLOSE) {
		if (known)
			remove_row(listing, position);
		return 0;
	}
	if (fields->kind == PORTWATCH_EVENT_OWNER && !known)
		return 0;
	row = make_row(fields);
	if (!row || make_room(listing) < 0) {
		if (row)
			free_row(row);
		return -ENOMEM;
	}
	if (known) {
		/* An owner event changes the owner of the row and nothing else: the row stays an
		 * open event. */
		row->fields.kind = PORTWATCH_EVENT_OPEN;
		row->fields.realtime = listing->rows[position]->fields.realtime;
		row->fields.initial = listing->rows[position]->fields.initial;
		free_row(listing->rows[position]);
	} else {
		memmove(&listing->rows[position + 1], &listing->rows[position],
		        (listing->count - position) * sizeof(struct listing_row *));
		listing->count++;
	}
	listing->rows[position] = row;
	return 0;
}

const char *listing_command(const struct listing *listing, const struct format_fields *fields)
{
	size_t position = find(listing, fields->id);
	const struct listing_row *row = position < listing->count ? listing->rows[position] : NULL;

	return row && row->fields.id == fields->id && row->fields.pid == fields->pid ? row->command
	                                                                             : "";
}

void listing_free(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		free_row(listing->rows[i]);
	free(listing->rows);
	*listing = (struct listing){0};
}

#define ORDER(a, b) (((a) > (b)) - ((a) < (b)))

static int compare(const void *left, const void *right)
{
	const struct format_fields *a = *(const struct format_fields *const *)left;
	const struct format_fields *b = *(const struct format_fields *const *)right;
	int order = ORDER(a->port, b->port);

	order = order ? order : ORDER(a->family, b->family);
	order = order ? order : strcmp(a->address, b->address);
	order = order ? order : ORDER(a->netns, b->netns);
	return order ? order : ORDER(a->id, b->id);
}

void listing_sort(const struct listing *listing, const struct format_fields **sorted)
{
	for (size_t i = 0; i < listing->count; i++)
		sorted[i] = &listing->rows[i]->fields;
	if (listing->count > 0)
		qsort(sorted, listing->count, sizeof(*sorted), compare);
}

/* --- the table ---------------------------------------------------------------------------------
 */

struct cell {
	struct text text;
	char data[CELL_SIZE];
};

static void show_address(struct cell *cell, const struct format_fields *fields)
{
	text_init(&cell->text, cell->data, sizeof(cell->data));
	text_add(&cell->text, fields->family == AF_INET6 ? "[%s]:%u" : "%s:%u", fields->address,
	         fields->port);
}

static void show_pid(struct cell *cell, const struct format_fields *fields)
{
	text_init(&cell->text, cell->data, sizeof(cell->data));
	if (fields->pid != 0)
		text_add(&cell->text, "%d", (int)fields->pid);
	else
		text_add(&cell->text, "-");
}

static void show_process(struct cell *cell, const struct format_fields *fields, bool utf8)
{
	char name[FORMAT_NAME_MAX + 1];

	snprintf(name, sizeof(name), "%s", fields->process);
	text_init(&cell->text, cell->data, sizeof(cell->data));
	text_add_visible(&cell->text, *name != '\0' ? name : "-", utf8);
	if (fields->owners > 1)
		text_add(&cell->text, " (%u owners)", fields->owners);
}

static void show_netns(struct cell *cell, const struct format_fields *fields, uint64_t own)
{
	text_init(&cell->text, cell->data, sizeof(cell->data));
	if (fields->netns == 0)
		text_add(&cell->text, "?");
	else if (fields->netns == own)
		text_add(&cell->text, "-");
	else
		text_add(&cell->text, "%" PRIu64, fields->netns);
}

static void widen(size_t *column, const struct cell *cell, size_t most)
{
	size_t width = text_width(cell->data, cell->text.length);

	if (width > *column)
		*column = width < most ? width : most;
}

void listing_measure(const struct format_fields *const *rows, size_t count,
                     const struct format_style *style, struct listing_columns *columns)
{
	struct cell cell;

	*columns = (struct listing_columns){
		.address = strlen("ADDRESS"), .pid = strlen("PID"), .process = strlen("PROCESS")};
	for (size_t i = 0; i < count; i++) {
		show_address(&cell, rows[i]);
		widen(&columns->address, &cell, SIZE_MAX);
		show_pid(&cell, rows[i]);
		widen(&columns->pid, &cell, SIZE_MAX);
		show_process(&cell, rows[i], style->utf8);
		widen(&columns->process, &cell, PROCESS_WIDTH_MAX);
		/* The column is shown only if a port is in another namespace than pwatch. */
		if (rows[i]->netns != style->own_netns && columns->netns == 0)
			columns->netns = strlen("NETNS");
	}
	for (size_t i = 0; i < count && columns->netns > 0; i++) {
		show_netns(&cell, rows[i], style->own_netns);
		widen(&columns->netns, &cell, SIZE_MAX);
	}
}

static void add_spaces(struct text *line, size_t count)
{
	text_add(line, "%*s", (int)count, "");
}

/* Appends a left-aligned cell and the gap to the next column. */
static void add_left(struct text *line, const char *cell, size_t length, size_t column)
{
	size_t width = text_width(cell, length);

	text_add(line, "%s", cell);
	add_spaces(line, (width < column ? column - width : 0) + 2);
}

static void add_right(struct text *line, const char *cell, size_t column)
{
	text_add(line, "%*s  ", (int)column, cell);
}

/* The cells before the last column. */
struct cells {
	const char *address;
	const char *pid;
	const char *process;
	const char *netns;
};

static void add_cells(struct text *line, const struct cells *cells,
                      const struct listing_columns *columns)
{
	add_left(line, cells->address, strlen(cells->address), columns->address);
	add_right(line, cells->pid, columns->pid);
	add_left(line, cells->process, strlen(cells->process), columns->process);
	if (columns->netns > 0)
		add_left(line, cells->netns, strlen(cells->netns), columns->netns);
}

/* Cuts the line and removes trailing blanks. */
static size_t finish(struct text *line, size_t address_width, size_t width)
{
	if (width > 0)
		text_cut(line, width > address_width ? width : address_width);
	while (line->length > 0 && line->data[line->length - 1] == ' ')
		line->data[--line->length] = '\0';
	return line->length;
}

size_t listing_header(const struct listing_columns *columns, size_t width,
                      char line[FORMAT_LINE_MAX])
{
	const struct cells cells = {"ADDRESS", "PID", "PROCESS", "NETNS"};
	struct text text;

	text_init(&text, line, FORMAT_LINE_MAX);
	add_cells(&text, &cells, columns);
	text_add(&text, "COMMAND");
	return finish(&text, strlen("ADDRESS"), width);
}

size_t listing_line(const struct format_fields *fields, const struct listing_columns *columns,
                    const struct format_style *style, size_t width, char line[FORMAT_LINE_MAX])
{
	const char *command = fields->command && *fields->command != '\0' ? fields->command : "-";
	struct cell address, pid, process, netns;
	char buffer[LINE_SIZE];
	struct text text, coloured;

	show_address(&address, fields);
	show_pid(&pid, fields);
	show_process(&process, fields, style->utf8);
	show_netns(&netns, fields, style->own_netns);
	text_init(&text, buffer, sizeof(buffer));
	add_cells(&text, &(struct cells){address.data, pid.data, process.data, netns.data},
	          columns);
	text_add_visible(&text, command, style->utf8);
	finish(&text, text_width(address.data, address.text.length), width);
	text_init(&coloured, line, FORMAT_LINE_MAX);
	if (style->colour)
		text_add(&coloured, GREEN "%s" PLAIN "%s", address.data,
		         buffer + address.text.length);
	else
		text_add(&coloured, "%s", buffer);
	return coloured.length;
}
