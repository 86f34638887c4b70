/* SPDX-License-Identifier: MIT */
/* thread.c - prints the ports of a process and its descendants, in the thread of the library
 *
 *     cc thread.c -o thread $(pkg-config --cflags --libs libportwatch)
 *     ./thread PID
 */
#include <portwatch.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library makes one call at a time, so the callback needs no lock against itself. */
static void on_event(struct portwatch *watcher, const struct portwatch_event *event, void *ended)
{
	(void)watcher;
	if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_END) {
		sem_post(ended);
		return;
	}
	/* The process chooses the bytes of its command line: escape them for a terminal. */
	printf("%s port %u, process %d of user %ld, %u bytes of command line\n",
	       portwatch_event_get_address_text(event), (unsigned)portwatch_event_get_port(event),
	       (int)portwatch_event_get_pid(event), (long)portwatch_event_get_uid(event),
	       (unsigned)strlen(portwatch_event_get_command_line(event)));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct portwatch *watcher;
	char text[400];
	sem_t ended;
	int result;

	sem_init(&ended, 0, 0);
	if (argc != 2 || portwatch_new(&watcher, atoi(argv[1]), on_event, &ended) < 0) {
		fprintf(stderr, "Usage: thread PID\n");
		return 2;
	}
	result = portwatch_start(watcher);
	if (result < 0) {
		portwatch_get_error(watcher, text, sizeof(text));
		fprintf(stderr, "%s\n", text);
	} else {
		sem_wait(&ended);
	}
	portwatch_free(watcher);
	return result < 0;
}
