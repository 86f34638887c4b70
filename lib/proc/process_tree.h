/* SPDX-License-Identifier: MIT */
/* process_tree.h - who belongs to a watched root
 *
 * The layer proc knows what /proc says about processes. procfs.h opens and reads the files, parse.h
 * says what their texts mean, and this header has the trees that are made of them. fds.h finds the
 * sockets that a process holds, and fd_tables.h spares it the tables that processes share. inits.h
 * finds the init processes of containers. recent_pids.h says which PIDs are new. Everything that
 * reads an unbounded number of files can be done in slices.
 *
 * A process is identified by its PID and its start time. It is read through a descriptor of its
 * directory (/proc/PID), which never comes to mean another process. A failure to read a process is
 * never taken for its exit.
 *
 * A process_table holds every process that belongs to some tree, once, found by its PID in one hash
 * lookup. A process_tree is a root and all its descendants; trees may overlap. Once a member, a
 * process stays one until it exits, also after it is reparented. Only the monitor thread calls
 * these functions. */
#ifndef PROCESS_TREE_H
#define PROCESS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/procfs.h"

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

/* Makes the tree of one root, or takes another reference to an existing one with the same (pid,
 * start_time), adopts_orphans and limit. The root joins, and its descendants known from /proc,
 * before it returns. -ESRCH: no such process, or another one with its number. adopts_orphans:
 * children of the calling process (getpid) that aren't ignored and weren't there at the time of
 * this call (unless they are the root) belong to the tree as well. limit: no more members than
 * this; who would come then, and is still there when there is room again, joins with a later
 * refresh. */
int process_tree_new(struct process_tree **tree, struct process_table *table, pid_t pid,
                     uint64_t start_time, bool adopts_orphans, size_t limit);
/* Drops a reference; the last frees the tree, and forgets its processes without calling `left`. */
void process_tree_unref(struct process_tree *tree);

/* Reads every process of the table again: exited members leave, new children join (repeated until
 * nothing new is found, so that a child found in this pass has its own children read as well). A
 * member whose PID was given to another process left. Where the kernel has no task/TID/children,
 * /proc/PID/stat of all processes is read for its ppid instead. A failure to read one process never
 * drops it while it lives. Returns 0 or -ENOMEM, -EMFILE... (then the pass may be incomplete: call
 * again). */
int process_table_refresh(struct process_table *table);

/* The same in slices: begins anew, also where one is under way; then goes on until it is done or
 * the deadline (CLOCK_MONOTONIC) has passed. Returns 1 while there is more to do, else as above.
 * Every other function may be called between two slices. */
void process_table_refresh_begin(struct process_table *table);
int process_table_refresh_continue(struct process_table *table, uint64_t deadline);

/* Says whether orphans are looked for with each refresh and scan, because nothing reports forks:
 * processes whose parents have exited before anybody saw them, and whose session or process group
 * shows beyond doubt that they descend from the root. Those that were orphans already when this was
 * said, or when the tree was made, don't count. Not where they have made a session of their own:
 * nothing shows then whose they are. 0 or a negative errno, as from process_table_refresh(). */
int process_table_find_orphans(struct process_table *table, bool find);
/* Looks for them now, where that was put off because it would have cost too much. */
int process_table_find_delayed_orphans(struct process_table *table);

/* Says whether members that are found to have exited stay until process_table_part(), because forks
 * are reported: a report that comes late, after its parent was found dead, still finds whose child
 * it is about. Otherwise they leave at once. */
void process_table_defer(struct process_table *table, bool defer);
/* Whether there are such. */
bool process_table_is_parting(const struct process_table *table);
/* Has them leave: all reports that there were when they were found are taken in. */
void process_table_part(struct process_table *table);

/* A fork record: parent (a PID of any process) has forked child. Adds the child to the trees of the
 * parent, if it has any, even where the child has exited by now (then it leaves at the next
 * refresh, but its own children, reported by later records, belong). Returns 0 (also for
 * non-members) or -ENOMEM. */
int process_table_forked(struct process_table *table, pid_t parent, pid_t child);

/* Takes in the children of members among the processes with a number above `after` up to `last`:
 * cheaper than a refresh in a large tree, where few processes were forked. False where that won't
 * do: refresh then. It finds nobody whose parent has exited by now, and doesn't notice who has
 * exited; nor does the refresh find the former. */
bool process_scan_new(struct process_table *table, pid_t after, pid_t last);

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

/* The members of a tree, oldest first by joining order; NULL after the last. Stable while no
 * function above that adds or drops members runs. */
struct process *process_tree_next(const struct process_tree *tree, const struct process *previous);
bool process_tree_contains(const struct process_tree *tree, const struct process *process);
/* The trees that a process belongs to; NULL after the last. */
const struct process_tree *process_tree_of(const struct process *process,
                                           const struct process_tree *previous);
size_t process_tree_count(const struct process_tree *tree);
pid_t process_tree_root(const struct process_tree *tree);
/* How often a process was refused for the limit so far, and whether any was since the last refresh
 * began. */
uint64_t process_tree_refused(const struct process_tree *tree);
bool process_tree_refuses(const struct process_tree *tree);

#endif
