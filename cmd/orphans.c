/* SPDX-License-Identifier: MIT */
/* orphans.c - processes that COMMAND has left behind: they become children of pwatch */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "orphans.h"
#include "text.h"
#include "values.h"

/* How many processes are named. */
#define NAMED_MAX 4

struct process {
	char name[64];
	char state;
	int parent;
	int exit_signal;
};

/* Reads /proc/PID/stat (proc_pid_stat(5)). Returns false if the process is gone. */
static bool read_process(pid_t pid, struct process *process)
{
	char path[32], line[1024];
	char *start, *end;
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	length = fread(line, 1, sizeof(line) - 1, file);
	fclose(file);
	line[length] = '\0';
	/* The name of a process may contain any byte, so its end is the last ')' of the line. */
	start = strchr(line, '(');
	end = strrchr(line, ')');
	if (!start || !end || end < start)
		return false;
	*end = '\0';
	snprintf(process->name, sizeof(process->name), "%s", start + 1);
	return sscanf(end + 1,
	              " %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
	              "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d",
	              &process->state, &process->parent, &process->exit_signal) == 3;
}

/* A helper of the library is a child of pwatch without an exit signal. It ends with pwatch, which
 * needs it until then. */
static bool is_helper(const struct process *process)
{
	return process->parent == getpid() && process->exit_signal == 0;
}

void orphans_signal(int signal_number)
{
	DIR *proc = opendir("/proc");
	struct process process;
	struct dirent *entry;
	pid_t pid;

	if (!proc) {
		kill(-1, signal_number);
		return;
	}
	/* /proc lists the processes in the order of their PIDs, so processes that are forked
	 * meanwhile usually come later. No other thread uses the directory stream. */
	/* cppcheck-suppress readdirCalled */
	while ((entry = readdir(proc))) {
		if (values_pid(entry->d_name, &pid) && pid != getpid() &&
		    !(read_process(pid, &process) && is_helper(&process)))
			kill(pid, signal_number);
	}
	closedir(proc);
}

size_t orphans_list(char names[ORPHANS_NAMES_MAX])
{
	DIR *proc = opendir("/proc");
	struct process process;
	struct dirent *entry;
	struct text text;
	size_t count = 0;
	pid_t pid;

	text_init(&text, names, ORPHANS_NAMES_MAX);
	/* No other thread uses the directory stream. */
	/* cppcheck-suppress readdirCalled */
	while (proc && (entry = readdir(proc))) {
		if (!values_pid(entry->d_name, &pid) || !read_process(pid, &process) ||
		    process.parent != getpid() || is_helper(&process) || process.state == 'Z')
			continue;
		if (count++ < NAMED_MAX)
			text_add(&text, "%s%s[%d]", count > 1 ? ", " : "", process.name, (int)pid);
	}
	if (proc)
		closedir(proc);
	if (count > NAMED_MAX)
		text_add(&text, " and %zu more", count - NAMED_MAX);
	return count;
}
