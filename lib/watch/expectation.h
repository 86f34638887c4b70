/* SPDX-License-Identifier: MIT */
/* expectation.h - listeners that the notifier has reported and no read has shown yet
 *
 * The kernel reports listen(2) before it hashes the socket, so the first read can miss it. Nothing
 * in a table says which row is the reported socket. So a row meets an expectation only if it is the
 * only one on its port, was not there before, and is held by the process that the kernel has
 * reported: another process may have begun to listen on the same port (SO_REUSEPORT) without
 * anybody's looking. Otherwise the table is read as often as for a socket that does not come.
 * Pure: no I/O. */
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
	struct listener listener; /* port 0: not known (autobind) */
	uint64_t socket;          /* the kernel's address of it */
	pid_t pid;                /* who listens, and by which thread; 0: not known */
	pid_t tid;
	unsigned int reads; /* that didn't show it */
	bool shown;         /* some read had a new row on the port, which may be it */
	uint64_t inode;     /* of that row, if it is the only one on the port; 0: none */
};

struct expectations {
	struct expectation list[EXPECTATIONS_MAX];
	unsigned int count;
	bool overflow;      /* more were reported than fit: read again as often as for one */
	unsigned int reads; /* since the overflow */
};

/* A listen(2) was reported: the table is expected to show it. A close withdraws it. */
void expectations_change(struct expectations *expectations, const struct tcp_change *change);

/* Receives an expectation that is overdue: its port is known, and no read has shown a new row
 * there. */
typedef void (*expectation_sink)(void *data, const struct expectation *expectation);

/* The kernel has reported something that was lost: any socket may be expected. */
void expectations_lost(struct expectations *expectations);

/* A complete read is in; known is what was known before it. Drops what was looked for in vain for
 * too long. Reports what is overdue to sink (may be NULL), once. Returns the pause before the next
 * read in ns: 1, 4, 16, 64, 256, 1024 ms; 0 if nothing is expected any more. */
uint64_t expectations_read(struct expectations *expectations, const struct snapshot *known,
                           const struct snapshot *read, expectation_sink sink, void *data);

/* These processes hold the socket with this inode: drops the expectation that it meets. Returns
 * whether anything is still expected. */
bool expectations_attribute(struct expectations *expectations, uint64_t inode,
                            const struct holder_set *holders);

#endif
