/* SPDX-License-Identifier: MIT */
/* libuv.c - prints the ports of a process and its descendants, in a loop of libuv
 *
 *     cc libuv.c -o libuv $(pkg-config --cflags --libs libportwatch libuv)
 *     ./libuv PID
 */
#include <portwatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static void on_event(struct portwatch *watcher, const struct portwatch_event *event, void *poll)
{
	(void)watcher;
	/* The loop ends when no handle is active. */
	if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_END)
		uv_poll_stop(poll);
	else
		printf("%s port %u\n", portwatch_event_get_address_text(event),
		       (unsigned)portwatch_event_get_port(event));
	fflush(stdout);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	portwatch_dispatch(poll->data);
}

int main(int argc, char **argv)
{
	struct portwatch *watcher;
	uv_poll_t poll;

	if (argc != 2 || portwatch_new(&watcher, atoi(argv[1]), on_event, &poll) < 0) {
		fprintf(stderr, "Usage: libuv PID\n");
		return 2;
	}
	portwatch_set_delivery(watcher, PORTWATCH_DELIVERY_DISPATCH);
	if (portwatch_start(watcher) < 0)
		return 1;
	uv_poll_init(uv_default_loop(), &poll, portwatch_get_fd(watcher));
	poll.data = watcher;
	uv_poll_start(&poll, UV_READABLE, on_readable);
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	/* The loop must release the descriptor before the watcher closes it. */
	uv_close((uv_handle_t *)&poll, NULL);
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	portwatch_free(watcher);
	uv_loop_close(uv_default_loop());
	return 0;
}
