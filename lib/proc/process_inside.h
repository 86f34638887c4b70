/* SPDX-License-Identifier: MIT */
/* process_inside.h - the inside of a process table, for the files process_*.c alone
 *
 * The files form layers: process_table.c (the hash, memberships, one process), process_orphans.c,
 * process_scan.c (who has come and gone), process_tree.c (the trees). Each calls only those before
 * it.
 *
 * Every process stands in the hash once, and has a membership for each tree that it belongs to. A
 * pass examines the processes of a queue until it is empty; whatever may have new children, or new
 * trees to hand on to its children, is put into the queue. */
#ifndef PROCESS_INSIDE_H
#define PROCESS_INSIDE_H

#include "proc/process_table.h"
#include "util/list.h"

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
	uint64_t begun; /* when it was made, as start times are given */
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
	bool open;   /* orphans are looked for, since nothing reports forks */
	bool missed; /* reports of forks were lost: they are looked for by the next refresh */
	bool searches_once; /* ... by the one that is under way */
	bool due;           /* something may have come since */
	bool searching;     /* a search is under way */
	uint64_t earliest;  /* CLOCK_MONOTONIC: not before */
	uint64_t left;      /* members that had left then */
	pid_t *reapers;
	size_t reaper_count;
	pid_t *children; /* sorted */
	size_t child_count;
	pid_t *listed; /* those that are being listed, and then looked at: */
	size_t listed_count;
	size_t listed_capacity;
	size_t next;    /* the next one */
	size_t kept;    /* so many, in the place of those before it, need not be looked at again */
	size_t unknown; /* so many were not listed before */
	uint64_t cpu;   /* CPU time that the search has taken */
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

#endif
