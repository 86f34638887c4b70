/* SPDX-License-Identifier: MIT */
/* test_heap.c - a heap of objects, ordered by a number */
#include <stdlib.h>

#include "support/check_main.h"
#include "util/heap.h"
#include "util/list.h"

enum { COUNT = 500 };

struct item {
	struct heap_link link;
	bool present;
};

static struct heap heap;
static struct item items[COUNT];

static void setup(void)
{
	heap = (struct heap){0};
	for (int i = 0; i < COUNT; i++)
		items[i] = (struct item){0};
}

/* Finds the smallest number by examining every item. */
static uint64_t find_smallest(void)
{
	uint64_t smallest = UINT64_MAX;

	for (int i = 0; i < COUNT; i++)
		if (items[i].present && items[i].link.key < smallest)
			smallest = items[i].link.key;
	return smallest;
}

START_TEST(an_empty_heap_has_no_first)
{
	ck_assert_ptr_null(heap_first(&heap));
	ck_assert_uint_eq(heap_key(&heap), UINT64_MAX);
	heap_remove(&heap, &items[0].link);
	ck_assert_ptr_null(heap_first(&heap));
}
END_TEST

START_TEST(the_first_is_the_smallest_after_any_change)
{
	unsigned int seed = 1;

	for (int round = 0; round < 20000; round++) {
		struct item *item = &items[rand_r(&seed) % COUNT];

		if (rand_r(&seed) % 3 == 0) {
			heap_remove(&heap, &item->link);
			item->present = false;
		} else {
			heap_set(&heap, &item->link, (uint64_t)(rand_r(&seed) % 1000));
			item->present = true;
		}
		ck_assert_uint_eq(heap_key(&heap), find_smallest());
	}
}
END_TEST

START_TEST(items_are_removed_in_order)
{
	uint64_t last = 0;

	for (int i = 0; i < COUNT; i++)
		heap_set(&heap, &items[i].link, (uint64_t)(i * 7919 % COUNT));
	for (int i = 0; i < COUNT; i++) {
		struct heap_link *first = heap_first(&heap);

		ck_assert_uint_ge(first->key, last);
		last = first->key;
		heap_remove(&heap, first);
	}
	ck_assert_ptr_null(heap_first(&heap));
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("heap");
	TCase *order = tcase_create("order");

	tcase_add_checked_fixture(order, setup, NULL);
	tcase_add_test(order, an_empty_heap_has_no_first);
	tcase_add_test(order, the_first_is_the_smallest_after_any_change);
	tcase_add_test(order, items_are_removed_in_order);
	suite_add_tcase(suite, order);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
