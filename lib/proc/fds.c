/* SPDX-License-Identifier: MIT */
/* fds.c - the sockets that a process holds */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/caps.h"
#include "util/cleanup.h"
#include "util/failure.h"
#include "util/fd.h"
#include "util/number.h"
#include "proc/fd_tables.h"
#include "proc/fds.h"

/* Whether the leader has exited before its other threads. */
static bool is_headless(int process)
{
	struct process_stat stat;

	return procfs_read_stat(process, &stat) == 0 && stat.state == 'Z' && !procfs_is_dead(&stat);
}

/* Returned by a list that has an entry. */
#define FOUND 2

static int find_any(void *data, long number)
{
	(void)data;
	(void)number;
	return FOUND;
}

/* Opens the list of descriptors of the leader (tid 0) or of a thread. */
static int open_list(int process, long tid)
{
	char path[32] = "fd";

	if (tid)
		snprintf(path, sizeof(path), "task/%ld/fd", tid);
	return procfs_open_at(process, path, O_RDONLY | O_DIRECTORY);
}

/* Uses the list of a thread if it has a descriptor. Returns 1, 0 or a negative errno. */
static int try_thread(void *data, long tid)
{
	struct fds_scan *scan = data;
	CLEANUP_CLOSE int list = open_list(scan->process, tid);

	if (error_is_refusal(list))
		scan->denied = true;
	if (list < 0)
		return error_is_shortage(list) ? list : 0;
	if (procfs_list_some(list, find_any, NULL) != FOUND)
		return 0;
	/* Opens the list again, to read from its start. */
	scan->list = open_list(scan->process, tid);
	scan->tid = tid;
	return scan->list >= 0;
}

/* Finds a thread that has descriptors: the list of a leader that has exited is empty, and belongs
 * to root. Returns 0 or a negative errno; without such a thread there is no list. */
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

static int begin(struct fds_scan *scan, int process, pid_t pid)
{
	*scan = FDS_SCAN_NONE;
	scan->process = process;
	scan->pid = pid;
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

int fds_begin(struct fds_scan *scan, int process, pid_t pid)
{
	int result = begin(scan, process, pid);
	caps_set taken;

	if (!error_is_refusal(result))
		return result;
	taken = caps_begin(CAPS_READ_PROCESS);
	if (taken)
		result = begin(scan, process, pid);
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
	struct fds_scan *scan = step->scan;
	char name[24], link[64];
	uint64_t inode;
	ssize_t length;

	decimal_write_path(name, (uint64_t)number, "");
	length = procfs_read_link_text(scan->list, name, link, sizeof(link));
	if (length == -ENOENT) /* closed since it was listed */
		return 0;
	if (length < 0)
		return (int)length;
	scan->listed = true;
	scan->seen += fds_reads_first(scan);
	scan->number = (int)number;
	if (procfs_parse_link(link, "socket", &inode))
		step->visit(step->data, inode);
	else if (strcmp(link, "anon_inode:[io_uring]") == 0 && scan->ring_count < FDS_RINGS_MAX)
		scan->rings[scan->ring_count++] = (int)number;
	return scan->tries ? FOUND : 0;
}

static void close_list(struct fds_scan *scan)
{
	fd_close(scan->list);
	scan->list = -1;
}

/* Returns 1 if there may be more. */
static int read_list(struct fds_scan *scan, struct step *step)
{
	int result = procfs_list_some(scan->list, visit_descriptor, step);

	if (result == -ENOENT) /* the process is gone, or its leader */
		result = 0;
	if (result != 0)
		return result;
	close_list(scan);
	if (!scan->listed && !scan->thread)
		result = find_thread(scan);
	return result < 0 ? result : 1;
}

/* --- files that are registered with an io_uring --- */

/* Opens the next ring. A ring that is closed by now or cannot be read is skipped. Returns 0 if no
 * ring is left. */
static int open_ring(struct fds_scan *scan)
{
	char path[64];

	if (scan->ring_count == 0)
		return 0;
	scan->ring_count--;
	if (scan->tid)
		snprintf(path, sizeof(path), "task/%ld/fdinfo/%d", scan->tid,
		         scan->rings[scan->ring_count]);
	else
		snprintf(path, sizeof(path), "fdinfo/%d", scan->rings[scan->ring_count]);
	scan->ring = procfs_open_at(scan->process, path, O_RDONLY);
	if (error_is_shortage(scan->ring))
		return scan->ring;
	scan->files = (struct uring_files){.used = 0};
	return 1;
}

static int read_ring(struct fds_scan *scan, struct step *step)
{
	char text[4096];
	ssize_t size = read(scan->ring, text, sizeof(text));

	if (size < 0 && errno == EINTR)
		return 1;
	if (size > 0) {
		scan->number = -1;
		uring_files_feed(&scan->files, text, (size_t)size, step->visit, step->data);
		return 1;
	}
	fd_close(scan->ring);
	scan->ring = -1;
	scan->unnamed += scan->files.unnamed;
	return 1;
}

/* --- threads with a table of their own --- */

/* Whether two threads have different tables. If this is unknown (no kcmp(2), or a filter refuses
 * it): whether they have different numbers of descriptors (Linux 6.2). */
static bool differ(const struct fds_scan *scan, pid_t one, pid_t other)
{
	long result = fd_tables_compare(one, other);
	struct stat status[2];
	char path[32];

	if (result >= 0)
		return result > 0;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "task/%d/fd", (int)(i == 0 ? one : other));
		if (fstatat(scan->process, path, &status[i], 0) < 0)
			return false; /* it has exited */
	}
	return status[0].st_size != status[1].st_size;
}

