/* SPDX-License-Identifier: MIT */
/* sockets.c - the listening sockets of one namespace in one subscription */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "util/cleanup.h"
#include "util/clock.h"
#include "watch/complete.h"
#include "watch/subscription.h"
#include "util/fd.h"

static int compare(const void *left, const void *right)
{
	const struct socket *a = left, *b = right;

	/* A socket can listen again on another port, so the inode alone is not a key. */
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

/* Logs each skipped address once. A bounded number of addresses is stored. */
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

/* --- states --- */

void socket_set_pending(struct socket *socket, enum socket_state state)
{
	struct subscription *subscription = socket->view->subscription;

	socket->state = state;
	socket->misses = 0;
	socket->last_miss = socket->view->ns->requests;
	socket->scan = process_table_begun(subscription->context->processes);
	socket->since = subscription->owners.number;
	list_move(&subscription->pending_sockets, &socket->of_work);
	subscription->pending++;
	subscription_ask(subscription);
}

/* Ends the pending state: the holder is known, or does not matter any more. */
static void resolve(struct socket *socket, enum socket_state state)
{
	if (socket_is_pending(socket))
		socket->view->subscription->pending--;
	list_remove(&socket->of_work);
	socket->state = state;
	socket->pending_read = socket->view->ns->requests;
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

/* --- the ports of the sockets
 *
 * All properties of the owner in an event come from one socket: among the sockets whose owner is
 * known, the one that has been held longest; or else the oldest socket. */

static struct socket *named_socket(const struct port *port)
{
	const struct list *sockets = list_empty(&port->held) ? &port->ownerless : &port->held;

	return container_of(sockets->next, struct socket, of_port);
}

bool socket_is_named(const struct socket *socket)
{
	return socket->port && named_socket(socket->port) == socket;
}

/* Reads the present stat of a process, through the open file if the process was scanned last. */
static int read_stat(const struct subscription *subscription, pid_t pid, struct process_stat *stat)
{
	const struct owners *owners = &subscription->owners;
	CLEANUP_CLOSE int process = -1;

	/* Where it has exited, its number may be that of another process. */
	if (owners->stat >= 0 && owners->asked == pid) {
		int result = procfs_reread_stat(owners->stat, stat);

		if (result != -ESRCH)
			return result;
	}
	process = procfs_open_process(&subscription->context->procfs, pid);
	return process < 0 ? process : procfs_read_stat(process, stat);
}

/* Reads the present name of a process. Returns false if the process has exited. If its state is
 * unknown (no descriptors left), returns true and leaves the name unchanged. */
static bool read_name(const struct subscription *subscription, pid_t pid, uint64_t start_time,
                      char name[64])
{
	struct process_stat stat;
	int result = read_stat(subscription, pid, &stat);

	if (result < 0)
		return result != -ESRCH || procfs_is_hidden(&subscription->context->procfs, pid);
	if (procfs_is_dead(&stat) || stat.start_time != start_time)
		return false;
	memcpy(name, stat.name, sizeof(stat.name));
	return true;
}

/* A process that was alive this short a time ago counts as alive: it takes an event longer to reach
 * the host. */
#define FRESH (100 * NSEC_PER_USEC)

/* Whether the process lives; reads its name. For ports that are reported together the process is
 * read once. */
static bool is_alive(const struct subscription *subscription, struct holder *holder)
{
	uint64_t now = clock_now(CLOCK_MONOTONIC);

	if (holder->seen != 0 && now - holder->seen < FRESH)
		return true;
	holder->seen = now;
	return read_name(subscription, holder->pid, holder->start_time, holder->name);
}

/* The oldest live process that holds the socket; NULL: none is known. */
static struct holder *find_owner(struct socket *socket)
{
	struct subscription *subscription = socket->view->subscription;
	struct holder *holder;

	while ((holder = holder_set_first(&socket->holders)) && !is_alive(subscription, holder)) {
		subscription->context->exited = true; /* a member may have exited unnoticed */
		holders_exited(&subscription->owners.holders, holder->pid, holder->start_time);
	}
	return holder;
}

/* Creates an event from a socket and its owner; owner NULL: no holder is known. */
static struct portwatch_event describe(const struct socket *socket, const struct holder *owner)
{
	const struct view *view = socket->view;
	struct portwatch_event event = {
		.listener = socket->listener,
		.netns = view->ns->inode,
		.cookie = view->ns->cookie,
		.initial = view->subscription->state == SUBSCRIPTION_STARTING,
	};

	if (owner) {
		event.pid = owner->pid;
		event.start_time = owner->start_time;
		event.owners = holder_set_count(&socket->holders);
		memcpy(event.process, owner->name, sizeof(event.process));
	}
	event_stamp(&event);
	return event;
}

/* Inserts a socket at its position among the sockets of its port. */
static void place(struct socket *socket)
{
	struct list *sockets =
		socket->state == SOCKET_HELD ? &socket->port->held : &socket->port->ownerless;

	list_move(sockets, &socket->of_port);
}

/* The other processes are not scanned for a socket that has stopped listening. */
static void lose_owner(struct socket *socket)
{
	if (socket->dropped) {
		socket->state = SOCKET_UNATTRIBUTED;
	} else {
		socket_set_pending(socket, SOCKET_OWNERLESS);
		netns_read_now(socket->view->ns);
	}
	if (socket->port)
		place(socket);
}

/* Updates the owner of an open port, and reports a change. While the search looks for another
 * holder of the last socket, and after the last socket is gone, the port keeps its owner. */
static void report_owner(struct subscription *subscription, struct port *port)
{
	struct portwatch_event event;
	struct holder *owner = NULL;
	struct socket *socket;

	for (;;) {
		socket = named_socket(port);
		if (socket_is_pending(socket) || (socket->dropped && socket->state != SOCKET_HELD))
			return;
		if (socket->state != SOCKET_HELD)
			break;
		owner = find_owner(socket);
		if (owner)
			break;
		lose_owner(socket); /* another socket is the named one now */
	}
	event = describe(socket, owner);
	if (outbox_owner(subscription->outbox, port, &event))
		log_port(subscription, "port owner", &event);
}

static void set_hidden(struct socket *socket, bool hidden)
{
	struct subscription *subscription = socket->view->subscription;

	if (socket->hidden == hidden)
		return;
	socket->hidden = hidden;
	subscription->hidden += hidden ? 1 : -1U;
	if (hidden)
		complete_note_ports(subscription);
}

/* Whether the port of a socket is open or may be opened. Otherwise the socket is hidden, and each
 * full check tries again. */
static bool has_room(struct socket *socket)
{
	const struct subscription *subscription = socket->view->subscription;
	bool room =
		socket->port || subscription->port_count < subscription->options.ports ||
		outbox_has_open(subscription->outbox, socket->view->ns->serial, &socket->listener);

	set_hidden(socket, !room);
	if (!room)
		resolve(socket, SOCKET_UNATTRIBUTED);
	return room;
}

static void open_port(struct socket *socket, const struct holder *owner)
{
	struct subscription *subscription = socket->view->subscription;
	struct portwatch_event event = describe(socket, owner);

	socket->port = outbox_open(subscription->outbox, socket->view->ns->serial, &event);
	if (!socket->port) {
		/* no memory: the next full check tries again */
		socket->state = SOCKET_UNATTRIBUTED;
		return;
	}
	place(socket);
	if (socket->port->sockets == 1)
		subscription->port_count++;
	if (socket->port->sockets == 1)
		log_port(subscription, "port open", &event);
	else
		report_owner(subscription, socket->port);
}

/* How often the search for the holder of a new socket is repeated because all its holders have
 * exited before the report. The limit lets the port of a process that forks and exits all the time
 * be reported too. */
#define CHASES 3

void socket_hold(struct socket *socket)
{
	struct holder *owner = socket->port ? NULL : holder_set_first(&socket->holders), last;

	if (!has_room(socket))
		return;
	resolve(socket, SOCKET_HELD);
	netns_attributed(socket->view->ns, socket->listener.inode, &socket->holders);
	if (socket->port) {
		place(socket);
		report_owner(socket->view->subscription, socket->port);
		return;
	}
	last = *owner;
	owner = find_owner(socket);
	if (owner || socket->chases++ >= CHASES)
		open_port(socket, owner ? owner : &last);
	if (!owner)
		lose_owner(socket);
}

void socket_show(struct socket *socket)
{
	if (!has_room(socket))
		return;
	resolve(socket, SOCKET_UNATTRIBUTED);
	socket->misses = 0;
	if (!socket->port) {
		open_port(socket, NULL);
		return;
	}
	place(socket);
	report_owner(socket->view->subscription, socket->port);
}

void socket_lose_owner(struct socket *socket)
{
	lose_owner(socket);
	if (socket->port)
		report_owner(socket->view->subscription, socket->port);
}

/* The process that has closed the last socket may still run, with another name. */
static void close_port(struct socket *socket)
{
	struct subscription *subscription = socket->view->subscription;
	const struct portwatch_event *event = &socket->port->event;
	char name[64];

	memcpy(name, event->process, sizeof(name));
	if (event->pid)
		read_name(subscription, event->pid, event->start_time, name);
	if (subscription->state == SUBSCRIPTION_RUNNING)
		log_write(&subscription->log, PORTWATCH_LOG_INFO, "port closed: %s port %u",
		          event->address, (unsigned int)socket->listener.port);
	outbox_close(subscription->outbox, socket->port, name);
}

void socket_release(struct socket *socket)
{
	struct subscription *subscription = socket->view->subscription;
	struct port *port = socket->port;

	resolve(socket, SOCKET_UNATTRIBUTED);
	set_hidden(socket, false);
	if (!port)
		return;
	/* The port may have been the last reason to keep a view without members. */
	if (!socket->view->marked)
		subscription_move(subscription);
	list_remove(&socket->of_port);
	if (port->sockets == 1) {
		subscription->port_count--;
		close_port(socket);
	} else {
		outbox_close(subscription->outbox, port, NULL);
		report_owner(subscription, port);
	}
	socket->port = NULL;
}

/* --- changes of the tables --- */

/* Drops a socket that has stopped listening. Its port is decided when the other sockets on the port
 * are resolved. */
static void drop(struct view *view, struct socket *socket)
{
	/* The port keeps its owner while the other sockets are pending. */
	resolve(socket, socket->state == SOCKET_HELD ? SOCKET_HELD : SOCKET_UNATTRIBUTED);
	set_hidden(socket, false);
	socket->dropped = true;
	tdelete(socket, &view->tree, compare);
	hash_remove(&view->subscription->sockets, &socket->by_inode);
	list_move(&view->dropped, &socket->link);
	list_move(&view->subscription->dropping, &view->of_dropping);
	subscription_touch(view->subscription);
}

static void free_socket(struct socket *socket)
{
	list_remove(&socket->link);
	list_remove(&socket->of_port);
	holder_set_clear(&socket->view->subscription->owners.holders, &socket->holders);
	free(socket);
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
		view->late = true; /* taken over at the next read */
		return;
	}
	socket->view = view;
	socket->listener = *listener;
	socket->seen = view->ns->requested;
	place = tsearch(socket, &view->tree, compare);
	if (!place || *place != socket) {
		view->late |= !place;
		free(socket);
		return;
	}
	list_init(&socket->of_port);
	list_init(&socket->of_work);
	holder_set_init(&socket->holders);
	list_append(&view->sockets, &socket->link);
	hash_add(&view->subscription->sockets, &socket->by_inode, listener->inode);
	socket_set_pending(socket, SOCKET_NEW);
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

/* Takes over the listeners that the worker already knows and that its last read has shown. If one
 * of the others appears again, it is not reported as new. */
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

/* The first table of a namespace is all changes: a view that is ready now need not take it over in
 * one piece. */
void view_begins(struct view *view)
{
	if (view->ns->known.count == 0 && view->ns->requests > view->after)
		view->ready = true;
}

void view_completed(struct view *view)
{
	bool was_ready = view->ready;

	if (view->ns->completed > view->after)
		view->ready = true;
	if (view->ready && (!was_ready || view->late))
		take_over(view);
	if (view->subscription->pending > 0)
		subscription_ask(view->subscription);
	subscription_touch(view->subscription);
}

struct view *view_find_netns(const struct subscription *subscription, const struct netns_id *id)
{
	struct hash_link *link = hash_find(&subscription->views_by_netns, id->ino);

	for (; link; link = hash_next(link)) {
		struct view *view = container_of(link, struct view, by_netns);

		if (netns_id_is_same(&view->ns->id, id))
			return view;
	}
	return NULL;
}

struct view *view_get(struct subscription *subscription, struct netns *ns)
{
	struct view *view = view_find_netns(subscription, &ns->id);

	if (view)
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
	list_init(&view->of_dropping);
	list_init(&view->burst.link);
	view->burst.share = &subscription->share;
	if (list_empty(&ns->views))
		netns_begin_burst(ns, &view->burst);
	list_append(&ns->views, &view->of_namespace);
	list_append(&subscription->views, &view->of_subscription);
	hash_add(&subscription->views_by_netns, &view->by_netns, ns->id.ino);
	netns_views_changed(ns);
	netns_read_now(ns);
	return view;
}

void view_started(const struct subscription *subscription, const struct process *process)
{
	struct view *view =
		process->netns_known ? view_find_netns(subscription, &process->netns) : NULL;

	if (view)
		netns_begin_burst(view->ns, &view->burst);
}

void view_free(struct view *view, bool close_ports)
{
	struct socket *socket;

	list_each (socket, &view->sockets, struct socket, link)
		drop(view, socket);
	list_each (socket, &view->dropped, struct socket, link) {
		if (close_ports)
			socket_release(socket);
		free_socket(socket);
	}
	if (view->exit.fd >= 0) {
		loop_remove(&view->subscription->context->loop, &view->exit);
		fd_close(view->exit.fd);
	}
	list_remove(&view->of_dropping);
	list_remove(&view->burst.link);
	netns_views_changed(view->ns);
	hash_remove(&view->subscription->views_by_netns, &view->by_netns);
	list_remove(&view->of_namespace);
	list_remove(&view->of_subscription);
	free(view);
}

/* --- dropped sockets and their ports */

static void release(struct socket *socket)
{
	socket_release(socket);
	free_socket(socket);
}

/* Whether it is still open if a member holds the socket. A process may get a short-lived socket
 * after its scan, so "no member holds it" counts only if a read that was requested after the search
 * shows no newer socket. */
static bool is_in_question(const struct view *view, const struct socket *socket)
{
	return socket && (socket->state != SOCKET_UNATTRIBUTED ||
	                  view->ns->completed <= socket->pending_read);
}

/* Whether the last read has shown another socket on the port that may be in scope. */
static bool may_be_held(const struct view *view, const struct socket *but,
                        const struct listener *port)
{
	const struct snapshot *known = &view->ns->known;

	/* It may not be reported yet. */
	if (view->ns->evaluation)
		return true;
	for (size_t i = snapshot_first(known, port); i < known->count; i++) {
		const struct snapshot_row *row = &known->rows[i];
		const struct socket *socket;

		if (!listener_same_port(&row->listener, port))
			return false;
		socket = row->missing ? NULL : view_find(view, &row->listener);
		if (socket != but && is_in_question(view, socket))
			return true;
	}
	return false;
}

bool socket_has_heir(const struct socket *socket)
{
	return socket->port && socket->port->sockets == 1 && !socket->view->ns->exhausted &&
	       may_be_held(socket->view, socket, &socket->listener);
}

void view_resolve(struct view *view)
{
	struct socket *socket;

	/* The end of the evaluation asks again. */
	if (view->ns->evaluation)
		return;
	list_each (socket, &view->dropped, struct socket, link) {
		if (socket->port && socket->port->sockets == 1 &&
		    may_be_held(view, socket, &socket->listener))
			netns_read_now(view->ns);
		else
			release(socket);
	}
	if (list_empty(&view->dropped))
		list_remove(&view->of_dropping);
}

bool view_holds_ports(const struct view *view)
{
	struct socket *socket;

	list_each (socket, &view->sockets, struct socket, link)
		if (socket->port)
			return true;
	return false;
}
