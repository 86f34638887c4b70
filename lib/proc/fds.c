/* SPDX-License-Identifier: MIT */
/* fds.c - which sockets a process holds */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/caps.h"
#include "util/cleanup.h"
#include "util/fd.h"
#include "proc/fds.h"
#include "proc/procfs.h"

/* Whether the leader has exited before its other threads. */
static bool is_headless(int process)
{
	struct process_stat stat;

	return procfs_read_stat(process, &stat) == 0 && stat.state == 'Z' && !procfs_is_dead(&stat);
}

/* Tells a list that has something in it. */
#define FOUND 2

static int find_any(void *data, long number)
{
	(void)data;
	(void)number;
	return FOUND;
}

/* The list of the leader (tid 0), or of a thread. */
static int open_list(int process, long tid)
{
	char path[32] = "fd";

	if (tid)
		snprintf(path, sizeof(path), "task/%ld/fd", tid);
	return procfs_open_at(process, path, O_RDONLY | O_DIRECTORY);
}

/* Takes the list of a thread, if there is a descriptor in it. 1, 0 or a negative errno. */
static int try_thread(void *data, long tid)
{
	struct fds_scan *scan = data;
	CLEANUP_CLOSE int list = open_list(scan->process, tid);

	if (list == -EACCES || list == -EPERM)
		scan->denied = true;
	if (list < 0)
		return list == -EMFILE || list == -ENFILE || list == -ENOMEM ? list : 0;
	if (procfs_list_some(list, find_any, NULL) != FOUND)
		return 0;
	/* From the start again. */
	scan->list = open_list(scan->process, tid);
	scan->tid = tid;
	return scan->list >= 0;
}

/* Looks for a thread that has descriptors: a leader that has exited lists none, and belongs to root
 * whoever ran it. 0, or a negative errno; without such a thread there is no list. */
static int find_thread(struct fds_scan *scan)
{
	int result = procfs_each_number(scan->process, "task", try_thread, scan);

	scan->thread = true;
	if (result == -ENOENT)
		return -ESRCH;
	if (result < 0)
		return result;
	return scan->list < 0 && scan->denied ? -EACCES : 0;
}

static int begin(struct fds_scan *scan, int process)
{
	*scan = (struct fds_scan){.process = process};
	scan->list = open_list(process, 0);
	if (scan->list >= 0)
		return 0;
	if (scan->list != -ENOENT && scan->list != -ESRCH &&
	    !(scan->list == -EACCES && is_headless(process)))
		return scan->list;
	scan->denied = scan->list == -EACCES;
	scan->list = -1;
	return find_thread(scan);
}

int fds_begin(struct fds_scan *scan, int process)
{
	int result = begin(scan, process);
	caps_set taken;

	if (result != -EACCES && result != -EPERM)
		return result;
	taken = caps_begin(CAPS_READ_PROCESS);
	if (taken)
		result = begin(scan, process);
	caps_end(taken);
	scan->privileged = taken != 0;
	return result;
}

struct step {
	struct fds_scan *scan;
	fds_visit visit;
	void *data;
};

static int visit_descriptor(void *data, long number)
{
	struct step *step = data;
	uint64_t inode = 0;
	char name[24];
	int result;

	snprintf(name, sizeof(name), "%ld", number);
	result = procfs_read_link(step->scan->list, name, "socket", &inode);
	if (result == -ENOENT) /* closed since it was listed */
		return 0;
	if (result < 0)
		return result;
	step->scan->listed = true;
	if (result > 0)
		step->visit(step->data, inode);
	return 0;
}

static int next(struct fds_scan *scan, struct step *step)
{
	int result;

	if (scan->list < 0)
		return 0;
	result = procfs_list_some(scan->list, visit_descriptor, step);
	if (result == -ENOENT) /* the process is gone, or its leader */
		result = 0;
	if (result != 0 || scan->listed || scan->thread)
		return result;
	fds_end(scan);
	result = find_thread(scan);
	return result < 0 ? result : scan->list >= 0;
}

