/* SPDX-License-Identifier: MIT */
/* process_inside.h - the internals of a process table, for the files process_*.c only
 *
 * The files form layers: process_table.c (the hash, memberships, one process), process_orphans.c,
 * process_scan.c (new and exited processes), process_tree.c (the trees). Each file calls only the
 * files before it.
 *
 * The hash has one entry for each process. An entry has a membership for each tree of the process.
 * A pass examines the queued processes until the queue is empty. A process is queued if it may have
 * new children, or if its children may belong to a new tree. */
#ifndef PROCESS_INSIDE_H
#define PROCESS_INSIDE_H

#include "proc/process_table.h"
#include "util/list.h"

struct entry {
	struct process process; /* first: a struct process is its entry */
	struct entry *next;     /* in its bucket */
	struct list memberships;
	struct list queued;
	struct list dropping; /* in process_table.dropping, or unlinked */
	uint64_t pass;        /* the last pass that found this same process alive */
	pid_t group;          /* as it was read last */
	pid_t session;
	bool start_known; /* process.start_time is set */
	bool exited;      /* exited before it could be read: known only from a fork record */
};

struct membership {
	struct list of_process;
	struct list of_tree;
	struct entry *entry;
	struct process_tree *tree;
};

/* A child of the calling process that existed before the tree, and is therefore not its orphan. */
struct preexisting {
	pid_t pid;
	uint64_t start_time;
};

/* A session or process group to which only descendants of the root belong. */
struct kinship {
	pid_t id;
	bool group;
	pid_t member;  /* a member that belonged to it ... */
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
	uint64_t begun; /* when the tree was created, in the unit of start times */
	pid_t root;
	struct kinship *kinships;
	size_t kinship_count;
	bool filling;            /* its first scan is in progress */
	bool knows_reapers;      /* the ancestors of the root are in orphan_search.reapers */
	size_t limit;            /* of members */
	uint64_t refused;        /* how often a process was refused because of the limit */
	uint64_t refused_before; /* when the last refresh, or the one before, began */
	uint64_t refused_then;   /* when the last refresh began */
	bool owns_group; /* only the root and its descendants are in the group that the root leads
	                  */
	unsigned references;
	bool adopts_orphans;
};

/* The parents of all processes, for kernels that do not list children. */
struct parentage {
	pid_t parent;
	pid_t child;
};

struct parents {
	struct parentage *rows; /* sorted by parent */
	size_t count;
	size_t capacity;
	uint64_t pass; /* the pass in which the rows were read */
};

/* The processes that may adopt orphans, and their children as listed last. */
struct orphan_search {
	bool open;          /* the search is enabled, because the kernel does not report forks */
	bool missed;        /* reports of forks were lost: the next refresh searches for orphans */
	bool searches_once; /* ... by the present refresh */
	bool due;           /* new orphans may exist */
	bool searching;     /* a search is in progress */
	uint64_t earliest;  /* CLOCK_MONOTONIC: earliest time of the next search */
	uint64_t left;      /* members that had left at the last search */
	pid_t *reapers;
	size_t reaper_count;
	pid_t *children; /* sorted */
	size_t child_count;
	pid_t *listed; /* the present list, whose processes are then examined */
	size_t listed_count;
	size_t listed_capacity;
	size_t next; /* the next one */
	size_t kept; /* number of examined processes that are kept at the beginning of the list */
	size_t unknown; /* number of processes that were not in the last list */
	uint64_t cpu;   /* CPU time that the search has taken */
};

struct process_table {
	const struct procfs *procfs;
	struct process_hooks hooks;
	void *data;
	struct list trees;
	struct list queue;
	struct list dropping; /* exited members, which leave with process_table_drop_exited() */
	bool defers;          /* exited members are kept until then */
	struct entry **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
	uint64_t pass;
	uint64_t changes; /* processes that joined, left, or were gone when they were examined */
	pid_t self;       /* the PID of the calling process in /proc, after its first use */
	bool lists_no_children; /* the kernel has no task/TID/children */
	struct parents parents;
	/* The present scan, see process_scan.c. */
	bool refreshing;
	int error;                /* the first error of the scan */
	int adoptions;            /* number of times that the scan has listed our children */
	uint64_t changes_adopted; /* `changes` before the last time */
	struct parentage *found;  /* children that are read next */
	size_t found_next;        /* index of the next one */
	size_t found_count;
	size_t found_capacity;
	uint64_t left;     /* processes that have left, or were gone before they could join */
	uint64_t begun;    /* the pass with which the last refresh began */
	uint64_t complete; /* ... and the last complete refresh */
	struct orphan_search orphan_search;
};

#endif
