/* SPDX-License-Identifier: MIT */
/* test_perf.c - the ring's reader, on rings made by hand */
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

/* A header that claims `claimed`, then a body of `size`. */
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

/* A sample whose raw data is `claimed` long, in a record with room for `size`. */
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

/* The record's own time says when the task was made, in nobody's clock: what counts is the id. */
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

/* Records of three sizes, a prime number of them a round, come to lie across the end in every way.
 */
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

/* The kernel's counters never wrap to 0 in practice, but the arithmetic shall not mind. */
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

/* What is read belongs to the reader until the end: the kernel may not write there. */
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

/* Filled up by what came while it was read. */
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

/* All there, but longer than there is room for in a copy. */
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

/* Whatever bytes there are: nothing is read outside (for the sanitizers), and it ends. */
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

#define ENTRIES(array) ((int)(sizeof(array) / sizeof((array)[0])))

static Suite *make_suite(void)
{
	Suite *suite = suite_create("perf_ring");
	TCase *records = tcase_create("records"), *garbage = tcase_create("garbage");

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
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
