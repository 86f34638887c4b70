/* SPDX-License-Identifier: MIT */
/* test_perf.c - the records of one ring and of many, on handmade rings */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "notify/perf.h"
#include "support/check_main.h"

#define SIZE 4096
#define FORK_SIZE 40
#define LOST_SIZE 32

static struct perf_event_mmap_page page;
static _Alignas(uint64_t) uint8_t data[SIZE];
static struct perf_ring ring;
static struct perf_record record;

static void setup(void)
{
	memset(&page, 0, sizeof(page));
	memset(data, 0, sizeof(data));
	perf_ring_init(&ring, &page, data, SIZE);
}

static void put_bytes(const void *bytes, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		data[(page.data_head + i) % SIZE] = ((const uint8_t *)bytes)[i];
	page.data_head += size;
}

/* Writes a header that claims the size `claimed`, and a body of `size`. */
static void put(uint32_t type, size_t claimed, const void *body, size_t size)
{
	struct perf_event_header header = {.type = type, .size = (uint16_t)claimed};

	put_bytes(&header, sizeof(header));
	put_bytes(body, size);
}

static void put_whole(uint32_t type, const void *body, size_t size)
{
	put(type, sizeof(struct perf_event_header) + size, body, size);
}

static void put_task(uint32_t type, int32_t pid, int32_t ppid, uint64_t time)
{
	struct {
		int32_t pid, ppid, tid, ptid;
		uint64_t time;
		int32_t id_pid, id_tid;
		uint64_t id_time;
	} body = {pid, ppid, pid + 1, ppid + 1, 99, 0, 0, time};

	_Static_assert(sizeof(body) == FORK_SIZE, "as the kernel's");
	put_whole(type, &body, sizeof(body));
}

/* Writes a sample that claims `claimed` bytes of raw data, in a record with room for `size`. */
static void put_sample(int32_t pid, uint64_t time, uint32_t claimed, uint32_t size)
{
	uint8_t body[SIZE] = {0};

	memcpy(body, &pid, 4);
	memcpy(body + 4, &pid, 4);
	memcpy(body + 8, &time, 8);
	memcpy(body + 16, &claimed, 4);
	memset(body + 20, pid, size);
	put_whole(PERF_RECORD_SAMPLE, body, 20 + size);
}

static void put_lost(uint64_t lost, uint64_t time)
{
	uint64_t body[] = {7, lost, 0, time};

	_Static_assert(sizeof(body) == LOST_SIZE, "as the kernel's");
	put_whole(PERF_RECORD_LOST, body, sizeof(body));
}

static void fill_until(uint64_t left)
{
	while (SIZE - (page.data_head - page.data_tail) > left + sizeof(uint64_t) + FORK_SIZE)
		put_task(PERF_RECORD_FORK, 2, 1, 1);
}

START_TEST(test_empty)
{
	ck_assert(!perf_ring_begin(&ring));
	ck_assert_int_eq(perf_ring_next(&ring, &record), 0);
	ck_assert(!perf_ring_end(&ring));
	ck_assert_uint_eq(page.data_tail, 0);
}
END_TEST

START_TEST(test_sample)
{
	struct perf_sample sample;
	uint8_t expected[76];

	put_sample(42, 1000, 76, 76);
	ck_assert(perf_ring_begin(&ring));
	ck_assert_int_eq(perf_ring_next(&ring, &record), 1);
	ck_assert_uint_eq(record.type, PERF_RECORD_SAMPLE);
	ck_assert_uint_eq(record.time, 1000);
	ck_assert_int_eq(perf_record_sample(&record, &sample), 0);
	ck_assert_int_eq(sample.pid, 42);
	ck_assert_int_eq(sample.tid, 42);
	ck_assert_uint_eq(sample.raw_size, 76);
	memset(expected, 42, sizeof(expected));
	ck_assert_mem_eq(sample.raw, expected, 76);
	ck_assert_int_eq(perf_ring_next(&ring, &record), 0);
}
END_TEST

