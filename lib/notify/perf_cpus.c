/* SPDX-License-Identifier: MIT */
/* perf_cpus.c - a perf event on every CPU that is online */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "notify/cpu_list.h"
#include "notify/perf_cpus.h"
#include "proc/procfs.h"
#include "util/caps.h"
#include "util/cleanup.h"
#include "util/fd.h"

/* --- a perf event on one CPU, with its ring --- */

struct perf_event {
	void *mapping; /* NULL: not open */
	struct tcp_source *source;
	unsigned int cpu;
	size_t length;
	struct perf_stream stream;
};

/* Room for 1,000 samples, or 800 forks and exits of processes. A user without CAP_IPC_LOCK gets 129
 * pages per CPU for all rings (kernel.perf_event_mlock_kb). */
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
		/* Counts only samples. All records count towards half a ring, which also causes a
	         * wake-up. */
		.wakeup_events = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};

	return fd_own(
		(int)syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC));
}

/* If the user may not lock enough memory, a smaller ring is used, which only overflows sooner. */
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

/* The event is added to the epoll set before it is enabled: otherwise the first report would cause
 * no wake-up. */
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

/* May be called on a closed event. */
static void close_event(struct perf_event *event)
{
	if (!event->mapping)
		return;
	if (event->source && event->source->ops->disconnect)
		event->source->ops->disconnect(event->source, event->cpu);
	munmap(event->mapping, event->length);
	event->mapping = NULL;
}

/* Opens an event for all processes on a CPU: the samples of the source (NULL: none), and a record
 * for each fork, exec and exit, in times of CLOCK_MONOTONIC. Adds it to the epoll set, where it
 * becomes readable (EPOLLIN) at a sample, and when the ring is half full. Returns 0 or a negative
 * errno (-ENODEV: the CPU is offline) with *step set to what failed, as in failure.h; then it is
 * closed.
 *
 * No descriptor stays open: the mapping keeps the event, its place in the epoll set, and its place
 * in a map of the source. The event therefore uses none of the host's descriptors, and no child of
 * the host inherits a copy. */
static int open_on_cpu(struct perf_event *event, struct tcp_source *source, unsigned int cpu,
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
		close_event(event);
	return error;
}

/* --- on all CPUs --- */

#define CPUS_ONLINE "/sys/devices/system/cpu/online"
#define CPUS_POSSIBLE "/sys/devices/system/cpu/possible"
#define CPUS_MAX 65536

#define ONLINE_MAX 4097 /* a page of sysfs */

struct perf_cpus {
	struct tcp_source *source; /* NULL: none */
	int epoll;
	char online[ONLINE_MAX]; /* the list of CPUs, as last read */
	size_t online_length;
	struct perf_merge merge;
	size_t count;
	struct perf_event each[]; /* by CPU */
};

static bool is_open(const struct perf_cpus *perf_cpus, size_t cpu)
{
	return perf_cpus->each[cpu].mapping != NULL;
}

static int open_cpu(struct perf_cpus *perf_cpus, size_t cpu, const char **step)
{
	return open_on_cpu(&perf_cpus->each[cpu], perf_cpus->source, (unsigned int)cpu,
	                   perf_cpus->epoll, step);
}

static bool is_online(const struct perf_cpus *perf_cpus, size_t cpu)
{
	return cpu_list_has(perf_cpus->online, perf_cpus->online + perf_cpus->online_length, cpu);
}

/* A CPU may have gone offline since the list was read. It is an error if no event can be opened at
 * all. */
static int open_all(struct perf_cpus *perf_cpus, const char **step)
{
	size_t opened = 0, cpu;

	for (cpu = 0; cpu < perf_cpus->count; cpu++) {
		int error = is_online(perf_cpus, cpu) ? open_cpu(perf_cpus, cpu, step) : -ENODEV;

		if (error < 0 && error != -ENODEV)
			return error;
		opened += error == 0;
	}
	return opened ? 0 : -ENODEV;
}

static int open_online(struct perf_cpus *perf_cpus, const char **step)
{
	ssize_t length;

	*step = "read which CPUs are online (" CPUS_ONLINE ")";
	length = procfs_read(AT_FDCWD, CPUS_ONLINE, perf_cpus->online, ONLINE_MAX);
	if (length < 0)
		return (int)length;
	perf_cpus->online_length = (size_t)length;
	return open_all(perf_cpus, step);
}

