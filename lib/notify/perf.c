/* SPDX-License-Identifier: MIT */
/* perf.c - takes records out of the rings that the kernel writes */
#include <errno.h>
#include <string.h>

#include "notify/perf.h"

/* The layouts that PERF_RING_SAMPLE_TYPE gives: of a sample, and of what ends any other record. */
struct sample_body {
	int32_t pid, tid;
	uint64_t time;
	uint32_t raw_size;
	uint8_t raw[];
};

struct sample_id {
	int32_t pid, tid;
	uint64_t time;
};

struct lost_body {
	uint64_t id;
	uint64_t lost;
};

void perf_ring_init(struct perf_ring *ring, struct perf_event_mmap_page *page, const void *data,
                    uint64_t size)
{
	*ring = (struct perf_ring){.page = page, .data = data, .size = size};
}

bool perf_ring_begin(struct perf_ring *ring)
{
	ring->at = ring->page->data_tail;
	/* What the kernel has written before it moved the head must be seen. */
	ring->head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	return ring->head != ring->at;
}

static void copy_out(const struct perf_ring *ring, uint64_t from, void *to, size_t size)
{
	size_t start = (size_t)(from & (ring->size - 1));
	size_t straight = (size_t)ring->size - start;

	if (straight > size)
		straight = size;
	memcpy(to, ring->data + start, straight);
	memcpy((uint8_t *)to + straight, ring->data, size - straight);
}

static bool plausible(const struct perf_event_header *header, uint64_t left)
{
	return header->size >= sizeof(*header) + sizeof(struct sample_id) &&
	       header->size <= PERF_RECORD_MAX && header->size % sizeof(uint64_t) == 0 &&
	       header->size <= left;
}

static uint64_t record_time(const struct perf_record *record)
{
	const uint8_t *id = record->body;
	uint64_t time;

	if (record->type != PERF_RECORD_SAMPLE)
		id += record->size - sizeof(struct sample_id);
	memcpy(&time, id + offsetof(struct sample_id, time), sizeof(time));
	return time;
}

int perf_ring_next(struct perf_ring *ring, struct perf_record *record)
{
	uint64_t left = ring->head - ring->at;
	struct perf_event_header header = {0};

	if (left == 0)
		return 0;
	if (left >= sizeof(header) && left <= ring->size)
		copy_out(ring, ring->at, &header, sizeof(header));
	if (!plausible(&header, left)) {
		ring->at = ring->head;
		return -EBADMSG;
	}
	record->type = (uint16_t)header.type;
	record->misc = header.misc;
	record->size = (uint32_t)(header.size - sizeof(header));
	copy_out(ring, ring->at + sizeof(header), record->body, record->size);
	record->time = record_time(record);
	ring->at += header.size;
	return 1;
}

/* Undoes the last perf_ring_next(): its record is returned again. */
static void unread(struct perf_ring *ring, const struct perf_record *record)
{
	ring->at -= sizeof(struct perf_event_header) + record->size;
}

bool perf_ring_end(struct perf_ring *ring)
{
	uint64_t tail = ring->page->data_tail, head;

	if (ring->at == tail)
		return false;
	/* The kernel may write to this part of the ring only after all of it is copied. If the
	 * kernel has dropped records before it saw this tail, the head that is read next shows
	 * it. */
	__atomic_store_n(&ring->page->data_tail, ring->at, __ATOMIC_SEQ_CST);
	head = __atomic_load_n(&ring->page->data_head, __ATOMIC_SEQ_CST);
	return head - tail + PERF_RECORD_MAX > ring->size;
}

int perf_record_sample(const struct perf_record *record, struct perf_sample *sample)
{
	const size_t before = offsetof(struct sample_body, raw);
	struct sample_body body;

	if (record->size < before)
		return -EBADMSG;
	memcpy(&body, record->body, before);
	if (body.raw_size > record->size - before)
		return -EBADMSG;
	*sample = (struct perf_sample){
		.pid = body.pid,
		.tid = body.tid,
		.raw = record->body + before,
		.raw_size = body.raw_size,
	};
	return 0;
}

int perf_record_task(const struct perf_record *record, struct perf_task *task)
{
	if (record->size < sizeof(*task) + sizeof(uint64_t) + sizeof(struct sample_id))
		return -EBADMSG;
	memcpy(task, record->body, sizeof(*task));
	return 0;
}

int perf_record_name(const struct perf_record *record, struct perf_name *name)
{
	/* A text of 8 or 16 bytes follows, NUL-terminated. */
	if (record->size < sizeof(*name) + sizeof(uint64_t) + sizeof(struct sample_id))
		return -EBADMSG;
	memcpy(name, record->body, sizeof(*name));
	return 0;
}

int perf_record_lost(const struct perf_record *record, uint64_t *lost)
{
	struct lost_body body;

	if (record->size < sizeof(body) + sizeof(struct sample_id))
		return -EBADMSG;
	memcpy(&body, record->body, sizeof(body));
	*lost = body.lost;
	return 0;
}

/* --- the records of many rings, in the order of their times */

static bool earlier(struct perf_merge *merge, const struct perf_stream *left,
                    const struct perf_stream *right)
{
	merge->comparisons++;
	return left->record.time < right->record.time;
}

/* Puts a stream at `place`, or at the place of one of its ancestors. */
static void sift_up(struct perf_merge *merge, size_t place, struct perf_stream *stream)
{
	struct perf_stream **heap = merge->heap;

	for (; place > 0; place = (place - 1) / 2) {
		if (!earlier(merge, stream, heap[(place - 1) / 2]))
			break;
		heap[place] = heap[(place - 1) / 2];
	}
	heap[place] = stream;
}

/* Puts a stream at the top, or at the place of another stream. */
static void sift_down(struct perf_merge *merge, struct perf_stream *stream)
{
	struct perf_stream **heap = merge->heap;
	size_t place = 0, child;

	while ((child = 2 * place + 1) < merge->count) {
		if (child + 1 < merge->count && earlier(merge, heap[child + 1], heap[child]))
			child++;
		if (!earlier(merge, heap[child], stream))
			break;
		heap[place] = heap[child];
		place = child;
	}
	heap[place] = stream;
}

int perf_merge_add(struct perf_merge *merge, struct perf_stream *stream)
{
	int result;

	if (!perf_ring_begin(&stream->ring))
		return 0;
	result = perf_ring_next(&stream->ring, &stream->record);
	if (result > 0)
		sift_up(merge, merge->count++, stream);
	return result < 0 ? result : 0;
}

const struct perf_record *perf_merge_first(const struct perf_merge *merge)
{
	return merge->count > 0 ? &merge->heap[0]->record : NULL;
}

int perf_merge_next(struct perf_merge *merge)
{
	struct perf_stream *first = merge->heap[0];
	int result = perf_ring_next(&first->ring, &first->record);

	if (result > 0)
		sift_down(merge, first);
	else if (--merge->count > 0)
		sift_down(merge, merge->heap[merge->count]);
	return result < 0 ? result : 0;
}

void perf_merge_end(struct perf_merge *merge)
{
	while (merge->count > 0) {
		struct perf_stream *stream = merge->heap[--merge->count];

		unread(&stream->ring, &stream->record);
	}
}
