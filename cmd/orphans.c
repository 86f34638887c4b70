/* SPDX-License-Identifier: MIT */
/* orphans.c - what is left of COMMAND in a PID namespace of which pwatch is the init process */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "orphans.h"
#include "values.h"

/* A helper is a child of pwatch that sends no signal when it exits: the 38th field of
 * proc_pid_stat(5). It ends with pwatch, and until then it is needed. */
static bool is_helper(pid_t pid)
{
	char path[32], line[1024];
	const char *rest;
	int parent, exit_signal;
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	length = fread(line, 1, sizeof(line) - 1, file);
	fclose(file);
	line[length] = '\0';
	/* The name of a process may hold anything, but a ')' comes last of all. */
	rest = strrchr(line, ')');
	return rest &&
	       sscanf(rest,
	              ") %*s %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
	              "%*s "
	              "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %d",
	              &parent, &exit_signal) == 2 &&
	       parent == getpid() && exit_signal == 0;
}

void orphans_signal(int signal_number)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	pid_t pid;

	if (!proc) {
		kill(-1, signal_number);
		return;
	}
	/* In the order of their PIDs: what is forked meanwhile comes later. The directory is ours
	 * alone.
	 */
	/* cppcheck-suppress readdirCalled */
	while ((entry = readdir(proc))) {
		if (values_pid(entry->d_name, &pid) && pid != getpid() && !is_helper(pid))
			kill(pid, signal_number);
	}
	closedir(proc);
}
