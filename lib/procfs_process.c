/* SPDX-License-Identifier: MIT */
/* procfs_process.c - one process, its threads and its children */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "procfs.h"
#include "spawn.h"

int procfs_read_stat(int process, struct process_stat *stat)
{
	CLEANUP_CLOSE int fd = procfs_open_at(process, "stat", O_RDONLY);
	char text[2048];
	ssize_t size = fd;

	/* The kernel makes it whole in one call (fs/proc/array.c): there is no need to look for its
	 * end. */
	if (fd >= 0) {
		do
			size = read(fd, text, sizeof(text));
		while (size < 0 && errno == EINTR);
		if (size < 0)
			size = -errno;
	}
	if (size < 0)
		return size == -ENOENT ? -ESRCH : (int)size;
	return procfs_parse_stat(text, (size_t)size, stat);
}

struct attempts {
	int process;
	const char *path;
	procfs_attempt attempt;
	void *data;
	int result;
};

static int attempt_thread(void *data, long tid)
{
	struct attempts *attempts = data;
	char path[64];

	snprintf(path, sizeof(path), "task/%ld/%s", tid, attempts->path);
	attempts->result = attempts->attempt(attempts->process, path, attempts->data);
	return attempts->result != -ENOENT && attempts->result != -ESRCH;
}

int procfs_through_threads(int process, const char *path, procfs_attempt attempt, void *data)
{
	struct attempts attempts = {process, path, attempt, data, attempt(process, path, data)};
	int listed;

	if (attempts.result != -ENOENT && attempts.result != -ESRCH)
		return attempts.result;
	listed = procfs_each_number(process, "task", attempt_thread, &attempts);
	if (listed < 0)
		return listed == -ENOENT ? -ESRCH : listed;
	return attempts.result;
}

/* Collects a number digit by digit, as it may stand across the end of a buffer. */
struct number {
	long value;
	bool begun;
};

static int end_number(struct number *number, procfs_visit visit, void *data)
{
	long value = number->value;
	bool begun = number->begun;

	*number = (struct number){0};
	return begun ? visit(data, value) : 0;
}

static int take_character(struct number *number, char character, procfs_visit visit, void *data)
{
	int digit = character - '0';

	if (character == ' ' || character == '\n')
		return end_number(number, visit, data);
	if (digit < 0 || digit > 9 || number->value > (INT_MAX - digit) / 10)
		return -EPROTO;
	number->value = number->value * 10 + digit;
	number->begun = true;
	return 0;
}

static int visit_text(int fd, procfs_visit visit, void *data)
{
	struct number number = {0};
	char text[4096];
	ssize_t size;
	int result;

	while ((size = read(fd, text, sizeof(text))) != 0) {
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		for (ssize_t i = 0; i < size; i++) {
			result = take_character(&number, text[i], visit, data);
			if (result != 0)
				return result;
		}
	}
	return end_number(&number, visit, data);
}

/* A descriptor; -ENOENT where the kernel has no such files, -ESRCH where the thread is gone. */
static int open_children(int process, long tid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "task/%ld/children", tid);
	fd = procfs_open_at(process, path, O_RDONLY);
	if (fd != -ENOENT)
		return fd;
	snprintf(path, sizeof(path), "task/%ld/stat", tid);
	return faccessat(process, path, F_OK, 0) == 0 ? -ENOENT : -ESRCH;
}

struct children {
	int process;
	procfs_visit visit;
	void *data;
};

static int visit_thread(void *data, long tid)
{
	const struct children *children = data;
	CLEANUP_CLOSE int fd = open_children(children->process, tid);

	/* The children of a thread that has exited belong to another one now. */
	if (fd < 0)
		return fd == -ESRCH ? 0 : fd;
	return visit_text(fd, children->visit, children->data);
}

int procfs_each_child(int process, const struct process_stat *stat, procfs_visit visit, void *data)
{
	struct children children = {process, visit, data};
	CLEANUP_CLOSE int fd = -1;
	int result;

	if (stat->threads > 1) {
		result = procfs_each_number(process, "task", visit_thread, &children);
		return result == -ENOENT && faccessat(process, "stat", F_OK, 0) < 0 ? -ESRCH
		                                                                    : result;
	}
	fd = open_children(process, stat->pid);
	return fd < 0 ? fd : visit_text(fd, visit, data);
}

bool procfs_is_hidden(const struct procfs *procfs, pid_t pid)
{
	struct pollfd exit = {.events = POLLIN};
	CLEANUP_CLOSE int pidfd = -1;

	if (!procfs_is_ours(procfs))
		return false;
	pidfd = spawn_above_stdio((int)syscall(SYS_pidfd_open, pid, 0));
	if (pidfd == -ENOSYS || pidfd == -EPERM || pidfd == -EACCES)
		return kill(pid, 0) == 0 || errno == EPERM;
	if (pidfd < 0)
		return pidfd != -ESRCH && pidfd != -EINVAL && pidfd != -ENOENT;
	exit.fd = pidfd;
	return poll(&exit, 1, 0) <= 0;
}
