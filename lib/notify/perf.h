/* SPDX-License-Identifier: MIT */
/* perf.h - takes records out of the rings that the kernel writes (perf_event_open(2))
 *
 * Pure: works on memory alone, shared with the kernel or not. Knows only the layout of
 * PERF_RING_SAMPLE_TYPE with sample_id_all. One reader at a time. */
#ifndef PERF_H
#define PERF_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PERF_RING_SAMPLE_TYPE (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW)

/* The longest record that is understood, header included. */
#define PERF_RECORD_MAX 512

struct perf_ring {
	struct perf_event_mmap_page *page;
	const uint8_t *data;
	uint64_t size; /* of data, a power of two */
	uint64_t at;   /* the next record */
	uint64_t head; /* where the kernel was at perf_ring_begin() */
};

/* A copy: the kernel may overwrite the original once it is given back. */
struct perf_record {
	uint16_t type; /* PERF_RECORD_... */
	uint16_t misc; /* PERF_RECORD_MISC_... */
	uint32_t size; /* of body */
	uint64_t time;
	_Alignas(uint64_t) uint8_t body[PERF_RECORD_MAX];
};

/* page is the first page of the mapping, data what follows it. */
void perf_ring_init(struct perf_ring *ring, struct perf_event_mmap_page *page, const void *data,
                    uint64_t size);

/* Looks how far the kernel is. Returns whether there is something to read. */
bool perf_ring_begin(struct perf_ring *ring);

/* Copies the next record of those that were there at perf_ring_begin(). Returns 1; 0 where there is
 * none; -EBADMSG where what is there is no record: then all the rest is given up. */
int perf_ring_next(struct perf_ring *ring, struct perf_record *record);

/* Gives back what was read. Returns whether the ring was so full that records may have been
 * dropped. The kernel reports these only with its next record, which may be long in coming. */
bool perf_ring_end(struct perf_ring *ring);

/* PERF_RECORD_SAMPLE. raw points into the record. */
struct perf_sample {
	int32_t pid, tid;
	const uint8_t *raw;
	uint32_t raw_size;
};

/* PERF_RECORD_FORK and PERF_RECORD_EXIT. */
struct perf_task {
	int32_t pid, ppid, tid, ptid;
};

/* PERF_RECORD_COMM: a name was set, by exec(2) where the record's misc has
 * PERF_RECORD_MISC_COMM_EXEC. */
struct perf_name {
	int32_t pid, tid;
};

/* These read a record of that type. Return 0 or -EBADMSG. PIDs are those of the opener's PID
 * namespace, 0 outside it; a task that is past its end has -1. */
int perf_record_sample(const struct perf_record *record, struct perf_sample *sample);
int perf_record_task(const struct perf_record *record, struct perf_task *task);
int perf_record_name(const struct perf_record *record, struct perf_name *name);
int perf_record_lost(const struct perf_record *record, uint64_t *lost);

/* --- the records of many rings, in the order of their times ---
 *
 * A heap of the rings that hold something: a record costs O(log n) comparisons for n such rings. */

/* A ring, and the next of its records to be handled. */
struct perf_stream {
	struct perf_ring ring;
	struct perf_record record;
};

struct perf_merge {
	struct perf_stream **heap; /* the caller's: room for all that are added */
	size_t count;
	uint64_t comparisons; /* made since it was set to 0 */
};

/* Begins with a ring: it takes part with what it holds now. 0, or -EBADMSG where that is no record.
 */
int perf_merge_add(struct perf_merge *merge, struct perf_stream *stream);

/* The earliest record that is left; NULL: none. */
const struct perf_record *perf_merge_first(const struct perf_merge *merge);

/* Goes on behind it. 0, or -EBADMSG where its ring goes on with what is no record. */
int perf_merge_next(struct perf_merge *merge);

/* Leaves the rest in the rings, for the next time. Each of them then takes its perf_ring_end(). */
void perf_merge_end(struct perf_merge *merge);

#endif
