/* SPDX-License-Identifier: MIT */
/* test_holders.c - which processes are known to hold which sockets */
#include <stdlib.h>
#include <string.h>

#include "support/check_main.h"
#include "watch/holders.h"

#define SETS 4

static struct holders holders;
static struct holder_set sets[SETS];
static unsigned int changes[SETS];
static unsigned int forgotten_count;

static void changed(void *data, struct holder_set *set)
{
	(void)data;
	changes[set - sets]++;
}

static void forgotten(void *data, struct holder *holder)
{
	(void)data;
	ck_assert(list_empty(&holder->holds));
	forgotten_count++;
}

static void setup(void)
{
	holders_init(&holders, changed, forgotten, NULL);
	for (int i = 0; i < SETS; i++)
		holder_set_init(&sets[i]);
	memset(changes, 0, sizeof(changes));
	forgotten_count = 0;
}

static void teardown(void)
{
	for (int i = 0; i < SETS; i++)
		holder_set_clear(&holders, &sets[i]);
	holders_clear(&holders);
	ck_assert(list_empty(&holders.list));
}

/* Answers for a process: "02" means that it holds the first and the third socket. */
static void say_of(pid_t pid, uint64_t start_time, const char *held, bool complete, bool counts)
{
	struct holder_answer answer;

	holder_answer_begin(&answer, &holders, pid, start_time, counts);
	for (; *held; held++) {
		holder_answer_holds(&answer, &sets[*held - '0']);
		holder_answer_holds(&answer, &sets[*held - '0']);
	}
	ck_assert_int_eq(holder_answer_end(&answer, complete), 0);
}

static void say(pid_t pid, const char *held)
{
	say_of(pid, 100, held, true, false);
}

static pid_t owner(int set)
{
	struct holder *holder = holder_set_first(&sets[set]);

	return holder ? holder->pid : 0;
}

START_TEST(the_oldest_is_the_owner)
{
	say_of(50, 500, "0", true, false);
	ck_assert_int_eq(owner(0), 50);
	say_of(40, 600, "0", true, false);
	ck_assert_int_eq(owner(0), 50);
	say_of(60, 400, "0", true, false);
	ck_assert_int_eq(owner(0), 60);
	say_of(59, 400, "0", true, false);
	ck_assert_int_eq(owner(0), 59);
	ck_assert_uint_eq(holder_set_count(&sets[0]), 4);
	ck_assert_int_eq(owner(1), 0);
	ck_assert_uint_eq(holder_set_count(&sets[1]), 0);
}
END_TEST

START_TEST(a_process_counts_once)
{
	say(1, "01");
	say(1, "01");
	say(2, "1");
	ck_assert_uint_eq(holder_set_count(&sets[0]), 1);
	ck_assert_uint_eq(holder_set_count(&sets[1]), 2);
	ck_assert_uint_eq(changes[0], 1);
	ck_assert_uint_eq(changes[1], 2);
}
END_TEST

START_TEST(a_socket_that_a_scan_omits_is_released)
{
	say(1, "012");
	say(2, "1");
	say(1, "2");
	ck_assert_int_eq(owner(0), 0);
	ck_assert_int_eq(owner(1), 2);
	ck_assert_int_eq(owner(2), 1);
	ck_assert_uint_eq(changes[0], 2);
	say(1, "");
	ck_assert_uint_eq(forgotten_count, 1);
	ck_assert_ptr_null(holders_find(&holders, 1));
}
END_TEST

/* The process could not be read, or not to its end. */
START_TEST(no_answer_lets_nothing_go)
{
	say(1, "01");
	say_of(1, 100, "", false, false);
	say_of(1, 100, "2", false, false);
	ck_assert_int_eq(owner(0), 1);
	ck_assert_int_eq(owner(1), 1);
	ck_assert_int_eq(owner(2), 1);
	ck_assert_uint_eq(changes[0], 1);
}
END_TEST

START_TEST(an_exit_hands_on)
{
	say(1, "01");
	say(2, "1");
	holders_exited(&holders, 1, 99);
	ck_assert_int_eq(owner(0), 1);
	holders_exited(&holders, 1, 100);
	ck_assert_int_eq(owner(0), 0);
	ck_assert_int_eq(owner(1), 2);
	ck_assert_uint_eq(changes[0], 2);
	holders_exited(&holders, 2, 0);
	ck_assert_int_eq(owner(1), 0);
	holders_exited(&holders, 3, 0);
	ck_assert_uint_eq(forgotten_count, 2);
}
END_TEST

START_TEST(another_process_with_the_same_number_holds_nothing)
{
	say_of(1, 100, "0", true, false);
	say_of(1, 200, "1", true, false);
	ck_assert_int_eq(owner(0), 0);
	ck_assert_int_eq(owner(1), 1);
	ck_assert_uint_eq(holders_find(&holders, 1)->start_time, 200);
}
END_TEST

START_TEST(a_closed_socket_frees_its_holders)
{
	say(1, "01");
	say(2, "0");
	holder_set_clear(&holders, &sets[0]);
	ck_assert_ptr_null(holders_find(&holders, 2));
	ck_assert_int_eq(owner(1), 1);
	ck_assert_uint_eq(changes[0], 2);
}
END_TEST

