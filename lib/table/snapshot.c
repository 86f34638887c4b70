/* SPDX-License-Identifier: MIT */
/* snapshot.c - sorted sets of listeners and their difference */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "table/snapshot.h"
#include "util/cleanup.h"

#define FIRST_CAPACITY 64

void snapshot_clear(struct snapshot *snapshot)
{
	free(snapshot->rows);
	*snapshot = (struct snapshot){0};
}

void snapshot_reset(struct snapshot *snapshot)
{
	snapshot->count = 0;
}

static int grow(struct snapshot *snapshot)
{
	size_t capacity = snapshot->capacity ? 2 * snapshot->capacity : FIRST_CAPACITY;
	struct snapshot_row *rows;

	rows = realloc(snapshot->rows, capacity * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	snapshot->rows = rows;
	snapshot->capacity = capacity;
	return 0;
}

int snapshot_add(struct snapshot *snapshot, const struct listener *listener)
{
	int error;

	if (snapshot->count >= SNAPSHOT_MAX)
		return -E2BIG;
	if (snapshot->count == snapshot->capacity) {
		error = grow(snapshot);
		if (error != 0)
			return error;
	}
	snapshot->rows[snapshot->count++] = (struct snapshot_row){.listener = *listener};
	return 0;
}

static int compare_rows(const void *a, const void *b)
{
	const struct snapshot_row *first = a;
	const struct snapshot_row *second = b;

	return listener_compare(&first->listener, &second->listener);
}

static bool is_sealed(const struct snapshot *snapshot)
{
	size_t i;

	for (i = 1; i < snapshot->count; i++) {
		if (compare_rows(&snapshot->rows[i - 1], &snapshot->rows[i]) >= 0)
			return false;
	}
	return true;
}

static void drop_doubles(struct snapshot *snapshot)
{
	size_t kept = 1;
	size_t i;

	for (i = 1; i < snapshot->count; i++) {
		if (compare_rows(&snapshot->rows[kept - 1], &snapshot->rows[i]) != 0)
			snapshot->rows[kept++] = snapshot->rows[i];
	}
	snapshot->count = kept;
}

void snapshot_seal(struct snapshot *snapshot)
{
	/* Most tables have one row or none, and need no sorting. */
	if (is_sealed(snapshot))
		return;
	qsort(snapshot->rows, snapshot->count, sizeof(*snapshot->rows), compare_rows);
	drop_doubles(snapshot);
}

const struct snapshot_row *snapshot_find(const struct snapshot *snapshot,
                                         const struct listener *listener)
{
	struct snapshot_row key = {.listener = *listener};

	if (snapshot->count == 0)
		return NULL;
	return bsearch(&key, snapshot->rows, snapshot->count, sizeof(key), compare_rows);
}

size_t snapshot_first(const struct snapshot *snapshot, const struct listener *port)
{
	size_t low = 0, high = snapshot->count;
	struct listener key = *port;

	key.inode = 0; /* less than all rows of the port */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (listener_compare(&snapshot->rows[middle].listener, &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A parallel walk through two sealed snapshots. */
struct merge {
	const struct snapshot *known;
	const struct snapshot *read;
	size_t known_next;
	size_t read_next;
};

/* The rows of one listener in both snapshots; NULL if missing. */
struct pair {
	const struct snapshot_row *known;
	const struct snapshot_row *read;
};

static bool merge_next(struct merge *merge, struct pair *pair)
{
	bool has_known = merge->known_next < merge->known->count;
	bool has_read = merge->read_next < merge->read->count;
	int order = has_known ? -1 : 1;

	if (!has_known && !has_read)
		return false;
	if (has_known && has_read)
		order = compare_rows(&merge->known->rows[merge->known_next],
		                     &merge->read->rows[merge->read_next]);
	pair->known = order <= 0 ? &merge->known->rows[merge->known_next++] : NULL;
	pair->read = order >= 0 ? &merge->read->rows[merge->read_next++] : NULL;
	return true;
}

static bool is_removed(const struct pair *pair)
{
	return !pair->read && pair->known->missing;
}

/* Whether the read has more data about a row: the form of the table can change between reads, and
 * the text has neither cookie nor v6only. */
static bool tells_more(const struct pair *pair)
{
	return pair->known && pair->read && pair->known->listener.cookie == 0 &&
	       pair->read->listener.cookie != 0;
}

/* Whether an update would change nothing, as is usual. */
static bool is_unchanged(const struct snapshot *known, const struct snapshot *read)
{
	struct merge merge = {.known = known, .read = read};
	struct pair pair;

	if (known->count != read->count)
		return false;
	while (merge_next(&merge, &pair)) {
		if (!pair.known || !pair.read || pair.known->missing || tells_more(&pair))
			return false;
	}
	return true;
}

static size_t count_remaining(const struct snapshot *known, const struct snapshot *read)
{
	struct merge merge = {.known = known, .read = read};
	struct pair pair;
	size_t count = 0;

	while (merge_next(&merge, &pair))
		count += !is_removed(&pair);
	return count;
}

/* Fills `next`, which has room for all rows. Returns the number of rows that are marked missing. */
static ssize_t carry_forward(struct snapshot *next, const struct snapshot *known,
                             const struct snapshot *read)
{
	struct merge merge = {.known = known, .read = read};
	const struct snapshot_row *source;
	struct pair pair;
	ssize_t missing = 0;

	while (merge_next(&merge, &pair)) {
		if (is_removed(&pair))
			continue;
		source = !pair.known || tells_more(&pair) ? pair.read : pair.known;
		next->rows[next->count++] = (struct snapshot_row){
			.listener = source->listener,
			.missing = !pair.read,
		};
		missing += !pair.read;
	}
	return missing;
}

static void report(const struct snapshot *known, const struct snapshot *read,
                   enum snapshot_change change, snapshot_sink sink, void *data)
{
	struct merge merge = {.known = known, .read = read};
	struct pair pair;

	while (merge_next(&merge, &pair)) {
		if (change == SNAPSHOT_REMOVED && is_removed(&pair))
			sink(data, change, &pair.known->listener);
		if (change == SNAPSHOT_ADDED && !pair.known)
			sink(data, change, &pair.read->listener);
	}
}

ssize_t snapshot_update(struct snapshot *known, const struct snapshot *read, snapshot_sink sink,
                        void *data)
{
	struct snapshot old = *known;
	struct snapshot next = {0};
	CLEANUP_FREE struct snapshot_row *old_rows = NULL;
	ssize_t missing;

	if (is_unchanged(known, read))
		return 0;
	next.capacity = count_remaining(known, read);
	if (next.capacity > 0) {
		next.rows = malloc(next.capacity * sizeof(*next.rows));
		if (!next.rows)
			return -ENOMEM;
	}
	missing = carry_forward(&next, known, read);
	*known = next;
	old_rows = old.rows;
	report(&old, read, SNAPSHOT_REMOVED, sink, data);
	report(&old, read, SNAPSHOT_ADDED, sink, data);
	return missing;
}

/* --- one listening socket --- */

void listener_set_address(struct listener *listener, int family, const uint8_t *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	memset(listener->address, 0, sizeof(listener->address));
	if (family == AF_INET6 && memcmp(address, mapped, sizeof(mapped)) != 0) {
		listener->family = AF_INET6;
		memcpy(listener->address, address, 16);
		return;
	}
	if (family == AF_INET6)
		address += sizeof(mapped);
	listener->family = AF_INET;
	memcpy(listener->address, address, 4);
}

int listener_compare(const struct listener *a, const struct listener *b)
{
	int order;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	order = memcmp(a->address, b->address, sizeof(a->address));
	if (order != 0)
		return order;
	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return (a->inode > b->inode) - (a->inode < b->inode);
}

bool listener_same_port(const struct listener *a, const struct listener *b)
{
	return a->family == b->family && a->port == b->port &&
	       memcmp(a->address, b->address, sizeof(a->address)) == 0;
}
