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

/* Takes the name that the owner has now. False where it has exited, or can't be asked. */
static bool name_owner(const struct procfs *procfs, const struct socket *socket, char name[64])
{
	CLEANUP_CLOSE int process = procfs_open_process(procfs, socket->owner);
	struct process_stat stat;

	if (process < 0 || procfs_read_stat(process, &stat) < 0 || procfs_is_dead(&stat) ||
	    stat.start_time != socket->owner_start)
		return false;
	memcpy(name, stat.name, sizeof(stat.name));
	return true;
}

static void log_port(struct subscription *subscription, const char *what,
                     const struct portwatch_event *event)
{
	bool six = event->listener.family == AF_INET6;

	log_write(&subscription->log, PORTWATCH_LOG_INFO,
	          "%s: %s%s%s:%u, PID %d (%s), %u owner(s), inode %llu, namespace %llu", what,
	          six ? "[" : "", event->address, six ? "]" : "",
	          (unsigned int)event->listener.port, (int)event->pid, event->process,
	          event->owners, (unsigned long long)event->listener.inode,
	          (unsigned long long)event->netns);
}

/* --- the ports that the sockets hold open
 *
 * All that an event says of an owner comes from one socket: the longest held of those whose owner
 * is known, or else the oldest of them all. */

static struct socket *named_socket(const struct port *port)
{
	const struct list *sockets = list_empty(&port->held) ? &port->ownerless : &port->held;

	return container_of(sockets->next, struct socket, of_port);
}

/* Makes an event of what is known of a socket. False where its owner has exited just now. */
static bool describe(const struct view *view, const struct socket *socket,
                     struct portwatch_event *event)
{
	*event = (struct portwatch_event){
		.listener = socket->listener,
		.pid = socket->owner,
		.owners = socket->owners,
		.netns = view->ns->inode,
		.cookie = view->ns->cookie,
		.initial = view->subscription->state == SUBSCRIPTION_STARTING,
	};

	event_stamp(event);
	return socket->owner == 0 ||
	       name_owner(&view->subscription->monitor->procfs, socket, event->process);
}

/* Keeps the owner of a port that is open, and reports it where that is another. While it is asked
 * who else holds the last socket, the port keeps the owner that it had. */
static void report_owner(struct view *view, struct port *port)
{
	struct subscription *subscription = view->subscription;
	const struct socket *socket = named_socket(port);
	struct portwatch_event event;

	/* Others are asked when the exit of the owner is known. */
	if (socket->state == SOCKET_OWNERLESS || !describe(view, socket, &event))
		return;
	if (outbox_owner(subscription->outbox, port, &event))
		log_port(subscription, "port owner", &event);
}

/* Puts it where it belongs among the sockets of its port. */
static void place(struct socket *socket)
{
	struct list *sockets =
		socket->state == SOCKET_HELD ? &socket->port->held : &socket->port->ownerless;

	list_remove(&socket->of_port);
	list_append(sockets, &socket->of_port);
}

static void open_port(struct view *view, struct socket *socket)
{
	struct subscription *subscription = view->subscription;
	struct portwatch_event event;

	describe(view, socket, &event);
	socket->port = outbox_open(subscription->outbox, view->ns->serial, &event);
	if (!socket->port) {
		/* no memory: the next verification tries again */
		socket->state = SOCKET_UNATTRIBUTED;
		return;
	}
	place(socket);
	if (socket->port->sockets == 1)
		log_port(subscription, "port open", &event);
}

void socket_hold(struct view *view, struct socket *socket, const struct fds_holder *holder)
{
	bool was_held = socket->state == SOCKET_HELD;

	socket->owner = holder->pid;
	socket->owner_start = holder->start_time;
	socket->owners = holder->owners;
	socket->looks = 0;
	socket->state = holder->pid ? SOCKET_HELD : SOCKET_UNATTRIBUTED;
	if (!socket->port)
		open_port(view, socket);
	else if (was_held != (socket->state == SOCKET_HELD))
		place(socket);
	if (socket->port)
		report_owner(view, socket->port);
}

static void close_port(struct view *view, struct socket *socket)
{
	struct subscription *subscription = view->subscription;
	const struct portwatch_event *event = &socket->port->event;
	char name[64];
	bool named;

	if (subscription->state == SUBSCRIPTION_RUNNING)
		log_write(&subscription->log, PORTWATCH_LOG_INFO, "port closed: %s port %u",
		          event->address, (unsigned int)socket->listener.port);
	named = socket->owner && socket->owner == event->pid &&
	        socket->listener.inode == event->listener.inode &&
	        name_owner(&subscription->monitor->procfs, socket, name);
	outbox_close(subscription->outbox, socket->port, named ? name : NULL);
}

void socket_release(struct view *view, struct socket *socket, enum socket_state state)
{
	struct port *port = socket->port;

	if (port) {
		/* It may have been the last thing for which a view without members was kept. */
		if (!view->marked)
			view->subscription->monitor->moved = true;
		list_remove(&socket->of_port);
		if (port->sockets == 1) {
			close_port(view, socket);
		} else {
			outbox_close(view->subscription->outbox, port, NULL);
			report_owner(view, port);
		}
	}
	socket->port = NULL;
	socket->state = state;
	socket->owner = 0;
	socket->owners = 0;
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
	list_init(&socket->of_port);
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
	if (!socket->port)
		return;
	place(socket);
	report_owner(view, socket->port);
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
		loop_remove(&view->subscription->monitor->loop, &view->exit);
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
