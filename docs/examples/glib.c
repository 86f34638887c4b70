/* SPDX-License-Identifier: MIT */
/* glib.c - prints the ports of a process and its descendants, in a main loop of GLib
 *
 *     cc glib.c -o glib $(pkg-config --cflags --libs libportwatch glib-2.0)
 *     ./glib PID
 */
#include <glib-unix.h>
#include <portwatch.h>
#include <stdlib.h>

static void on_event(struct portwatch *watcher, const struct portwatch_event *event, void *loop)
{
	(void)watcher;
	if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_END)
		g_main_loop_quit(loop);
	else
		g_print("%s port %u\n", portwatch_event_get_address_text(event),
		        (unsigned)portwatch_event_get_port(event));
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer watcher)
{
	(void)fd;
	(void)condition;
	portwatch_dispatch(watcher);
	return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
	GMainLoop *loop = g_main_loop_new(NULL, FALSE);
	struct portwatch *watcher;
	guint source;

	if (argc != 2 || portwatch_new(&watcher, atoi(argv[1]), on_event, loop) < 0) {
		g_printerr("Usage: glib PID\n");
		return 2;
	}
	portwatch_set_delivery(watcher, PORTWATCH_DELIVERY_DISPATCH);
	if (portwatch_start(watcher) < 0)
		return 1;
	source = g_unix_fd_add(portwatch_get_fd(watcher), G_IO_IN, on_readable, watcher);
	g_main_loop_run(loop);
	g_source_remove(source);
	portwatch_free(watcher);
	g_main_loop_unref(loop);
	return 0;
}
