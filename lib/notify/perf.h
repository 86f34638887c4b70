/* SPDX-License-Identifier: MIT */
/* perf.h - reads records from the rings that the kernel writes (perf_event_open(2))
 *
 * Pure: works on memory only, shared with the kernel or not. Supports only the layout of
 * PERF_RING_SAMPLE_TYPE with sample_id_all. One reader at a time. */
#ifndef PERF_H
#define PERF_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PERF_RING_SAMPLE_TYPE (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW)

/* The longest supported record, including its header. */
#define PERF_RECORD_MAX 512

struct perf_ring {
	struct perf_event_mmap_page *page;
	const uint8_t *data;
	uint64_t size; /* of data, a power of two */
	uint64_t at;   /* the next record */
	uint64_t head; /* position of the kernel at perf_ring_begin() */
};

/* A copy, because the kernel may overwrite the original after perf_ring_end(). */
struct perf_record {
	uint16_t type; /* PERF_RECORD_... */
	uint16_t misc; /* PERF_RECORD_MISC_... */
	uint32_t size; /* of body */
	uint64_t time;
	_Alignas(uint64_t) uint8_t body[PERF_RECORD_MAX];
};

/* `page` is the first page of the mapping, and `data` the rest. */
void perf_ring_init(struct perf_ring *ring, struct perf_event_mmap_page *page, const void *data,
                    uint64_t size);

/* Reads the position of the kernel. Returns whether there are records. */
bool perf_ring_begin(struct perf_ring *ring);

/* Copies the next record that existed at perf_ring_begin(). Returns 1; 0 if there is none; -EBADMSG
 * for invalid data: then the rest is skipped. */
int perf_ring_next(struct perf_ring *ring, struct perf_record *record);

/* Releases the part that was read. Returns whether the ring was so full that records may have been
 * dropped. The kernel reports dropped records only with its next record, which may be much
 * later. */
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

/* PERF_RECORD_COMM: a name was set; by exec(2) if misc has PERF_RECORD_MISC_COMM_EXEC. */
struct perf_name {
	int32_t pid, tid;
};

/* These functions decode a record of the given type. They return 0 or -EBADMSG. PIDs are those of
 * the opener's PID namespace, 0 outside it, and -1 for a task that has exited. */
int perf_record_sample(const struct perf_record *record, struct perf_sample *sample);
int perf_record_task(const struct perf_record *record, struct perf_task *task);
int perf_record_name(const struct perf_record *record, struct perf_name *name);
int perf_record_lost(const struct perf_record *record, uint64_t *lost);

/* --- the records of many rings, in the order of their times ---
 *
 * A heap of the rings that have records: a record costs O(log n) comparisons for n such rings. */

/* A ring, and its next record. */
struct perf_stream {
	struct perf_ring ring;
	struct perf_record record;
};

struct perf_merge {
	struct perf_stream *
		*heap; /* owned by the caller, with room for all streams that are added */
	size_t count;
	uint64_t comparisons; /* comparisons since it was set to 0 */
};

/* Adds a ring with its present records. Returns 0, or -EBADMSG for invalid data.
 */
int perf_merge_add(struct perf_merge *merge, struct perf_stream *stream);

/* The earliest remaining record; NULL: none. */
const struct perf_record *perf_merge_first(const struct perf_merge *merge);

/* Continues after this record. Returns 0, or -EBADMSG if invalid data follow in its ring. */
int perf_merge_next(struct perf_merge *merge);

/* Leaves the other records in the rings. perf_ring_end() must then be called for each ring. */
void perf_merge_end(struct perf_merge *merge);

#endif
