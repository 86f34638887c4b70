/* SPDX-License-Identifier: MIT */
/* overlap.c - ports that several watched trees have in common count once */
#include <errno.h>
#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "overlap.h"

/* All bytes of the key are compared: the rest of it stays zero. */
struct key {
	uint64_t cookie;
	uint64_t netns;
	uint32_t family;
	uint32_t port;
	unsigned char address[16];
};

struct open_port {
	struct key key; /* first, so that a key is found by itself */
	unsigned int watchers;
};

static struct key make_key(const struct portwatch_event *event)
{
	int family = portwatch_event_get_family(event);
	struct key key = {
		.cookie = portwatch_event_get_netns_cookie(event),
		.family = (uint32_t)family,
		.port = portwatch_event_get_port(event),
	};

	/* The inode number may be given to another namespace: only where there is no cookie. */
	if (key.cookie == 0)
		key.netns = portwatch_event_get_netns(event);
	memcpy(key.address, portwatch_event_get_address(event), family == AF_INET6 ? 16 : 4);
	return key;
}

static int compare(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct key));
}

static int count_open(struct overlap *overlap, const struct key *key)
{
	struct open_port **found = tfind(key, &overlap->tree, compare);
	struct open_port *entry;

	if (found) {
		(*found)->watchers++;
		return 0;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->key = *key;
	entry->watchers = 1;
	if (!tsearch(entry, &overlap->tree, compare)) {
		free(entry);
		return -ENOMEM;
	}
	return 1;
}

static int count_close(struct overlap *overlap, const struct key *key)
{
	struct open_port **found = tfind(key, &overlap->tree, compare);
	struct open_port *entry;

	if (!found)
		return 1;
	entry = *found;
	if (--entry->watchers > 0)
		return 0;
	tdelete(entry, &overlap->tree, compare);
	free(entry);
	return 1;
}

int overlap_count(struct overlap *overlap, const struct portwatch_event *event)
{
	enum portwatch_event_kind kind = portwatch_event_get_kind(event);
	struct key key;

	if (!overlap->enabled || kind == PORTWATCH_EVENT_END)
		return 1;
	key = make_key(event);
	return kind == PORTWATCH_EVENT_OPEN ? count_open(overlap, &key)
	                                    : count_close(overlap, &key);
}

void overlap_free(struct overlap *overlap)
{
	struct open_port *entry;

	while (overlap->tree) {
		entry = *(struct open_port **)overlap->tree;
		tdelete(entry, &overlap->tree, compare);
		free(entry);
	}
}
