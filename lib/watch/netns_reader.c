/* SPDX-License-Identifier: MIT */
/* netns_reader.c - chooses the way to read a network namespace, and another when it fails */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/caps.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "table/step.h"
#include "util/fd.h"
#include "watch/subscription.h"

/* Pause before a reader that worked is opened again; doubled with each failure in a row. */
#define RESTART_FIRST (50 * NSEC_PER_MSEC)
#define RESTART_MAX (30 * NSEC_PER_SEC)
/* After so many failures in a row the next way is taken. */
#define FAILURES_MAX 4
/* A reader that lasted so long counts as one that works. */
#define RELIABLE (10 * NSEC_PER_SEC)
/* Pause before a better way is tried again; doubled each time. */
#define IMPROVE_FIRST (60 * NSEC_PER_SEC)
#define IMPROVE_MAX (3600 * NSEC_PER_SEC)

static const enum portwatch_reader order[] = {
	PORTWATCH_READER_LOCAL,
	PORTWATCH_READER_SETNS,
	PORTWATCH_READER_NSENTER,
	PORTWATCH_READER_PROCFS,
};
#define KINDS (sizeof(order) / sizeof(order[0]))

#define TABLE_DIAG "table diag"

static void add_reason(struct netns *ns, const char *what, const struct failure *failure)
{
	char text[LOG_TEXT];
	const char *remedy = log_remedy(failure);
	size_t used = strlen(ns->reason);

	/* The same limit may stand in all ways. */
	if (strstr(ns->reason, remedy))
		remedy = "";
	snprintf(ns->reason + used, sizeof(ns->reason) - used, "%s%s: %s%s", used ? "; " : "", what,
	         log_failure(failure, text), remedy);
}

/* A reader that is opened again tries the better form of the table again. */
static void forget_table_reason(struct netns *ns)
{
	char *reason = strstr(ns->reason, TABLE_DIAG);

	if (reason)
		reason[reason > ns->reason ? -(ptrdiff_t)strlen("; ") : 0] = '\0';
}

/* The process by which it was entered has exited or has gone elsewhere, as processes do: there is
 * another, or nobody is left there. */
static bool is_departure(const struct failure *failure)
{
	if (failure->error == ENOENT)
		return failure->step == STEP_FIND_PROCESS || failure->step == STEP_OPEN_NETNS ||
		       failure->step == STEP_CHECK_NETNS;
	return failure->error == ESRCH || failure->error == ESTALE;
}

/* Remembers why a way can't be taken. That another namespace isn't ours is no reason worth a word.
 */
static void note(struct netns *ns, struct failure failure)
{
	if (failure.error == EXDEV && ns->forced_reader == PORTWATCH_READER_AUTO)
		return;
	ns->failure = failure;
	add_reason(ns, portwatch_reader_name(order[ns->kind]), &failure);
}

static void log_once(struct netns *ns, char logged[LOG_TEXT], enum portwatch_log_level level,
                     const char *text)
{
	if (strncmp(logged, text, LOG_TEXT - 1) == 0)
		return;
	snprintf(logged, LOG_TEXT, "%s", text);
	netns_log(ns, level, "%s", text);
}

void netns_warn_once(struct netns *ns, const char *text)
{
	log_once(ns, ns->logged, PORTWATCH_LOG_WARNING, text);
}

void netns_close_reader(struct netns *ns)
{
	struct child child = {0};

	if (!ns->reader)
		return;
	ns->monitor->stats[PORTWATCH_STAT_CPU] += spawn_cpu_time(reader_pid(ns->reader));
	if (ns->source.fd >= 0)
		loop_remove(&ns->monitor->loop, &ns->source);
	ns->source.fd = -1;
	if (!list_empty(&ns->helper)) {
		list_remove(&ns->helper);
		ns->monitor->helper_count--;
	}
	reader_close(ns->reader, &child);
	loop_reap(&ns->monitor->loop, &child);
	ns->reader = NULL;
	ns->pending = false;
}

enum portwatch_reader netns_reader(const struct netns *ns)
{
	bool works = ns->parked || (ns->reader && ns->reads > 0);