/* The record's time, in an unknown clock, says when the task was made. The id is what matters. */
START_TEST(test_task)
{
	struct perf_task task;

	put_task(PERF_RECORD_EXIT, 10, 20, 3000);
	perf_ring_begin(&ring);
	ck_assert_int_eq(perf_ring_next(&ring, &record), 1);
	ck_assert_uint_eq(record.type, PERF_RECORD_EXIT);
	ck_assert_uint_eq(record.time, 3000);
	ck_assert_int_eq(perf_record_task(&record, &task), 0);
	ck_assert_int_eq(task.pid, 10);
	ck_assert_int_eq(task.ppid, 20);
	ck_assert_int_eq(task.tid, 11);
	ck_assert_int_eq(task.ptid, 21);
}
END_TEST

START_TEST(test_lost)
{
	uint64_t lost;

	put_lost(12345, 4000);
	perf_ring_begin(&ring);
	ck_assert_int_eq(perf_ring_next(&ring, &record), 1);
	ck_assert_uint_eq(record.time, 4000);
	ck_assert_int_eq(perf_record_lost(&record, &lost), 0);
	ck_assert_uint_eq(lost, 12345);
}
END_TEST

/* Records of three sizes, a prime number of them in each round, wrap around the ring's end in every
 * possible way. */
START_TEST(test_wraps)
{
	struct perf_sample sample;
	int32_t pid = 0, expected = 0;
	int i;

	while (page.data_head < 20 * SIZE) {
		for (i = 0; i < 13; i++, pid++)
			put_sample(pid % 128, (uint64_t)pid, 12 + 8 * (uint32_t)(pid % 3),
			           12 + 8 * (uint32_t)(pid % 3));
		ck_assert(perf_ring_begin(&ring));
		while (perf_ring_next(&ring, &record) == 1) {
			ck_assert_uint_eq(record.time, (uint64_t)expected);
			ck_assert_int_eq(perf_record_sample(&record, &sample), 0);
			ck_assert_int_eq(sample.pid, expected % 128);
			ck_assert_uint_eq(sample.raw_size, 12 + 8 * (uint32_t)(expected % 3));
			ck_assert_uint_eq(sample.raw[0], expected % 128);
			ck_assert_uint_eq(sample.raw[sample.raw_size - 1], expected % 128);
			expected++;
		}
		ck_assert(!perf_ring_end(&ring));
		ck_assert_int_eq(expected, pid);
	}
}
END_TEST

/* The kernel's counters never wrap around in practice, but the arithmetic must be correct. */
START_TEST(test_counters_wrap)
{
	page.data_head = page.data_tail = UINT64_MAX - 55;
	put_task(PERF_RECORD_FORK, 2, 1, 1);
	put_task(PERF_RECORD_FORK, 3, 1, 2);
	ck_assert(perf_ring_begin(&ring));
	ck_assert_int_eq(perf_ring_next(&ring, &record), 1);
	ck_assert_int_eq(perf_ring_next(&ring, &record), 1);
	ck_assert_uint_eq(record.time, 2);
	ck_assert(!perf_ring_end(&ring));
	ck_assert_uint_eq(page.data_tail, page.data_head);
}
END_TEST

START_TEST(test_bounded_by_begin)
{
	put_task(PERF_RECORD_FORK, 2, 1, 1);
	perf_ring_begin(&ring);
	put_task(PERF_RECORD_FORK, 3, 1, 2);
	ck_assert_int_eq(perf_ring_next(&ring, &record), 1);
	ck_assert_int_eq(perf_ring_next(&ring, &record), 0);
	perf_ring_end(&ring);
	ck_assert_uint_eq(page.data_tail, page.data_head / 2);
	ck_assert(perf_ring_begin(&ring));
	ck_assert_int_eq(perf_ring_next(&ring, &record), 1);
	ck_assert_uint_eq(record.time, 2);
}
END_TEST

/* Data belongs to the reader until the end of the read: until then the kernel may not overwrite it.
 */
START_TEST(test_gives_back_at_the_end)
{
	put_task(PERF_RECORD_FORK, 2, 1, 1);
	perf_ring_begin(&ring);
	perf_ring_next(&ring, &record);
	ck_assert_uint_eq(page.data_tail, 0);
	perf_ring_end(&ring);
	ck_assert_uint_eq(page.data_tail, page.data_head);
}
END_TEST

