/* SPDX-License-Identifier: MIT */
/* two_trees.h - two trees over a fake /proc, each with its root alone, and what places are kept in;
 * no thread, notifier or reader */
#ifndef SUPPORT_TWO_TREES_H
#define SUPPORT_TWO_TREES_H

#include "support/fake_proc.h"
#include "watch/elsewhere.h"
#include "watch/subscription.h"

/* The roots: one takes all that it can get, and the other must still get its share. */
#define HOG 10
#define OTHER 20

struct two_trees {
	struct fake_proc fake;
	struct context context;
	struct netns_table namespaces;
	struct subscription_table subscriptions;
	struct elsewhere elsewhere;
	struct process_tree *trees[2];
};

/* The structure must stay where it is until two_trees_end(). */
void two_trees_start(struct two_trees *two);
void two_trees_end(struct two_trees *two);

#endif
