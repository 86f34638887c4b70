/* SPDX-License-Identifier: MIT */
/* expectation.h - listeners that the notifier has reported and that no read has shown yet
 *
 * The kernel reports listen(2) before it hashes the socket, so the first read can miss the socket.
 * A table does not show which row is the reported socket. So a row meets an expectation only if it
 * is the only one on its port, was not there before, and is held by the process that the kernel has
 * reported: another process may have started to listen on the same port (SO_REUSEPORT) between two
 * reads. Otherwise the table is read as often as for a socket that never appears. Pure: no I/O. */
#ifndef EXPECTATION_H
#define EXPECTATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "notify/notifier.h"
#include "table/snapshot.h"
#include "watch/holders.h"

#define EXPECTATIONS_MAX 64

struct expectation {
	struct listener listener; /* port 0: unknown (autobind) */
	uint64_t socket;          /* its address in the kernel */
	pid_t pid;                /* the listening process and thread; 0: unknown */
	pid_t tid;
	unsigned int reads; /* that did not show the listener */
	bool shown;         /* a read has shown a new row on the port, which may be the listener */
	uint64_t inode;     /* of this row, if it is the only one on the port; 0: none */
};

struct expectations {
	struct expectation list[EXPECTATIONS_MAX];
	unsigned int count;
	bool overflow; /* more listeners were reported than fit: the table is read again as for one
	                */
	unsigned int reads; /* since the overflow */
};

/* Adds an expectation for a reported listen(2). A reported close withdraws it. */
void expectations_change(struct expectations *expectations, const struct tcp_change *change);

/* Receives an overdue expectation: its port is known, and no read has shown a new row on the
 * port. */
typedef void (*expectation_sink)(void *data, const struct expectation *expectation);

/* Reports of the kernel were lost, so any socket may be expected. */
void expectations_lost(struct expectations *expectations);

/* Evaluates a complete read; `known` is the snapshot before the read. Drops expectations after too
 * many reads, and passes overdue ones to `sink` (may be NULL), each once. Returns the pause before
 * the next read in ns: 1, 4, 16, 64, 256, 1024 ms; 0 if nothing is expected any more. */
uint64_t expectations_read(struct expectations *expectations, const struct snapshot *known,
                           const struct snapshot *read, expectation_sink sink, void *data);

/* The processes in `holders` hold the socket with this inode: drops the expectation that the socket
 * meets. Returns whether anything is still expected. */
bool expectations_attribute(struct expectations *expectations, uint64_t inode,
                            const struct holder_set *holders);

#endif
