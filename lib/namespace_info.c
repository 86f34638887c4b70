/* SPDX-License-Identifier: MIT */
/* namespace_info.c - what a host program may ask of how it is served */
#include <errno.h>
#include <stdio.h>

#include "lock.h"
#include "subscription.h"

int portwatch_each_namespace(struct portwatch *watcher, portwatch_namespace_callback callback,
                             void *user_data)
{
	struct view *view;
	int count = 0;

	if (!watcher || !callback)
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return 0;
	library_lock();
	if (watcher->subscription) {
		list_each (view, &watcher->subscription->views, struct view, of_subscription) {
			callback(view->ns, user_data);
			count++;
		}
	}
	library_unlock();
	return count;
}

static int tell_doorbell(const struct subscription *subscription, char *reason, size_t size)
{
	const struct monitor *monitor = subscription->monitor;
	char text[LOG_TEXT] = "";

	if (!monitor->doorbell && !subscription->options->doorbell)
		snprintf(text, sizeof(text), "it is not wanted");
	else if (!monitor->doorbell)
		log_failure(&monitor->doorbell_failure, text);
	if (size > 0)
		snprintf(reason, size, "%s", text);
	return monitor->doorbell != NULL;
}

int portwatch_get_doorbell(struct portwatch *watcher, char *reason, size_t size)
{
	int result = -ENOTCONN;

	if (!watcher || (!reason && size > 0))
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return -ENOTCONN;
	library_lock();
	if (watcher->subscription)
		result = tell_doorbell(watcher->subscription, reason, size);
	library_unlock();
	return result;
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
	return namespace_reader(ns);
}

enum portwatch_table portwatch_namespace_get_table(const struct portwatch_namespace *ns)
{
	return ns->reader ? reader_table(ns->reader) : PORTWATCH_TABLE_AUTO;
}

const char *portwatch_namespace_get_reason(const struct portwatch_namespace *ns)
{
	return ns->reason;
}
