/* SPDX-License-Identifier: MIT */
/* perf_merge.c - the records of many rings, in the order of their times */
#include "notify/perf_merge.h"

static bool earlier(struct perf_merge *merge, const struct perf_stream *left,
                    const struct perf_stream *right)
{
	merge->comparisons++;
	return left->record.time < right->record.time;
}

/* Puts a stream at place, or where one of its ancestors is. */
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

/* Puts a stream at the top, or where one of the others is. */
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

		perf_ring_unread(&stream->ring, &stream->record);
	}
}
