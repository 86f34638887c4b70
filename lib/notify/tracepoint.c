/* SPDX-License-Identifier: MIT */
/* tracepoint.c - a kernel tracepoint on one CPU, with the ring that its records go to */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "util/fd.h"
#include "notify/tracepoint.h"

/* 1,000 samples, or 1,300 processes that come and go. A user without CAP_IPC_LOCK gets 129 pages a
 * CPU for all his rings (kernel.perf_event_mlock_kb). */
#define RING_PAGES 32

static int open_event(uint64_t id, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = id,
		.sample_period = 1,
		.sample_type = PERF_RING_SAMPLE_TYPE,
		.disabled = 1,
		.task = 1,
		.sample_id_all = 1,
		/* Counts samples alone; all records count towards half a ring, which wakes as well.
	         */
		.wakeup_events = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};

	return fd_own((int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

/* A smaller ring where the user may not lock more memory: it only overflows sooner. */
static int map_ring(struct tracepoint *tracepoint)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), pages;
	void *mapping = MAP_FAILED;

	for (pages = RING_PAGES; pages > 0; pages /= 2) {
		mapping = mmap(NULL, (pages + 1) * page, PROT_READ | PROT_WRITE, MAP_SHARED,
		               tracepoint->fd, 0);
		if (mapping != MAP_FAILED || (errno != EPERM && errno != ENOMEM))
			break;
	}
	if (mapping == MAP_FAILED)
		return -errno;
	tracepoint->mapping = mapping;
	tracepoint->length = (pages + 1) * page;
	perf_ring_init(&tracepoint->ring, mapping, (const uint8_t *)mapping + page, pages * page);
	return 0;
}

static int set_up(struct tracepoint *tracepoint, uint64_t id, int cpu, const char *filter,
                  const char **step)
{
	*step = "open the tracepoint (perf_event_open)";
	tracepoint->fd = open_event(id, cpu);
	if (tracepoint->fd < 0)
		return tracepoint->fd;
	*step = "filter the tracepoint (PERF_EVENT_IOC_SET_FILTER)";
	if (ioctl(tracepoint->fd, PERF_EVENT_IOC_SET_FILTER, filter) < 0)
		return -errno;
	*step = "map the tracepoint's ring (mmap)";
	return map_ring(tracepoint);
}

int tracepoint_open(struct tracepoint *tracepoint, uint64_t id, int cpu, const char *filter,
                    const char **step)
{
	int error;

	*tracepoint = (struct tracepoint){.fd = -1};
	error = set_up(tracepoint, id, cpu, filter, step);
	if (error < 0)
		tracepoint_close(tracepoint);
	return error;
}

int tracepoint_enable(struct tracepoint *tracepoint, const char **step)
{
	*step = "enable the tracepoint (PERF_EVENT_IOC_ENABLE)";
	return ioctl(tracepoint->fd, PERF_EVENT_IOC_ENABLE, 0) < 0 ? -errno : 0;
}

void tracepoint_close(struct tracepoint *tracepoint)
{
	if (tracepoint->mapping)
		munmap(tracepoint->mapping, tracepoint->length);
	if (tracepoint->fd >= 0)
		fd_close(tracepoint->fd);
	*tracepoint = (struct tracepoint){.fd = -1};
}
