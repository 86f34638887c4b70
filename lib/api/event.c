/* SPDX-License-Identifier: MIT */
/* event.c - an event as the host sees it: its life cycle and its getters */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api/event.h"
#include "util/list.h"

/* --- life cycle */

/* A delivered event: the event, and its life cycle data. */
struct delivered {
	struct portwatch_event event;
	struct event_life life;
};

struct portwatch_event *event_new(void)
{
	struct delivered *new = calloc(1, sizeof(*new));

	if (!new)
		return NULL;
	new->life.references = 1;
	new->event.life = &new->life;
	return &new->event;
}

static void forget_facts(struct event_life *life)
{
	for (int i = 0; i < EVENT_FACTS; i++) {
		free(life->facts[i]);
		life->facts[i] = NULL;
	}
}

struct portwatch_event *event_renew(struct portwatch_event *event)
{
	if (event && __atomic_load_n(&event->life->references, __ATOMIC_ACQUIRE) == 1) {
		forget_facts(event->life);
		return event;
	}
	portwatch_event_unref(event);
	return event_new();
}

void event_fill(struct portwatch_event *event, const struct portwatch_event *content)
{
	struct event_life *life = event->life;

	*event = *content;
	event->life = life;
}

const struct portwatch_event *portwatch_event_ref(const struct portwatch_event *event)
{
	if (event && event->life)
		__atomic_add_fetch(&event->life->references, 1, __ATOMIC_RELAXED);
	return event;
}

void portwatch_event_unref(const struct portwatch_event *event)
{
	if (!event || !event->life ||
	    __atomic_sub_fetch(&event->life->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	forget_facts(event->life);
	free(container_of(event->life, struct delivered, life));
}

/* --- getters */

enum portwatch_event_kind portwatch_event_get_kind(const struct portwatch_event *event)
{
	return event->kind;
}

uint64_t portwatch_event_get_id(const struct portwatch_event *event)
{
	return event->id;
}

int portwatch_event_get_family(const struct portwatch_event *event)
{
	return event->listener.family;
}

const void *portwatch_event_get_address(const struct portwatch_event *event)
{
	return event->listener.family ? event->listener.address : NULL;
}

const char *portwatch_event_get_address_text(const struct portwatch_event *event)
{
	return event->address;
}

uint16_t portwatch_event_get_port(const struct portwatch_event *event)
{
	return event->listener.port;
}

int portwatch_event_get_v6only(const struct portwatch_event *event)
{
	return event->listener.v6only;
}

pid_t portwatch_event_get_pid(const struct portwatch_event *event)
{
	return event->pid;
}

uint64_t portwatch_event_get_start_time(const struct portwatch_event *event)
{
	return event->pid ? event->start_time : 0;
}

const char *portwatch_event_get_process(const struct portwatch_event *event)
{
	return event->process;
}

unsigned int portwatch_event_get_owners(const struct portwatch_event *event)
{
	return event->owners;
}

uint64_t portwatch_event_get_netns(const struct portwatch_event *event)
{
	return event->netns;
}

uint64_t portwatch_event_get_netns_cookie(const struct portwatch_event *event)
{
	return event->cookie;
}

uint64_t portwatch_event_get_inode(const struct portwatch_event *event)
{
	return event->listener.inode;
}

uint64_t portwatch_event_get_realtime(const struct portwatch_event *event)
{
	return event->realtime;
}

uint64_t portwatch_event_get_monotonic(const struct portwatch_event *event)
{
	return event->monotonic;
}

int portwatch_event_get_initial(const struct portwatch_event *event)
{
	return event->initial;
}
