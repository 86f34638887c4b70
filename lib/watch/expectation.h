/* SPDX-License-Identifier: MIT */
/* expectation.h - listeners that the notifier has told of and no read has shown yet
 *
 * The kernel reports listen(2) before it hashes the socket, so the first read can miss it. Pure: no
 * I/O. */
#ifndef EXPECTATION_H
#define EXPECTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "notify/notifier.h"
#include "table/snapshot.h"

#define EXPECTATIONS_MAX 64

struct expectation {
	struct listener listener; /* port 0: not known (autobind) */
	uint64_t socket;          /* the kernel's address of it */
	unsigned int reads;       /* that didn't show it */
};

struct expectations {
	struct expectation list[EXPECTATIONS_MAX];
	unsigned int count;
	bool overflow;      /* more were told than fit: read again as often as for one */
	unsigned int reads; /* since the overflow */
};

/* A listen(2) was told: the table is expected to show it. A close withdraws it. */
void expectations_change(struct expectations *expectations, const struct tcp_change *change);

/* A complete read is in. Drops what it shows, and what was looked for in vain for too long. Returns
 * the pause before the next read in ns: 1, 4, 16 ms; 0 if nothing is expected any more. */
uint64_t expectations_read(struct expectations *expectations, const struct snapshot *read);

#endif
