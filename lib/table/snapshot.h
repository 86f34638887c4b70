/* SPDX-License-Identifier: MIT */
/* snapshot.h - sorted sets of listeners and their difference. Pure: no I/O. */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "table/listener.h"

/* More rows than this are refused with -E2BIG: a bound on memory, not a limit of the kernel. */
#define SNAPSHOT_MAX 1048576

struct snapshot_row {
	struct listener listener;
	bool missing; /* not in the last complete read: gone if it isn't in the next either */
};

struct snapshot {
	struct snapshot_row *rows; /* after snapshot_seal: ascending, no two equal */
	size_t count;
	size_t capacity;
};

enum snapshot_change {
	SNAPSHOT_ADDED,
	SNAPSHOT_REMOVED,
};

typedef void (*snapshot_sink)(void *data, enum snapshot_change change,
                              const struct listener *listener);

/* A zeroed struct snapshot is empty. Frees the rows; the snapshot is empty again. */
void snapshot_clear(struct snapshot *snapshot);

/* Forgets the rows, keeps the memory for the next read. */
void snapshot_reset(struct snapshot *snapshot);

/* Appends, unsorted. Returns 0, -ENOMEM or -E2BIG. */
int snapshot_add(struct snapshot *snapshot, const struct listener *listener);

/* Sorts by listener_compare and drops doubles (the kernel can list a row twice). */
void snapshot_seal(struct snapshot *snapshot);

/* Finds a row in a sealed snapshot; NULL if there is none. */
const struct snapshot_row *snapshot_find(const struct snapshot *snapshot,
                                         const struct listener *listener);

/* The index of the first row of a port in a sealed snapshot, all of which stand together; of the
 * next port's, or the count, if there is none. */
size_t snapshot_first(const struct snapshot *snapshot, const struct listener *port);

/* Carries `known` forward by one complete sealed read: rows that are new are reported as added and
 * kept; rows missing from this read and from the one before are reported as removed and dropped;
 * rows missing for the first time are kept, marked. A row whose cookie the read is the first to
 * tell takes it over. The sink is called after `known` is in its new state, removals before
 * additions; it may do to `known` what it likes, but must leave `read` alone. Returns how many rows
 * are marked missing, or -ENOMEM with nothing changed. */
ssize_t snapshot_update(struct snapshot *known, const struct snapshot *read, snapshot_sink sink,
                        void *data);

#endif
