/* SPDX-License-Identifier: MIT */
/* expectation.c - listeners that the notifier has told of and no read has shown yet */
#include <string.h>
#include <sys/socket.h>

#include "util/clock.h"
#include "watch/expectation.h"

/* Reads that may fail to show an expected listener before it is given up. */
#define READS_MAX 4

static bool is_mapped(const uint8_t address[16])
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return memcmp(address, prefix, sizeof(prefix)) == 0;
}

/* As the tables show it: IPv4-mapped addresses are IPv4. */
static struct listener listener_of(const struct tcp_change *change)
{
	struct listener listener = {.family = (uint8_t)change->family, .port = change->port};

	if (change->family == AF_INET6 && !is_mapped(change->address)) {
		memcpy(listener.address, change->address, 16);
		return listener;
	}
	memcpy(listener.address, change->address + (change->family == AF_INET6 ? 12 : 0), 4);
	listener.family = AF_INET;
	return listener;
}

static void drop(struct expectations *expectations, unsigned int index)
{
	expectations->list[index] = expectations->list[--expectations->count];
}

void expectations_change(struct expectations *expectations, const struct tcp_change *change)
{
	for (unsigned int i = 0; i < expectations->count; i++) {
		if (expectations->list[i].socket != change->socket)
			continue;
		drop(expectations, i);
		break;
	}
	if (!change->listening)
		return;
	if (expectations->count == EXPECTATIONS_MAX) {
		expectations->overflow = true;
		expectations->reads = 0;
		return;
	}
	expectations->list[expectations->count++] = (struct expectation){
		.listener = listener_of(change),
		.socket = change->socket,
	};
}

static bool shows(const struct snapshot *read, const struct listener *wanted)
{
	size_t first;

	if (wanted->port == 0)
		return false; /* looked for as often as allowed: it can't be told from others */
	first = snapshot_first(read, wanted);
	return first < read->count && listener_same_port(&read->rows[first].listener, wanted);
}

static uint64_t pause_after(unsigned int reads)
{
	return NSEC_PER_MSEC << (2 * (reads - 1));
}

uint64_t expectations_read(struct expectations *expectations, const struct snapshot *read)
{
	unsigned int least = READS_MAX;

	for (unsigned int i = expectations->count; i-- > 0;) {
		struct expectation *expectation = &expectations->list[i];

		if (shows(read, &expectation->listener) || ++expectation->reads >= READS_MAX)
			drop(expectations, i);
		else if (expectation->reads < least)
			least = expectation->reads;
	}
	if (expectations->overflow) {
		if (++expectations->reads >= READS_MAX)
			expectations->overflow = false;
		else if (expectations->reads < least)
			least = expectations->reads;
	}
	return least < READS_MAX ? pause_after(least) : 0;
}
