/* SPDX-License-Identifier: MIT */
/* polling.c - the baseline: how programs find ports without the library */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "polling.h"

#define ROWS_MAX 16384

#ifndef NSENTER_PATH
#define NSENTER_PATH "nsenter"
#endif

struct row {
	unsigned long inode;
	int port;
	bool held; /* a process holds the socket */
};

struct rows {
	size_t count;
	struct row each[ROWS_MAX];
};

struct command_line {
	char pid[16];
	char *arguments[10];
};

static bool is_own_netns(pid_t pid)
{
	char path[64];
	struct stat own, other;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return stat("/proc/self/ns/net", &own) == 0 && stat(path, &other) == 0 &&
	       own.st_ino == other.st_ino;
}

/* The benchmark's own namespace needs no nsenter. Without root, nsenter also enters the user
 * namespace of the process. */
static void set_command(struct command_line *line, pid_t pid)
{
	size_t count = 0;

	snprintf(line->pid, sizeof(line->pid), "%d", (int)pid);
	if (!is_own_netns(pid)) {
		line->arguments[count++] = NSENTER_PATH;
		line->arguments[count++] = "-t";
		line->arguments[count++] = line->pid;
		line->arguments[count++] = "-n";
		if (geteuid() != 0) {
			line->arguments[count++] = "-U";
			line->arguments[count++] = "--preserve-credentials";
		}
	}
	line->arguments[count++] = "cat";
	line->arguments[count++] = "/proc/net/tcp";
	line->arguments[count++] = "/proc/net/tcp6";
	line->arguments[count] = NULL;
}

bool polling_cat(pid_t pid, unsigned int runs, struct cost *cost)
{
	struct command_line line;

	set_command(&line, pid);
	return command_measure(line.arguments, runs, cost);
}

static int compare(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	return (a->inode > b->inode) - (a->inode < b->inode);
}

static void read_rows(pid_t pid, struct rows *rows)
{
	struct command_line line;
	char text[512];
	int output;
	pid_t child;
	FILE *in;

	rows->count = 0;
	set_command(&line, pid);
	child = command_start(line.arguments, &output);
	in = fdopen(output, "r");
	while (in && fgets(text, sizeof(text), in)) {
		struct row row = {.held = false};
		unsigned int port, state;

		if (sscanf(text,
		           " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*d "
		           "%*d %lu",
		           &port, &state, &row.inode) != 3 ||
		    state != 0x0a || rows->count >= ROWS_MAX)
			continue;
		row.port = (int)(port & 0xffff);
		rows->each[rows->count++] = row;
	}
	if (in)
		fclose(in);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	qsort(rows->each, rows->count, sizeof(rows->each[0]), compare);
}

static void read_link(const char *link, struct rows *rows)
{
	char target[64];
	struct row key, *row;
	ssize_t size = readlink(link, target, sizeof(target) - 1);

	if (size < 0)
		return;
	target[size] = '\0';
	if (sscanf(target, "socket:[%lu]", &key.inode) != 1)
		return;
	row = bsearch(&key, rows->each, rows->count, sizeof(key), compare);
	if (row)
		row->held = true;
}

static void walk_process(const char *pid, struct rows *rows)
{
	char path[320];
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.16s/fd/%.16s", pid, entry->d_name);
		read_link(path, rows);
	}
	if (directory)
		closedir(directory);
}

static void walk(struct rows *rows)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			walk_process(entry->d_name, rows);
	if (proc)
		closedir(proc);
}

double polling_walk(void)
{
	static struct rows none;
	uint64_t before = clock_now(CLOCK_THREAD_CPUTIME_ID);

	walk(&none);
	return seconds(clock_now(CLOCK_THREAD_CPUTIME_ID) - before);
}

/* Records the new ports. known: the ports of the previous call. */
static void poll_once(struct polling *polling, struct rows *rows, bool known[65536])
{
	bool present[65536] = {false};
	uint64_t now;

	read_rows(polling->pid, rows);
	walk(rows);
	now = clock_now(CLOCK_MONOTONIC);
	for (size_t i = 0; i < rows->count; i++) {
		int port = rows->each[i].port;
		/* The text can omit a row once. A row that returns is not a new port. */
		uint64_t first = polling->opened->when[port];

		if (rows->each[i].held && !known[port] && !present[port])
			sightings_note(polling->opened, port, first ? first : now);
		present[port] = true;
	}
	memcpy(known, present, sizeof(present));
}

static void *run(void *data)
{
	static struct rows rows;
	static bool known[65536];
	struct polling *polling = data;
	uint64_t next = clock_now(CLOCK_MONOTONIC);

	memset(known, 0, sizeof(known));
	while (!atomic_load(&polling->quit)) {
		uint64_t now = clock_now(CLOCK_MONOTONIC);

		if (now < next) {
			uint64_t left = next - now;

			bench_sleep(left < 20 * NSEC_PER_MSEC ? left : 20 * NSEC_PER_MSEC);
			continue;
		}
		poll_once(polling, &rows, known);
		next += NSEC_PER_SEC;
	}
	return NULL;
}

void polling_start(struct polling *polling, pid_t pid)
{
	polling->pid = pid;
	atomic_store(&polling->quit, false);
	polling->opened = sightings_new();
	if (pthread_create(&polling->thread, NULL, run, polling) != 0)
		bench_fail("no thread");
}

void polling_stop(struct polling *polling)
{
	atomic_store(&polling->quit, true);
	pthread_join(polling->thread, NULL);
	sightings_free(polling->opened);
}
