/* SPDX-License-Identifier: MIT */
/* test_hash.c - hash tables by number */
#include <stdlib.h>

#include "support/check_main.h"
#include "util/hash.h"
#include "util/list.h"

struct item {
	int value;
	struct hash_link link;
};

static struct hash hash;

static void setup(void)
{
	hash_init(&hash);
}

static void teardown(void)
{
	hash_clear(&hash);
}

static struct item *find(uint64_t number)
{
	struct hash_link *link = hash_find(&hash, number);

	return link ? container_of(link, struct item, link) : NULL;
}

START_TEST(an_empty_table_has_nothing)
{
	ck_assert_ptr_null(find(0));
	ck_assert_uint_eq(hash.count, 0);
}
END_TEST

START_TEST(many_are_found_and_taken_out)
{
	enum { COUNT = 5000 };
	struct item *items = calloc(COUNT, sizeof(*items));

	ck_assert_ptr_nonnull(items);
	for (int i = 0; i < COUNT; i++)
		hash_add(&hash, &items[i].link, (uint64_t)i << (i % 40));
	for (int i = 0; i < COUNT; i++)
		ck_assert_ptr_nonnull(find((uint64_t)i << (i % 40)));
	ck_assert_ptr_null(find(UINT64_MAX));
	for (int i = 0; i < COUNT; i += 2)
		hash_remove(&hash, &items[i].link);
	ck_assert_uint_eq(hash.count, COUNT / 2);
	for (int i = 1; i < COUNT; i += 2)
		ck_assert_ptr_nonnull(find((uint64_t)i << (i % 40)));
	hash_clear(&hash);
	ck_assert_ptr_null(find(1));
	free(items);
}
END_TEST

START_TEST(several_have_one_number)
{
	struct item items[3] = {{.value = 1}, {.value = 2}, {.value = 4}}, other;
	int sum = 0;

	hash_add(&hash, &other.link, 8);
	for (int i = 0; i < 3; i++)
		hash_add(&hash, &items[i].link, 7);
	for (struct hash_link *link = hash_find(&hash, 7); link; link = hash_next(link))
		sum += container_of(link, struct item, link)->value;
	ck_assert_int_eq(sum, 7);
	hash_remove(&hash, &items[1].link);
	sum = 0;
	for (struct hash_link *link = hash_find(&hash, 7); link; link = hash_next(link))
		sum += container_of(link, struct item, link)->value;
	ck_assert_int_eq(sum, 5);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("hash");
	TCase *tcase = tcase_create("hash");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_empty_table_has_nothing);
	tcase_add_test(tcase, many_are_found_and_taken_out);
	tcase_add_test(tcase, several_have_one_number);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
