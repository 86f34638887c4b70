/* SPDX-License-Identifier: MIT */
/* procfs.c - the /proc directory: opening, reading and listing what is in it */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "decimal.h"
#include "procfs.h"
#include "spawn.h"

/* One call lists some 600 descriptors of a process. */
#define LIST_BUFFER 16384

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
	procfs->fd = spawn_above_stdio(open(path, O_PATH | O_DIRECTORY | O_CLOEXEC));
	return procfs->fd < 0 ? procfs->fd : 0;
}

void procfs_close(struct procfs *procfs)
{
	if (procfs->fd >= 0)
		close(procfs->fd);
	if (procfs->loadavg >= 0)
		close(procfs->loadavg);
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
	return spawn_above_stdio(fd);
}

int procfs_open_process(const struct procfs *procfs, pid_t pid)
{
	char name[16];
	int fd;

	if (pid <= 0)
		return -ESRCH;
	snprintf(name, sizeof(name), "%d", (int)pid);
	/* Not O_PATH, which gets at the directory of a process that /proc hides. */
	fd = procfs_open_at(procfs->fd, name, O_RDONLY | O_DIRECTORY);
	return fd == -ENOENT ? -ESRCH : fd;
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

/* Hands on the entries of one getdents64(2) that are numbers. */
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

int procfs_list_numbers(int list, procfs_visit visit, void *data)
{
	_Alignas(struct directory_entry) char entries[LIST_BUFFER];
	long size;
	int result;

	for (;;) {
		size = syscall(SYS_getdents64, list, entries, sizeof(entries));
		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0)
			return size < 0 ? -errno : 0;
		result = visit_numbers(entries, (size_t)size, visit, data);
		if (result != 0)
			return result;
	}
}

int procfs_each_number(int directory, const char *name, procfs_visit visit, void *data)
{
	CLEANUP_CLOSE int list = procfs_open_at(directory, name, O_RDONLY | O_DIRECTORY);

	return list < 0 ? list : procfs_list_numbers(list, visit, data);
}

int procfs_read_link(int directory, const char *path, const char *type, uint64_t *number)
{
	char link[64];
	ssize_t size = readlinkat(directory, path, link, sizeof(link) - 1);
	size_t length = strlen(type);
	const char *at;

	if (size < 0)
		return -errno;
	link[size] = '\0';
	if (strncmp(link, type, length) != 0 || strncmp(link + length, ":[", 2) != 0)
		return 0;
	at = link + length + 2;
	return decimal_parse(&at, link + size, number) && strcmp(at, "]") == 0;
}

pid_t procfs_last_pid(struct procfs *procfs)
{
	char text[128], *at;
	ssize_t size;
	const char *number;
	uint64_t pid;

	if (procfs->loadavg < 0)
		procfs->loadavg = procfs_open_at(procfs->fd, "loadavg", O_RDONLY);
	/* One call reads it whole, from the start again. */
	size = procfs->loadavg < 0 ? -1 : pread(procfs->loadavg, text, sizeof(text) - 1, 0);
	if (size <= 0)
		return 0;
	text[size] = '\0';
	at = strrchr(text, ' ');
	number = at ? at + 1 : text;
	if (!decimal_parse(&number, text + size, &pid) || pid > INT_MAX)
		return 0;
	return (pid_t)pid;
}
