/* SPDX-License-Identifier: MIT */
/* owner.c - properties of an event's owner that are read on request
 *
 * They are read from /proc in the thread of the host, so that only this host pays for them, and so
 * that the monitor never reads the memory of an untrusted process, which can delay the read. The
 * answer is stored in the event. The start time excludes another process with the same PID. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/event.h"
#include "proc/procfs.h"
#include "table/probe.h"
#include "util/cleanup.h"
#include "util/failure.h"
#include "util/fd.h"
#include "util/spawn.h"

/* The length at which command lines are cut. */
#define COMMAND_LINE_MAX 4096
#define STATUS_MAX 16384
/* The file has a line for each hierarchy, with a path of up to PATH_MAX. */
#define CGROUP_MAX 65536
/* How long a socket may take to lead to its namespace, in milliseconds. */
#define ANSWER_TIMEOUT 2000

/* Opens the directory of the owner. Returns a descriptor, or a negative errno if the owner has
 * exited. Reads through the descriptor return data of this process only, or fail. */
static int open_owner(const struct portwatch_event *event)
{
	struct process_stat stat;
	int directory, result;

	if (event->pid <= 0 || event->start_time == 0)
		return -ESRCH;
	directory = procfs_open_own(event->pid);
	if (directory < 0)
		return directory;
	result = procfs_read_stat(directory, &stat);
	if (result == 0 && (procfs_is_dead(&stat) || stat.start_time != event->start_time))
		result = -ESRCH;
	if (result == 0)
		return directory;
	fd_close(directory);
	return result;
}

/* Returns a NUL-terminated copy of `size` bytes. */
static void *copy(const char *text, size_t size)
{
	char *result = malloc(size + 1);

	if (result) {
		memcpy(result, text, size);
		result[size] = '\0';
	}
	return result;
}

/* Reads the arguments, each of which ends with a NUL byte. A process may have replaced them with
 * other text. */
static void *read_command_line(int directory)
{
	char text[COMMAND_LINE_MAX];
	ssize_t size = procfs_read(directory, "cmdline", text, sizeof(text));

	if (size == -EFBIG)
		size = sizeof(text);
	while (size > 0 && text[size - 1] == '\0')
		size--;
	if (size <= 0)
		return NULL;
	for (ssize_t i = 0; i < size; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	return copy(text, (size_t)size);
}

/* The second number of the line "Uid:" is the effective one. */
static void *read_uid(int directory)
{
	CLEANUP_FREE char *text = malloc(STATUS_MAX);
	ssize_t size = text ? procfs_read(directory, "status", text, STATUS_MAX) : -ENOMEM;
	const char *line = size > 0 ? strstr(text, "\nUid:") : NULL;
	unsigned long real, effective;
	char *end;
	uid_t *uid;

	if (!line)
		return NULL;
	real = strtoul(line + 5, &end, 10);
	effective = strtoul(end, &end, 10);
	(void)real;
	uid = *end == '\t' ? malloc(sizeof(*uid)) : NULL;
	if (uid)
		*uid = (uid_t)effective;
	return uid;
}

/* The line of the unified hierarchy is "0::PATH". If there is none, the hierarchy of systemd is
 * used, "N:name=systemd:PATH". */
static void *read_cgroup(int directory)
{
	CLEANUP_FREE char *text = malloc(CGROUP_MAX);
	ssize_t size = text ? procfs_read(directory, "cgroup", text, CGROUP_MAX) : -ENOMEM;
	const char *path = NULL;

	for (char *line = text, *end; size > 0 && (end = strchr(line, '\n')); line = end + 1) {
		char *name = strchr(line, ':');

		*end = '\0';
		if (strncmp(line, "0::", 3) == 0)
			return copy(line + 3, strlen(line + 3));
		if (name && strncmp(name, ":name=systemd:", 14) == 0)
			path = name + 14;
	}
	return path ? copy(path, strlen(path)) : NULL;
}

static void *read_fact(const struct portwatch_event *event, enum event_fact which)
{
	CLEANUP_CLOSE int directory = open_owner(event);

	if (directory < 0)
		return NULL;
	switch (which) {
	case EVENT_COMMAND_LINE:
		return read_command_line(directory);
	case EVENT_UID:
		return read_uid(directory);
	default:
		return read_cgroup(directory);
	}
}

/* Returns a property, or NULL if it is not known. If two threads ask at once, the first answer is
 * stored. */
static const void *get_fact(const struct portwatch_event *event, enum event_fact which)
{
	void **place, *fact, *seen = NULL;
	int cancel;

	if (!event->life)
		return NULL;
	place = &event->life->facts[which];
	fact = __atomic_load_n(place, __ATOMIC_ACQUIRE);
	if (fact)
		return fact;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	fact = read_fact(event, which);
	pthread_setcancelstate(cancel, NULL);
	if (!fact)
		return NULL;
	if (__atomic_compare_exchange_n(place, &seen, fact, false, __ATOMIC_ACQ_REL,
	                                __ATOMIC_ACQUIRE))
		return fact;
	free(fact);
	return seen;
}

const char *portwatch_event_get_command_line(const struct portwatch_event *event)
{
	const char *text = get_fact(event, EVENT_COMMAND_LINE);

	return text ? text : "";
}

uid_t portwatch_event_get_uid(const struct portwatch_event *event)
{
	const uid_t *uid = get_fact(event, EVENT_UID);

	return uid ? *uid : (uid_t)-1;
}

const char *portwatch_event_get_cgroup(const struct portwatch_event *event)
{
	const char *text = get_fact(event, EVENT_CGROUP);

	return text ? text : "";
}

/* Opens the present namespace of the owner if it is the namespace of the event. */
static int open_netns_of_owner(const struct portwatch_event *event)
{
	CLEANUP_CLOSE int directory = open_owner(event), opened = -1;
	int kept;

	if (directory < 0)
		return directory;
	opened = procfs_open_netns(directory);
	if (opened < 0 || !fd_has_inode(opened, event->netns))
		return opened < 0 ? opened : -ENOENT;
	kept = opened;
	opened = -1;
	return kept;
}

/* Opens the namespace of the socket itself: a socket stays in the namespace in which it was
 * created, even if its owner moves. */
static int open_netns_of_socket(const struct portwatch_event *event)
{
	struct procfs procfs;
	struct probe_target target = {
		.procfs = &procfs,
		.pid = event->pid,
		.start_time = event->start_time,
		.inode = event->listener.inode,
	};
	struct child child;
	int result = procfs_open(&procfs, "/proc");

	if (result < 0)
		return result;
	result = probe_open_netns(&target, ANSWER_TIMEOUT, &child);
	spawn_reap_soon(&child);
	procfs_close(&procfs);
	return result;
}

int portwatch_event_open_netns(const struct portwatch_event *event)
{
	int cancel, result;

	if (!event || !event->listener.family)
		return -EINVAL;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	result = open_netns_of_owner(event);
	if (result == -ENOENT || error_is_refusal(result)) {
		int other = open_netns_of_socket(event);

		if (other >= 0 || result == -ENOENT)
			result = other;
	}
	pthread_setcancelstate(cancel, NULL);
	return fd_give(result);
}
