/* SPDX-License-Identifier: MIT */
/* namespace_info.c - what a host program may ask of a watched network namespace */
#include <errno.h>

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
