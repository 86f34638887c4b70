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
	uint64_t cookie;     /* of the socket (sock_diag); 0 where the table has none */
	uint8_t address[16]; /* network order; AF_INET uses the first 4 bytes, the rest are 0 */
	uint16_t port;       /* host order; never 0 */
	uint8_t family;      /* AF_INET or AF_INET6; IPv4-mapped addresses are AF_INET */
	int8_t v6only;       /* 1, 0; -1 for AF_INET and where the table doesn't say */
};

/* Receives one listener. Returns 0, or a negative errno to stop, which the parser hands on. */
typedef int (*listener_sink)(void *data, const struct listener *listener);

/* Sets family and address from an address as the kernel keeps it: 4 bytes of AF_INET or 16 of
 * AF_INET6, network order. An IPv4-mapped one becomes AF_INET. */
void listener_set_address(struct listener *listener, int family, const uint8_t *address);

/* Orders by family, address, port, inode: <0, 0, >0. Other fields don't count. */
int listener_compare(const struct listener *a, const struct listener *b);

/* Whether family, address and port are the same. */
bool listener_same_port(const struct listener *a, const struct listener *b);

/* --- all of them --- */

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
