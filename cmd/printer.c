/* SPDX-License-Identifier: MIT */
/* printer.c - prints events */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
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
	printer->style.colour = isatty(printer->output.fd) && (!no_color || *no_color == '\0') &&
	                        (!terminal || strcmp(terminal, "dumb") != 0);
	if (printer->options->colour != OPTIONS_COLOUR_AUTO)
		printer->style.colour = printer->options->colour == OPTIONS_COLOUR_ALWAYS;
	printer->style.utf8 = inherited_take_utf8();
	if (stat("/proc/self/ns/net", &own) == 0)
		printer->style.own_netns = own.st_ino;
}

int printer_open(struct printer *printer, const struct options *options, struct hook *hook)
{
	int result;

	*printer = (struct printer){.options = options,
	                            .hook = hook,
	                            .settle = {.delay = options->settle},
	                            .overlap = {.enabled = options->pid_count > 1}};
	result = output_open(&printer->output, options->output,
	                     options->fd >= 0   ? options->fd
	                     : options->command ? STDERR_FILENO
	                                        : STDOUT_FILENO);
	if (result < 0)
		message_error("cannot open %s: %s", options->output, strerror(-result));
	else
		choose_style(printer);
	return result;
}

static void fail(struct printer *printer, int error)
{
	/* A reader that has gone wants no more: nothing is wrong with that. */
	if (error != -EPIPE) {
		message_error("%s: %s", printer->output.name, strerror(-error));
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

static void print(struct printer *printer, const struct format_fields *fields)
{
	char line[FORMAT_LINE_MAX];
	size_t length = format_line(fields, &printer->style, line);
	int result = output_line(&printer->output, line, length);

	if (result < 0)
		fail(printer, result);
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

bool printer_wants_port(const struct printer *printer, const struct portwatch_event *event)
{
	return portwatch_event_get_kind(event) == PORTWATCH_EVENT_END ||
	       values_has_port(&printer->options->ports, portwatch_event_get_port(event));
}

void printer_event(struct printer *printer, const struct portwatch *watcher,
                   const struct portwatch_event *event)
{
	struct format_fields fields = describe(event);
	int wanted = overlap_take(&printer->overlap, watcher, event, &fields);

	if (wanted < 0)
		message_error("an event is not printed: %s", strerror(-wanted));
	if (wanted > 0 && printer_wants_port(printer, event) &&
	    settle_take(&printer->settle, &fields, now_ms()))
		print_wanted(printer, &fields);
}

void printer_settle(struct printer *printer)
{
	const struct format_fields *fields;

	while ((fields = settle_due(&printer->settle, now_ms())))
		print_wanted(printer, fields);
}

void printer_flush(struct printer *printer, bool gone)
{
	int result = output_flush(&printer->output);

	/* The reader has closed its end, or the terminal is gone. */
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
	output_close(&printer->output);
}
