/* SPDX-License-Identifier: MIT */
/* measure.c - memory, descriptors, threads and children of a process */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

#define CHILDREN_MAX 1024

/* Calls visit for each entry of a directory whose entries are numbers. Returns the number of
 * entries. */
static unsigned int each_number(const char *path, void (*visit)(int number, void *data), void *data)
{
	DIR *directory = opendir(path);
	unsigned int found = 0;
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.')
			continue;
		/* Skip the descriptor of this directory stream. */
		if (strncmp(path, "/proc/self/", 11) == 0 &&
		    atoi(entry->d_name) == dirfd(directory))
			continue;
		found++;
		if (visit)
			visit(atoi(entry->d_name), data);
	}
	if (directory)
		closedir(directory);
	return found;
}

static void read_child(struct measure_child *child)
{
	char path[64], text[1024] = "", *after;
	FILE *stat;

	child->state = '-';
	child->started = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", child->pid);
	stat = fopen(path, "re");
	after = stat && fgets(text, sizeof(text), stat) ? strrchr(text, ')') : NULL;
	if (after && sscanf(after,
	                    ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
	                    "%*d %*d %llu",
	                    &child->state, &child->started) != 2)
		child->state = '-';
	if (stat)
		fclose(stat);
}

struct search {
	pid_t pid;
	struct measure_child *children;
	size_t size;
	size_t found;
};

static void add_children(int thread, void *data)
{
	struct search *search = data;
	struct measure_child child;
	char path[64];
	FILE *list;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", search->pid, thread);
	list = fopen(path, "re");
	while (list && fscanf(list, "%d", &child.pid) == 1) {
		read_child(&child);
		if (search->found < search->size)
			search->children[search->found] = child;
		search->found++;
	}
	if (list)
		fclose(list);
}

size_t measure_children(pid_t pid, struct measure_child *children, size_t size)
{
	struct search search = {pid, children, size, 0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	each_number(path, add_children, &search);
	return search.found;
}

void measure_take(struct measure *measure, pid_t pid)
{
	static struct measure_child children[CHILDREN_MAX];
	char path[64];

	*measure = (struct measure){.resident = 0};
	if (pid == getpid())
		snprintf(path, sizeof(path), "/proc/self/fd");
	else
		snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	measure->descriptors = each_number(path, NULL, NULL);
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	measure->threads = each_number(path, NULL, NULL);
	measure->children = (unsigned int)measure_children(pid, children, CHILDREN_MAX);
	for (unsigned int i = 0; i < measure->children && i < CHILDREN_MAX; i++)
		measure->zombies += children[i].state == 'Z';
}

void measure_memory(struct measure *measure, pid_t pid)
{
	char path[64], line[256];
	FILE *rollup;
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	rollup = fopen(path, "re");
	while (rollup && fgets(line, sizeof(line), rollup)) {
		if (sscanf(line, "Rss: %zu", &size) == 1)
			measure->resident = size;
		else if (sscanf(line, "Pss: %zu", &size) == 1)
			measure->proportional = size;
		else if (sscanf(line, "Private_Clean: %zu", &size) == 1 ||
		         sscanf(line, "Private_Dirty: %zu", &size) == 1)
			measure->private += size;
	}
	if (rollup)
		fclose(rollup);
}

struct listing {
	FILE *out;
	pid_t pid;
};

static void print_descriptor(int fd, void *data)
{
	const struct listing *listing = data;
	char path[64], target[256];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", listing->pid, fd);
	length = readlink(path, target, sizeof(target) - 1);
	target[length > 0 ? length : 0] = '\0';
	fprintf(listing->out, "  %d: %s\n", fd, target);
}

void measure_list(FILE *out, pid_t pid)
{
	struct listing listing = {out, pid};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	each_number(path, print_descriptor, &listing);
}
