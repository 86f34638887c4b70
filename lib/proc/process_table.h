/* SPDX-License-Identifier: MIT */
/* process_table.h - the processes that belong to some tree
 *
 * A process is identified by its PID and its start time. It is read through a descriptor of its
 * directory (/proc/PID), which never refers to another process. A failed read is never treated as
 * an exit.
 *
 * A process_table holds every process that belongs to some tree, once, found by its PID in one hash
 * lookup. Only the monitor thread calls these functions. */
#ifndef PROCESS_TABLE_H
#define PROCESS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/procfs.h"

struct entry;
struct membership;
struct process_table;
struct process_tree;

struct process {
	pid_t pid;
	pid_t ppid;          /* when it was read last */
	uint64_t start_time; /* clock ticks since boot; (pid, start_time) is its identity */
	uint64_t seen;       /* CLOCK_MONOTONIC: when it became known */
	char name[64];       /* comm, as it was read last */
	bool netns_known;    /* netns is set */
	struct netns_id
		netns; /* the last known namespace; set by the monitor, see process_locate() */
};

/* The hooks may query the table (process_table_find, process_locate, ...), but must not call
 * functions that add or drop members or trees. */
struct process_hooks {
	/* Whether a process must never become a member: the library's own helpers. A root is always
	 * a member. */
	bool (*ignored)(void *data, pid_t pid);
	/* A process has become a member of a tree; its netns is set. */
	void (*joined)(void *data, struct process_tree *tree, struct process *process);
	/* A member has exited: it is no longer found or counted. It is freed after the last of
	 * these calls. */
	void (*left)(void *data, struct process_tree *tree, struct process *process);
	/* A process did not become a member because of the limit of the tree. May be NULL. */
	void (*refused)(void *data, struct process_tree *tree);
};

/* Returns 0 or -ENOMEM. procfs must outlive the table. */
int process_table_new(struct process_table **table, const struct procfs *procfs,
                      const struct process_hooks *hooks, void *data);
/* Frees it with all its trees; calls no hooks. NULL allowed. */
void process_table_free(struct process_table *table);

/* Sets whether exited members stay until process_table_drop_exited(), because forks are reported: a
 * report that arrives after its parent was found dead then still finds the tree of the child.
 * Otherwise exited members leave at once. */
void process_table_defer(struct process_table *table, bool defer);
/* Whether exited members wait for process_table_drop_exited(). */
bool process_table_has_dropping(const struct process_table *table);
/* Lets the exited members leave. Called after all reports that existed when they were found were
 * handled. */
void process_table_drop_exited(struct process_table *table);

/* A pidfd has shown that a process has exited: it leaves at the next refresh, even if another
 * process has got its PID within the same clock tick. */
void process_table_exited(struct process_table *table, struct process *process);

/* Reads the name of a process again. Returns 1; 0 if it has exited, which the next refresh notices;
 * a negative errno. */
int process_table_reread(struct process_table *table, struct process *process);

/* Calls `visit` for all processes, in no order. It must not call functions that add or drop members
 * or trees. */
void process_table_each(const struct process_table *table,
                        void (*visit)(void *data, struct process *process), void *data);
struct process *process_table_find(const struct process_table *table, pid_t pid);
size_t process_table_count(const struct process_table *table);
/* The numbers of the last scan that has begun, and of the last complete scan. */
uint64_t process_table_begun(const struct process_table *table);
uint64_t process_table_completed(const struct process_table *table);

/* Reads the present namespace of a process, and sets process->netns. Returns 1 if it changed, 0 if
 * not, or a negative errno (the previous value stays). Verifies the start time before it accepts a
 * change. */
int process_locate(struct process_table *table, struct process *process);

/* --- the hash: this and the following functions are for the files process_*.c only --- */

struct entry *table_find(const struct process_table *table, pid_t pid);
/* Frees an entry without memberships, in the hash or not. */
void table_free_entry(struct process_table *table, struct entry *entry);
/* Queues a process for examination in this pass, again if it was examined already. */
void table_queue(struct process_table *table, struct entry *entry);

/* --- memberships --- */

bool tree_has(const struct process_tree *tree, const struct entry *entry);
/* Makes a process a member, if it is not one and the limit allows it, and calls the hook. Returns
 * 0, also if the limit refuses, or -ENOMEM. */
int tree_join(struct process_tree *tree, struct entry *entry);
/* Makes a process a member of all trees of its parent. Returns 0 or -ENOMEM. */
int tree_inherit(struct entry *entry, const struct entry *parent);
/* Ends all memberships of a process, and frees it. */
void table_leave(struct process_table *table, struct entry *entry);
/* Ends all memberships of a tree, and frees the tree and the processes that do not belong to
 * another tree. */
void tree_free(struct process_tree *tree, bool leave);

/* --- the data of one process in /proc --- */

enum process_reading {
	PROCESS_ALIVE,
	PROCESS_CLOSED, /* alive, but /proc hides it or refuses access */
	PROCESS_GONE,   /* gone, or dead and not reaped yet */
};

/* Opens and reads a process. Returns one of the above, or a negative errno if the state is unknown.
 * *directory, which the caller closes, is set only for PROCESS_ALIVE. */
int process_read(const struct process_table *table, pid_t pid, int *directory,
                 struct process_stat *stat);
/* Whether the process in the table still has its PID: 0 if it is dead or another process has the
 * PID; a negative errno if this is unknown. */
enum process_life {
	PROCESS_DEAD,
	PROCESS_LIVES,
	PROCESS_EXITS, /* exiting: its children may have another parent already. The kernel
	                  reparents them thread by thread, before it shows that no thread is left.
	                */
};
int process_still_lives(const struct process_table *table, const struct entry *entry);
/* Whether the data belong to the process in the table. */
bool entry_is(const struct entry *entry, const struct process_stat *stat);
void entry_update(struct entry *entry, const struct process_stat *stat);
/* Adds a process that was read (stat NULL: a child of ppid that cannot be read) to the table,
 * without membership and with its network namespace; NULL: out of memory. */
struct entry *entry_new(struct process_table *table, pid_t pid, pid_t ppid,
                        const struct process_stat *stat, int directory);
/* Calls `visit` for each child, also if the kernel does not list children. */
int table_each_child(struct process_table *table, int directory, const struct process_stat *stat,
                     procfs_visit visit, void *data);

#endif
