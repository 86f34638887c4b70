/* SPDX-License-Identifier: MIT */
/* test_snapshot.c - sorted listener sets and their difference */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "support/check_main.h"
#include "table/snapshot.h"

/* The listeners of these tests have the address 127.0.0.1, and the port as inode unless a test sets
 * another one. */
static struct listener on(uint16_t port)
{
	return (struct listener){
		.inode = port,
		.address = {127, 0, 0, 1},
		.port = port,
		.family = AF_INET,
		.v6only = -1,
	};
}

/* Returns a sealed snapshot of the ports of a list that ends with 0. */
static struct snapshot snapshot_of(const uint16_t *ports)
{
	struct snapshot snapshot = {0};
	struct listener listener;

	for (; *ports != 0; ports++) {
		listener = on(*ports);
		ck_assert_int_eq(snapshot_add(&snapshot, &listener), 0);
	}
	snapshot_seal(&snapshot);
	return snapshot;
}
#define SNAPSHOT(...) snapshot_of((const uint16_t[]){__VA_ARGS__, 0})

/* The result of an update as text: "-80 +81". */
struct heard {
	char text[256];
	struct snapshot *known; /* when set: looked at, and cleared, by the sink */
	size_t count;
};

static void hear(void *data, enum snapshot_change change, const struct listener *listener)
{
	struct heard *heard = data;
	size_t used = strlen(heard->text);
	int size;

	size = snprintf(heard->text + used, sizeof(heard->text) - used, "%s%c%u", used ? " " : "",
	                change == SNAPSHOT_ADDED ? '+' : '-', (unsigned)listener->port);
	ck_assert_int_lt(size, (int)(sizeof(heard->text) - used));
	if (heard->known && heard->known->count > 0) {
		heard->count = heard->known->count;
		snapshot_clear(heard->known);
	}
}

/* Reads the given ports and expects the result. Returns how many known ports are missing. */
static ssize_t update(struct snapshot *known, const char *expected, const uint16_t *ports)
{
	struct snapshot read = snapshot_of(ports);
	struct heard heard = {0};
	ssize_t missing;

	missing = snapshot_update(known, &read, hear, &heard);
	ck_assert_str_eq(heard.text, expected);
	snapshot_clear(&read);
	return missing;
}
#define UPDATE(known, expected, ...) update(known, expected, (const uint16_t[]){__VA_ARGS__, 0})
#define UPDATE_EMPTY(known, expected) update(known, expected, (const uint16_t[]){0})

START_TEST(orders_by_family_address_port_inode)
{
	struct listener sorted[] = {on(80), on(80), on(80), on(80), on(80), on(80)};
	size_t count = sizeof(sorted) / sizeof(sorted[0]);
	size_t i, j;
	int order;

	sorted[0].family = AF_INET;
	sorted[1].inode = UINT64_C(0x100000000);
	sorted[2].port = 0x1000;
	sorted[2].inode = 1;
	sorted[3].port = 0x2001;
	sorted[4].address[0] = 200;
	sorted[4].port = 1;
	sorted[5].family = AF_INET6;
	memset(sorted[5].address, 0, sizeof(sorted[5].address));
	for (i = 0; i < count; i++) {
		for (j = 0; j < count; j++) {
			order = listener_compare(&sorted[i], &sorted[j]);
			ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
		}
	}
}
END_TEST

START_TEST(orders_by_nothing_else)
{
	struct listener a = on(80);
	struct listener b = on(80);

	a.cookie = 1;
	a.v6only = 1;
	ck_assert_int_eq(listener_compare(&a, &b), 0);
}
END_TEST

START_TEST(seal_sorts_and_drops_doubles)
{
	struct snapshot snapshot = SNAPSHOT(443, 80, 443, 22, 80, 443, 8080, 22);
	static const uint16_t expected[] = {22, 80, 443, 8080};
	size_t i;

	ck_assert_uint_eq(snapshot.count, 4);
	for (i = 0; i < 4; i++)
		ck_assert_uint_eq(snapshot.rows[i].listener.port, expected[i]);
	snapshot_seal(&snapshot);
	ck_assert_uint_eq(snapshot.count, 4);
	snapshot_clear(&snapshot);
}
END_TEST

