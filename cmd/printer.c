/* SPDX-License-Identifier: MIT */
/* printer.c - prints events */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inherited.h"
#include "message.h"
#include "moment.h"
#include "printer.h"

static void choose_style(struct printer *printer)
{
	const char *no_color = getenv("NO_COLOR"), *terminal = getenv("TERM");
	struct stat own;

	printer->style.json = printer->options->json;
	printer->style.format = printer->options->format;
	printer->style.date = !isatty(printer->output.fd);
	printer->style.processes = printer->options->processes;
	printer->style.colour = isatty(printer->output.fd) && (!no_color || *no_color == '\0') &&
	                        (!terminal || strcmp(terminal, "dumb") != 0);
	if (printer->options->colour != OPTIONS_COLOUR_AUTO)
		printer->style.colour = printer->options->colour == OPTIONS_COLOUR_ALWAYS;
	printer->style.utf8 = inherited_take_utf8();
	if (stat("/proc/self/ns/net", &own) == 0)
		printer->style.own_netns = own.st_ino;
}

int printer_open(struct printer *printer, const struct options *options, struct explain *explain,
                 struct hook *hook)
{
	int result;

	*printer = (struct printer){.options = options,
	                            .explain = explain,
	                            .hook = hook,
	                            .settle = {.delay = options->settle},
	                            .overlap = {.enabled = options->pid_count > 1}};
	result = output_open(&printer->output, options->output,
	                     options->fd >= 0   ? options->fd
	                     : options->command ? STDERR_FILENO
	                                        : STDOUT_FILENO);
	if (result < 0)
		message_error("cannot open " MESSAGE_NAME ": %s", options->output,
		              strerror(-result));
	else
		choose_style(printer);
	return result;
}

static void fail(struct printer *printer, int error)
{
	/* If the reader of the output has closed it, nothing has failed. */
	if (error != -EPIPE) {
		message_error(MESSAGE_NAME ": %s", printer->output.name, strerror(-error));
		printer->failed = true;
	}
	output_close(&printer->output);
}

static struct format_fields describe(const struct portwatch_event *event)
{
	return (struct format_fields){
		.realtime = portwatch_event_get_realtime(event),
		.kind = portwatch_event_get_kind(event),
		.id = portwatch_event_get_id(event),
		.family = portwatch_event_get_family(event),
		.address = portwatch_event_get_address_text(event),
		.port = portwatch_event_get_port(event),
		.pid = portwatch_event_get_pid(event),
		.process = portwatch_event_get_process(event),
		.owners = portwatch_event_get_owners(event),
		.netns = portwatch_event_get_netns(event),
		.inode = portwatch_event_get_inode(event),
		.initial = portwatch_event_get_initial(event) != 0,
	};
}

/* The lines of a listing are written together. */
static void print_line(struct printer *printer, const char *line, size_t length)
{
	int result = printer->options->once ? output_add(&printer->output, line, length)
	                                    : output_line(&printer->output, line, length);

	if (result < 0)
		fail(printer, result);
}

static void print(struct printer *printer, const struct format_fields *fields)
{
	char line[FORMAT_LINE_MAX];

	print_line(printer, line, format_line(fields, &printer->style, line));
	hook_event(printer->hook, fields);
}

static void print_wanted(struct printer *printer, const struct format_fields *fields)
{
	if (printer->options->events & (unsigned int)fields->kind)
		print(printer, fields);
}

void printer_print(struct printer *printer, const struct portwatch_event *event)
{
	struct format_fields fields = describe(event);

	print(printer, &fields);
}

static bool is_wanted(struct printer *printer, const struct format_fields *fields)
{
	return !explain_hides(printer->explain, fields) &&
	       (fields->kind == PORTWATCH_EVENT_END ||
	        values_has_port(&printer->options->ports, fields->port));
}

bool printer_wants_port(struct printer *printer, const struct portwatch_event *event)
{
	struct format_fields fields = describe(event);

	return is_wanted(printer, &fields);
}

/* Whether the open ports are stored: for a listing, or for their command lines, which cannot be
 * read after the process has exited. */
static bool keeps_ports(const struct printer *printer)
{
	return printer->options->once || printer->options->live || printer->style.processes;
}

/* Sets the command line of the owner, from the event or from the stored ports. The owner may come
 * from another watcher (overlap.h), so the event is used only if it names the same owner. */
