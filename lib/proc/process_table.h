/* SPDX-License-Identifier: MIT */
/* process_table.h - the processes that belong to some tree
 *
 * A process is identified by its PID and its start time. It is read through a descriptor of its
 * directory (/proc/PID), which never comes to mean another process. A failure to read a process is
 * never taken for its exit.
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
	pid_t ppid;            /* when it was read last */
	uint64_t start_time;   /* clock ticks since boot; (pid, start_time) is its identity */
	uint64_t seen;         /* CLOCK_MONOTONIC when it became known */
	char name[64];         /* comm when it was read last */
	bool netns_known;      /* netns is set */
	struct netns_id netns; /* where it was last seen; set by the monitor, see process_locate */
};

/* The hooks may look around (process_table_find, process_locate, ...), but must not call what adds
 * or drops members or trees. */
struct process_hooks {
	/* Whether pid must never become a member: the library's own helpers. A root is a member
	 * whatever this says. */
	bool (*ignored)(void *data, pid_t pid);
	/* A process has become a member of tree; its netns has been looked up. */
	void (*joined)(void *data, struct process_tree *tree, struct process *process);
	/* A member has exited: it is no longer found or counted. It is freed after the last of
	 * these calls. */
	void (*left)(void *data, struct process_tree *tree, struct process *process);
	/* A process was not made a member, because the tree has as many as it may have. May be
	 * NULL. */
	void (*refused)(void *data, struct process_tree *tree);
};

/* Returns 0 or -ENOMEM. procfs must outlive the table. */
int process_table_new(struct process_table **table, const struct procfs *procfs,
                      const struct process_hooks *hooks, void *data);
/* Frees it with all its trees; calls no hooks. NULL allowed. */
void process_table_free(struct process_table *table);

/* Says whether members that are found to have exited stay until process_table_part(), because forks
 * are reported: a report that comes late, after its parent was found dead, still finds whose child
 * it is about. Otherwise they leave at once. */
void process_table_defer(struct process_table *table, bool defer);
/* Whether there are such. */
bool process_table_is_parting(const struct process_table *table);
/* Has them leave: all reports that there were when they were found are taken in. */
void process_table_part(struct process_table *table);

/* A pidfd has shown that a process has exited: it leaves at the next refresh, even where another
 * process has got its number within the same clock tick. */
void process_table_exited(struct process_table *table, struct process *process);

/* Reads one process again, for its name. Returns 1; 0 where it has exited, which the next refresh
 * notices; a negative errno. */
int process_table_reread(struct process_table *table, struct process *process);

/* All processes, in no order. visit may not call what adds or drops members or trees. */
void process_table_each(const struct process_table *table,
                        void (*visit)(void *data, struct process *process), void *data);
struct process *process_table_find(const struct process_table *table, pid_t pid);
size_t process_table_count(const struct process_table *table);
/* Numbers of the scan that has begun last, and of the last one that is complete. */
uint64_t process_table_begun(const struct process_table *table);
uint64_t process_table_completed(const struct process_table *table);

/* Looks up where a process is now; sets process->netns. Returns 1 if it changed, 0 if not, or a
 * negative errno (the previous value stays). Verifies the start time before it believes a change.
 */
int process_locate(struct process_table *table, struct process *process);

/* --- the hash: this and what follows is for the files process_*.c alone --- */

struct entry *table_find(const struct process_table *table, pid_t pid);
/* Frees an entry without memberships, in the hash or not. */
void table_free_entry(struct process_table *table, struct entry *entry);
/* Has it examined in this pass, once more if it was. */
void table_queue(struct process_table *table, struct entry *entry);

/* --- which process belongs to which trees --- */

bool tree_has(const struct process_tree *tree, const struct entry *entry);
/* Makes it a member, if it isn't one and there is room, and calls the hook. 0, also where there is
 * no room, or -ENOMEM. */
int tree_join(struct process_tree *tree, struct entry *entry);
/* Makes it a member of all trees of its parent. 0 or -ENOMEM. */
int tree_inherit(struct entry *entry, const struct entry *parent);
/* Has it leave all its trees, and frees it. */
void table_leave(struct process_table *table, struct entry *entry);
/* Ends all memberships of a tree, and frees the tree and the processes that belong to no other. */
void tree_free(struct process_tree *tree, bool leave);

/* --- what /proc says about one process --- */

enum process_reading {
	PROCESS_ALIVE,
	PROCESS_CLOSED, /* alive, but /proc hides it or keeps it to itself */
	PROCESS_GONE,   /* or dead, waiting to be reaped */
};

/* Opens and reads it; *directory, to be closed, is set only when it says PROCESS_ALIVE. Returns one
 * of the above; a negative errno where that is unknown. */
int process_read(const struct process_table *table, pid_t pid, int *directory,
                 struct process_stat *stat);
/* Whether the process in the table still has its number: 0 if it is dead, or another process has
 * the number; a negative errno where that can't be told. */
enum process_life {
	PROCESS_DEAD,
	PROCESS_LIVES,
	PROCESS_EXITS, /* on its way out: its children may have got another parent already. The
	                  kernel gives them away thread by thread, before it shows that none is
	                  left. */
};
int process_still_lives(const struct process_table *table, const struct entry *entry);
/* Whether what was read is the process in the table. */
bool entry_is(const struct entry *entry, const struct process_stat *stat);
void entry_update(struct entry *entry, const struct process_stat *stat);
/* Adds what was read (stat NULL: a child of ppid that can't be read) to the table, without
 * membership, its network namespace looked up; NULL: out of memory. */
struct entry *entry_new(struct process_table *table, pid_t pid, pid_t ppid,
                        const struct process_stat *stat, int directory);
/* Calls visit for each child, whatever the kernel lists. */
int table_each_child(struct process_table *table, int directory, const struct process_stat *stat,
                     procfs_visit visit, void *data);

#endif