int perf_cpus_possible(const char **step)
{
	char text[ONLINE_MAX];
	ssize_t length = procfs_read(AT_FDCWD, CPUS_POSSIBLE, text, sizeof(text));
	uint64_t limit;

	*step = "read which CPUs there may be (" CPUS_POSSIBLE ")";
	if (length < 0)
		return (int)length;
	limit = cpu_list_limit(text, text + length);
	return limit == 0 || limit > CPUS_MAX ? -EPROTO : (int)limit;
}

/* Allocates room for all possible CPUs, so that no memory is needed when one comes online. */
static struct perf_cpus *allocate(size_t cpus)
{
	struct perf_cpus *made = calloc(1, sizeof(*made) + cpus * sizeof(made->each[0]));

	if (!made)
		return NULL;
	made->count = cpus;
	made->merge.heap = calloc(cpus, sizeof(struct perf_stream *));
	if (made->merge.heap)
		return made;
	free(made);
	return NULL;
}

int perf_cpus_open(struct perf_cpus **perf_cpus, struct tcp_source *source, int epoll,
                   const char **step)
{
	struct perf_cpus *made = NULL;
	int result = perf_cpus_possible(step);

	if (result < 0)
		return result;
	*step = "make room for perf events (malloc)";
	made = allocate((size_t)result);
	if (!made)
		return -ENOMEM;
	made->source = source;
	made->epoll = epoll;
	result = open_online(made, step);
	if (result == 0 && source && source->ops->start)
		result = source->ops->start(source, step);
	if (result < 0)
		perf_cpus_close(made);
	else
		*perf_cpus = made;
	return result;
}

void perf_cpus_close(struct perf_cpus *perf_cpus)
{
	if (!perf_cpus)
		return;
	for (size_t cpu = 0; cpu < perf_cpus->count; cpu++)
		close_event(&perf_cpus->each[cpu]);
	free(perf_cpus->merge.heap);
	free(perf_cpus);
}

/* Returns 1: an event was opened; 0: none; a negative errno: the event of a new CPU could not be
 * opened. */
static int follow_cpu(struct perf_cpus *perf_cpus, size_t cpu)
{
	bool online = is_online(perf_cpus, cpu), open = is_open(perf_cpus, cpu);
	const char *step;
	caps_set taken;
	int error;

	if (open && !online)
		close_event(&perf_cpus->each[cpu]);
	if (open || !online)
		return 0;
	taken = caps_begin(CAPS_NOTIFIER);
	error = open_cpu(perf_cpus, cpu, &step);
	caps_end(taken);
	return error < 0 ? error : 1;
}

bool perf_cpus_update(struct perf_cpus *perf_cpus)
{
	char online[ONLINE_MAX];
	ssize_t length = procfs_read(AT_FDCWD, CPUS_ONLINE, online, sizeof(online));
	bool came = false;
	size_t cpu;

	if (length <= 0 || ((size_t)length == perf_cpus->online_length &&
	                    memcmp(online, perf_cpus->online, (size_t)length) == 0))
		return false;
	memcpy(perf_cpus->online, online, (size_t)length);
	perf_cpus->online_length = (size_t)length;
	for (cpu = 0; cpu < perf_cpus->count; cpu++) {
		int result = follow_cpu(perf_cpus, cpu);

		came |= result > 0;
		if (result < 0)
			perf_cpus->online_length = 0; /* so that the next call tries again */
	}
	return came;
}

struct perf_merge *perf_cpus_begin(struct perf_cpus *perf_cpus, bool *damaged)
{
	struct perf_merge *merge = &perf_cpus->merge;

	*damaged = false;
	merge->comparisons = 0;
	for (size_t cpu = 0; cpu < perf_cpus->count; cpu++)
		if (is_open(perf_cpus, cpu) &&
		    perf_merge_add(merge, &perf_cpus->each[cpu].stream) < 0)
			*damaged = true;
	return merge;
}

bool perf_cpus_end(struct perf_cpus *perf_cpus)
{
	bool dropped = false;

	perf_merge_end(&perf_cpus->merge);
	for (size_t cpu = 0; cpu < perf_cpus->count; cpu++)
		if (is_open(perf_cpus, cpu))
			dropped |= perf_ring_end(&perf_cpus->each[cpu].stream.ring);
	return dropped;
}