static void find_command(struct printer *printer, const struct portwatch_event *event,
                         struct format_fields *fields)
{
	bool shown = !printer->style.json && !printer->style.format;
	bool own = fields->pid == portwatch_event_get_pid(event);
	uint64_t start = own ? portwatch_event_get_start_time(event) : 0;
	const char *line = "";
	int length;

	fields->command = printer->command;
	/* A process with many ports is asked once for a listing. */
	if (printer->options->once && own && start != 0 && fields->pid == printer->command_pid &&
	    start == printer->command_start)
		return;
	if (shown && own)
		line = portwatch_event_get_command_line(event);
	if (*line == '\0')
		line = listing_command(&printer->listing, fields);
	length = snprintf(printer->command, sizeof(printer->command), "%s", line);
	if (length > FORMAT_COMMAND_MAX)
		memcpy(printer->command + FORMAT_COMMAND_MAX - 3, "...", 3);
	printer->command_pid = *line != '\0' && own ? fields->pid : 0;
	printer->command_start = start;
}

static void keep(struct printer *printer, const struct portwatch_event *event,
                 struct format_fields *fields)
{
	int result;

	if (!keeps_ports(printer) || fields->kind == PORTWATCH_EVENT_END)
		return;
	find_command(printer, event, fields);
	result = listing_take(&printer->listing, fields);
	if (result < 0)
		message_error("a port is not listed: %s", strerror(-result));
}

void printer_event(struct printer *printer, const struct portwatch *watcher,
                   const struct portwatch_event *event)
{
	struct format_fields fields = describe(event);
	int wanted = overlap_take(&printer->overlap, watcher, event, &fields);

	if (wanted < 0)
		message_error("an event is not printed: %s", strerror(-wanted));
	if (wanted <= 0 || !is_wanted(printer, &fields))
		return;
	keep(printer, event, &fields);
	if (!printer->options->once && !printer->options->live &&
	    settle_take(&printer->settle, &fields, now_ms()))
		print_wanted(printer, &fields);
}

/* The width of the output terminal; 0 if the output is not a terminal. */
static size_t find_width(const struct printer *printer)
{
	struct winsize size;

	return ioctl(printer->output.fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* Prints a line of a table and its newline, for which the buffer has room. */
static void print_row(struct printer *printer, char *line, size_t length)
{
	line[length] = '\n';
	print_line(printer, line, length + 1);
}

static void print_table(struct printer *printer, const struct format_fields *const *rows)
{
	size_t width = find_width(printer), count = printer->listing.count;
	struct listing_columns columns;
	char line[FORMAT_LINE_MAX];

	listing_measure(rows, count, &printer->style, &columns);
	if (count > 0 && isatty(printer->output.fd))
		print_row(printer, line, listing_header(&columns, width, line));
	for (size_t i = 0; i < count && printer_is_open(printer); i++) {
		print_row(printer, line,
		          listing_line(rows[i], &columns, &printer->style, width, line));
		hook_event(printer->hook, rows[i]);
	}
}

int printer_list(struct printer *printer)
{
	size_t count = printer->listing.count;
	const struct format_fields **rows = calloc(count + 1, sizeof(const struct format_fields *));

	if (!rows) {
		message_error("nothing is printed: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	listing_sort(&printer->listing, rows);
	if (!printer->style.json && !printer->style.format) {
		print_table(printer, rows);
	} else {
		for (size_t i = 0; i < count; i++)
			print(printer, rows[i]);
	}
	free(rows);
	printer_flush(printer, false);
	return count > INT_MAX ? INT_MAX : (int)count;
}

void printer_settle(struct printer *printer)
{
	const struct format_fields *due;
	struct format_fields fields;

	while ((due = settle_due(&printer->settle, now_ms()))) {
		fields = *due;
		fields.command = listing_command(&printer->listing, due);
		print_wanted(printer, &fields);
	}
}

void printer_flush(struct printer *printer, bool gone)
{
	int result = output_flush(&printer->output);

	/* The reader has closed the output, or the terminal is gone. */
	if (result == 0 && gone)
		result = -EPIPE;
	if (result < 0)
		fail(printer, result);
}

bool printer_is_open(const struct printer *printer)
{
	return printer->output.fd >= 0;
}

void printer_close(struct printer *printer)
{
	overlap_free(&printer->overlap);
	settle_free(&printer->settle);
	listing_free(&printer->listing);
	output_close(&printer->output);
}
