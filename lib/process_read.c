/* SPDX-License-Identifier: MIT */
/* process_read.c - what /proc says of one process of the table */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "process_table.h"

static int classify(const struct process_table *table, pid_t pid, int error)
{
	if (error == -EACCES || error == -EPERM)
		return PROCESS_CLOSED;
	if (error != -ESRCH)
		return error;
	return procfs_is_hidden(table->procfs, pid) ? PROCESS_CLOSED : PROCESS_GONE;
}

int process_read(const struct process_table *table, pid_t pid, int *directory,
                 struct process_stat *stat)
{
	CLEANUP_CLOSE int process = procfs_open_process(table->procfs, pid);
	int result = process < 0 ? process : procfs_read_stat(process, stat);

	if (result < 0)
		return classify(table, pid, result);
	if (procfs_is_dead(stat))
		return PROCESS_GONE;
	*directory = process;
	process = -1;
	return PROCESS_ALIVE;
}

int process_still_lives(const struct process_table *table, const struct entry *entry)
{
	CLEANUP_CLOSE int directory = -1;
	struct process_stat stat;
	int result;

	if (entry->exited)
		return 0;
	result = process_read(table, entry->process.pid, &directory, &stat);
	if (result < 0)
		return result;
	return result == PROCESS_CLOSED || (result == PROCESS_ALIVE && entry_is(entry, &stat));
}

bool entry_is(const struct entry *entry, const struct process_stat *stat)
{
	return !entry->start_known || entry->process.start_time == stat->start_time;
}

void entry_update(struct entry *entry, const struct process_stat *stat)
{
	struct process *process = &entry->process;

	process->ppid = stat->ppid;
	process->start_time = stat->start_time;
	memcpy(process->name, stat->name, sizeof(process->name));
	entry->start_known = true;
}

struct entry *entry_new(struct process_table *table, pid_t pid, pid_t ppid,
                        const struct process_stat *stat, int directory)
{
	struct entry *entry = table_add(table, pid);

	if (!entry)
		return NULL;
	entry->process.ppid = ppid;
	if (stat) {
		entry_update(entry, stat);
		entry->process.netns_known = procfs_netns(directory, &entry->process.netns) == 0;
	}
	return entry;
}

/* One call where nothing has changed. Whether the number is still that of the process doesn't
 * matter then. */
static bool is_where_it_was(const struct process_table *table, const struct process *process)
{
	struct netns_id netns;

	return process->netns_known && procfs_netns_of(table->procfs, process->pid, &netns) == 0 &&
	       netns.dev == process->netns.dev && netns.ino == process->netns.ino;
}

static int locate_anew(struct process_table *table, struct process *process)
{
	CLEANUP_CLOSE int directory = procfs_open_process(table->procfs, process->pid);
	struct netns_id netns;
	struct process_stat stat;
	int result;

	if (directory < 0)
		return directory;
	result = procfs_netns(directory, &netns);
	if (result < 0)
		return result;
	if (process->netns_known && netns.dev == process->netns.dev &&
	    netns.ino == process->netns.ino)
		return 0;
	result = procfs_read_stat(directory, &stat);
	if (result < 0)
		return result;
	if (!entry_is(container_of(process, struct entry, process), &stat))
		return -ESRCH;
	process->netns = netns;
	process->netns_known = true;
	return 1;
}

int process_locate(struct process_table *table, struct process *process)
{
	return is_where_it_was(table, process) ? 0 : locate_anew(table, process);
}