	return works ? order[ns->kind] : PORTWATCH_READER_AUTO;
}

/* What a helper takes at most: two pipes, a pidfd, what nsenter complains to, a /proc directory,
 * and what is opened while it starts. */
#define HELPER_DESCRIPTORS 10

static bool has_room(const struct monitor *monitor)
{
	return monitor->helper_count == 0 ||
	       (monitor->helper_count < HELPERS_MAX && fd_room() >= HELPER_DESCRIPTORS);
}

bool netns_make_room(struct netns *ns)
{
	struct monitor *monitor = ns->monitor;
	struct netns *other;

	list_each (other, &monitor->helpers, struct netns, helper) {
		if (has_room(monitor))
			break;
		if (other->pending)
			continue;
		/* Nothing is lost with the helper: what it has read is known, and the cookie of the
		 * namespace shows whether the next helper enters the same one. */
		netns_close_reader(other);
		other->parked = true;
	}
	return has_room(monitor);
}

void netns_note_use(struct netns *ns)
{
	if (list_empty(&ns->helper))
		return;
	list_remove(&ns->helper);
	list_append(&ns->monitor->helpers, &ns->helper);
}

/* Opens the reader of the present kind. 0 or a negative errno, with the failure noted. */
static int open_kind(struct netns *ns, const struct reader_target *target)
{
	struct failure failure = {0};
	int result = reader_open(&ns->reader, order[ns->kind], ns->forced_table, target, &failure);

	if (result < 0) {
		ns->reader = NULL;
		note(ns, failure);
		return result;
	}
	ns->source.fd = reader_fd(ns->reader);
	ns->source.ready = netns_reader_ready;
	if (ns->source.fd >= 0)
		result = loop_add(&ns->monitor->loop, &ns->source);
	if (result < 0) {
		ns->source.fd = -1;
		netns_close_reader(ns);
		note(ns, (struct failure){"wait for the helper (epoll_ctl)", -result});
		return result;
	}
	ns->reads = 0;
	ns->cpu = 0;
	ns->received = 0;
	ns->slowest = 0;
	ns->parked = false;
	if (reader_pid(ns->reader) != 0) {
		list_append(&ns->monitor->helpers, &ns->helper);
		ns->monitor->helper_count++;
		ns->monitor->stats[PORTWATCH_STAT_HELPERS]++;
	}
	ns->opened = clock_now(CLOCK_MONOTONIC);
	return 0;
}

uint64_t netns_helper_cost(struct netns *ns, uint64_t now)
{
	uint64_t cpu, before = ns->cpu;

	if (reader_pid(ns->reader) == 0)
		return 0;
	/* The shell behind nsenter starts others, which its own clock doesn't count. */
	if (order[ns->kind] != PORTWATCH_READER_SETNS)
		return now - ns->requested < NSEC_PER_SEC ? now - ns->requested : NSEC_PER_SEC;
	cpu = spawn_cpu_time(reader_pid(ns->reader));
	ns->cpu = cpu;
	return cpu > before ? cpu - before : 0;
}

static bool is_allowed(const struct netns *ns)
{
	return ns->forced_reader == PORTWATCH_READER_AUTO || ns->forced_reader == order[ns->kind];
}

/* Whether the kernel's reports of closed sockets are wanted: where it doesn't report them with the
 * beginning of listening. */
static bool wants_closes(const struct netns *ns)
{
	struct view *view;

	if (monitor_notified(ns->monitor, NOTIFIER_LISTEN) || ns->closes_retry)
		return false;
	list_each (view, &ns->views, struct view, of_namespace)
		if (view->subscription->options.notifier)
			return true;
	return false;
}

int netns_reports_closed(const struct netns *ns)
{
	if (ns->closes_retry)
		return -EBUSY;
	return ns->reader && ns->reads > 0 ? reader_reports_closed(ns->reader) : 0;
}

