/* SPDX-License-Identifier: MIT */
/* process_orphans.h - members whose parents have exited before a scan found them */
#ifndef PROCESS_ORPHANS_H
#define PROCESS_ORPHANS_H

#include "proc/process_table.h"

/* Enables or disables the search for orphans in each refresh and scan, because the kernel does not
 * report forks. Orphans are processes whose parents have exited before a scan found them, and whose
 * session or process group proves that they descend from the root. Processes that were orphans
 * already when the search was enabled, or when the tree was created, do not count. An orphan that
 * has created a session of its own is not found, because nothing shows its descent. Returns 0 or a
 * negative errno, as process_table_refresh(). */
int process_table_find_orphans(struct process_table *table, bool find);
/* Reports of forks were lost: the next refresh also searches for orphans, once. A live member is
 * required as proof. Processes that were orphans already when the tree was created do not count. */
void process_table_missed_forks(struct process_table *table);

/* --- orphans that became children of other processes: for the files process_*.c only --- */

/* Searches now for orphans of the existing trees: they join, and are queued for examination.
 * Returns false if the search is disabled. */
bool table_search_orphans_at_once(struct process_table *table);
/* Called before the root joins: notes the time and, if this cannot wait for a member that leads a
 * session or group, the processes that may adopt orphans, and their present children. */
void tree_begin_orphans(struct process_tree *tree, const struct process_stat *root);
/* A member was found alive: notes the sessions and groups of its trees. */
void table_note_kinship(struct process_table *table, const struct entry *entry);
/* Searches for orphans if a search is due: they join, and are queued for examination. Returns 0 or
 * the first error; -EAGAIN: there are too many processes to examine in one piece. */
int table_search_orphans(struct process_table *table);
/* The same within a refresh, after all members were examined: examines one process. Returns 1 if
 * there may be more, 0 if not, or a negative errno, which ends the search. */
int table_search_orphans_next(struct process_table *table);
/* Called at the beginning and at the end of a refresh. */
void table_begin_orphans(struct process_table *table);
void table_end_orphans(struct process_table *table, bool complete);

/* --- orphans that became children of the calling process --- */

/* Notes the present children of the calling process, which are not orphans of this tree. */
int tree_note_preexisting(struct process_tree *tree);
int table_adopt_orphans(struct process_table *table);

#endif