START_TEST(seal_drops_doubles_of_sorted_rows)
{
	struct snapshot snapshot = SNAPSHOT(22, 22, 80, 80);

	ck_assert_uint_eq(snapshot.count, 2);
	snapshot_clear(&snapshot);
}
END_TEST

START_TEST(seal_keeps_sockets_that_share_a_port)
{
	struct snapshot snapshot = {0};
	struct listener listener = on(80);
	uint64_t inode;

	for (inode = 500; inode > 0; inode--) {
		listener.inode = inode;
		ck_assert_int_eq(snapshot_add(&snapshot, &listener), 0);
	}
	snapshot_seal(&snapshot);
	ck_assert_uint_eq(snapshot.count, 500);
	snapshot_clear(&snapshot);
}
END_TEST

START_TEST(empty_ones_are_fine)
{
	struct snapshot empty = {0};
	struct listener listener = on(80);

	snapshot_seal(&empty);
	snapshot_reset(&empty);
	ck_assert_ptr_null(snapshot_find(&empty, &listener));
	ck_assert_int_eq(snapshot_update(&empty, &(struct snapshot){0}, hear, NULL), 0);
	snapshot_clear(&empty);
	snapshot_clear(&empty);
}
END_TEST

START_TEST(reset_keeps_the_memory)
{
	struct snapshot snapshot = SNAPSHOT(1, 2, 3);
	struct snapshot_row *rows = snapshot.rows;
	struct listener listener = on(9);

	snapshot_reset(&snapshot);
	ck_assert_uint_eq(snapshot.count, 0);
	ck_assert_int_eq(snapshot_add(&snapshot, &listener), 0);
	ck_assert_ptr_eq(snapshot.rows, rows);
	ck_assert_uint_eq(snapshot.rows[0].listener.port, 9);
	snapshot_clear(&snapshot);
}
END_TEST

START_TEST(finds)
{
	struct snapshot snapshot = SNAPSHOT(5, 3, 1, 9, 7);
	struct listener listener;
	uint16_t port;

	for (port = 1; port < 11; port++) {
		listener = on(port);
		ck_assert_int_eq(snapshot_find(&snapshot, &listener) != NULL, port % 2);
		listener.inode = 77;
		ck_assert_ptr_null(snapshot_find(&snapshot, &listener));
	}
	snapshot_clear(&snapshot);
}
END_TEST

START_TEST(is_bounded)
{
	struct snapshot full = SNAPSHOT(80);
	struct listener listener = on(81);

	full.count = SNAPSHOT_MAX;
	ck_assert_int_eq(snapshot_add(&full, &listener), -E2BIG);
	ck_assert_uint_eq(full.count, SNAPSHOT_MAX);
	full.count = 1;
	snapshot_clear(&full);
}
END_TEST

START_TEST(update_reports_new_rows)
{
	struct snapshot known = {0};

	ck_assert_int_eq(UPDATE(&known, "+80 +443", 443, 80), 0);
	ck_assert_int_eq(UPDATE(&known, "", 80, 443), 0);
	ck_assert_int_eq(UPDATE(&known, "+22 +100 +8080", 8080, 80, 22, 443, 100), 0);
	ck_assert_uint_eq(known.count, 5);
	snapshot_clear(&known);
}
END_TEST

START_TEST(update_removes_at_the_second_absence)
{
	struct snapshot known = SNAPSHOT(22, 80, 443);

	ck_assert_int_eq(UPDATE(&known, "", 22, 443), 1);
	ck_assert_uint_eq(known.count, 3);
	ck_assert_int_eq(UPDATE(&known, "-80", 22, 443), 0);
	ck_assert_uint_eq(known.count, 2);
	ck_assert_int_eq(UPDATE_EMPTY(&known, ""), 2);
	ck_assert_int_eq(UPDATE_EMPTY(&known, "-22 -443"), 0);
	ck_assert_uint_eq(known.count, 0);
	snapshot_clear(&known);
}
END_TEST

START_TEST(update_forgives_a_single_absence)
{
	struct snapshot known = SNAPSHOT(22, 80);
	int i;

	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(UPDATE(&known, "", 22), 1);
		ck_assert_int_eq(UPDATE(&known, "", 22, 80), 0);
	}
	snapshot_clear(&known);
}
END_TEST

