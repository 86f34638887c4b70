/* SPDX-License-Identifier: MIT */
/* complete.c - whether a subscription can see everything in its scope */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "util/caps.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/failure.h"
#include "util/fd.h"
#include "watch/complete.h"
#include "watch/subscription.h"

void complete_note_members(struct subscription *subscription)
{
	if (subscription->logged_members)
		return;
	subscription->logged_members = true;
	log_write(&subscription->log, PORTWATCH_LOG_WARNING,
	          "more than %u processes to watch: further ones are left out, with their ports "
	          "(raise PORTWATCH_LIMIT_MEMBERS)",
	          subscription->options.members);
}

void complete_note_ports(struct subscription *subscription)
{
	if (subscription->logged_ports)
		return;
	subscription->logged_ports = true;
	log_write(&subscription->log, PORTWATCH_LOG_WARNING,
	          "more than %u open ports: further ones are not reported until others close "
	          "(raise PORTWATCH_LIMIT_PORTS)",
	          subscription->options.ports);
}

/* --- members with sockets that cannot be identified --- */

static const struct process *find_unnamed(const struct subscription *subscription)
{
	const struct unnamed *unnamed = &subscription->unnamed;
	const struct process *process =
		process_table_find(subscription->context->processes, unnamed->pid);

	return process && process->start_time == unnamed->start_time &&
	                       scope_contains(subscription->scope, process)
	               ? process
	               : NULL;
}

void unnamed_note(struct subscription *subscription, const struct process *process, bool has)
{
	struct unnamed *unnamed = &subscription->unnamed;
	const struct process *known;

	if (!has && unnamed->pid == 0)
		return;
	known = find_unnamed(subscription);
	if (has && !known) {
		unnamed->pid = process->pid;
		unnamed->start_time = process->start_time;
	} else if (!has && (!known || known == process)) {
		unnamed->pid = 0;
	}
}

void unnamed_warn(struct subscription *subscription, const struct listener *listener)
{
	const struct process *process;

	if (subscription->logged_unfollowed || subscription->unnamed.pid == 0)
		return;
	process = find_unnamed(subscription);
	if (!process)
		return;
	subscription->logged_unfollowed = true;
	log_write(&subscription->log, PORTWATCH_LOG_WARNING,
	          "port %u, which no process seems to hold, is not reported: PID %d (%s) may hold "
	          "it, for it has TCP sockets in an io_uring, and this kernel does not say which; "
	          "further ones are not logged",
	          (unsigned int)listener->port, (int)process->pid, process->name);
}

static bool keeps_limits(const struct subscription *subscription, char reason[LOG_TEXT])
{
	if (scope_leaves_out(subscription->scope))
		snprintf(reason, LOG_TEXT,
		         "there are more processes than the limit of %u, and further ones are left "
		         "out",
		         subscription->options.members);
	else if (subscription->hidden > 0)
		snprintf(reason, LOG_TEXT,
		         "there are more open ports than the limit of %u: %u listening sockets are "
		         "not reported",
		         subscription->options.ports, subscription->hidden);
	return reason[0] == '\0';
}

/* A namespace in which no process lives has no new ports, so it need not be readable. */
static bool reads_all(const struct subscription *subscription, char reason[LOG_TEXT])
{
	struct view *view;

	list_each (view, &subscription->views, struct view, of_subscription) {
		const struct netns *ns = view->ns;

		if (!view->marked || (view->ready && !ns->exhausted))
			continue;
		snprintf(reason, LOG_TEXT, "network namespace %" PRIu64 " (PID %d) %s%s%.300s",
		         ns->inode, (int)ns->pid,
		         ns->exhausted ? "cannot be read" : "has not been read yet",
		         ns->reason[0] ? ": " : "", ns->reason);
		return false;
	}
	return true;
}

/* Tries again to read the descriptors of a member that was unreadable lately. Returns 0 or the
 * negative errno. */
static int ask_again(const struct subscription *subscription, int i)
{
	const struct unreadable *unreadable = &subscription->unreadable;
	CLEANUP_CLOSE int process = -1;
	struct process_stat stat;
	int result;

	if (unreadable->members[i].pid == 0)
		return 0;
	process = procfs_open_process(&subscription->context->procfs, unreadable->members[i].pid);
	if (process < 0)
		return procfs_is_hidden(&subscription->context->procfs, unreadable->members[i].pid)
		               ? -EACCES
		               : 0;
	result = procfs_read_stat(process, &stat);
	if (result < 0 || procfs_is_dead(&stat) ||
	    stat.start_time != unreadable->members[i].start_time)
		return 0;
	result = fds_try(process);
	return error_is_refusal(result) ? result : 0;
}

/* Tries again to read the members that were unreadable lately. Returns one that still is, with the
 * negative errno; or 0. */
static pid_t find_unreadable(struct subscription *subscription, int *error)
{
	for (int i = 0; i < UNREADABLE_MAX; i++) {
		*error = ask_again(subscription, i);
		if (*error < 0)
			return subscription->unreadable.members[i].pid;
	}
	return 0;
}

/* The sockets of an unreadable member cannot be attributed. In a scope that counts every process,
 * its ports are reported nevertheless. */
