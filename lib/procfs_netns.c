/* SPDX-License-Identifier: MIT */
/* procfs_netns.c - the network namespace of a process */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "procfs.h"

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
	return procfs_through_threads(process, "net/tcp", identify, id);
}

int procfs_netns_of(const struct procfs *procfs, pid_t pid, struct netns_id *id)
{
	char path[32];

	snprintf(path, sizeof(path), "%d/net/tcp", (int)pid);
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
	result = procfs_through_threads(process, "ns/net", read_number, inode);
	if (result == -EACCES || result == -EPERM)
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
	return procfs_through_threads(process, "ns/net", open_path, NULL);
}
