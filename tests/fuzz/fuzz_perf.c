/* SPDX-License-Identifier: MIT */
/* fuzz_perf.c - any bytes as the contents of a ring buffer of the kernel
 *
 * The input: the size of the ring, the distance from tail to head, the tail, and the bytes from the
 * tail on. */
#include <errno.h>

#include "fuzz.h"
#include "notify/perf.h"

struct input {
	uint16_t size; /* 64 bytes to 8 KiB */
	uint16_t ahead;
	uint64_t tail;
};

static void check_decoded(const struct perf_record *record)
{
	const uint8_t *end = record->body + record->size;
	struct perf_sample sample;
	struct perf_task task;
	uint64_t lost;

	if (perf_record_sample(record, &sample) == 0)
		REQUIRE(sample.raw >= record->body && sample.raw + sample.raw_size <= end);
	if (perf_record_task(record, &task) == 0)
		REQUIRE(memcmp(&task, record->body, sizeof(task)) == 0);
	if (perf_record_lost(record, &lost) == 0)
		REQUIRE(memcmp(&lost, record->body + 8, sizeof(lost)) == 0);
}

/* The record equals the bytes of the ring at position `at`. */
static void check_record(const struct perf_ring *ring, uint64_t at,
                         const struct perf_record *record)
{
	REQUIRE(record->size <= PERF_RECORD_MAX - sizeof(struct perf_event_header));
	for (uint32_t i = 0; i < record->size; i++)
		REQUIRE(record->body[i] ==
		        ring->data[(at + sizeof(struct perf_event_header) + i) & (ring->size - 1)]);
	check_decoded(record);
}

static void drain(struct perf_ring *ring)
{
	const uint64_t tail = ring->page->data_tail, head = ring->page->data_head;
	struct perf_record record;
	uint64_t at = tail;
	int result;

	REQUIRE(perf_ring_begin(ring) == (head != tail));
	while ((result = perf_ring_next(ring, &record)) > 0) {
		check_record(ring, at, &record);
		at += sizeof(struct perf_event_header) + record.size;
		REQUIRE(ring->at == at && head - at < head - tail);
	}
	REQUIRE(result == 0 || result == -EBADMSG);
	REQUIRE(ring->page->data_tail == tail);
	REQUIRE(perf_ring_next(ring, &record) == 0);
	perf_ring_end(ring);
	REQUIRE(ring->page->data_tail == head);
	REQUIRE(!perf_ring_begin(ring));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct perf_event_mmap_page page = {0};
	struct perf_ring ring;
	struct input input;
	size_t room;
	uint8_t *data;

	fuzz_take(&bytes, &size, &input, sizeof(input));
	room = (size_t)64 << input.size % 8;
	data = calloc(1, room);
	REQUIRE(data);
	for (size_t i = 0; i < size && i < room; i++)
		data[(input.tail + i) & (room - 1)] = bytes[i];
	page.data_tail = input.tail;
	page.data_head = input.tail + input.ahead;
	perf_ring_init(&ring, &page, data, room);
	drain(&ring);
	free(data);
	return 0;
}
