/* SPDX-License-Identifier: MIT */
/* test_snapshot_memory.c - snapshots when there is no memory */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "table/snapshot.h"
#include "support/check_main.h"
#include "support/wrap.h"

static struct listener on(uint16_t port)
{
	return (struct listener){.inode = port, .port = port, .family = AF_INET, .v6only = -1};
}

static void add(struct snapshot *snapshot, uint16_t port)
{
	struct listener listener = on(port);

	ck_assert_int_eq(snapshot_add(snapshot, &listener), 0);
}

static void count_calls(void *data, enum snapshot_change change, const struct listener *listener)
{
	int *calls = data;

	(void)change;
	(void)listener;
	(*calls)++;
}

START_TEST(add_keeps_what_there_is)
{
	struct snapshot snapshot = {0};
	struct listener listener;
	uint16_t port;
	int error;

	/* Fails when the memory has to grow a second time. */
	wrap_reset();
	wrap_fail("realloc", WRAP_ANYWHERE, 2, 1, ENOMEM);
	for (port = 1;; port++) {
		listener = on(port);
		error = wrap_inside(snapshot_add(&snapshot, &listener));
		if (error != 0)
			break;
	}
	ck_assert_int_eq(error, -ENOMEM);
	ck_assert_uint_eq(snapshot.count, port - 1);
	ck_assert_int_eq(snapshot_add(&snapshot, &listener), 0);
	ck_assert_uint_eq(snapshot.count, port);
	ck_assert_ptr_nonnull(snapshot_find(&snapshot, &listener));
	snapshot_clear(&snapshot);
}
END_TEST

START_TEST(sort_changes_nothing)
{
	struct snapshot snapshot = {0};
	struct snapshot_sort sort;

	wrap_reset();
	add(&snapshot, 81);
	add(&snapshot, 80);
	wrap_fail("malloc", WRAP_ANYWHERE, 1, 1, ENOMEM);
	ck_assert_int_eq(wrap_inside(snapshot_sort_begin(&sort, &snapshot)), -ENOMEM);
	snapshot_sort_end(&sort);
	ck_assert_uint_eq(snapshot.count, 2);
	ck_assert_uint_eq(snapshot.rows[0].listener.port, 81);
	snapshot_clear(&snapshot);
}
END_TEST

START_TEST(update_changes_nothing)
{
	struct snapshot known = {0}, read = {0};
	struct snapshot_row *rows;
	int calls = 0;

	add(&known, 80);
	add(&known, 443);
	known.rows[0].missing = true;
	rows = known.rows;
	add(&read, 8080);
	wrap_reset();
	wrap_fail("malloc", WRAP_ANYWHERE, 1, 1, ENOMEM);
	ck_assert_int_eq(wrap_inside(snapshot_update(&known, &read, count_calls, &calls)), -ENOMEM);
	ck_assert_uint_eq(wrap_struck(), 1);
	ck_assert_int_eq(calls, 0);
	ck_assert_ptr_eq(known.rows, rows);
	ck_assert_uint_eq(known.count, 2);
	ck_assert(known.rows[0].missing);
	ck_assert(!known.rows[1].missing);
	/* Repeats the update with memory: -80 +8080, 443 is missing. */
	ck_assert_int_eq(snapshot_update(&known, &read, count_calls, &calls), 1);
	ck_assert_int_eq(calls, 2);
	snapshot_clear(&known);
	snapshot_clear(&read);
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("snapshot_memory");
	TCase *memory = tcase_create("memory");

	tcase_add_test(memory, add_keeps_what_there_is);
	tcase_add_test(memory, sort_changes_nothing);
	tcase_add_test(memory, update_changes_nothing);
	suite_add_tcase(suite, memory);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
