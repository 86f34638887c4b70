/* SPDX-License-Identifier: MIT */
/* perf_cpus.c - a perf event on every CPU that is online */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "notify/perf_cpus.h"
#include "notify/cpu_list.h"
#include "notify/perf_event.h"
#include "proc/procfs.h"
#include "util/caps.h"

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
	return perf_event_open(&perf_cpus->each[cpu], perf_cpus->source, (unsigned int)cpu,
	                       perf_cpus->epoll, step);
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

/* Room for all CPUs that may ever come, so that nothing is allocated when one does. */
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
		perf_event_close(&perf_cpus->each[cpu]);
	free(perf_cpus->merge.heap);
	free(perf_cpus);
}

/* 1: one came; 0: none; a negative errno: one came and could not be opened. */
static int follow_cpu(struct perf_cpus *perf_cpus, size_t cpu)
{
	bool online = is_online(perf_cpus, cpu), open = is_open(perf_cpus, cpu);
	const char *step;
	caps_set taken;
	int error;

	if (open && !online)
		perf_event_close(&perf_cpus->each[cpu]);
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
			perf_cpus->online_length = 0; /* for another try, next time */
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
