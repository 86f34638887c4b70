/* SPDX-License-Identifier: MIT */
/* perf_event.c - a perf event on one CPU, with the ring that its records go to */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "notify/perf_event.h"
#include "util/cleanup.h"
#include "util/fd.h"

/* 1,000 samples, or 800 processes that come and go. A user without CAP_IPC_LOCK gets 129 pages a
 * CPU for all his rings (kernel.perf_event_mlock_kb). */
#define RING_PAGES 32

static int open_event(const struct tcp_source *source, unsigned int cpu)
{
	struct perf_event_attr attr = {
		.type = source ? source->type : PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = source ? source->config : PERF_COUNT_SW_DUMMY,
		.sample_period = 1,
		.sample_type = PERF_RING_SAMPLE_TYPE,
		.disabled = 1,
		.task = 1,
		.comm = 1,
		.comm_exec = 1,
		.sample_id_all = 1,
		/* Counts samples alone; all records count towards half a ring, which wakes as well.
	         */
		.wakeup_events = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};

	return fd_own(
		(int)syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

/* A smaller ring where the user may not lock more memory: it only overflows sooner. */
static int map_ring(struct perf_event *event, int fd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages;
	void *mapping = MAP_FAILED;

	for (pages = RING_PAGES; pages > 0; pages /= 2) {
		mapping = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (mapping != MAP_FAILED || (errno != EPERM && errno != ENOMEM))
			break;
	}
	if (mapping == MAP_FAILED)
		return -errno;
	event->mapping = mapping;
	event->length = (pages + 1) * page;
	perf_ring_init(&event->stream.ring, mapping, (const uint8_t *)mapping + page, pages * page);
	return 0;
}

/* The epoll set has it before it can report: to add it later would take the first report for known.
 */
static int set_up(struct perf_event *event, int fd, struct tcp_source *source, unsigned int cpu,
                  int epoll, const char **step)
{
	struct epoll_event readable = {.events = EPOLLIN};
	int error;

	*step = "map the ring of a perf event (mmap)";
	error = map_ring(event, fd);
	if (error < 0)
		return error;
	if (source) {
		error = source->ops->connect(source, fd, cpu, step);
		if (error < 0)
			return error;
	}
	*step = "wait on a perf event (epoll_ctl)";
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &readable) < 0)
		return -errno;
	*step = "enable a perf event (PERF_EVENT_IOC_ENABLE)";
	return ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0 ? -errno : 0;
}

int perf_event_open(struct perf_event *event, struct tcp_source *source, unsigned int cpu,
                    int epoll, const char **step)
{
	CLEANUP_CLOSE int fd = -1;
	int error;

	*event = (struct perf_event){.source = source, .cpu = cpu};
	*step = "open a perf event (perf_event_open)";
	fd = open_event(source, cpu);
	if (fd < 0)
		return fd;
	error = set_up(event, fd, source, cpu, epoll, step);
	if (error < 0)
		perf_event_close(event);
	return error;
}

void perf_event_close(struct perf_event *event)
{
	if (!event->mapping)
		return;
	if (event->source && event->source->ops->disconnect)
		event->source->ops->disconnect(event->source, event->cpu);
	munmap(event->mapping, event->length);
	event->mapping = NULL;
}
