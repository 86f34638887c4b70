/* SPDX-License-Identifier: MIT */
/* monitor_source.c - what the monitor waits on */
#include <errno.h>
#include <sys/eventfd.h>

#include "monitor.h"

/* How often it is tried to take a source out. */
#define REMOVALS 8

int monitor_add(struct monitor *monitor, struct source *source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

	return epoll_ctl(monitor->epoll, EPOLL_CTL_ADD, source->fd, &event) < 0 ? -errno : 0;
}

/* ENOMEM, says the manual, may come of every operation. The source is freed afterwards, and while a
 * forked child has its descriptor still open, closing that alone takes it out of no epoll set. */
static void take_out(int epoll, int fd)
{
	for (int i = 0; i < REMOVALS; i++)
		if (epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0 || errno == ENOENT ||
		    errno == EBADF)
			return;
}

void monitor_remove(struct monitor *monitor, struct source *source)
{
	take_out(monitor->epoll, source->fd);
	monitor->stale = true;
	for (int i = 0; i < monitor->batch_size; i++)
		if (monitor->batch[i].data.ptr == source)
			monitor->batch[i].data.ptr = NULL;
}

void monitor_wake(struct monitor *monitor)
{
	eventfd_write(monitor->wake.fd, 1);
}
