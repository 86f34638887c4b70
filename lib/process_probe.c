/* SPDX-License-Identifier: MIT */
/* process_probe.c - looks at new PIDs alone: for a large tree on a system that forks elsewhere */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "process_table.h"

/* Reads the beginning of a file of a process, in one call. The size, or a negative errno. */
static ssize_t read_start(const struct procfs *procfs, pid_t pid, const char *name, char *text,
                          size_t size)
{
	CLEANUP_CLOSE int fd = -1;
	char path[48];
	ssize_t count;

	snprintf(path, sizeof(path), "%d/%s", (int)pid, name);
	fd = procfs_open_at(procfs->fd, path, O_RDONLY);
	if (fd < 0)
		return fd;
	count = read(fd, text, size - 1);
	text[count > 0 ? count : 0] = '\0';
	return count;
}

/* Threads have numbers, too, and name the parent of their process as theirs. */
static bool is_thread(const struct procfs *procfs, pid_t pid)
{
	char text[512];
	const char *group;

	if (read_start(procfs, pid, "status", text, sizeof(text)) <= 0)
		return true; /* gone */
	group = strstr(text, "\nTgid:\t");
	return !group || atol(group + strlen("\nTgid:\t")) != pid;
}

static int probe(struct process_table *table, pid_t pid)
{
	struct process_stat stat;
	char text[1024];
	ssize_t size = read_start(table->procfs, pid, "stat", text, sizeof(text));

	if (size <= 0 || procfs_parse_stat(text, (size_t)size, &stat) < 0 ||
	    !table_find(table, stat.ppid) || is_thread(table->procfs, pid))
		return 0;
	return process_table_forked(table, stat.ppid, pid);
}

bool process_table_probe(struct process_table *table, pid_t after, pid_t last)
{
	struct process_tree *tree;

	/* Once round, or more than there is to read otherwise. Orphans keep the numbers that they
	 * had. */
	if (after <= 0 || last < after || (size_t)(last - after) > table->count)
		return false;
	list_each (tree, &table->trees, struct process_tree, link)
		if (tree->adopts_orphans)
			return false;
	for (pid_t pid = after + 1; pid <= last; pid++)
		if (probe(table, pid) < 0)
			return false;
	return true;
}