START_TEST(update_reports_again_after_a_removal)
{
	struct snapshot known = SNAPSHOT(80);

	ck_assert_int_eq(UPDATE_EMPTY(&known, ""), 1);
	ck_assert_int_eq(UPDATE_EMPTY(&known, "-80"), 0);
	ck_assert_int_eq(UPDATE(&known, "+80", 80), 0);
	snapshot_clear(&known);
}
END_TEST

START_TEST(update_reports_removals_first)
{
	struct snapshot known = SNAPSHOT(50, 90);

	ck_assert_int_eq(UPDATE(&known, "+10 +70", 10, 70), 2);
	ck_assert_int_eq(UPDATE(&known, "-50 -90 +5 +60 +95", 5, 10, 60, 70, 95), 0);
	snapshot_clear(&known);
}
END_TEST

START_TEST(update_counts_only_the_missing)
{
	struct snapshot known = SNAPSHOT(1, 2, 3, 4);

	ck_assert_int_eq(UPDATE(&known, "", 1, 2), 2);
	ck_assert_int_eq(UPDATE(&known, "-4", 1, 3), 1);
	ck_assert_int_eq(UPDATE(&known, "-2", 1, 3), 0);
	snapshot_clear(&known);
}
END_TEST

START_TEST(update_distinguishes_sockets_of_one_port)
{
	struct snapshot known = SNAPSHOT(80);
	struct snapshot read = {0};
	struct listener successor = on(80);
	struct heard heard = {0};

	successor.inode = 4711;
	ck_assert_int_eq(snapshot_add(&read, &successor), 0);
	ck_assert_int_eq(snapshot_update(&known, &read, hear, &heard), 1);
	ck_assert_int_eq(snapshot_update(&known, &read, hear, &heard), 0);
	ck_assert_str_eq(heard.text, "+80 -80");
	ck_assert_uint_eq(known.count, 1);
	ck_assert_uint_eq(known.rows[0].listener.inode, 4711);
	snapshot_clear(&known);
	snapshot_clear(&read);
}
END_TEST

START_TEST(update_calls_when_the_new_state_stands)
{
	struct snapshot known = SNAPSHOT(1, 2);
	struct snapshot read = SNAPSHOT(2, 3, 4);
	struct heard heard = {.known = &known};

	ck_assert_int_eq(UPDATE(&known, "", 2), 1);
	/* The sink sees the new rows and may even clear them. */
	ck_assert_int_eq(snapshot_update(&known, &read, hear, &heard), 0);
	ck_assert_str_eq(heard.text, "-1 +3 +4");
	ck_assert_uint_eq(heard.count, 3);
	ck_assert_uint_eq(known.count, 0);
	snapshot_clear(&read);
}
END_TEST

START_TEST(update_learns_a_cookie_and_keeps_it)
{
	struct snapshot known = SNAPSHOT(80);
	struct snapshot diag = SNAPSHOT(80);
	struct snapshot text = SNAPSHOT(80);
	struct heard heard = {0};

	diag.rows[0].listener.cookie = 99;
	diag.rows[0].listener.v6only = 1;
	ck_assert_int_eq(snapshot_update(&known, &diag, hear, &heard), 0);
	ck_assert_uint_eq(known.rows[0].listener.cookie, 99);
	ck_assert_int_eq(known.rows[0].listener.v6only, 1);
	ck_assert_int_eq(snapshot_update(&known, &text, hear, &heard), 0);
	ck_assert_uint_eq(known.rows[0].listener.cookie, 99);
	ck_assert_str_eq(heard.text, "");
	snapshot_clear(&known);
	snapshot_clear(&diag);
	snapshot_clear(&text);
}
END_TEST

START_TEST(update_without_news_touches_nothing)
{
	struct snapshot known = SNAPSHOT(22, 80);
	struct snapshot read = SNAPSHOT(22, 80);
	struct snapshot_row *rows = known.rows;
	struct heard heard = {0};

	ck_assert_int_eq(snapshot_update(&known, &read, hear, &heard), 0);
	ck_assert_ptr_eq(known.rows, rows);
	known.rows[0].listener.cookie = 99;
	read.rows[0].listener.cookie = 99;
	ck_assert_int_eq(snapshot_update(&known, &read, hear, &heard), 0);
	ck_assert_ptr_eq(known.rows, rows);
	snapshot_clear(&known);
	snapshot_clear(&read);
}
END_TEST