static bool drain_says_full(void)
{
	perf_ring_begin(&ring);
	while (perf_ring_next(&ring, &record) == 1)
		;
	return perf_ring_end(&ring);
}

START_TEST(test_full)
{
	fill_until(PERF_RECORD_MAX);
	ck_assert(!drain_says_full());
	fill_until(0);
	ck_assert(drain_says_full());
	ck_assert(!drain_says_full());
}
END_TEST

/* The kernel fills the ring while the ring is read. */
START_TEST(test_full_meanwhile)
{
	put_task(PERF_RECORD_FORK, 2, 1, 1);
	perf_ring_begin(&ring);
	while (perf_ring_next(&ring, &record) == 1)
		;
	fill_until(0);
	ck_assert(perf_ring_end(&ring));
}
END_TEST

static const uint16_t garbage_sizes[] = {0, 1, 4, 7, 8, 16, 23, 25, 47, 49, 56, 520, 4096, 65535};

START_TEST(test_garbage_size)
{
	uint64_t body[5] = {0};

	put_task(PERF_RECORD_FORK, 2, 1, 1);
	put(PERF_RECORD_FORK, garbage_sizes[_i], body, sizeof(body));
	perf_ring_begin(&ring);
	ck_assert_int_eq(perf_ring_next(&ring, &record), 1);
	ck_assert_int_eq(perf_ring_next(&ring, &record), -EBADMSG);
	ck_assert_int_eq(perf_ring_next(&ring, &record), 0);
	perf_ring_end(&ring);
	ck_assert_uint_eq(page.data_tail, page.data_head);
	put_task(PERF_RECORD_FORK, 3, 1, 5);
	ck_assert(perf_ring_begin(&ring));
	ck_assert_int_eq(perf_ring_next(&ring, &record), 1);
	ck_assert_uint_eq(record.time, 5);
}
END_TEST

static const uint64_t garbage_heads[] = {1, 7, 15, SIZE + 8, UINT64_MAX, UINT64_C(1) << 63};

START_TEST(test_garbage_head)
{
	put_task(PERF_RECORD_FORK, 2, 1, 1);
	page.data_head = garbage_heads[_i];
	ck_assert(perf_ring_begin(&ring));
	ck_assert_int_eq(perf_ring_next(&ring, &record), -EBADMSG);
	ck_assert_int_eq(perf_ring_next(&ring, &record), 0);
	perf_ring_end(&ring);
	ck_assert_uint_eq(page.data_tail, garbage_heads[_i]);
}
END_TEST

START_TEST(test_short_bodies)
{
	const uint64_t body[2] = {0};
	struct perf_sample sample;
	struct perf_task task;
	uint64_t lost;

	put_whole(PERF_RECORD_SAMPLE, body, sizeof(body));
	perf_ring_begin(&ring);
	ck_assert_int_eq(perf_ring_next(&ring, &record), 1);
	ck_assert_int_eq(perf_record_sample(&record, &sample), -EBADMSG);
	ck_assert_int_eq(perf_record_task(&record, &task), -EBADMSG);
	ck_assert_int_eq(perf_record_lost(&record, &lost), -EBADMSG);
}
END_TEST

/* The record is complete but longer than the buffer for a copy. */
START_TEST(test_record_too_long)
{
	put_sample(1, 1, 4, PERF_RECORD_MAX - 28);
	put_sample(1, 1, 4, PERF_RECORD_MAX - 20);
	perf_ring_begin(&ring);
	ck_assert_int_eq(perf_ring_next(&ring, &record), 1);
	ck_assert_int_eq(perf_ring_next(&ring, &record), -EBADMSG);
}
END_TEST

START_TEST(test_raw_size_too_big)
{
	struct perf_sample sample;

	put_sample(1, 1, 29, 28);
	put_sample(1, 1, UINT32_MAX, 28);
	perf_ring_begin(&ring);
	while (perf_ring_next(&ring, &record) == 1)
		ck_assert_int_eq(perf_record_sample(&record, &sample), -EBADMSG);
	ck_assert_uint_eq(ring.at, page.data_head);
}
END_TEST

