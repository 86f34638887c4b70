/* SPDX-License-Identifier: MIT */
/* expectation.c - listeners that the notifier has reported and that no read has shown yet */
#include "util/clock.h"
#include "watch/expectation.h"

/* The number of reads without the expected listener after which it is overdue, and after which the
 * expectation is dropped. After 1, 4 and 16 ms the listener is probably in another namespace, but
 * the listening process can be preempted between the event and the insertion into the table. */
#define READS_OVERDUE 4
#define READS_MAX 7
/* The most sockets on one port that are examined. */
#define SHARED_MAX 64

static void drop(struct expectations *expectations, unsigned int index)
{
	expectations->list[index] = expectations->list[--expectations->count];
}

void expectations_change(struct expectations *expectations, const struct tcp_change *change)
{
	struct expectation *expectation;

	for (unsigned int i = 0; i < expectations->count; i++) {
		if (expectations->list[i].socket != change->socket)
			continue;
		drop(expectations, i);
		break;
	}
	if (!change->listening)
		return;
	if (expectations->count == EXPECTATIONS_MAX) {
		expectations_lost(expectations);
		return;
	}
	expectation = &expectations->list[expectations->count++];
	*expectation = (struct expectation){
		.listener.port = change->port,
		.socket = change->socket,
		.pid = change->pid,
		.tid = change->tid,
	};
	/* Tables show an IPv4-mapped address as IPv4. */
	listener_set_address(&expectation->listener, change->family, change->address);
}

void expectations_lost(struct expectations *expectations)
{
	expectations->overflow = true;
	expectations->reads = 0;
}

/* Finds rows that may be the expected listener. */
static void find_rows(struct expectation *expectation, const struct snapshot *known,
                      const struct snapshot *read)
{
	const struct listener *port = &expectation->listener;
	size_t rows = 0, added = 0;
	uint64_t inode = 0;

	for (size_t i = snapshot_first(read, port); i < read->count && rows < SHARED_MAX; i++) {
		if (!listener_same_port(&read->rows[i].listener, port))
			break;
		rows++;
		if (snapshot_find(known, &read->rows[i].listener))
			continue;
		added++;
		inode = read->rows[i].listener.inode;
	}
	expectation->shown |= added > 0 || rows == SHARED_MAX;
	if (rows != 1)
		expectation->inode = 0;
	else if (added == 1)
		expectation->inode = inode;
}

static uint64_t pause_after(unsigned int reads)
{
	return NSEC_PER_MSEC << (2 * (reads - 1));
}

uint64_t expectations_read(struct expectations *expectations, const struct snapshot *known,
                           const struct snapshot *read, expectation_sink sink, void *data)
{
	unsigned int least = READS_MAX;

	for (unsigned int i = expectations->count; i-- > 0;) {
		struct expectation expectation = expectations->list[i];

		/* An unknown port (autobind) cannot be distinguished from others. */
		if (expectation.listener.port != 0)
			find_rows(&expectation, known, read);
		if (++expectation.reads == READS_OVERDUE && sink && !expectation.shown &&
		    expectation.listener.port != 0)
			sink(data, &expectation);
		expectations->list[i] = expectation;
		if (expectation.reads >= READS_MAX)
			drop(expectations, i);
		else if (expectation.reads < least)
			least = expectation.reads;
	}
	if (expectations->overflow) {
		if (++expectations->reads >= READS_MAX)
			expectations->overflow = false;
		else if (expectations->reads < least)
			least = expectations->reads;
	}
	return least < READS_MAX ? pause_after(least) : 0;
}

bool expectations_attribute(struct expectations *expectations, uint64_t inode,
                            const struct holder_set *holders)
{
	for (unsigned int i = expectations->count; i-- > 0;) {
		const struct expectation *expectation = &expectations->list[i];

		if (inode != 0 && expectation->inode == inode &&
		    holder_set_names(holders, expectation->pid))
			drop(expectations, i);
	}
	return expectations->count > 0 || expectations->overflow;
}