/* Compares with a simple model: how many reads in a row each port was missing. */
#define MODEL_PORTS 40

struct model {
	int missed[MODEL_PORTS + 1]; /* -1: not known */
	int added, removed;
};

static void count_changes(void *data, enum snapshot_change change, const struct listener *listener)
{
	struct model *model = data;

	(void)listener;
	if (change == SNAPSHOT_ADDED)
		model->added--;
	else
		model->removed--;
}

static ssize_t model_step(struct model *model, struct snapshot *read, unsigned *seed)
{
	struct listener listener;
	ssize_t missing = 0;
	uint16_t port;

	for (port = MODEL_PORTS; port > 0; port--) {
		if (rand_r(seed) % 3) {
			listener = on(port);
			ck_assert_int_eq(snapshot_add(read, &listener), 0);
			model->added += model->missed[port] < 0;
			model->missed[port] = 0;
		} else if (model->missed[port] == 0) {
			model->missed[port] = 1;
			missing++;
		} else if (model->missed[port] == 1) {
			model->missed[port] = -1;
			model->removed++;
		}
	}
	return missing;
}

START_TEST(update_agrees_with_a_model)
{
	struct model model;
	struct snapshot known = {0};
	struct snapshot read = {0};
	unsigned seed = 4711;
	ssize_t missing;
	int step;

	memset(&model, 0, sizeof(model));
	for (step = 0; step <= MODEL_PORTS; step++)
		model.missed[step] = -1;
	for (step = 0; step < 1000; step++) {
		snapshot_reset(&read);
		missing = model_step(&model, &read, &seed);
		snapshot_seal(&read);
		ck_assert_int_eq(snapshot_update(&known, &read, count_changes, &model), missing);
		ck_assert_int_eq(model.added, 0);
		ck_assert_int_eq(model.removed, 0);
		ck_assert_uint_eq(known.count, read.count + (size_t)missing);
	}
	snapshot_clear(&known);
	snapshot_clear(&read);
}
END_TEST

/* Sorts in slices of a few rows. Returns the number of slices. */
static size_t sort_in_slices(struct snapshot *snapshot, size_t rows)
{
	struct snapshot_sort sort;
	size_t slices = 1;

	ck_assert_int_eq(snapshot_sort_begin(&sort, snapshot), 0);
	while (!snapshot_sort_next(&sort, rows))
		slices++;
	snapshot_sort_end(&sort);
	return slices;
}

/* Any number of rows, of which many are doubles, is sorted as in one piece. */
START_TEST(sorts_in_slices)
{
	unsigned seed = 4712;

	for (size_t count = 0; count < 4000; count += 1 + count / 3) {
		struct snapshot whole = {0}, sliced = {0};
		size_t slices;

		for (size_t i = 0; i < count; i++) {
			struct listener listener = on((uint16_t)(1 + rand_r(&seed) % 3000));

			ck_assert_int_eq(snapshot_add(&whole, &listener), 0);
			ck_assert_int_eq(snapshot_add(&sliced, &listener), 0);
		}
		snapshot_seal(&whole);
		slices = sort_in_slices(&sliced, 7);
		if (count > 1000)
			ck_assert_uint_gt(slices, count / 7);
		ck_assert_uint_eq(sliced.count, whole.count);
		for (size_t i = 0; i < whole.count; i++)
			ck_assert_int_eq(
				listener_compare(&whole.rows[i].listener, &sliced.rows[i].listener),
				0);
		ck_assert_uint_eq(sort_in_slices(&sliced, 7), 1); /* it is sealed */
		snapshot_clear(&whole);
		snapshot_clear(&sliced);
	}
}
END_TEST

static void count_in_slice(void *data, enum snapshot_change change, const struct listener *listener)
{
	(void)change;
	(void)listener;
	++*(size_t *)data;
}

/* A slice reports no more changes than it has rows, and all slices together do what an update
 * does. */
