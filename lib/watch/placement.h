/* SPDX-License-Identifier: MIT */
/* placement.h - which network namespaces are read, and through which process each is entered */
#ifndef PLACEMENT_H
#define PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proc/inits.h"

struct context;
struct elsewhere;
struct netns;
struct netns_table;
struct process;
struct reader_target;
struct subscription;
struct subscription_table;

struct placement {
	struct context *context;
	struct netns_table *namespaces;
	struct subscription_table *subscriptions;
	struct elsewhere *elsewhere;
	struct inits inits;       /* of containers, by their namespaces */
	size_t locate_next;       /* whose turn it is to be looked for */
	uint64_t locate_earliest; /* CLOCK_MONOTONIC: when the next turn is */
};

void placement_init(struct placement *placement, struct subscription_table *subscriptions,
                    struct elsewhere *elsewhere);
void placement_clear(struct placement *placement);
/* Places workers and views where the members are: those of the subscriptions whose members have
 * come, gone or moved. */
void placement_update(struct placement *placement);
/* Whether placement_update() has something to do. */
bool placement_is_due(const struct placement *placement);
/* A member has joined or left. That one more lives in a namespace, or one less, takes no walk over
 * the members. */
void placement_joined(struct subscription *subscription, const struct process *process);
void placement_left(struct placement *placement, struct subscription *subscription,
                    const struct process *process);
/* Looks where a member is now. */
void placement_find(struct placement *placement, struct process *process);
/* Looks where some of the members are now. */
void placement_locate(struct placement *placement, uint64_t now);
/* Chooses how a namespace is entered, as struct netns_observer says. */
int placement_enter(struct placement *placement, struct netns *ns, struct reader_target *target);

#endif
