/* SPDX-License-Identifier: MIT */
/* process_orphans.h - members whose parents have exited before anybody saw them */
#ifndef PROCESS_ORPHANS_H
#define PROCESS_ORPHANS_H

#include "proc/process_table.h"

/* Says whether orphans are looked for with each refresh and scan, because nothing reports forks:
 * processes whose parents have exited before anybody saw them, and whose session or process group
 * shows beyond doubt that they descend from the root. Those that were orphans already when this was
 * said, or when the tree was made, don't count. Not where they have made a session of their own:
 * nothing shows then whose they are. 0 or a negative errno, as from process_table_refresh(). */
int process_table_find_orphans(struct process_table *table, bool find);
/* Reports of forks were lost: the next refresh looks for orphans as well, once. The proof is a
 * member that is alive; those that were orphans already when the tree was made don't count. */
void process_table_missed_forks(struct process_table *table);

/* --- orphans that became children of others: for the files process_*.c alone --- */

/* Searches now for the orphans of the trees that exist: they join, and are to be examined. False if
 * orphans are not looked for. */
bool table_search_orphans_at_once(struct process_table *table);
/* Before the root joins: notes who takes orphans, and whose there are already. */
void tree_begin_orphans(struct process_tree *tree, const struct process_stat *root);
/* A member was found alive: notes which sessions and groups are those of its trees. */
void table_note_kinship(struct process_table *table, const struct entry *entry);
/* Looks for orphans if that is due; they join, and are to be examined. 0, or the first error;
 * -EAGAIN: there are too many to look at them in one piece. */
int table_search_orphans(struct process_table *table);
/* The same within a refresh, when all members have been looked at: looks at one. 1 if there may be
 * more to look at, 0 if not, or a negative errno: then it is over. */
int table_search_orphans_next(struct process_table *table);
/* A refresh begins, ends. */
void table_begin_orphans(struct process_table *table);
void table_end_orphans(struct process_table *table, bool complete);

/* --- orphans that became children of the calling process --- */

/* Notes who is no orphan of this tree. */
int tree_note_preexisting(struct process_tree *tree);
int table_adopt_orphans(struct process_table *table);

#endif
