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
#include "util/spawn.h"

#define CPUS_ONLINE "/sys/devices/system/cpu/online"
#define CPUS_POSSIBLE "/sys/devices/system/cpu/possible"
#define CPUS_MAX 65536

static void close_bell(struct bells *bells, struct bell *bell)
{
	/* By hand: a child that the host forked may keep the descriptor open. */
	epoll_ctl(bells->epoll, EPOLL_CTL_DEL, bell->tracepoint.fd, NULL);
	tracepoint_close(&bell->tracepoint);
}

/* Adds it to the epoll before it can ring: to add it later would take the first ring for told. */
static int open_bell(struct bells *bells, size_t cpu, const char **step)
{
	struct tracepoint *tracepoint = &bells->each[cpu].tracepoint;
	struct epoll_event event = {.events = EPOLLIN};
	int error = tracepoint_open(tracepoint, bells->id, (int)cpu, bells->filter, step);

	if (error < 0)
		return error;
	*step = "wait on the tracepoint (epoll_ctl)";
	if (epoll_ctl(bells->epoll, EPOLL_CTL_ADD, tracepoint->fd, &event) < 0)
		error = -errno;
	else
		error = tracepoint_enable(tracepoint, step);
	if (error < 0)
		close_bell(bells, &bells->each[cpu]);
	return error;
}

static bool is_online(const struct bells *bells, size_t cpu)
{
	return cpu_list_has(bells->online, bells->online + bells->online_length, cpu);
}

/* A CPU may have gone since the list was read; but without any there is nothing to hear. */
static int open_all(struct bells *bells, const char **step)
{
	size_t opened = 0, cpu;

	for (cpu = 0; cpu < bells->count; cpu++) {
		int error = is_online(bells, cpu) ? open_bell(bells, cpu, step) : -ENODEV;

		if (error < 0 && error != -ENODEV)
			return error;
		opened += error == 0;
	}
	return opened ? 0 : -ENODEV;
}

static int set_up(struct bells *bells, const char **step)
{
	ssize_t length;

	*step = "wait on the tracepoints (epoll_create1)";
	bells->epoll = spawn_above_stdio(epoll_create1(EPOLL_CLOEXEC));
	if (bells->epoll < 0)
		return bells->epoll;
	*step = "read which CPUs are online (" CPUS_ONLINE ")";
	length = procfs_read(AT_FDCWD, CPUS_ONLINE, bells->online, BELLS_ONLINE_MAX);
	if (length < 0)
		return (int)length;
	bells->online_length = (size_t)length;
	return open_all(bells, step);
}

static int allocate(struct bells **bells, uint64_t cpus)
{
	struct bells *made = calloc(1, sizeof(*made) + cpus * sizeof(made->each[0]));

	if (!made)
		return -ENOMEM;
	made->waiting = calloc(cpus, sizeof(struct bell *));
	if (!made->waiting) {
		free(made);
		return -ENOMEM;
	}
	made->epoll = -1;
	while (made->count < cpus)
		made->each[made->count++].tracepoint.fd = -1;
	*bells = made;
	return 0;
}

/* Room for all CPUs that may ever come, so that nothing is allocated when one does. */
static int allocate_possible(struct bells **bells, const char **step)
{
	char text[BELLS_ONLINE_MAX];
	ssize_t length = procfs_read(AT_FDCWD, CPUS_POSSIBLE, text, sizeof(text));
	uint64_t limit;

	*step = "read which CPUs there may be (" CPUS_POSSIBLE ")";
	if (length < 0)
		return (int)length;
	limit = cpu_list_limit(text, text + length);
	if (limit == 0 || limit > CPUS_MAX)
		return -EPROTO;
	*step = "make room for the tracepoints (malloc)";
	return allocate(bells, limit);
}

int bells_open(struct bells **bells, uint64_t id, const char *filter, const char **step)
{
	struct bells *made = NULL;
	int error = allocate_possible(&made, step);

	if (error < 0)
		return error;
	made->id = id;
	made->filter = filter;
	error = set_up(made, step);
	if (error < 0) {
		bells_close(made);
		return error;
	}
	*bells = made;
	return 0;
}

void bells_forget(struct bells *bells)
{
	/* The rings were not copied by fork(2), see perf_mmap() in kernel/events/core.c: whatever
	 * is mapped there now is somebody else's. */
	for (size_t cpu = 0; cpu < bells->count; cpu++)
		bells->each[cpu].tracepoint.mapping = NULL;
	bells_close(bells);
}

void bells_close(struct bells *bells)
{
	size_t cpu;

	if (!bells)
		return;
	for (cpu = 0; cpu < bells->count; cpu++)
		tracepoint_close(&bells->each[cpu].tracepoint);
	if (bells->epoll >= 0)
		close(bells->epoll);
	free(bells->waiting);
	free(bells);
}

/* 1: one came; 0: none; a negative errno: one came and could not be opened. */
static int follow_cpu(struct bells *bells, size_t cpu)
{
	bool online = is_online(bells, cpu), open = bells->each[cpu].tracepoint.fd >= 0;
	const char *step;
	unsigned int taken;
	int error;

	if (open && !online)
		close_bell(bells, &bells->each[cpu]);
	if (open || !online)
		return 0;
	taken = caps_begin(CAPS_DOORBELL);
	error = open_bell(bells, cpu, &step);
	caps_end(taken);
	return error < 0 ? error : 1;
}

bool bells_follow(struct bells *bells)
{
	char online[BELLS_ONLINE_MAX];
	ssize_t length = procfs_read(AT_FDCWD, CPUS_ONLINE, online, sizeof(online));
	bool came = false;
	size_t cpu;

	if (length <= 0 || ((size_t)length == bells->online_length &&
	                    memcmp(online, bells->online, (size_t)length) == 0))
		return false;
	memcpy(bells->online, online, (size_t)length);
	bells->online_length = (size_t)length;
	for (cpu = 0; cpu < bells->count; cpu++) {
		int result = follow_cpu(bells, cpu);

		came |= result > 0;
		if (result < 0)
			bells->online_length = 0; /* for another try, next time */
	}
	return came;
}