static bool reads_members(struct subscription *subscription, char reason[LOG_TEXT])
{
	int error = 0;
	pid_t pid;

	if (scope_counts_everybody(subscription->scope))
		return true;
	pid = find_unreadable(subscription, &error);
	if (pid == 0)
		return true;
	snprintf(reason, LOG_TEXT, "the descriptors of PID %d cannot be read: %s%s", (int)pid,
	         strerrordesc_np(-error), unreadable_remedy());
	return false;
}

/* Where everybody counts, a port is reported without its owner. */
static bool names_sockets(const struct subscription *subscription, char reason[LOG_TEXT])
{
	const struct process *process = find_unnamed(subscription);

	if (!process || scope_counts_everybody(subscription->scope))
		return true;
	snprintf(reason, LOG_TEXT,
	         "PID %d has TCP sockets in an io_uring, and this kernel does not say which",
	         (int)process->pid);
	return false;
}

bool complete_check(struct subscription *subscription, char reason[LOG_TEXT])
{
	reason[0] = '\0';
	/* After its end the scope is empty. */
	if (subscription->state >= SUBSCRIPTION_ENDED)
		return true;
	if (!subscription->scope) {
		snprintf(reason, LOG_TEXT, "the watcher is starting");
		return false;
	}
	if (subscription->unplaced) {
		snprintf(reason, LOG_TEXT, "no memory for a network namespace");
		return false;
	}
	if (!keeps_limits(subscription, reason))
		return false;
	if (!reads_all(subscription, reason) || !reads_members(subscription, reason) ||
	    !names_sockets(subscription, reason))
		return false;
	if (subscription->scan_error == 0)
		return true;
	snprintf(reason, LOG_TEXT, "the descriptors of some processes could not be read: %s",
	         strerrordesc_np(-subscription->scan_error));
	return false;
}

/* --- members whose descriptors cannot be read --- */

/* A refusal that lasts so long is not temporary. */
#define LASTING NSEC_PER_SEC

const char *unreadable_remedy(void)
{
	if (caps_permitted(CAP_SYS_PTRACE) && caps_permitted(CAP_DAC_READ_SEARCH))
		return "; a security module or the sandbox refuses it";
	return "; run as its user, if it is dumpable and has no more capabilities, or with "
	       "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH";
}

/* Whether the process is the helper of a systemd user manager, "(sd-pam)". It is never readable,
 * and only waits for the end of the session. */
static bool never_listens(const struct process *process)
{
	return strcmp(process->name, "(sd-pam)") == 0;
}

static int find(const struct unreadable *unreadable, const struct process *process)
{
	for (int i = 0; i < UNREADABLE_MAX; i++)
		if (unreadable->members[i].pid == process->pid &&
		    unreadable->members[i].start_time == process->start_time)
			return i;
	return -1;
}

static void warn(struct subscription *subscription, pid_t pid, const char *name, int error)
{
	bool refused = error_is_refusal(error);
	struct failure failure = {.error = -error};

	log_write(&subscription->log, PORTWATCH_LOG_WARNING,
	          "cannot read the descriptors of PID %d%s%s%s: %s; ports that only it holds are "
	          "not attributed%s",
	          (int)pid, name ? " (" : "", name ? name : "", name ? ")" : "",
	          strerrordesc_np(-error), refused ? unreadable_remedy() : log_remedy(&failure));
}

void unreadable_note(struct subscription *subscription, const struct process *process, int error)
{
	struct unreadable *unreadable = &subscription->unreadable;
	uint64_t now = clock_now(CLOCK_MONOTONIC);
	int i;

	if (!error_is_refusal(error)) {
		if (!unreadable->limited)
			warn(subscription, process->pid, process->name, error);
		unreadable->limited = true;
		return;
	}
	if (never_listens(process))
		return;
	i = find(unreadable, process);
	if (i >= 0 && now - unreadable->members[i].since >= LASTING && !unreadable->warned) {
		warn(subscription, process->pid, process->name, error);
		unreadable->warned = true;
	} else if (i < 0) {
		i = (int)(unreadable->next++ % UNREADABLE_MAX);
		unreadable->members[i].pid = process->pid;
		unreadable->members[i].start_time = process->start_time;
		unreadable->members[i].since = now;
		log_write(&subscription->log, PORTWATCH_LOG_INFO,
		          "cannot read the descriptors of PID %d (%s) now: %s", (int)process->pid,
		          process->name, strerrordesc_np(-error));
	}
}

void unreadable_forget(struct subscription *subscription, const struct process *process)
{
	struct unreadable *unreadable = &subscription->unreadable;
	int i = unreadable->next > 0 ? find(unreadable, process) : -1;

	if (i >= 0)
		unreadable->members[i].pid = 0;
}

void unreadable_finish(struct subscription *subscription)
{
	struct unreadable *unreadable = &subscription->unreadable;
	int error;
	pid_t pid = unreadable->warned ? 0 : find_unreadable(subscription, &error);

	if (pid == 0)
		return;
	warn(subscription, pid, NULL, error);
	unreadable->warned = true;
}