/* Whether there is a privilege that may help. The list is begun again then: to see it is one
 * matter, to read its links another. */
static bool take_privilege(struct fds_scan *scan)
{
	caps_set taken = caps_begin(CAPS_READ_PROCESS);

	caps_end(taken);
	if (!taken)
		return false;
	fds_end(scan);
	scan->list = open_list(scan->process, scan->tid);
	scan->privileged = scan->list >= 0;
	return scan->privileged;
}

int fds_next(struct fds_scan *scan, fds_visit visit, void *data)
{
	struct step step = {scan, visit, data};
	caps_set taken = scan->privileged ? caps_begin(CAPS_READ_PROCESS) : 0;
	int result = next(scan, &step);

	caps_end(taken);
	if ((result == -EACCES || result == -EPERM) && !scan->privileged && scan->list >= 0 &&
	    take_privilege(scan))
		return 1;
	return result;
}

void fds_end(struct fds_scan *scan)
{
	if (scan->list >= 0)
		fd_close(scan->list);
	scan->list = -1;
}

static void visit_nothing(void *data, uint64_t inode)
{
	(void)data;
	(void)inode;
}

int fds_try(int process)
{
	struct fds_scan scan;
	int result = fds_begin(&scan, process);

	if (result < 0)
		return result;
	result = fds_next(&scan, visit_nothing, NULL);
	/* It may have begun again, with privilege. */
	if (result > 0)
		result = fds_next(&scan, visit_nothing, NULL);
	fds_end(&scan);
	return result < 0 ? result : 0;
}

/* --- the network namespace of a socket */

struct socket_search {
	int list;
	uint64_t inode;
	long descriptor;
};

static int find_socket(void *data, long number)
{
	struct socket_search *search = data;
	uint64_t inode = 0;
	char name[24];

	snprintf(name, sizeof(name), "%ld", number);
	if (procfs_read_link(search->list, name, "socket", &inode) <= 0 || inode != search->inode)
		return 0;
	search->descriptor = number;
	return FOUND;
}

/* Copies a descriptor of a process, if it is that of the socket. */
static int copy_socket(int pidfd, long descriptor, uint64_t inode)
{
	CLEANUP_CLOSE int copy = fd_own((int)syscall(SYS_pidfd_getfd, pidfd, (int)descriptor, 0));
	struct stat status;
	int kept = copy;

	if (copy < 0)
		return copy;
	if (fstatat(copy, "", &status, AT_EMPTY_PATH) < 0)
		return -errno;
	if (!S_ISSOCK(status.st_mode) || status.st_ino != inode)
		return -ENOENT;
	copy = -1;
	return kept;
}

static int open_netns(int pidfd, int directory, uint64_t inode)
{
	CLEANUP_CLOSE int list = open_list(directory, 0);
	struct socket_search search = {.list = list, .inode = inode};
	CLEANUP_CLOSE int copy = -1;
	int result;

	if (list < 0)
		return list;
	result = procfs_list_numbers(list, find_socket, &search);
	if (result != FOUND)
		return result < 0 ? result : -ENOENT;
	copy = copy_socket(pidfd, search.descriptor, inode);
	return copy < 0 ? copy : fd_own(ioctl(copy, SIOCGSKNS));
}

int fds_open_socket_netns(const struct procfs *procfs, pid_t pid, uint64_t start_time,
                          uint64_t inode)
{
	CLEANUP_CLOSE int pidfd = procfs_open_pidfd(procfs, pid, start_time);
	CLEANUP_CLOSE int directory = -1;
	caps_set process, network;
	int result;

	if (pidfd < 0)
		return pidfd;
	directory = procfs_open_process(procfs, pid);
	if (directory < 0)
		return directory;
	result = open_netns(pidfd, directory, inode);
	if (result != -EACCES && result != -EPERM)
		return result;
	process = caps_begin(CAPS_READ_PROCESS);
	network = caps_begin(CAPS_SOCKET_NETNS);
	if (process || network)
		result = open_netns(pidfd, directory, inode);
	caps_end(network);
	caps_end(process);
	return result;
}
