/* SPDX-License-Identifier: MIT */
/* explain.c - explains on a terminal why nothing is printed */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "explain.h"
#include "message.h"
#include "moment.h"
#include "orphans.h"
#include "port_hint.h"
#include "text.h"

/* After this time without a port, a line says that nothing listens yet; milliseconds. */
#define QUIET_TIME 2000

static const char *const choices[] = {"default", "loopback", "all"};

void explain_init(struct explain *explain, const struct options *options)
{
	bool enabled = options->log_level >= PORTWATCH_LOG_WARNING && !options->live &&
	               isatty(STDERR_FILENO);

	*explain = (struct explain){
		.options = options,
		.enabled = enabled,
		.counts = enabled || options->live,
		.named = options->addresses,
	};
}

/* The narrowest value of --addresses that shows this address; the library applies the same
 * rules. */
static int find_choice(const struct format_fields *fields)
{
	static const char *const plain[] = {"127.0.0.1", "0.0.0.0", "::1", "::"};

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		if (strcmp(fields->address, plain[i]) == 0)
			return PORTWATCH_ADDRESSES_DEFAULT;
	}
	return strncmp(fields->address, "127.", 4) == 0 ? PORTWATCH_ADDRESSES_LOOPBACK
	                                                : PORTWATCH_ADDRESSES_ALL;
}

static void count(size_t *ports, enum portwatch_event_kind kind)
{
	if (kind == PORTWATCH_EVENT_OPEN)
		(*ports)++;
	else if (kind == PORTWATCH_EVENT_CLOSE && *ports > 0)
		(*ports)--;
}

bool explain_hides(struct explain *explain, const struct format_fields *fields)
{
	int choice;

	if (!explain->counts || fields->kind == PORTWATCH_EVENT_END)
		return false;
	choice = find_choice(fields);
	if (choice <= explain->options->addresses) {
		if (values_has_port(&explain->options->ports, fields->port))
			count(&explain->open, fields->kind);
		return false;
	}
	count(&explain->hidden, fields->kind);
	if (fields->kind != PORTWATCH_EVENT_OPEN)
		return true;
	if (choice > explain->hidden_by)
		explain->hidden_by = choice;
	if (explain->begun && choice > explain->named) {
		message_error(fields->family == AF_INET6
		                      ? "port [%s]:%u is hidden; --addresses=%s shows such ports"
		                      : "port %s:%u is hidden; --addresses=%s shows such ports",
		              fields->address, fields->port, choices[choice]);
		explain->named = choice;
	}
	return true;
}

static void add_targets(struct text *text, const struct options *options, size_t targets)
{
	bool netns = options->scope == PORTWATCH_SCOPE_NETNS;
	const char *what = options->command ? options->command[0]
	                   : targets == 1   ? "process"
	                                    : "processes";
	char numbers[16] = "";

	if (!options->command && targets == 1 && options->pid_count == 1)
		snprintf(numbers, sizeof(numbers), " %d", (int)options->pids[0]);
	text_add(text, "watching %s",
	         !netns         ? ""
	         : targets == 1 ? "the network namespace of "
	                        : "the network namespaces of ");
	if (!options->command && options->pid_count > 1)
		text_add(text, "%zu ", targets);
	text_add(text, "%.200s%s", what, numbers);
	if (!netns)
		text_add(text, targets == 1 ? " and what it starts" : " and what they start");
}

static void add_count(struct text *text, size_t ports)
{
	if (ports == 0)
		text_add(text, "no port is open");
	else if (ports == 1)
		text_add(text, "1 port is open");
	else
		text_add(text, "%zu ports are open", ports);
}

void explain_hidden(const struct explain *explain, struct text *text)
{
	if (explain->hidden == 0)
		return;
	text_add(text, "%s%zu%s %s hidden, --addresses=%s shows %s", text->length > 0 ? "; " : "",
	         explain->hidden, explain->open > 0 ? " more" : "",
	         explain->hidden == 1 ? "is" : "are", choices[explain->hidden_by],
	         explain->hidden == 1 ? "it" : "them");
}

static void add_way(struct text *text, const struct options *options, struct portwatch *watcher)
{
	int notifier = portwatch_get_notifier(watcher, PORTWATCH_NOTICE_LISTEN, NULL, 0);

	if (notifier > 0)
		text_add(text, "notifier: %s",
		         portwatch_notifier_name((enum portwatch_notifier)notifier));
	else
		text_add(text, options->notify ? "polling (--check says why)" : "polling");
}

void explain_watch(const struct options *options, struct portwatch *watcher, size_t targets,
                   char line[EXPLAIN_LINE_MAX])
{
	struct text text;

	text_init(&text, line, EXPLAIN_LINE_MAX);
	add_targets(&text, options, targets);
	text_add(&text, "; ");
	add_way(&text, options, watcher);
}

void explain_begin(struct explain *explain, struct portwatch *watcher, size_t targets)
{
	char buffer[EXPLAIN_LINE_MAX + 256], line[EXPLAIN_LINE_MAX];
	struct text text;

	if (!explain->enabled || explain->begun)
		return;
	explain->begun = true;
	explain->quiet_ms = now_ms() + QUIET_TIME;
	text_init(&text, buffer, sizeof(buffer));
	explain_watch(explain->options, watcher, targets, line);
	text_add(&text, "%s", line);
	/* A COMMAND that has just started has no port yet: a count of 0 would say nothing. */
	if (!explain->options->command || explain->open + explain->hidden > 0) {
		text_add(&text, "; ");
		add_count(&text, explain->open);
		explain_hidden(explain, &text);
	}
	if (explain->hidden > 0 && explain->hidden_by > explain->named)
		explain->named = explain->hidden_by;
	message_error("%s", buffer);
}

void explain_listing(const struct explain *explain)
{
	char buffer[256];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	if (explain->open == 0)
		add_count(&text, 0);
	explain_hidden(explain, &text);
	if (explain->enabled && text.length > 0)
		message_error("%s", buffer);
}

int64_t explain_next(const struct explain *explain)
{
	return explain->enabled && explain->begun && !explain->idle ? explain->quiet_ms : 0;
}

/* Whether the user may have meant a single process ID as a port, even if such a process exists. */
static bool means_port(const struct options *options, char hint[PORT_HINT_MAX])
{
	return options->pid_count == 1 && port_hint(options->pids[0], hint);
}

void explain_idle(struct explain *explain, int64_t now)
{
	char hint[PORT_HINT_MAX];

	if (explain_next(explain) == 0 || now < explain->quiet_ms)
		return;
	explain->idle = true;
	if (explain->options->wait_port != 0)
		message_error("port %u is not open yet", explain->options->wait_port);
	else if (explain->open + explain->hidden > 0)
		return;
	else if (means_port(explain->options, hint))
		message_error("nothing listens yet; %s", hint);
	else
		message_error("nothing listens yet");
}

void explain_rest(const struct explain *explain, const char *command)
{
	char names[ORPHANS_NAMES_MAX];
	size_t found;

	if (!explain->enabled)
		return;
	found = orphans_list(names);
	if (found > 0 && command)
		message_error(MESSAGE_NAME " has ended; still %s: %s", command,
		              found == 1 ? "runs" : "run", names);
	else if (found > 0)
		message_error("still %s, without pwatch: %s", found == 1 ? "runs" : "run", names);
}
