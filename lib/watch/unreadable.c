/* SPDX-License-Identifier: MIT */
/* unreadable.c - members whose descriptors can't be read: when that is worth a warning */
#include <errno.h>
#include <string.h>

#include "util/caps.h"
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
	if (unreadable->warned || never_listens(process))
		return;
	i = find(unreadable, process);
	if (i >= 0 && now - unreadable->members[i].since >= LASTING) {
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

	for (int i = 0; i < UNREADABLE_MAX && !unreadable->warned; i++) {
		pid_t pid = unreadable->members[i].pid;
		struct process_stat stat;
		int process, result;

		process = pid ? procfs_open_process(&subscription->monitor->procfs, pid) : -1;
		if (process < 0)
			continue;
		result = procfs_read_stat(process, &stat);
		if (result == 0 && stat.start_time != unreadable->members[i].start_time)
			result = -ESRCH;
		if (result == 0)
			result = fds_try(process);
		fd_close(process);
		if (result != -EACCES && result != -EPERM)
			continue;
		warn(subscription, pid, NULL, result);
		unreadable->warned = true;
	}
}
