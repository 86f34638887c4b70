/* SPDX-License-Identifier: MIT */
/* perf_cpus.c - a kernel tracepoint on every CPU that is online */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "notify/perf_cpus.h"
#include "util/caps.h"
#include "notify/cpu_list.h"
#include "proc/procfs.h"
#include "util/fd.h"

#define CPUS_ONLINE "/sys/devices/system/cpu/online"
#define CPUS_POSSIBLE "/sys/devices/system/cpu/possible"
#define CPUS_MAX 65536

static void close_cpu(struct perf_cpus *perf_cpus, struct perf_cpu *perf_cpu)
{
	/* By hand: a child that the host forked may keep the descriptor open. */
	epoll_ctl(perf_cpus->epoll, EPOLL_CTL_DEL, perf_cpu->tracepoint.fd, NULL);
	tracepoint_close(&perf_cpu->tracepoint);
}

/* Adds it to the epoll before it can ring: to add it later would take the first ring for told. */
static int open_cpu(struct perf_cpus *perf_cpus, size_t cpu, const char **step)
{
	struct tracepoint *tracepoint = &perf_cpus->each[cpu].tracepoint;
	struct epoll_event event = {.events = EPOLLIN};
	int error = tracepoint_open(tracepoint, perf_cpus->id, (int)cpu, perf_cpus->filter, step);

	if (error < 0)
		return error;
	*step = "wait on the tracepoint (epoll_ctl)";
	if (epoll_ctl(perf_cpus->epoll, EPOLL_CTL_ADD, tracepoint->fd, &event) < 0)
		error = -errno;
	else
		error = tracepoint_enable(tracepoint, step);
	if (error < 0)
		close_cpu(perf_cpus, &perf_cpus->each[cpu]);
	return error;
}

static bool is_online(const struct perf_cpus *perf_cpus, size_t cpu)
{
	return cpu_list_has(perf_cpus->online, perf_cpus->online + perf_cpus->online_length, cpu);
}

/* A CPU may have gone since the list was read; but without any there is nothing to hear. */
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

static int set_up(struct perf_cpus *perf_cpus, const char **step)
{
	ssize_t length;

	*step = "wait on the tracepoints (epoll_create1)";
	perf_cpus->epoll = fd_own(epoll_create1(EPOLL_CLOEXEC));
	if (perf_cpus->epoll < 0)
		return perf_cpus->epoll;
	*step = "read which CPUs are online (" CPUS_ONLINE ")";
	length = procfs_read(AT_FDCWD, CPUS_ONLINE, perf_cpus->online, PERF_CPUS_ONLINE_MAX);
	if (length < 0)
		return (int)length;
	perf_cpus->online_length = (size_t)length;
	return open_all(perf_cpus, step);
}

static int allocate(struct perf_cpus **perf_cpus, size_t cpus)
{
	struct perf_cpus *made = calloc(1, sizeof(*made) + cpus * sizeof(made->each[0]));

	if (!made)
		return -ENOMEM;
	made->waiting = calloc(cpus, sizeof(struct perf_cpu *));
	if (!made->waiting) {
		free(made);
		return -ENOMEM;
	}
	made->epoll = -1;
	while (made->count < cpus)
		made->each[made->count++].tracepoint.fd = -1;
	*perf_cpus = made;
	return 0;
}

/* Room for all CPUs that may ever come, so that nothing is allocated when one does. */
static int allocate_possible(struct perf_cpus **perf_cpus, const char **step)
{
	char text[PERF_CPUS_ONLINE_MAX];
	ssize_t length = procfs_read(AT_FDCWD, CPUS_POSSIBLE, text, sizeof(text));
	uint64_t limit;

	*step = "read which CPUs there may be (" CPUS_POSSIBLE ")";
	if (length < 0)
		return (int)length;
	limit = cpu_list_limit(text, text + length);
	if (limit == 0 || limit > CPUS_MAX)
		return -EPROTO;
	*step = "make room for the tracepoints (malloc)";
	return allocate(perf_cpus, (size_t)limit);
}

int perf_cpus_open(struct perf_cpus **perf_cpus, uint64_t id, const char *filter, const char **step)
{
	struct perf_cpus *made = NULL;
	int error = allocate_possible(&made, step);

	if (error < 0)
		return error;
	made->id = id;
	made->filter = filter;
	error = set_up(made, step);
	if (error < 0) {
		perf_cpus_close(made);
		return error;
	}
	*perf_cpus = made;
	return 0;
}

void perf_cpus_forget(struct perf_cpus *perf_cpus)
{
	/* The rings were not copied by fork(2), see perf_mmap() in kernel/events/core.c: whatever
	 * is mapped there now is somebody else's. */
	for (size_t cpu = 0; cpu < perf_cpus->count; cpu++)
		perf_cpus->each[cpu].tracepoint.mapping = NULL;
	perf_cpus_close(perf_cpus);
}

void perf_cpus_close(struct perf_cpus *perf_cpus)
{
	size_t cpu;

	if (!perf_cpus)
		return;
	for (cpu = 0; cpu < perf_cpus->count; cpu++)
		tracepoint_close(&perf_cpus->each[cpu].tracepoint);
	if (perf_cpus->epoll >= 0)
		fd_close(perf_cpus->epoll);
	free(perf_cpus->waiting);
	free(perf_cpus);
}

/* 1: one came; 0: none; a negative errno: one came and could not be opened. */
static int follow_cpu(struct perf_cpus *perf_cpus, size_t cpu)
{
	bool online = is_online(perf_cpus, cpu), open = perf_cpus->each[cpu].tracepoint.fd >= 0;
	const char *step;
	caps_set taken;
	int error;

	if (open && !online)
		close_cpu(perf_cpus, &perf_cpus->each[cpu]);
	if (open || !online)
		return 0;
	taken = caps_begin(CAPS_NOTIFIER);
	error = open_cpu(perf_cpus, cpu, &step);
	caps_end(taken);
	return error < 0 ? error : 1;
}

bool perf_cpus_update(struct perf_cpus *perf_cpus)
{
	char online[PERF_CPUS_ONLINE_MAX];
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
			perf_cpus->online_length = 0; /* for another try, next time */
	}
	return came;
}
