/* SPDX-License-Identifier: MIT */
/* procfs.c - opens, reads and lists files of /proc */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/stat.h> /* struct statx: not in every C library */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/failure.h"
#include "util/number.h"
#include "proc/procfs.h"
#include "util/spawn.h"
#include "util/sys.h"
#include "util/fd.h"

/* One call lists about 600 descriptors of a process. */
#define LIST_BUFFER 16384
#define LIST_PART 2048

/* What getdents64(2) fills in. */
struct directory_entry {
	uint64_t inode;
	int64_t next;
	uint16_t size; /* of this entry */
	uint8_t type;
	char name[];
};

int procfs_open(struct procfs *procfs, const char *path)
{
	procfs->loadavg = -1;
	procfs->loadavg_refused = false;
	procfs->fd = fd_own(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
	return procfs->fd < 0 ? procfs->fd : 0;
}

void procfs_close(struct procfs *procfs)
{
	if (procfs->fd >= 0)
		fd_close(procfs->fd);
	if (procfs->loadavg >= 0)
		fd_close(procfs->loadavg);
	procfs->fd = -1;
	procfs->loadavg = -1;
}

bool procfs_is_ours(const struct procfs *procfs)
{
	char self[32];
	ssize_t size = readlinkat(procfs->fd, "self", self, sizeof(self));
	const char *at = self;
	uint64_t pid;

	return size > 0 && decimal_parse(&at, self + size, &pid) && at == self + size &&
	       pid == (uint64_t)getpid();
}

int procfs_open_at(int directory, const char *name, int flags)
{
	int fd;

	do
		fd = openat(directory, name, flags | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	return fd_own(fd);
}

int procfs_open_process(const struct procfs *procfs, pid_t pid)
{
	char name[24];
	int fd;

	if (pid <= 0)
		return -ESRCH;
	decimal_write_path(name, (uint64_t)pid, "");
	/* Not O_PATH, which would open the directory of a process that /proc hides. */
	fd = procfs_open_at(procfs->fd, name, O_RDONLY | O_DIRECTORY);
	return fd == -ENOENT ? -ESRCH : fd;
}

int procfs_open_own(pid_t pid)
{
	struct procfs procfs;
	int result = procfs_open(&procfs, "/proc");

	if (result < 0)
		return result;
	result = procfs_is_ours(&procfs) ? procfs_open_process(&procfs, pid) : -ENOENT;
	procfs_close(&procfs);
	return result;
}

ssize_t procfs_read(int directory, const char *name, char *buffer, size_t size)
{
	CLEANUP_CLOSE int fd = procfs_open_at(directory, name, O_RDONLY);
	size_t used = 0;

	if (fd < 0)
		return fd;
	while (used < size) {
		ssize_t count = read(fd, buffer + used, size - used);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0) {
			buffer[used] = '\0';
			return (ssize_t)used;
		}
		used += (size_t)count;
	}
	return -EFBIG;
}

/* Passes on the numbers among the entries of one getdents64(2). */
static int visit_numbers(const char *entries, size_t size, procfs_visit visit, void *data)
{
	size_t at = 0;
	int result;

	while (at < size) {
		const struct directory_entry *entry = (const void *)(entries + at);
		const char *name = entry->name, *end = name + strlen(name);
		uint64_t number;

		at += entry->size;
		if (!decimal_parse(&name, end, &number) || name != end || number > LONG_MAX)
			continue;
		result = visit(data, (long)number);
		if (result != 0)
			return result;
	}
	return 0;
}

/* The numbers of one getdents64(2). *more: it was not the last. */
static int list_some(int list, char *entries, size_t room, procfs_visit visit, void *data,
                     bool *more)
{
	long size;

	do
		size = syscall(SYS_getdents64, list, entries, room);
	while (size < 0 && errno == EINTR);
	*more = size > 0;
	if (size <= 0)
		return size < 0 ? -errno : 0;
	return visit_numbers(entries, (size_t)size, visit, data);
}

int procfs_list_numbers(int list, procfs_visit visit, void *data)
{
	_Alignas(struct directory_entry) char entries[LIST_BUFFER];
	bool more = true;
	int result = 0;

	while (more && result == 0)
		result = list_some(list, entries, sizeof(entries), visit, data, &more);
	return result;
}

int procfs_list_some(int list, procfs_visit visit, void *data)
{
	_Alignas(struct directory_entry) char entries[LIST_PART];
	bool more;
	int result = list_some(list, entries, sizeof(entries), visit, data, &more);

	return result == 0 ? more : result;
}

int procfs_each_number(int directory, const char *name, procfs_visit visit, void *data)
{
	CLEANUP_CLOSE int list = procfs_open_at(directory, name, O_RDONLY | O_DIRECTORY);

	return list < 0 ? list : procfs_list_numbers(list, visit, data);
}

ssize_t procfs_read_link_text(int directory, const char *path, char *text, size_t size)
{
	ssize_t length = readlinkat(directory, path, text, size - 1);

	if (length < 0)
		return -errno;
	text[length] = '\0';
	return length;
}

int procfs_read_link(int directory, const char *path, const char *type, uint64_t *number)
{
	char text[64];
	ssize_t length = procfs_read_link_text(directory, path, text, sizeof(text));

	return length < 0 ? (int)length : procfs_parse_link(text, type, number);
}

/* Whether a file is in the file system of the directory itself, with nothing mounted over it. Does
 * not call a daemon of a file system in user space, which could delay the answer without limit. */
static bool is_uncovered(int directory, const char *name)
{
	struct statx around, file;

	return raw_call(SYS_statx, directory, "", AT_EMPTY_PATH, STATX_INO, &around) == 0 &&
	       raw_call(SYS_statx, directory, name, AT_STATX_DONT_SYNC, STATX_INO, &file) == 0 &&
	       around.stx_dev_major == file.stx_dev_major &&
	       around.stx_dev_minor == file.stx_dev_minor;
}

/* Opens a file that is trusted because the kernel itself provides it. Returns a negative errno for
 * another file. */
static int open_of_kernel(int directory, const char *name)
{
	CLEANUP_CLOSE int fd = -1;
	struct statfs status;
	int kept;

	if (!is_uncovered(directory, name))
		return -EXDEV;
	fd = procfs_open_at(directory, name, O_RDONLY);
	if (fd < 0)
		return fd;
	if (fstatfs(fd, &status) < 0)
		return -errno;
	if (status.f_type != PROC_SUPER_MAGIC)
		return -EXDEV;
	kept = fd;
	fd = -1;
	return kept;
}

pid_t procfs_last_pid(struct procfs *procfs)
{
	char text[128];
	ssize_t size;

	if (procfs->loadavg < 0 && !procfs->loadavg_refused) {
		int fd = open_of_kernel(procfs->fd, "loadavg");

		procfs->loadavg = fd < 0 ? -1 : fd;
		/* A lack of descriptors or memory is temporary. */
		procfs->loadavg_refused = fd == -EXDEV || fd == -EACCES || fd == -ENOENT;
	}
	/* One call reads the whole file from its start. */
	size = procfs->loadavg < 0 ? -1 : pread(procfs->loadavg, text, sizeof(text), 0);
	return size <= 0 ? 0 : procfs_parse_loadavg(text, (size_t)size);
}

/* --- one process, its threads and its children */

int procfs_open_stat(int process)
{
	int fd = procfs_open_at(process, "stat", O_RDONLY);

	return fd == -ENOENT ? -ESRCH : fd;
}

int procfs_reread_stat(int fd, struct process_stat *stat)
{
	char text[2048];
	ssize_t size;

	/* The kernel returns the whole file in one call (fs/proc/array.c), so no second read is
	 * needed. */
	do
		size = pread(fd, text, sizeof(text), 0);
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return procfs_parse_stat(text, (size_t)size, stat);
}

int procfs_read_stat(int process, struct process_stat *stat)
{
	CLEANUP_CLOSE int fd = procfs_open_stat(process);

	return fd < 0 ? fd : procfs_reread_stat(fd, stat);
}

typedef int (*attempt_file)(int process, const char *path, void *data);

struct attempts {
	int process;
	const char *path;
	attempt_file attempt;
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

/* Tries an action on a file of the process, and then on the file of each of its threads (below
 * task/TID), until one does not return -ENOENT: a leader that has exited lacks files that its
 * threads still have. Returns the last result, -ESRCH if the process is gone. */
static int through_threads(int process, const char *path, attempt_file attempt, void *data)
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

static bool is_blank(char character)
{
	return character == ' ' || character == '\n';
}

/* Passes on the numbers in [*at, end) that are followed by a blank; with `last` also a number at
 * the end. */
static int visit_words(const char **at, const char *end, bool last, procfs_visit visit, void *data)
{
	while (*at < end) {
		const char *next = *at;
		uint64_t number;
		int result;

		if (is_blank(*next)) {
			(*at)++;
			continue;
		}
		if (!decimal_parse(&next, end, &number) || number > INT_MAX)
			return -EPROTO;
		if (next == end && !last)
			return 0; /* it may go on */
		if (next < end && !is_blank(*next))
			return -EPROTO;
		*at = next;
		result = visit(data, (long)number);
		if (result != 0)
			return result;
	}
	return 0;
}

static int visit_text(int fd, procfs_visit visit, void *data)
{
	char text[4096];
	size_t used = 0;
	ssize_t size;
	int result;

	do {
		const char *at = text;

		size = read(fd, text + used, sizeof(text) - used);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		used += (size_t)size;
		result = visit_words(&at, text + used, size == 0, visit, data);
		if (result != 0)
			return result;
		used -= (size_t)(at - text);
		memmove(text, at, used);
	} while (size != 0);
	return 0;
}

/* Returns a descriptor; -ENOENT if the kernel has no such files, -ESRCH if the thread is gone. */
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
	pidfd = fd_own((int)syscall(SYS_pidfd_open, pid, 0));
	if (pidfd == -ENOSYS || pidfd == -EPERM || pidfd == -EACCES)
		return kill(pid, 0) == 0 || errno == EPERM;
	if (pidfd < 0)
		return pidfd != -ESRCH && pidfd != -EINVAL && pidfd != -ENOENT;
	exit.fd = pidfd;
	return poll(&exit, 1, 0) <= 0;
}

/* --- PID namespaces in /proc/PID/status */

#define NSPID "NSpid:"

/* The start of a line. The wanted line fits: the kernel nests at most 32 PID namespaces, with one
 * field each. The line of the groups before it can have 65,536 fields. */
struct line {
	char text[512];
	size_t size; /* of the whole line */
};

/* NSpid:, and for each namespace, outermost first, a tab and the PID there. */
static int parse_nspid(const struct line *line, pid_t *innermost, unsigned *depth)
{
	const char *at = line->text + strlen(NSPID), *end;
	uint64_t pid = 0;

	if (line->size > sizeof(line->text))
		return -EPROTO;
	end = line->text + line->size;
	for (*depth = 0; at < end; (*depth)++)
		if (*at++ != '\t' || !decimal_parse(&at, end, &pid) || pid > INT_MAX)
			return -EPROTO;
	*innermost = (pid_t)pid;
	return *depth > 0 ? 0 : -EPROTO;
}

static bool is_nspid(const struct line *line)
{
	return line->size >= strlen(NSPID) && memcmp(line->text, NSPID, strlen(NSPID)) == 0;
}

/* Whether this character ends the wanted line. */
static bool take_character(struct line *line, char character)
{
	if (character == '\n') {
		if (is_nspid(line))
			return true;
		line->size = 0;
		return false;
	}
	if (line->size < sizeof(line->text))
		line->text[line->size] = character;
	line->size++;
	return false;
}

int procfs_read_nspid(int process, pid_t *innermost, unsigned *depth)
{
	CLEANUP_CLOSE int fd = procfs_open_at(process, "status", O_RDONLY);
	struct line line = {.size = 0};
	char text[2048];
	ssize_t size;

	if (fd < 0)
		return fd == -ENOENT ? -ESRCH : fd;
	while ((size = read(fd, text, sizeof(text))) != 0) {
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		for (ssize_t i = 0; i < size; i++)
			if (take_character(&line, text[i]))
				return parse_nspid(&line, innermost, depth);
	}
	return -EPROTO;
}

/* --- the network namespace of a process */

static int identify(int process, const char *path, void *data)
{
	struct netns_id *id = data;
	struct stat status;

	if (fstatat(process, path, &status, 0) < 0)
		return -errno;
	*id = (struct netns_id){.dev = status.st_dev, .ino = status.st_ino};
	return 0;
}

int procfs_netns(int process, struct netns_id *id)
{
	return through_threads(process, "net/tcp", identify, id);
}

int procfs_netns_of(const struct procfs *procfs, pid_t pid, struct netns_id *id)
{
	char path[32];

	decimal_write_path(path, (uint64_t)pid, "/net/tcp");
	return identify(procfs->fd, path, id);
}

static int read_number(int process, const char *path, void *data)
{
	int result = procfs_read_link(process, path, "net", data);

	return result == 0 ? -EPROTO : result;
}

int procfs_netns_inode(int process, uint64_t *inode)
{
	int result;

	*inode = 0;
	result = through_threads(process, "ns/net", read_number, inode);
	if (error_is_refusal(result))
		return 0;
	return result < 0 ? result : 0;
}

static int open_path(int process, const char *path, void *data)
{
	(void)data;
	return procfs_open_at(process, path, O_RDONLY);
}

int procfs_open_netns(int process)
{
	return through_threads(process, "ns/net", open_path, NULL);
}

int procfs_open_pidfd(const struct procfs *procfs, pid_t pid, uint64_t start_time)
{
	CLEANUP_CLOSE int pidfd = fd_own((int)syscall(SYS_pidfd_open, pid, 0)), directory = -1;
	struct process_stat stat;
	int kept;

	if (pidfd < 0)
		return pidfd;
	directory = procfs_open_process(procfs, pid);
	if (directory < 0 || procfs_read_stat(directory, &stat) < 0 ||
	    stat.start_time != start_time)
		return -ESRCH;
	kept = pidfd;
	pidfd = -1;
	return kept;
}
