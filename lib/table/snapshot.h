/* SPDX-License-Identifier: MIT */
/* snapshot.h - sorted sets of listeners and their difference. Pure: no I/O. */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- one listening socket --- */

struct listener {
	uint64_t inode;      /* of the socket, as in /proc/PID/fd; never 0 */
	uint64_t cookie;     /* of the socket (sock_diag); 0 if the table has none */
	uint8_t address[16]; /* network order; AF_INET uses the first 4 bytes, the rest are 0 */
	uint16_t port;       /* host order; never 0 */
	uint8_t family;      /* AF_INET or AF_INET6; IPv4-mapped addresses are AF_INET */
	int8_t v6only;       /* 1, 0; -1 for AF_INET and if unknown */
};

/* Receives one listener. Returns 0, or a negative errno to stop, which the parser returns. */
typedef int (*listener_sink)(void *data, const struct listener *listener);

/* Sets family and address from an address as the kernel keeps it: 4 bytes of AF_INET or 16 of
 * AF_INET6, network order. An IPv4-mapped one becomes AF_INET. */
void listener_set_address(struct listener *listener, int family, const uint8_t *address);

/* Compares family, address, port and inode: <0, 0, >0. Other fields are ignored. */
int listener_compare(const struct listener *a, const struct listener *b);

/* Whether family, address and port are the same. */
bool listener_same_port(const struct listener *a, const struct listener *b);

/* --- a set of listening sockets --- */

/* More rows than this are refused with -E2BIG: a bound on memory, not a limit of the kernel. */
#define SNAPSHOT_MAX 1048576

struct snapshot_row {
	struct listener listener;
	bool missing; /* not in the last complete read: gone if it is not in the next one either */
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

/* Removes the rows, and keeps the memory for the next read. */
void snapshot_reset(struct snapshot *snapshot);

/* Appends, unsorted. Returns 0, -ENOMEM or -E2BIG. */
int snapshot_add(struct snapshot *snapshot, const struct listener *listener);

/* Sorts by listener_compare() and removes duplicates (the kernel can list a row twice). */
void snapshot_seal(struct snapshot *snapshot);

/* The same in slices, for a table of any size. Zero bytes mean: nothing to do. */
struct snapshot_sort {
	struct snapshot *snapshot;
	struct snapshot_row *spare; /* as many rows: the other half of each pass */
	size_t width;               /* the runs of this length are sorted; 0: none */
	size_t begin;               /* of the two runs that are being merged ... */
	size_t left, right;         /* ... and their next rows */
};

/* Returns 0, or -ENOMEM. */
int snapshot_sort_begin(struct snapshot_sort *sort, struct snapshot *snapshot);
/* Handles about this many rows. Returns true if the snapshot is sealed. */
bool snapshot_sort_next(struct snapshot_sort *sort, size_t rows);
void snapshot_sort_end(struct snapshot_sort *sort);

/* Finds a row in a sealed snapshot; NULL if there is none. */
const struct snapshot_row *snapshot_find(const struct snapshot *snapshot,
                                         const struct listener *listener);

/* The index of the first row of a port in a sealed snapshot, where all rows of a port are adjacent.
 * If there is none: the index at which it would be inserted. */
size_t snapshot_first(const struct snapshot *snapshot, const struct listener *port);

/* Carries `known` forward by one complete sealed read: rows that are new are reported as added and
 * kept; rows missing from this read and from the one before are reported as removed and dropped;
 * rows missing for the first time are kept, marked. If the read adds the cookie of a row, the row
 * takes it over. The sink is called after `known` is in its new state, removals before additions;
 * it may change `known`, but not `read`. Returns how many rows are marked
 * missing, or -ENOMEM with nothing changed. */
ssize_t snapshot_update(struct snapshot *known, const struct snapshot *read, snapshot_sink sink,
                        void *data);

/* The same in slices, for a table of any size. Zero bytes mean: nothing to do. */
struct snapshot_merge {
	struct snapshot *known;
	const struct snapshot *read;
	struct snapshot old;  /* `known` before the update, while changes are reported */
	struct snapshot next; /* `known` after it, while it is made */
	enum {
		MERGE_COMPARES, /* until a difference is found */
		MERGE_CARRIES,
		MERGE_REPORTS_REMOVED,
		MERGE_REPORTS_ADDED,
		MERGE_ENDS,
	} stage;
	size_t known_next, read_next; /* the next rows */
	ssize_t missing;
};

/* `read` must stay as it is until the end. */
void snapshot_merge_begin(struct snapshot_merge *merge, struct snapshot *known,
                          const struct snapshot *read);
/* Handles about this many rows. Returns 1 if more are left; 0 at the end, when merge->missing is
 * the number of rows that are marked missing; -ENOMEM with nothing changed. */
int snapshot_merge_next(struct snapshot_merge *merge, size_t rows, snapshot_sink sink, void *data);
/* Frees what it holds. If it had not ended, not all changes were reported. */
void snapshot_merge_end(struct snapshot_merge *merge);

#endif
