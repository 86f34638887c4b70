/* SPDX-License-Identifier: MIT */
/* thread.c - a program that uses the installed library, with the library's own thread */
#include <poll.h>
#include <portwatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server.h"

/* Runs in the library's thread and passes the port to the main thread. */
static void on_event(struct portwatch *watcher, const struct portwatch_event *event,
                     void *user_data)
{
	const int *pipe_ends = user_data;
	uint16_t port = portwatch_event_get_port(event);

	(void)watcher;
	if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_OPEN &&
	    write(pipe_ends[1], &port, sizeof(port)) != sizeof(port))
		abort();
}

/* Waits until the callback has reported the port. Returns 0, or -1 after the deadline. */
static int await(int fd, uint16_t port)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	uint16_t seen;

	while (poll(&ready, 1, SERVER_DEADLINE) == 1) {
		if (read(fd, &seen, sizeof(seen)) != sizeof(seen))
			return -1;
		if (seen == port)
			return 0;
	}
	return -1;
}

int main(void)
{
	struct portwatch *watcher;
	int pipe_ends[2];
	uint16_t early, late;

	if (pipe(pipe_ends) < 0)
		return fail("pipe");
	if (server_listen(&early) < 0)
		return fail("listen");
	if (portwatch_new(&watcher, getpid(), on_event, pipe_ends) < 0)
		return fail("portwatch_new");
	if (portwatch_start(watcher) < 0)
		return fail("portwatch_start");
	if (await(pipe_ends[0], early) < 0)
		return fail("the port that was open before the start");
	if (server_listen(&late) < 0)
		return fail("listen");
	if (await(pipe_ends[0], late) < 0)
		return fail("the port that was opened after the start");
	if (portwatch_stop(watcher) < 0)
		return fail("portwatch_stop");
	portwatch_free(watcher);
	return EXIT_SUCCESS;
}
