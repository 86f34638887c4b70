/* SPDX-License-Identifier: MIT */
/* listing.c - what is open now, for the host
 *
 * The monitor thread makes a copy, and the host's thread calls back, without a lock. */
#include <errno.h>
#include <stdlib.h>

#include "api/event.h"
#include "api/watcher.h"
#include "util/lock.h"
#include "watch/subscription.h"

struct listing {
	struct portwatch_event *rows; /* malloc()ed */
	size_t capacity;
	size_t count;
	int error;
};

static void add(struct listing *listing, const struct port *port)
{
	if (listing->count == listing->capacity) {
		size_t capacity = listing->capacity ? listing->capacity * 2 : 64;
		struct portwatch_event *rows =
			realloc(listing->rows, capacity * sizeof(*listing->rows));

		if (!rows) {
			listing->error = -ENOMEM;
			return;
		}
		listing->rows = rows;
		listing->capacity = capacity;
	}
	outbox_describe(port, &listing->rows[listing->count++]);
}

static void add_sockets(struct listing *listing, const struct list *sockets)
{
	struct socket *socket;

	list_each (socket, sockets, struct socket, link)
		if (listing->error == 0 && socket_is_named(socket))
			add(listing, socket->port);
}

/* A port may still be held by a socket that listens no more, while others are asked about. */
static void list_ports(struct subscription *subscription, void *data)
{
	struct view *view;

	list_each (view, &subscription->views, struct view, of_subscription) {
		add_sockets(data, &view->sockets);
		add_sockets(data, &view->dropped);
	}
}

static int report(const struct listing *listing, portwatch_port_callback callback, void *user_data)
{
	struct portwatch_event *event = NULL;
	int count = 0;

	for (size_t i = 0; i < listing->count; i++) {
		event = event_renew(event);
		if (!event)
			return -ENOMEM;
		event_fill(event, &listing->rows[i]);
		count++;
		if (callback(event, user_data) != 0)
			break;
	}
	portwatch_event_unref(event);
	return count;
}

int portwatch_each_port(struct portwatch *watcher, portwatch_port_callback callback,
                        void *user_data)
{
	struct listing listing = {0};
	int cancel, result;

	if (!watcher || !callback)
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return -ENOTCONN;
	cancel = library_enter();
	result = watcher_ask(watcher, list_ports, &listing);
	library_leave(cancel);
	if (result == 0)
		result = listing.error;
	if (result == 0)
		result = report(&listing, callback, user_data);
	free(listing.rows);
	return result;
}
