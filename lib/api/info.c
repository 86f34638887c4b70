/* SPDX-License-Identifier: MIT */
/* info.c - queries of a host: open ports, namespaces, completeness, failures, notifier, statistics
 *
 * The monitor thread copies the data, and the host's thread calls the callback without a lock. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/event.h"
#include "api/watcher.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/lock.h"
#include "util/spawn.h"
#include "watch/complete.h"
#include "watch/kernel_events.h"
#include "watch/netns_reader.h"
#include "watch/subscription.h"

/* Has the monitor thread answer. 0, or a negative errno without an answer. */
static int ask(struct portwatch *watcher,
               void (*serve)(struct subscription *subscription, void *data), void *data)
{
	int cancel, result;

	if (watcher_is_inert(watcher))
		return -ENOTCONN;
	cancel = library_enter();
	result = watcher_ask(watcher, serve, data);
	library_leave(cancel);
	return result;
}

/* --- open ports */

struct port_listing {
	struct portwatch_event *rows; /* malloc()ed */
	size_t capacity;
	size_t count;
	int error;
};

static void add(struct port_listing *listing, const struct port *port)
{
	struct portwatch_event *rows =
		array_grow(listing->rows, &listing->capacity, listing->count, sizeof(*rows));

	if (!rows) {
		listing->error = -ENOMEM;
		return;
	}
	listing->rows = rows;
	outbox_describe(port, &listing->rows[listing->count++]);
}

static void add_sockets(struct port_listing *listing, const struct list *sockets)
{
	struct socket *socket;

	list_each (socket, sockets, struct socket, link)
		if (listing->error == 0 && socket_is_named(socket))
			add(listing, socket->port);
}

/* A port may still be held by a dropped socket while other sockets on the port are pending. */
static void list_ports(struct subscription *subscription, void *data)
{
	struct view *view;

	list_each (view, &subscription->views, struct view, of_subscription) {
		add_sockets(data, &view->sockets);
		add_sockets(data, &view->dropped);
	}
}

static int report(const struct port_listing *listing, portwatch_port_callback callback,
                  void *user_data)
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
	struct port_listing listing = {0};
	int result;

	if (!watcher || !callback)
		return -EINVAL;
	result = ask(watcher, list_ports, &listing);
	if (result == 0)
		result = listing.error;
	if (result == 0)
		result = report(&listing, callback, user_data);
	free(listing.rows);
	return result;
}

/* --- namespaces */

/* A namespace as the host sees it: a copy that the monitor thread has made. */
struct portwatch_namespace {
	uint64_t inode;
	uint64_t cookie;
	pid_t pid;
	enum portwatch_reader reader;
	enum portwatch_table table;
	char reason[LOG_TEXT];
	struct netns_id id;
};

struct namespace_listing {
	struct portwatch_namespace *rows; /* malloc()ed */
	int count;                        /* or -ENOMEM */
};

static void list_namespaces(struct subscription *subscription, void *data)
{
	struct namespace_listing *listing = data;
	struct view *view;
	size_t count = 0;

	list_each (view, &subscription->views, struct view, of_subscription)
		count++;
	listing->rows = calloc(count + 1, sizeof(*listing->rows));
	if (!listing->rows) {
		listing->count = -ENOMEM;
		return;
	}
	list_each (view, &subscription->views, struct view, of_subscription) {
		struct portwatch_namespace *row = &listing->rows[listing->count++];
		const struct netns *ns = view->ns;

		row->inode = ns->inode;
		row->cookie = ns->cookie;
		row->pid = ns->pid;
		row->id = ns->id;
		row->reader = netns_reader(ns);
		row->table = ns->reader ? reader_table(ns->reader) : PORTWATCH_TABLE_AUTO;
		snprintf(row->reason, sizeof(row->reason), "%s", ns->reason);
	}
}

int portwatch_each_namespace(struct portwatch *watcher, portwatch_namespace_callback callback,
                             void *user_data)
{
	struct namespace_listing listing = {0};

	if (!watcher || !callback)
		return -EINVAL;
	ask(watcher, list_namespaces, &listing); /* where nobody answers there are none */
	for (int i = 0; i < listing.count; i++)
		if (callback(&listing.rows[i], user_data) != 0)
			listing.count = i + 1;
	free(listing.rows);
	return listing.count;
}

uint64_t portwatch_namespace_get_inode(const struct portwatch_namespace *ns)
{
	return ns->inode;
}

uint64_t portwatch_namespace_get_cookie(const struct portwatch_namespace *ns)
{
	return ns->cookie;
}

pid_t portwatch_namespace_get_pid(const struct portwatch_namespace *ns)
{
	return ns->pid;
}

