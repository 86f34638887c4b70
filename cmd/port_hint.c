/* SPDX-License-Identifier: MIT */
/* port_hint.c - names the process that holds a port which the user typed in place of a process ID
 *
 * The tables of pwatch's own namespace are read once, without a notifier, as pwatch --once
 * --scope=netns does. portwatch_start() limits the time to its deadline. */
#include <stdio.h>
#include <unistd.h>

#include "port_hint.h"
#include "portwatch.h"
#include "values.h"

struct search {
	unsigned int port;
	bool open;
	char *hint;
};

/* A portwatch_port_callback: ends with the first owner that is known. */
static int take_port(const struct portwatch_event *port, void *user_data)
{
	struct search *search = user_data;
	int pid = (int)portwatch_event_get_pid(port);

	if (portwatch_event_get_port(port) != search->port)
		return 0;
	search->open = true;
	if (pid > 0)
		snprintf(search->hint, PORT_HINT_MAX,
		         "port %u is open, held by PID %d (%.32s): pwatch %d", search->port, pid,
		         portwatch_event_get_process(port), pid);
	else
		snprintf(search->hint, PORT_HINT_MAX,
		         "port %u is open, by a process that can't be seen from here",
		         search->port);
	return pid > 0;
}

static void ignore_event(struct portwatch *watcher, const struct portwatch_event *event,
                         void *user_data)
{
	(void)watcher;
	(void)event;
	(void)user_data;
}

/* The target of the watcher, pwatch itself, only selects the namespace. */
static int configure(struct portwatch *watcher)
{
	int result = portwatch_set_scope(watcher, PORTWATCH_SCOPE_NETNS);

	if (result == 0)
		result = portwatch_set_addresses(watcher, PORTWATCH_ADDRESSES_ALL);
	if (result == 0)
		result = portwatch_set_delivery(watcher, PORTWATCH_DELIVERY_DISPATCH);
	return result == 0 ? portwatch_set_notifier(watcher, false) : result;
}

bool port_hint(pid_t number, char hint[PORT_HINT_MAX])
{
	struct search search = {.port = (unsigned int)number, .hint = hint};
	struct portwatch *watcher;

	if (number < 1 || number > (pid_t)VALUES_PORT_MAX)
		return false;
	if (portwatch_new(&watcher, getpid(), ignore_event, NULL) < 0)
		return false;
	if (configure(watcher) == 0 && portwatch_start(watcher) == 0)
		portwatch_each_port(watcher, take_port, &search);
	portwatch_free(watcher);
	return search.open;
}