START_TEST(updates_in_slices)
{
	struct snapshot known = {0}, same = {0}, read = {0};
	unsigned seed = 4713;

	for (int round = 0; round < 200; round++) {
		size_t reported = 0, expected = 0, rows = 1 + (size_t)round % 40, slices = 0;
		struct snapshot_merge merge;
		ssize_t missing;
		int result;

		snapshot_reset(&read);
		for (uint16_t port = 1; port < 300; port++) {
			struct listener listener = on(port);

			if (rand_r(&seed) % 3 || round % 4 == 3)
				ck_assert_int_eq(snapshot_add(&read, &listener), 0);
		}
		missing = snapshot_update(&same, &read, count_in_slice, &expected);
		snapshot_merge_begin(&merge, &known, &read);
		do {
			size_t before = reported;

			result = snapshot_merge_next(&merge, rows, count_in_slice, &reported);
			ck_assert_uint_le(reported - before, rows);
			slices++;
		} while (result > 0);
		ck_assert_int_eq(result, 0);
		ck_assert_int_eq(merge.missing, missing);
		ck_assert_uint_gt(slices, read.count / rows);
		snapshot_merge_end(&merge);
		ck_assert_uint_eq(reported, expected);
		ck_assert_uint_eq(known.count, same.count);
		for (size_t i = 0; i < known.count; i++) {
			ck_assert_uint_eq(known.rows[i].listener.port, same.rows[i].listener.port);
			ck_assert_int_eq(known.rows[i].missing, same.rows[i].missing);
		}
	}
	snapshot_clear(&known);
	snapshot_clear(&same);
	snapshot_clear(&read);
}
END_TEST

/* What has begun can be given up at any time. */
START_TEST(slices_can_be_given_up)
{
	for (size_t steps = 0; steps < 12; steps++) {
		struct snapshot known = SNAPSHOT(1, 2, 3), read = {0};
		struct snapshot_sort sort;
		struct snapshot_merge merge;
		size_t reported = 0;

		for (uint16_t port = 2000; port > 1000; port--) {
			struct listener listener = on(port);

			ck_assert_int_eq(snapshot_add(&read, &listener), 0);
		}
		ck_assert_int_eq(snapshot_sort_begin(&sort, &read), 0);
		for (size_t i = 0; i < steps; i++)
			ck_assert(!snapshot_sort_next(&sort, 100));
		snapshot_sort_end(&sort);
		snapshot_seal(&read);
		ck_assert_uint_eq(read.count, 1000);
		snapshot_merge_begin(&merge, &known, &read);
		for (size_t i = 0; i < 4 * steps; i++)
			snapshot_merge_next(&merge, 100, count_in_slice, &reported);
		snapshot_merge_end(&merge);
		snapshot_clear(&known);
		snapshot_clear(&read);
	}
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("snapshot");
	TCase *sets = tcase_create("sets");
	TCase *updates = tcase_create("updates");

	tcase_add_test(sets, orders_by_family_address_port_inode);
	tcase_add_test(sets, orders_by_nothing_else);
	tcase_add_test(sets, seal_sorts_and_drops_doubles);
	tcase_add_test(sets, seal_drops_doubles_of_sorted_rows);
	tcase_add_test(sets, seal_keeps_sockets_that_share_a_port);
	tcase_add_test(sets, empty_ones_are_fine);
	tcase_add_test(sets, reset_keeps_the_memory);
	tcase_add_test(sets, finds);
	tcase_add_test(sets, is_bounded);
	suite_add_tcase(suite, sets);

	tcase_add_test(updates, update_reports_new_rows);
	tcase_add_test(updates, update_removes_at_the_second_absence);
	tcase_add_test(updates, update_forgives_a_single_absence);
	tcase_add_test(updates, update_reports_again_after_a_removal);
	tcase_add_test(updates, update_reports_removals_first);
	tcase_add_test(updates, update_counts_only_the_missing);
	tcase_add_test(updates, update_distinguishes_sockets_of_one_port);
	tcase_add_test(updates, update_calls_when_the_new_state_stands);
	tcase_add_test(updates, update_learns_a_cookie_and_keeps_it);
	tcase_add_test(updates, update_without_news_touches_nothing);
	tcase_add_test(updates, update_agrees_with_a_model);
	tcase_add_test(updates, sorts_in_slices);
	tcase_add_test(updates, updates_in_slices);
	tcase_add_test(updates, slices_can_be_given_up);
	suite_add_tcase(suite, updates);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
