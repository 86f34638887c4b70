/* SPDX-License-Identifier: MIT */
/* fds.c - which processes hold which sockets */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/cleanup.h"
#include "proc/fds.h"

static int compare_inodes(const void *left, const void *right)
{
	const struct fds_holder *a = left, *b = right;

	return (a->inode > b->inode) - (a->inode < b->inode);
}

void fds_sort(struct fds_holder *sockets, size_t count)
{
	if (count > 1)
		qsort(sockets, count, sizeof(*sockets), compare_inodes);
}

struct fds_holder *fds_find(struct fds_holder *sockets, size_t count, uint64_t inode)
{
	struct fds_holder key = {.inode = inode};

	if (count == 0)
		return NULL;
	return bsearch(&key, sockets, count, sizeof(*sockets), compare_inodes);
}

struct scan {
	pid_t pid;
	uint64_t start_time;
	struct fds_holder *sockets;
	size_t count;
	int list;     /* the directory of descriptors that is read */
	bool listed;  /* it had a descriptor in it */
	bool denied;  /* at least one such directory may not be read */
	ssize_t held; /* how many of the sockets the process holds */
};

static bool is_older(const struct scan *scan, const struct fds_holder *owner)
{
	if (owner->pid == 0 || scan->start_time != owner->start_time)
		return owner->pid == 0 || scan->start_time < owner->start_time;
	return scan->pid < owner->pid;
}

static void note_holder(struct scan *scan, struct fds_holder *socket)
{
	if (socket->scanned == scan->pid)
		return;
	socket->scanned = scan->pid;
	socket->owners++;
	scan->held++;
	if (is_older(scan, socket)) {
		socket->pid = scan->pid;
		socket->start_time = scan->start_time;
	}
}

static int scan_descriptor(void *data, long number)
{
	struct scan *scan = data;
	struct fds_holder *socket;
	uint64_t inode = 0;
	char name[24];
	int result;

	snprintf(name, sizeof(name), "%ld", number);
	result = procfs_read_link(scan->list, name, "socket", &inode);
	if (result == -ENOENT) /* closed since it was listed */
		return 0;
	if (result < 0)
		return result;
	scan->listed = true;
	socket = result > 0 ? fds_find(scan->sockets, scan->count, inode) : NULL;
	if (socket)
		note_holder(scan, socket);
	return 0;
}

/* Whether the leader has exited before its other threads. */
static bool is_headless(int process)
{
	struct process_stat stat;

	return procfs_read_stat(process, &stat) == 0 && stat.state == 'Z' && !procfs_is_dead(&stat);
}

/* Scans one directory of descriptors. -ENOENT where another thread is to be tried: that of a leader
 * that has exited lists none, and belongs to root whoever ran it. */
static int scan_list(int process, const char *path, void *data)
{
	struct scan *scan = data;
	CLEANUP_CLOSE int list = procfs_open_at(process, path, O_RDONLY | O_DIRECTORY);
	int result;

	if (list == -EACCES && is_headless(process)) {
		scan->denied = true;
		return -ENOENT;
	}
	if (list < 0)
		return list;
	scan->list = list;
	result = procfs_list_numbers(list, scan_descriptor, scan);
	return result == 0 && !scan->listed ? -ENOENT : result;
}

ssize_t fds_scan_process(int process, pid_t pid, uint64_t start_time, struct fds_holder *sockets,
                         size_t count)
{
	struct scan scan = {
		.pid = pid,
		.start_time = start_time,
		.sockets = sockets,
		.count = count,
	};
	int result = procfs_through_threads(process, "fd", scan_list, &scan);

	if (result == -ENOENT) /* no thread has a descriptor, or none may be seen */
		return scan.denied ? -EACCES : 0;
	return result < 0 ? result : scan.held;
}