/* Also in the middle of an answer. */
START_TEST(a_socket_can_close_during_an_answer)
{
	struct holder_answer answer;

	say(1, "0");
	holder_answer_begin(&answer, &holders, 1, 100, false);
	holder_answer_holds(&answer, &sets[0]);
	holder_set_clear(&holders, &sets[0]);
	holder_set_init(&sets[0]);
	holder_answer_holds(&answer, &sets[1]);
	ck_assert_int_eq(holder_answer_end(&answer, true), 0);
	ck_assert_int_eq(owner(1), 1);
}
END_TEST

START_TEST(a_touch_changes_all_sockets_of_a_holder)
{
	say(1, "02");
	say(2, "1");
	holders_touch(&holders, holders_find(&holders, 1));
	ck_assert_uint_eq(changes[0], 2);
	ck_assert_uint_eq(changes[1], 1);
	ck_assert_uint_eq(changes[2], 2);
}
END_TEST

static void count_all(pid_t first, pid_t last)
{
	holders_begin_count(&holders);
	for (pid_t pid = first; pid <= last; pid++)
		say_of(pid, 100, "0", true, true);
	holders_end_count(&holders);
}

START_TEST(a_crowd_is_counted)
{
	count_all(1, 100);
	ck_assert_uint_eq(holder_set_count(&sets[0]), 100);
	ck_assert_uint_eq(sets[0].named, HOLDERS_NAMED);
	/* counted again, and the number is the same */
	count_all(1, 100);
	ck_assert_uint_eq(holder_set_count(&sets[0]), 100);
	/* new holders between two counts */
	say(101, "0");
	ck_assert_uint_eq(holder_set_count(&sets[0]), 101);
	count_all(1, 101);
	ck_assert_uint_eq(holder_set_count(&sets[0]), 101);
	/* and fewer holders */
	holders_begin_count(&holders);
	for (pid_t pid = 1; pid <= 101; pid++)
		say_of(pid, 100, pid <= 50 ? "0" : "", true, true);
	holders_end_count(&holders);
	ck_assert_uint_eq(holder_set_count(&sets[0]), 50);
	count_all(1, 5);
	for (pid_t pid = 6; pid <= 50; pid++)
		holders_exited(&holders, pid, 100);
	ck_assert_uint_eq(holder_set_count(&sets[0]), 5);
}
END_TEST

/* The younger holders are known first and are then replaced. */
START_TEST(the_oldest_of_a_crowd_are_named)
{
	holders_begin_count(&holders);
	for (pid_t pid = 100; pid >= 1; pid--)
		say_of(pid, (uint64_t)pid, "0", true, true);
	holders_end_count(&holders);
	ck_assert_uint_eq(holder_set_count(&sets[0]), 100);
	ck_assert_int_eq(owner(0), 1);
	for (pid_t pid = 1; pid < HOLDERS_NAMED; pid++)
		holders_exited(&holders, pid, 0);
	ck_assert_int_eq(owner(0), HOLDERS_NAMED);
	ck_assert_uint_eq(holder_set_count(&sets[0]), 100 - HOLDERS_NAMED + 1);
}
END_TEST

/* After any sequence, the sets match the processes' latest answers. */
START_TEST(agrees_with_a_model)
{
	enum { PROCESSES = 60 };
	bool held[PROCESSES + 1][SETS] = {{false}};

	srand(1);
	for (int step = 0; step < 20000; step++) {
		pid_t pid = 1 + rand() % PROCESSES;
		char text[SETS + 1] = "";
		size_t length = 0;

		if (rand() % 4 == 0) {
			holders_exited(&holders, pid, 0);
			memset(held[pid], 0, sizeof(held[pid]));
			continue;
		}
		for (int i = 0; i < SETS; i++) {
			held[pid][i] = rand() % 3 == 0;
			if (held[pid][i])
				text[length++] = (char)('0' + i);
		}
		say_of(pid, (uint64_t)(pid * 7 % 13), text, true, false);
		for (int i = 0; i < SETS; i++) {
			unsigned int count = 0;

			for (int each = 1; each <= PROCESSES; each++)
				count += held[each][i];
			if (count <= HOLDERS_NAMED && sets[i].others == 0)
				ck_assert_uint_eq(holder_set_count(&sets[i]), count);
			ck_assert(owner(i) == 0 || held[owner(i)][i]);
		}
	}
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("holders");
	TCase *tcase = tcase_create("holders");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, the_oldest_is_the_owner);
	tcase_add_test(tcase, a_process_counts_once);
	tcase_add_test(tcase, a_socket_that_a_scan_omits_is_released);
	tcase_add_test(tcase, no_answer_lets_nothing_go);
	tcase_add_test(tcase, an_exit_hands_on);
	tcase_add_test(tcase, another_process_with_the_same_number_holds_nothing);
	tcase_add_test(tcase, a_closed_socket_frees_its_holders);
	tcase_add_test(tcase, a_socket_can_close_during_an_answer);
	tcase_add_test(tcase, a_touch_changes_all_sockets_of_a_holder);
	tcase_add_test(tcase, a_crowd_is_counted);
	tcase_add_test(tcase, the_oldest_of_a_crowd_are_named);
	tcase_add_test(tcase, agrees_with_a_model);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