void netns_silence_closes(struct netns *ns, uint64_t now)
{
	ns->closes_delay = ns->closes_delay ? ns->closes_delay * 2 : IMPROVE_FIRST;
	if (ns->closes_delay > IMPROVE_MAX)
		ns->closes_delay = IMPROVE_MAX;
	ns->closes_retry = now + ns->closes_delay;
	netns_log(ns, PORTWATCH_LOG_INFO,
	          "too many connections to be told when a socket is closed, polling instead for "
	          "%llu s",
	          (unsigned long long)(ns->closes_delay / NSEC_PER_SEC));
	netns_close_reader(ns);
	ns->again = true;
}

/* Opens the first way from the present one on that can be opened. False if there is none. */
bool netns_open_reader(struct netns *ns)
{
	struct reader_target target = {.descriptor = 0};
	CLEANUP_CLOSE int descriptor = -1;
	int result;

	if (ns->kind == 0)
		ns->reason[0] = '\0';
	forget_table_reason(ns);
	result = netns_entry(ns, &target);
	if (target.descriptor)
		descriptor = target.descriptor;
	if (result == -ESRCH) {
		ns->failure = (struct failure){STEP_FIND_PROCESS, ESRCH};
		return false;
	}
	if (result < 0) {
		ns->kind = KINDS - 1;
		note(ns, (struct failure){STEP_FIND_PROCESS, -result});
		return false;
	}
	target.closes = wants_closes(ns);
	for (; ns->kind < KINDS; ns->kind++)
		if (is_allowed(ns) && open_kind(ns, &target) == 0)
			return true;
	return false;
}

/* No way is left: pause, then begin with the best again. */
void netns_exhaust(struct netns *ns, uint64_t now)
{
	uint64_t pause = RESTART_FIRST << (ns->failures < 10 ? ns->failures : 10);
	char text[LOG_TEXT + 64];

	ns->failures++;
	ns->exhausted = true;
	ns->next = now + (pause < RESTART_MAX ? pause : RESTART_MAX);
	ns->kind = 0;
	snprintf(text, sizeof(text), "cannot be read, trying again: %s", ns->reason);
	/* The last way takes nothing but a process to look through. */
	if (!is_departure(&ns->failure))
		netns_warn_once(ns, text);
	ns->monitor->moved = true; /* those who wait for it, or for its end */
}

bool netns_is_reliable(const struct netns *ns, uint64_t now)
{
	return ns->reads > 0 && now - ns->opened > RELIABLE;
}

/* Whether this way has worked here, with this reader or one before it. */
static bool has_worked(const struct netns *ns)
{
	return ns->reads > 0 || (ns->worked & 1U << ns->kind) != 0;
}

/* The reader has died. A way that never worked is given up for the next; one that did is taken
 * again after a pause, unless that happens too often. */
void netns_reader_broke(struct netns *ns, struct failure failure, uint64_t now)
{
	uint64_t pause;
	char text[LOG_TEXT], message[2 * LOG_TEXT];

	netns_close_reader(ns);
	/* With a notifier it is seldom read: it may have lasted without being asked. */
	if (netns_is_reliable(ns, now))
		ns->failures = 0;
	if (!has_worked(ns) || ns->failures >= FAILURES_MAX) {
		ns->worked &= ~(1U << ns->kind);
		note(ns, failure);
		ns->kind++;
		ns->next = now;
		return;
	}
	ns->monitor->stats[PORTWATCH_STAT_RESTARTS]++;
	pause = ns->failures ? RESTART_FIRST << ns->failures : 0;
	ns->failures++;
	ns->failure = failure;
	ns->next = now + pause;
	snprintf(message, sizeof(message), "the %s reader is started again: %s%s",
	         portwatch_reader_name(order[ns->kind]), log_failure(&failure, text),
	         log_remedy(&failure));
	if (is_departure(&failure))
		netns_log(ns, PORTWATCH_LOG_DEBUG, "%s", message);
	else
		netns_warn_once(ns, message);
}

