/* SPDX-License-Identifier: MIT */
/* loop.c - a program that uses the installed library from its own epoll loop */
#include <portwatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "server.h"

struct wanted {
	uint16_t port;
	int closed; /* the awaited event: 0 the open, 1 the close */
	int seen;
};

static void on_event(struct portwatch *watcher, const struct portwatch_event *event,
                     void *user_data)
{
	struct wanted *wanted = user_data;
	enum portwatch_event_kind kind = portwatch_event_get_kind(event);

	(void)watcher;
	if (portwatch_event_get_port(event) == wanted->port &&
	    kind == (wanted->closed ? PORTWATCH_EVENT_CLOSE : PORTWATCH_EVENT_OPEN))
		wanted->seen = 1;
}

/* Runs the loop until the awaited event. Returns 0, or -1 after the deadline. */
static int await(int epoll, struct portwatch *watcher, struct wanted *wanted)
{
	struct epoll_event ready;

	wanted->seen = 0;
	while (!wanted->seen) {
		if (epoll_wait(epoll, &ready, 1, SERVER_DEADLINE) != 1)
			return -1;
		if (portwatch_dispatch(watcher) < 0)
			return -1;
	}
	return 0;
}

/* Makes and starts the watcher. Returns the watcher or NULL. */
static struct portwatch *watch(struct wanted *wanted)
{
	struct portwatch *watcher;

	if (portwatch_new(&watcher, getpid(), on_event, wanted) < 0)
		return NULL;
	if (portwatch_set_delivery(watcher, PORTWATCH_DELIVERY_DISPATCH) == 0 &&
	    portwatch_set_events(watcher, PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE) == 0 &&
	    portwatch_start(watcher) == 0)
		return watcher;
	portwatch_free(watcher);
	return NULL;
}

int main(void)
{
	struct epoll_event interest = {.events = EPOLLIN};
	struct wanted wanted = {0};
	struct portwatch *watcher = watch(&wanted);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int server;

	if (!watcher)
		return fail("to start a watcher");
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, portwatch_get_fd(watcher), &interest) < 0)
		return fail("epoll");
	server = server_listen(&wanted.port);
	if (server < 0)
		return fail("listen");
	if (await(epoll, watcher, &wanted) < 0)
		return fail("the port that was opened");
	close(server);
	wanted.closed = 1;
	if (await(epoll, watcher, &wanted) < 0)
		return fail("the port that was closed");
	portwatch_free(watcher);
	close(epoll);
	return EXIT_SUCCESS;
}
