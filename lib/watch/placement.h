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
	struct inits inits;       /* the init processes of containers, by their namespaces */
	unsigned int locations;   /* number of times that members were located */
	size_t locate_next;       /* the member that is located next */
	uint64_t walk_earliest;   /* earliest time of the next walk over the members */
	uint64_t locate_earliest; /* CLOCK_MONOTONIC: earliest time of the next location */
};

void placement_init(struct placement *placement, struct subscription_table *subscriptions,
                    struct elsewhere *elsewhere);
void placement_clear(struct placement *placement);
/* Creates and removes workers and views according to the namespaces of the members, for the
 * subscriptions whose members have joined, left or moved. */
void placement_update(struct placement *placement);
/* Whether placement_update() has work. */
bool placement_is_due(const struct placement *placement);
/* A member has joined or left. The count of members in a namespace changes without a walk over the
 * members. */
void placement_joined(struct subscription *subscription, const struct process *process);
void placement_left(struct placement *placement, struct subscription *subscription,
                    const struct process *process);
/* Finds the present namespace of a member. */
void placement_find(struct placement *placement, struct process *process);
/* Finds the present namespaces of some of the members. */
void placement_locate(struct placement *placement, uint64_t now);
/* Implements `enter` of struct netns_observer. */
int placement_enter(struct placement *placement, struct netns *ns, struct reader_target *target);

#endif
