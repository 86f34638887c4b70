/* SPDX-License-Identifier: MIT */
/* event.c - what a callback may ask of an event */
#include <sys/socket.h>

#include "watch/event.h"

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
