/* SPDX-License-Identifier: MIT */
/* test_perf_merge.c - the order of records of many rings, and what it costs */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "notify/perf_merge.h"
#include "support/check_main.h"

#define RINGS 512
#define RECORD_SIZE 40
#define RING_SIZE 4096
#define IN_RING (RING_SIZE / RECORD_SIZE - 1)

static struct perf_event_mmap_page *pages;
static uint8_t *data;
static struct perf_stream *streams;
static struct perf_merge merge;

static void setup(void)
{
	pages = calloc(RINGS, sizeof(*pages));
	data = calloc(RINGS, RING_SIZE);
	streams = calloc(RINGS, sizeof(*streams));
	merge = (struct perf_merge){.heap = calloc(RINGS, sizeof(struct perf_stream *))};
	ck_assert(pages && data && streams && merge.heap);
	for (size_t i = 0; i < RINGS; i++)
		perf_ring_init(&streams[i].ring, &pages[i], data + i * RING_SIZE, RING_SIZE);
}

static void teardown(void)
{
	free(pages);
	free(data);
	free(streams);
	free(merge.heap);
}

static void put_bytes(size_t ring, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[ring * RING_SIZE + (pages[ring].data_head + i) % RING_SIZE] =
			((const uint8_t *)bytes)[i];
	pages[ring].data_head += size;
}

static void put(size_t ring, uint64_t time)
{
	struct {
		struct perf_event_header header;
		uint64_t body[2];
		uint64_t id, time;
	} record = {{PERF_RECORD_EXIT, 0, RECORD_SIZE}, {0, 0}, 0, time};

	_Static_assert(sizeof(record) == RECORD_SIZE, "no padding");
	put_bytes(ring, &record, sizeof(record));
}

static void begin(void)
{
	merge.comparisons = 0;
	for (size_t i = 0; i < RINGS; i++)
		ck_assert_int_eq(perf_merge_add(&merge, &streams[i]), 0);
}

static void end(void)
{
	perf_merge_end(&merge);
	for (size_t i = 0; i < RINGS; i++)
		perf_ring_end(&streams[i].ring);
}

/* Takes at most so many. Returns how many there were; their times have to be in order. */
static size_t take(size_t most, uint64_t *last)
{
	const struct perf_record *record;
	size_t count = 0;

	while (count < most && (record = perf_merge_first(&merge))) {
		ck_assert_uint_ge(record->time, *last);
		*last = record->time;
		ck_assert_int_eq(perf_merge_next(&merge), 0);
		count++;
	}
	return count;
}

START_TEST(test_nothing)
{
	begin();
	ck_assert_ptr_null(perf_merge_first(&merge));
	end();
	ck_assert_uint_eq(merge.comparisons, 0);
}
END_TEST

/* Each record at its time, which tells where it is in its ring. */
static void fill(unsigned int seed, size_t rings, size_t each)
{
	for (size_t ring = 0; ring < rings; ring++) {
		uint64_t time = 0;

		for (size_t i = 0; i < each; i++)
			put(ring, time += 1 + (uint64_t)(rand_r(&seed) % 1000));
	}
}

static const size_t rings_used[] = {1, 2, 3, 7, 8, 64, 511, 512};

START_TEST(test_order)
{
	uint64_t last = 0;

	fill(1, rings_used[_i], 20);
	begin();
	ck_assert_uint_eq(take(SIZE_MAX, &last), rings_used[_i] * 20);
	end();
	for (size_t ring = 0; ring < RINGS; ring++)
		ck_assert_uint_eq(pages[ring].data_tail, pages[ring].data_head);
}
END_TEST

/* What is left is taken the next time, with what has come, and nothing twice. */
START_TEST(test_slices)
{
	size_t total = 0, taken;
	uint64_t last = 0;

	fill(2, 100, 20);
	do {
		begin();
		taken = take(37, &last);
		end();
		total += taken;
		if (total == 10 * 37)
			put(3, UINT64_MAX);
	} while (taken > 0);
	ck_assert_uint_eq(total, 100 * 20 + 1);
	ck_assert_uint_eq(last, UINT64_MAX);
}
END_TEST

/* For 512 rings 9 levels, two comparisons in each; to fill the heap takes no more. */
START_TEST(test_cost)
{
	uint64_t last = 0;
	size_t taken, total = 0;

	fill(3, RINGS, IN_RING);
	begin();
	while ((taken = take(1000, &last)) > 0) {
		ck_assert_uint_le(merge.comparisons, 18 * (taken + RINGS));
		merge.comparisons = 0;
		total += taken;
	}
	end();
	ck_assert_uint_eq(total, RINGS * IN_RING);
}
END_TEST

/* Damage ends one ring, not the others. */
START_TEST(test_damage)
{
	struct perf_event_header header = {.type = PERF_RECORD_EXIT, .size = 9};
	const struct perf_record *record;
	unsigned int damaged = 0, count = 0;

	put(0, 1);
	put_bytes(0, &header, sizeof(header));
	put(1, 2);
	put(1, 3);
	put_bytes(2, &header, sizeof(header));
	ck_assert_int_eq(perf_merge_add(&merge, &streams[0]), 0);
	ck_assert_int_eq(perf_merge_add(&merge, &streams[1]), 0);
	ck_assert_int_eq(perf_merge_add(&merge, &streams[2]), -EBADMSG);
	while ((record = perf_merge_first(&merge))) {
		ck_assert_uint_eq(record->time, ++count);
		damaged += perf_merge_next(&merge) < 0;
	}
	ck_assert_uint_eq(count, 3);
	ck_assert_uint_eq(damaged, 1);
	end();
	for (size_t ring = 0; ring < 3; ring++)
		ck_assert_uint_eq(pages[ring].data_tail, pages[ring].data_head);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("perf_merge");
	TCase *all = tcase_create("all");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, test_nothing);
	tcase_add_loop_test(all, test_order, 0, (int)(sizeof(rings_used) / sizeof(rings_used[0])));
	tcase_add_test(all, test_slices);
	tcase_add_test(all, test_cost);
	tcase_add_test(all, test_damage);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
