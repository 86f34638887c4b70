/* SPDX-License-Identifier: MIT */
/* attribution_scan.c - asks processes which of a set of sockets they hold */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attribution.h"
#include "caps.h"

static bool belongs(const struct socket *socket, bool unsettled)
{
	return socket_is_unsettled(socket) == unsettled;
}

static size_t count_sockets(struct subscription *subscription, bool unsettled)
{
	struct view *view;
	struct socket *socket;
	size_t count = 0;

	list_each (view, &subscription->views, struct view, of_subscription)
		list_each (socket, &view->sockets, struct socket, link)
			count += belongs(socket, unsettled);
	return count;
}

int question_make(struct question *question, struct subscription *subscription, bool unsettled)
{
	struct view *view;
	struct socket *socket;
	size_t count = count_sockets(subscription, unsettled);

	if (count == 0)
		return 0;
	question->sockets = calloc(count, sizeof(*question->sockets));
	if (!question->sockets)
		return -ENOMEM;
	list_each (view, &subscription->views, struct view, of_subscription)
		list_each (socket, &view->sockets, struct socket, link)
			if (belongs(socket, unsettled))
				question->sockets[question->count++].inode = socket->listener.inode;
	inode_scan_sort(question->sockets, question->count);
	return 0;
}

/* Whether the answer of a member that couldn't be read is as good as "no": it is gone, or will
 * never be readable. What else failed (no descriptors left, no memory) is no information. */
static bool is_answer(struct subscription *subscription, const struct process *process,
                      ssize_t result)
{
	if (result >= 0 || result == -ESRCH || result == -ENOENT)
		return true;
	if (result != -EACCES && result != -EPERM)
		subscription->scan_error = (int)result;
	if (!subscription->told_access)
		log_write(subscription->watcher, PORTWATCH_LOG_WARNING,
		          "cannot read the descriptors of PID %d (%s): %s; ports that only it "
		          "holds are "
		          "not attributed. Run as its user, or with CAP_SYS_PTRACE and "
		          "CAP_DAC_READ_SEARCH",
		          (int)process->pid, process->name, strerrordesc_np((int)-result));
	subscription->told_access = true;
	return result == -EACCES || result == -EPERM;
}

ssize_t attribution_scan_process(int directory, pid_t pid, uint64_t start_time,
                                 struct inode_owner *sockets, size_t count)
{
	ssize_t result = inode_scan_process(directory, pid, start_time, sockets, count);
	unsigned int taken;

	if (result != -EACCES && result != -EPERM)
		return result;
	taken = caps_begin(CAPS_READ_PROCESS);
	if (taken)
		result = inode_scan_process(directory, pid, start_time, sockets, count);
	caps_end(taken);
	return result;
}

/* A process that exits belongs to root from when its memory is gone: that it can't be read then is
 * no news. */
static bool is_exiting(int directory)
{
	struct process_stat stat;

	return directory >= 0 && procfs_read_stat(directory, &stat) == 0 && stat.exiting &&
	       stat.threads <= 1;
}

bool question_ask(struct question *question, struct subscription *subscription,
                  const struct process *process, int directory)
{
	ssize_t result = directory;

	if (question->count == 0)
		return true;
	if (directory >= 0)
		result = attribution_scan_process(directory, process->pid, process->start_time,
		                                  question->sockets, question->count);
	if ((result == -EACCES || result == -EPERM) && is_exiting(directory))
		result = -ESRCH;
	subscription->monitor->stats[PORTWATCH_STAT_SCANS]++;
	return is_answer(subscription, process, result);
}