static int visit_task(void *data, long number)
{
	struct fds_scan *scan = data;
	pid_t tid = (pid_t)number;

	if (scan->table_count == FDS_TABLES_MAX || !differ(scan, scan->tables[0], tid))
		return 0;
	/* Threads that share a table were compared with its first thread already. */
	for (unsigned int i = 1; i < scan->table_count; i++)
		if (!differ(scan, scan->tables[i], tid))
			return 0;
	scan->tables[scan->table_count++] = tid;
	return 0;
}

/* Most processes have one thread: their directory has three links. */
static bool has_threads(const struct fds_scan *scan)
{
	struct stat status;

	return fstatat(scan->process, "task", &status, 0) == 0 && status.st_nlink > 3;
}

/* Finds the tables of the threads. The first is the table that was read already. */
static int list_tables(struct fds_scan *scan)
{
	int result;

	if (scan->tasks < 0) {
		scan->tables[scan->table_count++] = scan->tid ? (pid_t)scan->tid : scan->pid;
		scan->table_next = 1;
		scan->tables_listed = !has_threads(scan);
		if (scan->tables_listed)
			return 1;
		scan->tasks = procfs_open_at(scan->process, "task", O_RDONLY | O_DIRECTORY);
		if (error_is_shortage(scan->tasks))
			return scan->tasks;
	}
	result = scan->tasks < 0 ? 0 : procfs_list_some(scan->tasks, visit_task, scan);
	if (result > 0)
		return result;
	if (scan->tasks >= 0)
		fd_close(scan->tasks);
	scan->tasks = -1;
	scan->tables_listed = true;
	return 1;
}

/* Opens the next table. A table whose thread has exited is skipped. Returns 0 if no table is
 * left. */
static int open_table(struct fds_scan *scan)
{
	if (scan->table_next >= scan->table_count)
		return 0;
	scan->tid = scan->tables[scan->table_next++];
	scan->list = open_list(scan->process, scan->tid);
	if (error_is_shortage(scan->list))
		return scan->list;
	return 1;
}

/* Does one step. Returns the same as fds_next(). */
static int next(struct fds_scan *scan, struct step *step)
{
	int result;

	if (scan->list >= 0)
		return read_list(scan, step);
	if (scan->ring >= 0)
		return read_ring(scan, step);
	result = open_ring(scan);
	if (result != 0)
		return result;
	if (!scan->tables_listed)
		return list_tables(scan);
	return open_table(scan);
}

/* Raises a privilege if one may help. The list is then read again from its start, because opening
 * the list and reading its links need different rights. */
static bool take_privilege(struct fds_scan *scan)
{
	caps_set taken = caps_begin(CAPS_READ_PROCESS);

	caps_end(taken);
	if (!taken)
		return false;
	close_list(scan);
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
	if (error_is_refusal(result) && !scan->privileged && scan->list >= 0 &&
	    take_privilege(scan))
		return 1;
	return result;
}

void fds_end(struct fds_scan *scan)
{
	fd_close(scan->list);
	fd_close(scan->tasks);
	fd_close(scan->ring);
	*scan = FDS_SCAN_NONE;
}

bool fds_reads_first(const struct fds_scan *scan)
{
	return scan->table_count == 0;
}

size_t fds_count_first(const struct fds_scan *scan)
{
	struct stat status;

	return scan->list >= 0 && fstatat(scan->list, "", &status, AT_EMPTY_PATH) == 0
	               ? (size_t)status.st_size
	               : 0;
}

bool fds_first_has(const struct fds_scan *scan, int number, uint64_t inode)
{
	char name[24];
	uint64_t found;

	decimal_write_path(name, (uint64_t)number, "");
	return procfs_read_link(scan->list, name, "socket", &found) == 1 && found == inode;
}

void fds_skip_first(struct fds_scan *scan)
{
	close_list(scan);
	scan->listed = true;
}

static void visit_nothing(void *data, uint64_t inode)
{
	(void)data;
	(void)inode;
}

int fds_try(int process)
{
	struct fds_scan scan;
	/* The scan ends before the threads, so the PID is not used. */
	int result = fds_begin(&scan, process, 0);

	if (result < 0)
		return result;
	scan.tries = true;
	result = fds_next(&scan, visit_nothing, NULL);
	/* The scan may have started again with privilege, or with a thread. */
	if (result > 0 && !scan.listed)
		result = fds_next(&scan, visit_nothing, NULL);
	fds_end(&scan);
	return result < 0 ? result : 0;
}
