/* SPDX-License-Identifier: MIT */
/* monitor_source.c - what the monitor waits on */
#include <errno.h>
#include <sys/eventfd.h>

#include "monitor.h"

int monitor_add(struct monitor *monitor, struct source *source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

	return epoll_ctl(monitor->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0 ? -errno : 0;
}

void monitor_remove(struct monitor *monitor, struct source *source)
{
	epoll_ctl(monitor->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	monitor->stale = true;
	for (int i = 0; i < monitor->batch_size; i++)
		if (monitor->batch[i].data.ptr == source)
			monitor->batch[i].data.ptr = NULL;
}

void monitor_wake(struct monitor *monitor)
{
	eventfd_write(monitor->wake.fd, 1);
}