/* Random bytes: the reader must stay within the ring (sanitizers check this) and must end. */
START_TEST(test_noise)
{
	unsigned int seed = 1, i, round;
	struct perf_sample sample;

	for (round = 0; round < 2000; round++) {
		for (i = 0; i < SIZE; i++)
			data[i] = (uint8_t)(rand_r(&seed) >> 7 & (i % 8 == 6 ? 0x78 : 0xff));
		for (i = 7; i < SIZE; i += 8)
			data[i] = 0;
		page.data_head += (unsigned int)rand_r(&seed) % SIZE & ~7U;
		perf_ring_begin(&ring);
		while (perf_ring_next(&ring, &record) == 1)
			perf_record_sample(&record, &sample);
		perf_ring_end(&ring);
		ck_assert_uint_eq(page.data_tail, page.data_head);
	}
}
END_TEST

/* --- the order of the records of many rings, and its cost */

#define RINGS 512
#define RECORD_SIZE 40
#define RING_SIZE 4096
#define IN_RING (RING_SIZE / RECORD_SIZE - 1)

static struct perf_event_mmap_page *pages;
static uint8_t *rings_data;
static struct perf_stream *streams;
static struct perf_merge merge;

static void setup_rings(void)
{
	pages = calloc(RINGS, sizeof(*pages));
	rings_data = calloc(RINGS, RING_SIZE);
	streams = calloc(RINGS, sizeof(*streams));
	merge = (struct perf_merge){.heap = calloc(RINGS, sizeof(struct perf_stream *))};
	ck_assert(pages && rings_data && streams && merge.heap);
	for (size_t i = 0; i < RINGS; i++)
		perf_ring_init(&streams[i].ring, &pages[i], rings_data + i * RING_SIZE, RING_SIZE);
}

static void free_rings(void)
{
	free(pages);
	free(rings_data);
	free(streams);
	free(merge.heap);
}

static void put_bytes_into(size_t index, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		rings_data[index * RING_SIZE + (pages[index].data_head + i) % RING_SIZE] =
			((const uint8_t *)bytes)[i];
	pages[index].data_head += size;
}

static void put_into(size_t index, uint64_t time)
{
	struct {
		struct perf_event_header header;
		uint64_t body[2];
		uint64_t id, time;
	} entry = {{PERF_RECORD_EXIT, 0, RECORD_SIZE}, {0, 0}, 0, time};

	_Static_assert(sizeof(entry) == RECORD_SIZE, "no padding");
	put_bytes_into(index, &entry, sizeof(entry));
}

static void begin_merge(void)
{
	merge.comparisons = 0;
	for (size_t i = 0; i < RINGS; i++)
		ck_assert_int_eq(perf_merge_add(&merge, &streams[i]), 0);
}

static void end_merge(void)
{
	perf_merge_end(&merge);
	for (size_t i = 0; i < RINGS; i++)
		perf_ring_end(&streams[i].ring);
}

/* Takes at most `most` records and returns their number. Asserts that their times are in order. */
static size_t take(size_t most, uint64_t *last)
{
	const struct perf_record *entry;
	size_t count = 0;

	while (count < most && (entry = perf_merge_first(&merge))) {
		ck_assert_uint_ge(entry->time, *last);
		*last = entry->time;
		ck_assert_int_eq(perf_merge_next(&merge), 0);
		count++;
	}
	return count;
}

START_TEST(test_nothing)
{
	begin_merge();
	ck_assert_ptr_null(perf_merge_first(&merge));
	end_merge();
	ck_assert_uint_eq(merge.comparisons, 0);
}
END_TEST

/* Fills the rings. The time of a record identifies its place in its ring. */
static void fill(unsigned int seed, size_t rings, size_t each)
{
	for (size_t index = 0; index < rings; index++) {
		uint64_t time = 0;

		for (size_t i = 0; i < each; i++)
			put_into(index, time += 1 + (uint64_t)(rand_r(&seed) % 1000));
	}
}

static const size_t rings_used[] = {1, 2, 3, 7, 8, 64, 511, 512};

START_TEST(test_order)
{
	uint64_t last = 0;

	fill(1, rings_used[_i], 20);
	begin_merge();
	ck_assert_uint_eq(take(SIZE_MAX, &last), rings_used[_i] * 20);
	end_merge();
	for (size_t index = 0; index < RINGS; index++)
		ck_assert_uint_eq(pages[index].data_tail, pages[index].data_head);
}
END_TEST

