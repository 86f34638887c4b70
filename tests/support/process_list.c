/* SPDX-License-Identifier: MIT */
/* process_list.c - what /proc lists of the calling process, to find leaks, and of other processes
 */
#include <dirent.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "patience.h"
#include "proc/procfs.h"
#include "process_list.h"
#include "util/fd.h"

/* Calls visit for each child of each of our threads. */
static void each_child(void (*visit)(pid_t pid, void *data), void *data)
{
	DIR *threads = opendir("/proc/self/task");
	struct dirent *entry;

	while (threads && (entry = readdir(threads))) {
		char path[300];
		FILE *children;
		int pid;

		snprintf(path, sizeof(path), "/proc/self/task/%s/children", entry->d_name);
		children = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
		while (children && fscanf(children, "%d", &pid) == 1)
			visit(pid, data);
		if (children)
			fclose(children);
	}
	if (threads)
		closedir(threads);
}

static void count(pid_t pid, void *data)
{
	(void)pid;
	++*(size_t *)data;
}

size_t process_children(void)
{
	size_t found = 0;

	each_child(count, &found);
	return found;
}

struct search {
	const pid_t *known;
	pid_t found;
};

static void consider(pid_t pid, void *data)
{
	struct search *search = data;

	for (const pid_t *known = search->known; *known; known++)
		if (*known == pid)
			return;
	search->found = pid;
}

pid_t process_other_child(const pid_t *known)
{
	struct search search = {.known = known};

	each_child(consider, &search);
	return search.found;
}

size_t process_wait_children(size_t expected)
{
	time_t deadline = time(NULL) + patience(60);
	size_t found;

	while ((found = process_children()) != expected && time(NULL) < deadline)
		sched_yield();
	return found;
}

size_t process_wait_at_most(size_t limit)
{
	time_t deadline = time(NULL) + patience(60);
	size_t found;

	while ((found = process_children()) > limit && time(NULL) < deadline)
		sched_yield();
	return found;
}

size_t process_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	size_t found = 0;

	/* Doesn't count ".", "..", and the descriptor of the directory itself. */
	while (directory && readdir(directory))
		found++;
	if (directory)
		closedir(directory);
	return found - 3;
}

uint64_t process_start_time(pid_t pid)
{
	int directory = procfs_open_own(pid);
	struct process_stat stat = {0};

	if (directory >= 0 && procfs_read_stat(directory, &stat) < 0)
		stat.start_time = 0;
	fd_close(directory);
	return stat.start_time;
}

static void show(pid_t pid, void *data)
{
	char path[64], line[512];
	FILE *stat;

	(void)data;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stat = fopen(path, "re");
	if (stat && fgets(line, sizeof(line), stat))
		fprintf(stderr, "child %s", line);
	if (stat)
		fclose(stat);
}

void process_show(void)
{
	DIR *directory = opendir("/proc/self/fd");
	struct dirent *entry;
	char target[128];

	while (directory && (entry = readdir(directory))) {
		ssize_t size = readlinkat(dirfd(directory), entry->d_name, target, sizeof(target));

		if (size > 0)
			fprintf(stderr, "descriptor %s: %.*s\n", entry->d_name, (int)size, target);
	}
	if (directory)
		closedir(directory);
	each_child(show, NULL);
}

static size_t count_threads(void)
{
	DIR *threads = opendir("/proc/self/task");
	struct dirent *entry;
	size_t found = 0;

	while (threads && (entry = readdir(threads)))
		found += entry->d_name[0] != '.';
	if (threads)
		closedir(threads);
	return found;
}

size_t process_threads(size_t expected)
{
	time_t deadline = time(NULL) + 10;
	size_t found;

	while ((found = count_threads()) != expected && expected && time(NULL) < deadline)
		sched_yield();
	return found;
}

size_t process_resident(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	unsigned long size = 0, resident = 0;

	if (statm) {
		if (fscanf(statm, "%lu %lu", &size, &resident) != 2)
			resident = 0;
		fclose(statm);
	}
	return resident * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}