/* Tells by which way the namespace is read, and why, when that is new. */
void netns_reader_works(struct netns *ns, uint64_t now)
{
	struct failure table = reader_table_failure(ns->reader);
	bool best = ns->reason[0] == '\0';
	char text[LOG_TEXT + 128];

	ns->cookie = reader_cookie(ns->reader) ? reader_cookie(ns->reader) : ns->cookie;
	ns->exhausted = false;
	ns->worked |= 1U << ns->kind;
	ns->improve = UINT64_MAX;
	if (!best && ns->forced_reader == PORTWATCH_READER_AUTO) {
		if (ns->improve_delay < IMPROVE_MAX)
			ns->improve_delay =
				ns->improve_delay ? ns->improve_delay * 2 : IMPROVE_FIRST;
		ns->improve = now + ns->improve_delay;
	}
	if (table.error)
		add_reason(ns, TABLE_DIAG, &table);
	ns->table = reader_table(ns->reader);
	snprintf(text, sizeof(text), "read by the %s reader, %s table%s%s",
	         portwatch_reader_name(order[ns->kind]), portwatch_table_name(ns->table),
	         ns->reason[0] ? ", because " : "", ns->reason);
	log_once(ns, ns->logged_way, PORTWATCH_LOG_INFO, text);
}

/* --- chooses the process by which a network namespace is entered: its init */

#define ANCESTORS_MAX 64
/* Of so many members it is looked up whether they are the init. */
#define MEMBERS_MAX 64
/* So many sockets are tried as ways into a namespace in which nobody lives. */
#define SOCKETS_MAX 8

struct candidate {
	pid_t pid;
	uint64_t start_time;
	unsigned int depth; /* of its PID namespace; 0: not known */
	bool init;          /* it is PID 1 in its innermost PID namespace */
};

struct search {
	const struct procfs *procfs;
	const struct netns_id *id;
	struct candidate best;
	int error; /* why some process couldn't be looked at; 0: all could, or were gone */
};

static bool is_better(const struct candidate *candidate, const struct candidate *best)
{
	if (best->pid == 0 || candidate->init != best->init)
		return best->pid == 0 || candidate->init;
	return candidate->start_time < best->start_time;
}

/* Looks at one process. Returns its parent where it lives in the namespace, else 0. */
static pid_t consider(struct search *search, pid_t pid)
{
	CLEANUP_CLOSE int process = procfs_open_process(search->procfs, pid);
	struct candidate candidate = {.pid = pid};
	struct process_stat stat;
	struct netns_id id;
	pid_t innermost = 0;

	if (process == -EMFILE || process == -ENFILE || process == -ENOMEM)
		search->error = process;
	if (process < 0 || procfs_netns(process, &id) < 0 || id.ino != search->id->ino ||
	    id.dev != search->id->dev || procfs_read_stat(process, &stat) < 0)
		return 0;
	procfs_read_nspid(process, &innermost, &candidate.depth);
	candidate.init = innermost == 1;
	candidate.start_time = stat.start_time;
	if (is_better(&candidate, &search->best))
		search->best = candidate;
	return stat.ppid;
}

static void consider_members(struct search *search, struct netns *ns)
{
	unsigned int left = MEMBERS_MAX;
	struct view *view;

	list_each (view, &ns->views, struct view, of_namespace) {
		struct process *process = NULL;

		while (!search->best.init && left > 0 &&
		       (process = scope_next(view->subscription->scope, process)))
			if (process->netns_known && process->netns.ino == ns->id.ino &&
			    process->netns.dev == ns->id.dev) {
				consider(search, process->pid);
				left--;
			}
	}
}

/* Where no member lives there, others may: ourselves, the init of a container, those who are known
 * to hold sockets. */
static void consider_others(struct search *search, struct netns *ns)
{
	unsigned int left = MEMBERS_MAX;
	struct holder *holder;
	struct view *view;

	consider(search, getpid());
	if (search->best.pid == 0)
		consider(search, inits_find(&ns->monitor->inits, &ns->id));
	list_each (view, &ns->views, struct view, of_namespace)
		list_each (holder, &view->subscription->owners.holders.list, struct holder, link)
			if (search->best.pid == 0 && left > 0) {
				consider(search, holder->pid);
				left--;
			}
}

