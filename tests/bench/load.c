/* SPDX-License-Identifier: MIT */
/* load.c - the cost of this process without its main thread */
#include <ctype.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "load.h"

static void add(struct tasks *tasks, pid_t pid)
{
	if (tasks->count < LOAD_TASKS)
		tasks->each[tasks->count++] = pid;
}

void load_threads(struct tasks *tasks)
{
	DIR *directory = opendir("/proc/self/task");
	struct dirent *entry;

	tasks->count = 0;
	while (directory && (entry = readdir(directory)))
		if (isdigit((unsigned char)entry->d_name[0]) && atoi(entry->d_name) != getpid())
			add(tasks, atoi(entry->d_name));
	if (directory)
		closedir(directory);
}

static void add_children(struct tasks *tasks, pid_t thread, pid_t other)
{
	char path[64];
	FILE *in;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)thread);
	in = fopen(path, "re");
	while (in && fscanf(in, "%d", &pid) == 1)
		if (pid != other)
			add(tasks, pid);
	if (in)
		fclose(in);
}

void load_helpers(struct tasks *tasks, pid_t other)
{
	struct tasks threads;

	load_threads(&threads);
	tasks->count = 0;
	add_children(tasks, getpid(), other);
	for (size_t i = 0; i < threads.count; i++)
		add_children(tasks, threads.each[i], other);
}

/* CPU time of the reaped children of a process. */
static double cpu_of_children(pid_t pid)
{
	unsigned long user, system;
	char path[64], text[1024], *rest = NULL;
	double cpu = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	in = fopen(path, "re");
	if (in && fgets(text, sizeof(text), in))
		rest = strrchr(text, ')');
	if (rest && sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %lu %lu",
	                   &user, &system) == 2)
		cpu = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	if (in)
		fclose(in);
	return cpu;
}

double load_cpu(const struct tasks *helpers)
{
	double cpu = seconds(clock_now(CLOCK_PROCESS_CPUTIME_ID)) -
	             seconds(clock_now(CLOCK_THREAD_CPUTIME_ID));
	clockid_t clock;

	for (size_t i = 0; i < helpers->count; i++) {
		if (clock_getcpuclockid(helpers->each[i], &clock) == 0)
			cpu += seconds(clock_now(clock));
		cpu += cpu_of_children(helpers->each[i]);
	}
	return cpu;
}

double load_private_memory(pid_t pid)
{
	char path[64], text[256];
	unsigned long value, sum = 0;
	bool known = false;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	in = fopen(path, "re");
	while (in && fgets(text, sizeof(text), in)) {
		if (sscanf(text, "Private_Clean: %lu", &value) != 1 &&
		    sscanf(text, "Private_Dirty: %lu", &value) != 1)
			continue;
		sum += value;
		known = true;
	}
	if (in)
		fclose(in);
	return known ? (double)sum * 1024 : NAN;
}

uint64_t load_forks(void)
{
	FILE *in = fopen("/proc/stat", "re");
	unsigned long long forks = 0;
	char line[4096];

	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "processes %llu", &forks) == 1)
			break;
	if (in)
		fclose(in);
	return forks;
}
