/* SPDX-License-Identifier: MIT */
/* unreadable.c - members whose descriptors can't be read: when that is worth a warning */
#include <errno.h>
#include <string.h>

#include "util/caps.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/fd.h"
#include "watch/subscription.h"
#include "watch/unreadable.h"

/* What is refused for so long is no matter of a moment. */
#define LASTING NSEC_PER_SEC

const char *unreadable_remedy(void)
{
	if (caps_permitted(CAP_SYS_PTRACE) && caps_permitted(CAP_DAC_READ_SEARCH))
		return "; a security module or the sandbox refuses it";
	return "; run as its user, if it is dumpable and has no more capabilities, or with "
	       "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH";
}

/* The one that a service manager of systemd keeps for each user: never readable, and it does
 * nothing but wait for the end of the session. */
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
	bool refused = error == -EACCES || error == -EPERM;
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

	if (error != -EACCES && error != -EPERM) {
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

/* Whether a member that refused lately still does: the negative errno, or 0. */
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
	return result == -EACCES || result == -EPERM ? result : 0;
}

pid_t unreadable_find(struct subscription *subscription, int *error)
{
	for (int i = 0; i < UNREADABLE_MAX; i++) {
		*error = ask_again(subscription, i);
		if (*error < 0)
			return subscription->unreadable.members[i].pid;
	}
	return 0;
}

void unreadable_finish(struct subscription *subscription)
{
	struct unreadable *unreadable = &subscription->unreadable;
	int error;
	pid_t pid = unreadable->warned ? 0 : unreadable_find(subscription, &error);

	if (pid == 0)
		return;
	warn(subscription, pid, NULL, error);
	unreadable->warned = true;
}