/* Where nobody lives there any more, a listening socket keeps it, and leads there where the kernel
 * lets us take it from its holder. A descriptor, or a negative errno. */
static int enter_through_socket(struct netns *ns)
{
	unsigned int left = SOCKETS_MAX;
	struct socket *socket;
	struct view *view;
	int result = -ESRCH;

	list_each (view, &ns->views, struct view, of_namespace)
		list_each (socket, &view->sockets, struct socket, link) {
			const struct holder *holder = holder_set_first(&socket->holders);

			if (!holder || left == 0)
				continue;
			left--;
			result = fds_open_socket_netns(&ns->monitor->procfs, holder->pid,
			                               holder->start_time, socket->listener.inode);
			if (result >= 0)
				return result;
		}
	return result;
}

static bool is_readable(const struct procfs *procfs, pid_t pid, uint64_t *inode)
{
	CLEANUP_CLOSE int process = procfs_open_process(procfs, pid);
	uint64_t found = 0;

	if (process < 0 || procfs_netns_inode(process, &found) < 0)
		return false;
	if (found == 0) {
		caps_set taken = caps_begin(CAPS_READ_PROCESS);

		if (taken && procfs_netns_inode(process, &found) < 0)
			found = 0;
		caps_end(taken);
	}
	if (found == 0)
		return false;
	*inode = found;
	return true;
}

/* The inode number where the namespace is our own, which we may always look up; else 0. */
static uint64_t own_inode(const struct procfs *procfs, const struct netns_id *id)
{
	CLEANUP_CLOSE int self = procfs_open_at(procfs->fd, "thread-self", O_PATH | O_DIRECTORY);
	uint64_t inode = 0;
	struct netns_id own;

	if (self < 0 || procfs_netns(self, &own) < 0 || own.ino != id->ino || own.dev != id->dev ||
	    procfs_netns_inode(self, &inode) < 0)
		return 0;
	return inode;
}

/* Of a namespace that was opened: its number, as in the link ns/net. */
static uint64_t inode_of(int netns)
{
	struct stat status;

	return fstatat(netns, "", &status, AT_EMPTY_PATH) == 0 ? status.st_ino : 0;
}

int netns_entry(struct netns *ns, struct reader_target *target)
{
	struct search search = {.procfs = &ns->monitor->procfs, .id = &ns->id};
	struct candidate member;
	pid_t parent;

	*target = (struct reader_target){
		.procfs = search.procfs,
		.netns = ns->id,
		.nsenter = NSENTER_PATH,
	};
	consider_members(&search, ns);
	if (search.best.pid == 0)
		consider_others(&search, ns);
	if (search.best.pid == 0 && search.error == 0 &&
	    elsewhere_enter(ns->monitor, &ns->id, target) == 0) {
		ns->pid = target->pid;
		if (target->pid)
			is_readable(search.procfs, target->pid, &ns->inode);
		else
			ns->inode = inode_of(target->descriptor);
		return 0;
	}
	if (search.best.pid == 0 && search.error == 0) {
		int descriptor = enter_through_socket(ns);

		ns->pid = 0;
		target->descriptor = descriptor < 0 ? 0 : descriptor;
		return descriptor < 0 ? -ESRCH : 0;
	}
	if (search.best.pid == 0)
		return search.error;
	member = search.best;
	parent = consider(&search, member.pid);
	for (int i = 0; i < ANCESTORS_MAX && parent > 0 && !search.best.init; i++)
		parent = consider(&search, parent);
	/* The init of a container that a member has entered from outside is nobody's ancestor here.
	 */
	if (!search.best.init && member.depth > 1)
		consider(&search, inits_find(&ns->monitor->inits, &ns->id));
	/* An init that may not be opened helps less than a member that may. */
	if (!is_readable(search.procfs, search.best.pid, &ns->inode) &&
	    is_readable(search.procfs, member.pid, &ns->inode))
		search.best = member;
	if (ns->inode == 0)
		ns->inode = own_inode(search.procfs, &ns->id);
	ns->pid = search.best.pid;
	target->pid = search.best.pid;
	target->start_time = search.best.start_time;
	return 0;
}
