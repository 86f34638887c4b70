/* SPDX-License-Identifier: MIT */
/* process_table.h - the inside of a process table, shared by the files that make it up
 *
 * The files form layers: process_table.c (the hash, memberships, one process), process_orphans.c,
 * process_scan.c (who has come and gone), process_tree.c (the public trees). Each calls only those
 * before it.
 *
 * Every process stands in the hash once, and has a membership for each tree that it belongs to. A
 * pass examines the processes of a queue until it is empty; whatever may have new children, or new
 * trees to hand on to its children, is put into the queue. */
#ifndef PROCESS_TABLE_H
#define PROCESS_TABLE_H

#include "util/list.h"
#include "proc/process_tree.h"

struct entry {
	struct process process; /* first: a struct process is its entry */
	struct entry *next;     /* in its bucket */
	struct list memberships;
	struct list queued;
	struct list parting; /* in process_table.parting; else by itself */
	uint64_t pass;       /* the last one that found it alive, the same process as before */
	pid_t group;         /* when it was read last */
	pid_t session;
	bool start_known; /* process.start_time is set */
	bool exited;      /* before it could be read: known by a fork record alone */
};

struct membership {
	struct list of_process;
	struct list of_tree;
	struct entry *entry;
	struct process_tree *tree;
};

/* A child of ours that was there before the tree, and so is no orphan of it. */
struct preexisting {
	pid_t pid;
	uint64_t start_time;
};

/* A session or process group that none but descendants of the root belong to. */
struct kinship {
	pid_t id;
	bool group;
	pid_t witness; /* a member that belonged to it ... */
	uint64_t pass; /* ... in this pass, the last in which any did */
};

struct process_tree {
	struct list link; /* in the table */
	struct list members;
	struct process_table *table;
	struct preexisting *preexisting;
	size_t preexisting_count;
	size_t count;
	uint64_t start_time;
	pid_t root;
	struct kinship *kinships;
	size_t kinship_count;
	size_t limit;            /* of members */
	uint64_t refused;        /* how often a process did not become a member for that */
	uint64_t refused_before; /* when the last refresh, or the one before, began */
	uint64_t refused_then;   /* when the last refresh began */
	bool owns_group; /* nobody but the root and its descendants is in the group that it leads */
	unsigned references;
	bool adopts_orphans;
};

/* Who is whose child, for kernels that don't list children. */
struct parentage {
	pid_t parent;
	pid_t child;
};

struct parents {
	struct parentage *rows; /* sorted by parent */
	size_t count;
	size_t capacity;
	uint64_t pass; /* in which it was read */
};

/* Processes to whom orphans may come, and the children that they had when they were listed last. */
struct orphanage {
	bool open;         /* orphans are looked for */
	bool due;          /* something may have come since */
	uint64_t earliest; /* CLOCK_MONOTONIC: not before */
	uint64_t left;     /* members that had left then */
	pid_t *reapers;
	size_t reaper_count;
	pid_t *children; /* sorted */
	size_t child_count;
	pid_t *listed; /* those that are being listed */
	size_t listed_count;
	size_t listed_capacity;
};

struct process_table {
	const struct procfs *procfs;
	struct process_hooks hooks;
	void *data;
	struct list trees;
	struct list queue;
	struct list parting; /* those that have exited, and leave with process_table_part() */
	bool defers;         /* such are kept until then */
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
	uint64_t pass;
	uint64_t changes; /* processes that came, went, or were gone when they were looked at */
	pid_t self;       /* as /proc knows the calling process, once it was asked */
	bool lists_no_children; /* the kernel has no task/TID/children */
	struct parents parents;
	/* The scan that is under way, see process_scan.c. */
	bool refreshing;
	int error;                /* the first one of it */
	int adoptions;            /* how often it has listed our own children */
	uint64_t changes_adopted; /* `changes` before the last time */
	struct parentage *found;  /* children to be read next: */
	size_t found_next;        /* from this one on */
	size_t found_count;
	size_t found_capacity;
	uint64_t left;     /* members that have left */
	uint64_t begun;    /* with which pass the last refresh began */
	uint64_t complete; /* ... and the last that was complete */
	struct orphanage orphanage;
};

/* --- process_table.c: the hash --- */

struct entry *table_find(const struct process_table *table, pid_t pid);
/* Makes an entry that belongs to no tree yet; NULL: out of memory. */
struct entry *table_add(struct process_table *table, pid_t pid);
/* Takes it out of the hash, so that its number is free for another process. */
void table_remove(struct process_table *table, struct entry *entry);
/* Frees an entry without memberships, in the hash or not. */
void table_free_entry(struct process_table *table, struct entry *entry);
/* Has it examined in this pass, once more if it was. */
void table_queue(struct process_table *table, struct entry *entry);

/* --- process_table.c: which process belongs to which trees --- */

bool tree_has(const struct process_tree *tree, const struct entry *entry);
/* Makes it a member, if it isn't one and there is room, and calls the hook. 0, also where there is
 * no room, or -ENOMEM. */
int tree_join(struct process_tree *tree, struct entry *entry);
/* Makes it a member of all trees of its parent. 0 or -ENOMEM. */
int tree_inherit(struct entry *entry, const struct entry *parent);
/* Ends one membership; with leave the hook is called. The entry stays. */
void membership_end(struct membership *membership, bool leave);
/* Has it leave all its trees, and frees it. */
void table_leave(struct process_table *table, struct entry *entry);
/* Ends all memberships of a tree, and frees the tree and the processes that belong to no other. */
void tree_free(struct process_tree *tree, bool leave);

/* --- process_table.c: what /proc says about one process --- */

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

/* --- process_orphans.c: orphans that became children of others --- */

/* Searches now for the orphans of the trees that exist: they join, and are to be examined. False if
 * orphans are not looked for. */
bool table_search_orphans_at_once(struct process_table *table);
/* Before the root joins: notes who takes orphans, and whose there are already. */
void tree_begin_orphans(struct process_tree *tree, const struct process_stat *root);
/* A member was found alive: notes which sessions and groups are those of its trees. */
void table_note_kinship(struct process_table *table, const struct entry *entry);
/* Looks for orphans if that is due; they join, and are to be examined. fresh: all members were
 * looked at just now. 0, or the first error. */
int table_search_orphans(struct process_table *table, bool fresh);

/* --- process_orphans.c: orphans that became children of the calling process --- */

/* Notes who is no orphan of this tree. */
int tree_note_preexisting(struct process_tree *tree);
int table_adopt_orphans(struct process_table *table);

/* --- process_scan.c --- */

/* Examines what is queued until nothing is. 0, or the first error. */
int table_examine_queue(struct process_table *table);

#endif
