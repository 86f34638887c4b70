/* SPDX-License-Identifier: MIT */
/* sockets.c - the listening sockets of one namespace as one subscription sees them */
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "util/cleanup.h"
#include "watch/subscription.h"
#include "util/fd.h"

static int compare(const void *left, const void *right)
{
	const struct socket *a = left, *b = right;

	/* One socket can listen on another port than before. */
	return listener_compare(&a->listener, &b->listener);
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

static bool address_wanted(enum portwatch_addresses addresses, const struct listener *listener)
{
	static const uint8_t localhost[4] = {127, 0, 0, 1};
	const uint8_t *bytes = listener->address;

	if (addresses == PORTWATCH_ADDRESSES_ALL)
		return true;
	if (listener->family == AF_INET6)
		return is_zero(bytes, 15) && bytes[15] <= 1;
	if (addresses == PORTWATCH_ADDRESSES_LOOPBACK && bytes[0] == 127)
		return true;
	return is_zero(bytes, 4) || memcmp(bytes, localhost, 4) == 0;
}

/* Each address that is left out is told once; a bounded number of them is remembered. */
static void log_skipped(struct subscription *subscription, const struct listener *listener)
{
	char text[INET6_ADDRSTRLEN] = "";

	for (size_t i = 0; i < subscription->skipped_count; i++)
		if (subscription->skipped[i].family == listener->family &&
		    memcmp(subscription->skipped[i].address, listener->address, 16) == 0)
			return;
	if (subscription->skipped_count == SKIPPED_MAX)
		return;
	subscription->skipped[subscription->skipped_count++] = *listener;
	inet_ntop(listener->family, listener->address, text, sizeof(text));
	log_write(&subscription->log, PORTWATCH_LOG_DEBUG,
	          "skipping listeners on %s, such as port %u%s", text, (unsigned int)listener->port,
	          subscription->skipped_count == SKIPPED_MAX
	                  ? "; further skipped addresses are not logged"
	                  : "");
}

static void name_owner(const struct procfs *procfs, pid_t pid, char name[64])
{
	CLEANUP_CLOSE int process = procfs_open_process(procfs, pid);
	ssize_t size;

	name[0] = '\0';
	if (process < 0)
		return;
	size = procfs_read(process, "comm", name, 64);
	if (size <= 0)
		name[0] = '\0';
	else if (name[size - 1] == '\n')
		name[size - 1] = '\0';
}

static void log_opened(struct subscription *subscription, const struct portwatch_event *event)
{
	bool six = event->listener.family == AF_INET6;

	log_write(&subscription->log, PORTWATCH_LOG_INFO,
	          "port open: %s%s%s:%u, PID %d (%s), %u owner(s), inode %llu, namespace %llu",
	          six ? "[" : "", event->address, six ? "]" : "",
	          (unsigned int)event->listener.port, (int)event->pid, event->process,
	          event->owners, (unsigned long long)event->listener.inode,
	          (unsigned long long)event->netns);
}

void socket_hold(struct view *view, struct socket *socket, pid_t owner, unsigned int owners)
{
	struct subscription *subscription = view->subscription;
	struct portwatch_event event = {
		.kind = PORTWATCH_EVENT_OPEN,
		.listener = socket->listener,
		.pid = owner,
		.owners = owners,
		.netns = view->ns->inode,
		.cookie = view->ns->cookie,
		.initial = subscription->state == SUBSCRIPTION_STARTING,
	};

	socket->owner = owner;
	socket->owners = owners;
	socket->looks = 0;
	socket->state = owner ? SOCKET_HELD : SOCKET_UNATTRIBUTED;
	if (socket->port && !owner)
		return;
	if (owner)
		name_owner(&subscription->monitor->procfs, owner, event.process);
	if (socket->port) {
		outbox_owner(subscription->outbox, socket->port, &event);
		return;
	}
	event_stamp(&event);
	socket->port = outbox_open(subscription->outbox, view->ns->serial, &event);
	if (!socket->port) {
		socket->state =
			SOCKET_UNATTRIBUTED; /* no memory: the next verification tries again */
		return;
	}
	if (socket->port->sockets == 1) {
		log_opened(subscription, &event);
	}
}

void socket_release(struct view *view, struct socket *socket, enum socket_state state)
{
	struct subscription *subscription = view->subscription;

	socket->state = state;
	socket->owner = 0;
	socket->owners = 0;
	if (!socket->port)
		return;
	/* It may have been the last thing for which a view without members was kept. */
	if (!view->marked)
		subscription->monitor->moved = true;
	if (socket->port->sockets == 1 && subscription->state == SUBSCRIPTION_RUNNING)
		log_write(&subscription->log, PORTWATCH_LOG_INFO, "port closed: %s port %u",
		          socket->port->event.address, (unsigned int)socket->listener.port);
	outbox_close(subscription->outbox, socket->port);
	socket->port = NULL;
}

static void resolve(struct view *view, struct socket *socket)
{
	if (socket->state == SOCKET_NEW || socket->state == SOCKET_OWNERLESS)
		view->subscription->pending--;
}

/* It listens no more; what comes of its port is decided when the others are known. */
static void drop(struct view *view, struct socket *socket)
{
	resolve(view, socket);
	tdelete(socket, &view->tree, compare);
	list_remove(&socket->link);
	list_append(&view->dropped, &socket->link);
}

struct socket *view_find(const struct view *view, const struct listener *listener)
{
	struct socket key = {.listener = *listener};
	struct socket **found = tfind(&key, &view->tree, compare);

	return found ? *found : NULL;
}

static void add_socket(struct view *view, const struct listener *listener)
{
	struct socket *socket = calloc(1, sizeof(*socket));
	struct socket **place;

	if (!socket) {
		view->late = true; /* taken over with the next read */
		return;
	}
	socket->listener = *listener;
	socket->added = view->ns->completed;
	place = tsearch(socket, &view->tree, compare);
	if (!place || *place != socket) {
		view->late |= !place;
		free(socket);
		return;
	}
	list_append(&view->sockets, &socket->link);
	view->subscription->pending++;
	view->subscription->attribute = true;
}

static void take(struct view *view, enum snapshot_change change, const struct listener *listener)
{
	struct socket *socket;

	if (!address_wanted(view->subscription->options.addresses, listener)) {
		if (change == SNAPSHOT_ADDED)
			log_skipped(view->subscription, listener);
		return;
	}
	if (change == SNAPSHOT_ADDED) {
		add_socket(view, listener);
		return;
	}
	socket = view_find(view, listener);
	if (socket)
		drop(view, socket);
}

void view_change(struct view *view, enum snapshot_change change, const struct listener *listener)
{
	if (view->ready)
		take(view, change, listener);
}

/* Takes over what is known already and was there at the last read. The rest, if it comes back,
 * isn't told as new. */
static void take_over(struct view *view)
{
	const struct snapshot *known = &view->ns->known;

	view->late = false;
	for (size_t i = 0; i < known->count; i++) {
		if (known->rows[i].missing)
			view->late = true;
		else
			take(view, SNAPSHOT_ADDED, &known->rows[i].listener);
	}
}

void view_completed(struct view *view)
{
	bool was_ready = view->ready;

	if (view->ns->completed > view->after)
		view->ready = true;
	if (view->ready && (!was_ready || view->late))
		take_over(view);
	if (view->subscription->pending > 0)
		view->subscription->attribute = true;
}

void socket_lose_owner(struct view *view, struct socket *socket)
{
	socket->state = SOCKET_OWNERLESS;
	socket->looks = 0;
	socket->looked = view->ns->requests;
	view->subscription->pending++;
}

void view_lost_owner(struct view *view, pid_t pid)
{
	struct socket *socket;
	bool any = false;

	list_each (socket, &view->sockets, struct socket, link) {
		if (socket->state != SOCKET_HELD || socket->owner != pid)
			continue;
		socket_lose_owner(view, socket);
		any = true;
	}
	if (any)
		netns_read_now(view->ns);
}

struct view *view_get(struct subscription *subscription, struct netns *ns)
{
	struct view *view;

	list_each (view, &subscription->views, struct view, of_subscription)
		if (view->ns == ns)
			return view;
	view = calloc(1, sizeof(*view));
	if (!view)
		return NULL;
	view->ns = ns;
	view->subscription = subscription;
	view->exit.fd = -1;
	view->after = ns->requests;
	view->joined = subscription->placed;
	list_init(&view->sockets);
	list_init(&view->dropped);
	list_append(&ns->views, &view->of_namespace);
	list_append(&subscription->views, &view->of_subscription);
	netns_read_now(ns);
	return view;
}

/* Frees the sockets and leaves their ports as they are. */
static void forget_sockets(struct list *sockets)
{
	struct socket *socket;

	list_each (socket, sockets, struct socket, link)
		free(socket);
	list_init(sockets);
}

void view_free(struct view *view, bool close_ports)
{
	struct socket *socket;

	list_each (socket, &view->sockets, struct socket, link)
		drop(view, socket);
	if (close_ports)
		view_drop_closed(view);
	else
		forget_sockets(&view->dropped);
	if (view->exit.fd >= 0) {
		monitor_remove(view->subscription->monitor, &view->exit);
		fd_close(view->exit.fd);
	}
	list_remove(&view->of_namespace);
	list_remove(&view->of_subscription);
	free(view);
}

/* --- sockets that listen no more, and what comes of their ports */

static void release(struct view *view, struct socket *socket)
{
	socket_release(view, socket, SOCKET_UNATTRIBUTED);
	list_remove(&socket->link);
	free(socket);
}

void view_drop_closed(struct view *view)
{
	struct socket *socket;

	list_each (socket, &view->dropped, struct socket, link)
		release(view, socket);
}

/* Of a socket that comes and goes quickly nobody may have been asked in time: that no member holds
 * it counts only when a later read shows nothing newer. */
static bool is_in_question(const struct view *view, const struct socket *socket)
{
	return socket &&
	       (socket->state != SOCKET_UNATTRIBUTED || socket->added == view->ns->completed);
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

void view_resolve(struct view *view)
{
	struct socket *socket;

	list_each (socket, &view->dropped, struct socket, link) {
		if (socket->port && socket->port->sockets == 1 &&
		    may_be_held(view, &socket->listener))
			netns_read_now(view->ns);
		else
			release(view, socket);
	}
}