enum portwatch_reader portwatch_namespace_get_reader(const struct portwatch_namespace *ns)
{
	return ns->reader;
}

enum portwatch_table portwatch_namespace_get_table(const struct portwatch_namespace *ns)
{
	return ns->table;
}

const char *portwatch_namespace_get_reason(const struct portwatch_namespace *ns)
{
	return ns->reason;
}

/* Whether the process of a /proc directory lives in the namespace. */
static bool lives_in(int directory, const struct portwatch_namespace *ns)
{
	struct netns_id id;

	return procfs_netns(directory, &id) == 0 && netns_id_is_same(&id, &ns->id);
}

/* Opens the namespace of a process that lives in the wanted one, where the inode of that is not
 * known. The process may go elsewhere and come back meanwhile, so it counts when the process is
 * found there before and after, and leads to the same namespace twice. */
static int open_unknown(int directory, const struct portwatch_namespace *ns)
{
	CLEANUP_CLOSE int opened = -1;
	uint64_t before = 0, after = 0;
	int result;

	if (procfs_netns_inode(directory, &before) < 0 || !lives_in(directory, ns))
		return -ESRCH;
	opened = procfs_open_netns(directory);
	if (opened < 0)
		return opened;
	if (!lives_in(directory, ns) || procfs_netns_inode(directory, &after) < 0 ||
	    before != after || !fd_has_inode(opened, before))
		return -ESRCH;
	result = opened;
	opened = -1;
	return result;
}

/* Opens the namespace of a process. The process may leave it at any time, so the result is
 * compared. */
static int open_namespace(const struct portwatch_namespace *ns)
{
	CLEANUP_CLOSE int directory = procfs_open_own(ns->pid), opened = -1;
	int result;

	if (directory < 0)
		return directory;
	opened = ns->inode ? procfs_open_netns(directory) : open_unknown(directory, ns);
	if (opened < 0)
		return opened;
	if (ns->inode && !fd_has_inode(opened, ns->inode))
		return -ESRCH;
	result = fd_give(opened);
	opened = -1;
	return result;
}

int portwatch_namespace_open(const struct portwatch_namespace *ns)
{
	int cancel, result;

	if (!ns)
		return -EINVAL;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	result = open_namespace(ns);
	pthread_setcancelstate(cancel, NULL);
	return result;
}

/* --- completeness and failures */

struct complete_answer {
	bool complete;
	char reason[LOG_TEXT];
};

static void check_complete(struct subscription *subscription, void *data)
{
	struct complete_answer *answer = data;

	answer->complete = complete_check(subscription, answer->reason);
}

int portwatch_get_complete(struct portwatch *watcher, char *reason, size_t size)
{
	struct complete_answer answer = {0};
	int result;

	if (!watcher || (!reason && size > 0))
		return -EINVAL;
	result = ask(watcher, check_complete, &answer);
	if (result < 0)
		return result;
	if (size > 0)
		snprintf(reason, size, "%s", answer.reason);
	return answer.complete;
}

int portwatch_get_error(struct portwatch *watcher, char *text, size_t size)
{
	char last[LOG_TEXT] = "";
	int cancel;

	if (!watcher || (!text && size > 0))
		return -EINVAL;
	cancel = library_enter();
	if (watcher->outbox)
		memcpy(last, watcher->outbox->error, sizeof(last));
	if (!last[0] && watcher->failure < 0)
		snprintf(last, sizeof(last), "cannot watch PID %d: %s", (int)watcher->pid,
		         strerrordesc_np(-watcher->failure));
	library_leave(cancel);
	if (size > 0)
		snprintf(text, size, "%s", last);
	return last[0] != '\0';
}

/* --- the notifier */

struct notifier_answer {
	enum portwatch_notice notice; /* the question */
	enum portwatch_notifier notifier;
	char reason[NOTIFIER_TEXT];
};

static enum portwatch_notifier public_name(enum notifier_way way)
{
	static const enum portwatch_notifier names[NOTIFIER_WAYS] = {
		[NOTIFIER_NONE] = PORTWATCH_NOTIFIER_NONE,
		[NOTIFIER_BPF] = PORTWATCH_NOTIFIER_BPF,
		[NOTIFIER_TRACEPOINT] = PORTWATCH_NOTIFIER_TRACEPOINT,
		[NOTIFIER_PERF] = PORTWATCH_NOTIFIER_PERF,
		[NOTIFIER_CONNECTOR] = PORTWATCH_NOTIFIER_CONNECTOR,
	};

	return names[way];
}