/* Remaining records are taken the next time, together with new ones, and none twice. */
START_TEST(test_slices)
{
	size_t total = 0, taken;
	uint64_t last = 0;

	fill(2, 100, 20);
	do {
		begin_merge();
		taken = take(37, &last);
		end_merge();
		total += taken;
		if (total == 10 * 37)
			put_into(3, UINT64_MAX);
	} while (taken > 0);
	ck_assert_uint_eq(total, 100 * 20 + 1);
	ck_assert_uint_eq(last, UINT64_MAX);
}
END_TEST

/* 512 rings need 9 levels with two comparisons each. Filling the heap takes no more. */
START_TEST(test_cost)
{
	uint64_t last = 0;
	size_t taken, total = 0;

	fill(3, RINGS, IN_RING);
	begin_merge();
	while ((taken = take(1000, &last)) > 0) {
		ck_assert_uint_le(merge.comparisons, 18 * (taken + RINGS));
		merge.comparisons = 0;
		total += taken;
	}
	end_merge();
	ck_assert_uint_eq(total, RINGS * IN_RING);
}
END_TEST

/* Damage ends one ring, not the others. */
START_TEST(test_damage)
{
	struct perf_event_header header = {.type = PERF_RECORD_EXIT, .size = 9};
	const struct perf_record *entry;
	unsigned int damaged = 0, count = 0;

	put_into(0, 1);
	put_bytes_into(0, &header, sizeof(header));
	put_into(1, 2);
	put_into(1, 3);
	put_bytes_into(2, &header, sizeof(header));
	ck_assert_int_eq(perf_merge_add(&merge, &streams[0]), 0);
	ck_assert_int_eq(perf_merge_add(&merge, &streams[1]), 0);
	ck_assert_int_eq(perf_merge_add(&merge, &streams[2]), -EBADMSG);
	while ((entry = perf_merge_first(&merge))) {
		ck_assert_uint_eq(entry->time, ++count);
		damaged += perf_merge_next(&merge) < 0;
	}
	ck_assert_uint_eq(count, 3);
	ck_assert_uint_eq(damaged, 1);
	end_merge();
	for (size_t index = 0; index < 3; index++)
		ck_assert_uint_eq(pages[index].data_tail, pages[index].data_head);
}
END_TEST

#define ENTRIES(array) ((int)(sizeof(array) / sizeof((array)[0])))

static Suite *make_suite(void)
{
	Suite *suite = suite_create("perf");
	TCase *records = tcase_create("records"), *garbage = tcase_create("garbage"),
	      *merged = tcase_create("merge");

	tcase_add_checked_fixture(records, setup, NULL);
	tcase_add_test(records, test_empty);
	tcase_add_test(records, test_sample);
	tcase_add_test(records, test_task);
	tcase_add_test(records, test_lost);
	tcase_add_test(records, test_wraps);
	tcase_add_test(records, test_counters_wrap);
	tcase_add_test(records, test_bounded_by_begin);
	tcase_add_test(records, test_gives_back_at_the_end);
	tcase_add_test(records, test_full);
	tcase_add_test(records, test_full_meanwhile);
	suite_add_tcase(suite, records);
	tcase_add_checked_fixture(garbage, setup, NULL);
	tcase_add_loop_test(garbage, test_garbage_size, 0, ENTRIES(garbage_sizes));
	tcase_add_loop_test(garbage, test_garbage_head, 0, ENTRIES(garbage_heads));
	tcase_add_test(garbage, test_short_bodies);
	tcase_add_test(garbage, test_record_too_long);
	tcase_add_test(garbage, test_raw_size_too_big);
	tcase_add_test(garbage, test_noise);
	suite_add_tcase(suite, garbage);
	tcase_add_checked_fixture(merged, setup_rings, free_rings);
	tcase_add_test(merged, test_nothing);
	tcase_add_loop_test(merged, test_order, 0, ENTRIES(rings_used));
	tcase_add_test(merged, test_slices);
	tcase_add_test(merged, test_cost);
	tcase_add_test(merged, test_damage);
	suite_add_tcase(suite, merged);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
