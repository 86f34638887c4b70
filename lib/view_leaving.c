/* SPDX-License-Identifier: MIT */
/* view_leaving.c - sockets that listen no more, and what comes of their ports */
#include <stdlib.h>

#include "subscription.h"

static void part(struct view *view, struct socket *socket)
{
	socket_release(view, socket, SOCKET_STRANGER);
	list_remove(&socket->link);
	free(socket);
}

void view_part(struct view *view)
{
	struct socket *socket;

	list_each (socket, &view->leaving, struct socket, link)
		part(view, socket);
}

/* Of a socket that comes and goes quickly nobody may have been asked in time: that no member holds
 * it counts only when a later read shows nothing newer. */
static bool is_in_question(const struct view *view, const struct socket *socket)
{
	return socket && (socket->state != SOCKET_STRANGER || socket->added == view->ns->completed);
}

/* Whether the last read shows another socket on the port that may be in scope. */
static bool may_be_held(const struct view *view, const struct listener *port)
{
	const struct snapshot *known = &view->ns->known;

	for (size_t i = snapshot_first(known, port); i < known->count; i++) {
		const struct snapshot_row *row = &known->rows[i];

		if (!listener_same_port(&row->listener, port))
			return false;
		if (!row->missing && is_in_question(view, view_find(view, &row->listener)))
			return true;
	}
	return false;
}

void view_settle(struct view *view)
{
	struct socket *socket;

	list_each (socket, &view->leaving, struct socket, link) {
		if (socket->port && socket->port->sockets == 1 &&
		    may_be_held(view, &socket->listener))
			namespace_read_now(view->ns);
		else
			part(view, socket);
	}
}
