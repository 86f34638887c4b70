/* SPDX-License-Identifier: MIT */
/* overlap.c - merges the events of ports that several watched trees hold */
#include <errno.h>
#include <search.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "overlap.h"

/* All bytes of the key are compared, so unused bytes must be zero. */
struct key {
	uint64_t cookie;
	uint64_t netns;
	uint64_t watcher; /* with the id of the port there, if the namespace is unknown: */
	uint64_t id;      /* two such ports may differ */
	uint32_t family;
	uint32_t port;
	unsigned char address[16];
};

/* The owner of a port as one watcher reports it. */
struct voice {
	const struct portwatch *watcher;
	pid_t pid;
	unsigned int owners;
	uint64_t inode;
	char process[FORMAT_NAME_MAX + 1];
};

struct open_port {
	struct key key; /* first member, so that tsearch(3) compares keys */
	uint64_t id;
	struct voice *voices; /* the first is the speaker, whose owner is printed */
	size_t count;
	struct voice printed; /* the owner that was printed last */
};

static struct key make_key(const struct portwatch *watcher, const struct portwatch_event *event)
{
	int family = portwatch_event_get_family(event);
	struct key key = {
		.cookie = portwatch_event_get_netns_cookie(event),
		.family = (uint32_t)family,
		.port = portwatch_event_get_port(event),
	};

	/* The kernel may reuse the inode number, so it identifies the namespace only if there is no
	 * cookie. */
	if (key.cookie == 0)
		key.netns = portwatch_event_get_netns(event);
	if (key.cookie == 0 && key.netns == 0) {
		key.watcher = (uintptr_t)watcher;
		key.id = portwatch_event_get_id(event);
	}
	memcpy(key.address, portwatch_event_get_address(event), family == AF_INET6 ? 16 : 4);
	return key;
}

static int compare(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct key));
}

static struct open_port *find(const struct overlap *overlap, const struct key *key)
{
	struct open_port **found = tfind(key, &overlap->tree, compare);

	return found ? *found : NULL;
}

static void free_port(struct overlap *overlap, struct open_port *port)
{
	tdelete(port, &overlap->tree, compare);
	free(port->voices);
	free(port);
}

static struct voice voice_of(const struct portwatch *watcher, const struct format_fields *fields)
{
	struct voice voice = {
		.watcher = watcher,
		.pid = fields->pid,
		.owners = fields->owners,
		.inode = fields->inode,
	};

	snprintf(voice.process, sizeof(voice.process), "%s", fields->process);
	return voice;
}

static struct voice *find_voice(struct open_port *port, const struct portwatch *watcher)
{
	for (size_t i = 0; i < port->count; i++)
		if (port->voices[i].watcher == watcher)
			return &port->voices[i];
	return NULL;
}

static int add_voice(struct open_port *port, const struct voice *voice)
{
	struct voice *voices = realloc(port->voices, (port->count + 1) * sizeof(*voices));

	if (!voices)
		return -ENOMEM;
	port->voices = voices;
	voices[port->count++] = *voice;
	return 0;
}

/* If the speaker does not know the owner, makes a watcher that knows it the speaker. */
static void choose_speaker(struct open_port *port)
{
	struct voice first = port->voices[0];

	for (size_t i = 1; i < port->count && port->voices[0].pid == 0; i++)
		if (port->voices[i].pid != 0) {
			port->voices[0] = port->voices[i];
			port->voices[i] = first;
		}
}

static bool says_the_same(const struct voice *a, const struct voice *b)
{
	return a->pid == b->pid && a->owners == b->owners && a->inode == b->inode &&
	       strcmp(a->process, b->process) == 0;
}

/* Sets the owner in the fields to the owner that was printed last. */
static void quote(struct overlap *overlap, const struct open_port *port,
                  struct format_fields *fields)
{
	memcpy(overlap->name, port->printed.process, sizeof(overlap->name));
	fields->id = port->id;
	fields->pid = port->printed.pid;
	fields->owners = port->printed.owners;
	fields->inode = port->printed.inode;
	fields->process = overlap->name;
}

/* Determines the owner of a port that stays open, from all watchers. Returns whether it has
 * changed. */
static int change_owner(struct overlap *overlap, struct open_port *port,
                        struct format_fields *fields)
{
	choose_speaker(port);
	if (says_the_same(&port->voices[0], &port->printed))
		return 0;
	port->printed = port->voices[0];
	quote(overlap, port, fields);
	fields->kind = PORTWATCH_EVENT_OWNER;
	fields->initial = false;
	return 1;
}

static int take_first(struct overlap *overlap, const struct key *key, const struct voice *voice,
                      struct format_fields *fields)
{
	struct open_port *port = calloc(1, sizeof(*port));

	if (!port)
		return -ENOMEM;
	port->key = *key;
	if (add_voice(port, voice) < 0 || !tsearch(port, &overlap->tree, compare)) {
		free(port->voices);
		free(port);
		return -ENOMEM;
	}
	port->id = ++overlap->last_id;
	port->printed = *voice;
	quote(overlap, port, fields);
	return 1;
}

static int take_open(struct overlap *overlap, const struct key *key, const struct voice *voice,
                     struct format_fields *fields)
{
	struct open_port *port = find(overlap, key);
	int result;

	if (!port)
		return take_first(overlap, key, voice, fields);
	result = add_voice(port, voice);
	return result < 0 ? result : change_owner(overlap, port, fields);
}

static int take_owner(struct overlap *overlap, struct open_port *port, const struct voice *voice,
                      struct format_fields *fields)
{
	struct voice *known = find_voice(port, voice->watcher);

	if (!known)
		return 0;
	*known = *voice;
	return change_owner(overlap, port, fields);
}

static int take_close(struct overlap *overlap, struct open_port *port, const struct voice *voice,
                      struct format_fields *fields)
{
	struct voice *known = find_voice(port, voice->watcher);

	if (known && port->count > 1) {
		memmove(known, known + 1,
		        (size_t)(&port->voices[--port->count] - known) * sizeof(*known));
		return change_owner(overlap, port, fields);
	}
	if (!known)
		return 0;
	/* If this watcher does not know the owner, the last printed owner of the same socket is
	 * used. */
	if (voice->pid == 0 && port->printed.inode == voice->inode)
		quote(overlap, port, fields);
	fields->id = port->id;
	free_port(overlap, port);
	return 1;
}

int overlap_take(struct overlap *overlap, const struct portwatch *watcher,
                 const struct portwatch_event *event, struct format_fields *fields)
{
	struct open_port *port;
	struct voice voice;
	struct key key;

	if (!overlap->enabled || fields->kind == PORTWATCH_EVENT_END)
		return 1;
	key = make_key(watcher, event);
	voice = voice_of(watcher, fields);
	if (fields->kind == PORTWATCH_EVENT_OPEN)
		return take_open(overlap, &key, &voice, fields);
	port = find(overlap, &key);
	if (!port)
		return 1;
	return fields->kind == PORTWATCH_EVENT_OWNER ? take_owner(overlap, port, &voice, fields)
	                                             : take_close(overlap, port, &voice, fields);
}

void overlap_free(struct overlap *overlap)
{
	while (overlap->tree)
		free_port(overlap, *(struct open_port **)overlap->tree);
}
