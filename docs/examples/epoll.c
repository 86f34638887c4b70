/* SPDX-License-Identifier: MIT */
/* epoll.c - prints the ports of a process and its descendants, in an event loop with epoll
 *
 *     cc epoll.c -o epoll $(pkg-config --cflags --libs libportwatch)
 *     ./epoll PID
 */
#include <portwatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static void on_event(struct portwatch *watcher, const struct portwatch_event *event, void *ended)
{
	(void)watcher;
	switch (portwatch_event_get_kind(event)) {
	case PORTWATCH_EVENT_OPEN:
	case PORTWATCH_EVENT_CLOSE:
		printf("%s %s port %u\n",
		       portwatch_event_get_kind(event) == PORTWATCH_EVENT_OPEN ? "open" : "closed",
		       portwatch_event_get_address_text(event),
		       (unsigned)portwatch_event_get_port(event));
		break;
	case PORTWATCH_EVENT_END:
		*(int *)ended = 1;
		break;
	case PORTWATCH_EVENT_OWNER:
		break;
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct epoll_event ready = {.events = EPOLLIN};
	struct portwatch *watcher;
	int loop = epoll_create1(EPOLL_CLOEXEC), ended = 0;

	if (argc != 2 || portwatch_new(&watcher, atoi(argv[1]), on_event, &ended) < 0) {
		fprintf(stderr, "Usage: epoll PID\n");
		return 2;
	}
	portwatch_set_events(watcher,
	                     PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE | PORTWATCH_EVENT_END);
	portwatch_set_delivery(watcher, PORTWATCH_DELIVERY_DISPATCH);
	if (portwatch_start(watcher) < 0)
		return 1;
	/* If a port is open, the descriptor is already readable. */
	if (epoll_ctl(loop, EPOLL_CTL_ADD, portwatch_get_fd(watcher), &ready) < 0)
		return 1;
	while (!ended)
		if (epoll_wait(loop, &ready, 1, -1) > 0)
			portwatch_dispatch(watcher);
	portwatch_free(watcher);
	close(loop);
	return 0;
}
