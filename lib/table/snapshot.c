/* SPDX-License-Identifier: MIT */
/* snapshot.c - sorted sets of listeners and their difference */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "table/snapshot.h"

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

/* --- sorting in slices: merge sort from the bottom up --- */

/* The rows of the first runs. */
#define RUN 256

int snapshot_sort_begin(struct snapshot_sort *sort, struct snapshot *snapshot)
{
	*sort = (struct snapshot_sort){.snapshot = snapshot};
	if (is_sealed(snapshot))
		return 0;
	sort->spare = malloc(snapshot->capacity * sizeof(*sort->spare));
	return sort->spare ? 0 : -ENOMEM;
}

void snapshot_sort_end(struct snapshot_sort *sort)
{
	free(sort->spare);
	*sort = (struct snapshot_sort){0};
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Sorts the next run alone. */
static void sort_run(struct snapshot_sort *sort)
{
	struct snapshot *snapshot = sort->snapshot;

	qsort(&snapshot->rows[sort->begin], smaller(RUN, snapshot->count - sort->begin),
	      sizeof(*snapshot->rows), compare_rows);
	sort->begin += RUN;
	if (sort->begin < snapshot->count)
		return;
	sort->width = RUN;
	sort->begin = 0;
	sort->left = 0;
	sort->right = RUN;
}

/* Merges up to `rows` rows of the two present runs into the other half. */
static void merge_runs(struct snapshot_sort *sort, size_t rows)
{
	struct snapshot *snapshot = sort->snapshot;
	const struct snapshot_row *from = snapshot->rows;
	size_t middle = smaller(sort->begin + sort->width, snapshot->count);
	size_t end = smaller(sort->begin + 2 * sort->width, snapshot->count);

	for (; rows > 0 && (sort->left < middle || sort->right < end); rows--) {
		size_t out = sort->left + sort->right - middle;
		bool left = sort->left < middle &&
		            (sort->right >= end ||
		             compare_rows(&from[sort->left], &from[sort->right]) <= 0);

		sort->spare[out] = from[left ? sort->left++ : sort->right++];
	}
	if (sort->left < middle || sort->right < end)
		return;
	sort->begin = end;
	if (end == snapshot->count) {
		snapshot->rows = sort->spare;
		sort->spare = (struct snapshot_row *)from;
		sort->width *= 2;
		sort->begin = 0;
	}
	sort->left = sort->begin;
	sort->right = smaller(sort->begin + sort->width, snapshot->count);
}

bool snapshot_sort_next(struct snapshot_sort *sort, size_t rows)
{
	if (!sort->spare)
		return true;
	if (sort->width == 0)
		sort_run(sort);
	else
		merge_runs(sort, rows);
	if (sort->width < sort->snapshot->count)
		return false;
	drop_doubles(sort->snapshot);
	snapshot_sort_end(sort);
	return true;
}

/* --- the difference of two sealed snapshots, in a parallel walk --- */

/* The rows of one listener in both snapshots; NULL if missing. */
struct pair {
	const struct snapshot_row *known;
	const struct snapshot_row *read;
};

static bool next_pair(struct snapshot_merge *merge, const struct snapshot *known, struct pair *pair)
{
	bool has_known = merge->known_next < known->count;
	bool has_read = merge->read_next < merge->read->count;
	int order = has_known ? -1 : 1;

	if (!has_known && !has_read)
		return false;
	if (has_known && has_read)
		order = compare_rows(&known->rows[merge->known_next],
		                     &merge->read->rows[merge->read_next]);
	pair->known = order <= 0 ? &known->rows[merge->known_next++] : NULL;
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

static void enter_stage(struct snapshot_merge *merge, int stage)
{
	merge->stage = stage;
	merge->known_next = 0;
	merge->read_next = 0;
}

void snapshot_merge_begin(struct snapshot_merge *merge, struct snapshot *known,
                          const struct snapshot *read)
{
	*merge = (struct snapshot_merge){.known = known, .read = read};
	if (known->count != read->count)
		enter_stage(merge, MERGE_CARRIES);
}

void snapshot_merge_end(struct snapshot_merge *merge)
{
	snapshot_clear(&merge->old);
	snapshot_clear(&merge->next);
	*merge = (struct snapshot_merge){.missing = merge->missing};
}

/* Usually an update would change nothing. */
static void compare(struct snapshot_merge *merge, size_t rows)
{
	struct pair pair;

	for (; rows > 0; rows--) {
		if (!next_pair(merge, merge->known, &pair)) {
			enter_stage(merge, MERGE_ENDS);
			return;
		}
		if (!pair.known || !pair.read || pair.known->missing || tells_more(&pair)) {
			enter_stage(merge, MERGE_CARRIES);
			return;
		}
	}
}

/* Makes room for the rows that may remain. */
static int begin_carrying(struct snapshot_merge *merge)
{
	size_t capacity = merge->known->count + merge->read->count;

	if (merge->next.rows || capacity == 0)
		return 0;
	merge->next.rows = malloc(capacity * sizeof(*merge->next.rows));
	if (!merge->next.rows)
		return -ENOMEM;
	merge->next.capacity = capacity;
	return 0;
}

/* Returns memory that was not needed. */
static void shrink(struct snapshot *snapshot)
{
	struct snapshot_row *rows;

	if (snapshot->count == 0) {
		snapshot_clear(snapshot);
		return;
	}
	if (snapshot->count == snapshot->capacity)
		return;
	rows = realloc(snapshot->rows, snapshot->count * sizeof(*rows));
	if (!rows)
		return;
	snapshot->rows = rows;
	snapshot->capacity = snapshot->count;
}

static void carry(struct snapshot_merge *merge, size_t rows)
{
	const struct snapshot_row *source;
	struct pair pair;

	for (; rows > 0; rows--) {
		if (!next_pair(merge, merge->known, &pair)) {
			shrink(&merge->next);
			merge->old = *merge->known;
			*merge->known = merge->next;
			merge->next = (struct snapshot){0};
			enter_stage(merge, MERGE_REPORTS_REMOVED);
			return;
		}
		if (is_removed(&pair))
			continue;
		source = !pair.known || tells_more(&pair) ? pair.read : pair.known;
		merge->next.rows[merge->next.count++] = (struct snapshot_row){
			.listener = source->listener,
			.missing = !pair.read,
		};
		merge->missing += !pair.read;
	}
}

static void report(struct snapshot_merge *merge, size_t rows, snapshot_sink sink, void *data)
{
	bool removed = merge->stage == MERGE_REPORTS_REMOVED;
	struct pair pair;

	for (; rows > 0; rows--) {
		if (!next_pair(merge, &merge->old, &pair)) {
			enter_stage(merge, removed ? MERGE_REPORTS_ADDED : MERGE_ENDS);
			return;
		}
		if (removed && is_removed(&pair))
			sink(data, SNAPSHOT_REMOVED, &pair.known->listener);
		if (!removed && !pair.known)
			sink(data, SNAPSHOT_ADDED, &pair.read->listener);
	}
}

int snapshot_merge_next(struct snapshot_merge *merge, size_t rows, snapshot_sink sink, void *data)
{
	switch (merge->stage) {
	case MERGE_COMPARES:
		compare(merge, rows);
		break;
	case MERGE_CARRIES:
		if (begin_carrying(merge) < 0)
			return -ENOMEM;
		carry(merge, rows);
		break;
	case MERGE_REPORTS_REMOVED:
	case MERGE_REPORTS_ADDED:
		report(merge, rows, sink, data);
		break;
	case MERGE_ENDS:
		break;
	}
	return merge->stage != MERGE_ENDS;
}

ssize_t snapshot_update(struct snapshot *known, const struct snapshot *read, snapshot_sink sink,
                        void *data)
{
	struct snapshot_merge merge;
	int result;

	snapshot_merge_begin(&merge, known, read);
	do {
		result = snapshot_merge_next(&merge, SIZE_MAX, sink, data);
	} while (result > 0);
	snapshot_merge_end(&merge);
	return result < 0 ? result : merge.missing;
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