/* Closes count as reported only if the readers of all namespaces report them. */
static void describe_closes(const struct subscription *subscription, struct notifier_answer *answer)
{
	struct view *view;

	answer->notifier = list_empty(&subscription->views) ? PORTWATCH_NOTIFIER_NONE
	                                                    : PORTWATCH_NOTIFIER_DESTROY;
	list_each (view, &subscription->views, struct view, of_subscription) {
		int reports = netns_reports_closed(view->ns);

		if (reports > 0)
			continue;
		answer->notifier = PORTWATCH_NOTIFIER_NONE;
		if (reports < 0 && answer->reason[0] == '\0')
			snprintf(answer->reason, sizeof(answer->reason),
			         "destroy: cannot receive the kernel's reports of closed "
			         "sockets (sock_diag) in namespace %llu: %s",
			         (unsigned long long)view->ns->inode, strerrordesc_np(-reports));
	}
}

/* A mechanism that reports listen(2) reports the end of listening as well. */
static void describe_notifier(struct subscription *subscription, void *data)
{
	const struct context *context = subscription->context;
	struct notifier_answer *answer = data;
	enum notifier_kind kind =
		answer->notice == PORTWATCH_NOTICE_PROCESS ? NOTIFIER_PROCESSES : NOTIFIER_LISTEN;

	if (context->notifier)
		answer->notifier = public_name(notifier_way(context->notifier, kind));
	if (!context->notifier && !subscription->options.notifier)
		snprintf(answer->reason, sizeof(answer->reason), "disabled");
	else if (answer->notice == PORTWATCH_NOTICE_CLOSE && subscription->options.notifier &&
	         answer->notifier == PORTWATCH_NOTIFIER_NONE)
		describe_closes(subscription, answer);
	else
		kernel_events_reason(context, kind, answer->reason);
}

int portwatch_get_notifier(struct portwatch *watcher, enum portwatch_notice notice, char *reason,
                           size_t size)
{
	struct notifier_answer answer = {.notice = notice};
	int result;

	if (!watcher || (!reason && size > 0) || (unsigned int)notice > PORTWATCH_NOTICE_PROCESS)
		return -EINVAL;
	result = ask(watcher, describe_notifier, &answer);
	if (result < 0)
		return result;
	if (size > 0)
		snprintf(reason, size, "%s", answer.reason);
	return (int)answer.notifier;
}

/* --- statistics */

struct stat_answer {
	enum portwatch_stat stat;
	uint64_t value;
};

/* The CPU time of the monitor thread, which is the calling thread, and of the helpers. */
static uint64_t cpu(const struct subscription_table *table)
{
	uint64_t sum = table->context->stats[PORTWATCH_STAT_CPU]; /* of helpers that have exited */
	struct netns *ns;

	sum += clock_now(CLOCK_THREAD_CPUTIME_ID);
	list_each (ns, &table->namespaces->list, struct netns, link)
		if (ns->reader)
			sum += spawn_cpu_time(reader_pid(ns->reader));
	return sum;
}

static void get(struct subscription *subscription, void *data)
{
	const struct context *context = subscription->context;
	struct stat_answer *answer = data;

	switch (answer->stat) {
	case PORTWATCH_STAT_CPU:
		answer->value = cpu(subscription->table);
		break;
	case PORTWATCH_STAT_MEMBERS:
		if (subscription->scope)
			answer->value = scope_count(subscription->scope);
		break;
	case PORTWATCH_STAT_PORTS:
		answer->value = subscription->port_count;
		break;
	case PORTWATCH_STAT_MEMBERS_LEFT_OUT:
		if (subscription->scope)
			answer->value = scope_left_out(subscription->scope);
		break;
	case PORTWATCH_STAT_SOCKETS_LEFT_OUT:
		answer->value = subscription->hidden;
		break;
	case PORTWATCH_STAT_HELPERS_RUNNING:
		answer->value = subscription->table->namespaces->by_helper.count;
		break;
	case PORTWATCH_STAT_WARNINGS_LEFT_OUT:
		answer->value = subscription->log.left_out_ever;
		break;
	default:
		if ((unsigned int)answer->stat < PORTWATCH_STAT_CPU)
			answer->value = context->stats[answer->stat];
	}
}

uint64_t portwatch_get_stat(struct portwatch *watcher, enum portwatch_stat stat)
{
	struct stat_answer answer = {.stat = stat, .value = PORTWATCH_STAT_UNKNOWN};
	int cancel;

	if (!watcher || watcher_is_inert(watcher))
		return PORTWATCH_STAT_UNKNOWN;
	cancel = library_enter();
	if (watcher->subscription && stat == PORTWATCH_STAT_EVENTS)
		answer.value = watcher->events;
	else
		watcher_ask(watcher, get, &answer);
	library_leave(cancel);
	return answer.value;
}
