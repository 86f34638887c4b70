/* SPDX-License-Identifier: MIT */
/* events.c - prints events */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "message.h"
#include "watch.h"

void events_fail(struct watch *watch, int error)
{
	/* A reader that has gone wants no more: nothing is wrong with that. */
	if (error != -EPIPE) {
		message_error("%s: %s", watch->output.name, strerror(-error));
		watch->status = 1;
	}
	/* It may not be there; but if it stayed, it would wake the loop for ever. */
	epoll_ctl(watch->epoll_fd, EPOLL_CTL_DEL, watch->output.fd, NULL);
	output_close(&watch->output);
	/* COMMAND isn't to suffer for it. */
	if (!watch->options->command)
		watch->stopped = true;
}

static void print_event(struct watch *watch, const struct portwatch_event *event)
{
	char line[FORMAT_LINE_MAX];
	struct format_fields fields = {
		.realtime = portwatch_event_get_realtime(event),
		.kind = portwatch_event_get_kind(event),
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
	size_t length = format_line(&fields, &watch->style, line);
	int result = output_line(&watch->output, line, length);

	if (result < 0)
		events_fail(watch, result);
}

void events_print(struct portwatch *watcher, const struct portwatch_event *event, void *user_data)
{
	struct target *target = user_data;
	struct watch *watch = target->user_data;
	enum portwatch_event_kind kind = portwatch_event_get_kind(event);
	int wanted = overlap_count(&watch->overlap, event);

	(void)watcher;
	if (kind == PORTWATCH_EVENT_END)
		target->ended = true;
	if (wanted < 0)
		message_error("an event is not printed: %s", strerror(-wanted));
	if (wanted > 0 && (watch->options->events & (unsigned int)kind))
		print_event(watch, event);
}
