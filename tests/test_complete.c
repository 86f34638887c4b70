/* SPDX-License-Identifier: MIT */
/* test_complete.c - whether a subscription can see everything, and its reason if it cannot */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support/check_main.h"
#include "support/subscriber.h"
#include "support/wrap.h"
#include "util/clock.h"

static struct subscriber it;
static char reason[LOG_TEXT];

static void begin_with(enum portwatch_scope scope, unsigned int members)
{
	struct options options = subscriber_options();

	options.scope = scope;
	options.members = members;
	fake_proc_directory(&it.fake, "10/fd");
	fake_proc_directory(&it.fake, "20/fd");
	subscriber_begin(&it, &options);
	subscription_advance(it.subscription, it.subscription->created);
	ck_assert_ptr_nonnull(it.subscription->scope);
	subscriber_place(&it);
	subscriber_read(&it, NULL, 0);
	subscriber_run(&it);
}

static void setup(void)
{
	wrap_reset();
	subscriber_setup(&it);
}

static void teardown(void)
{
	wrap_reset();
	subscriber_teardown(&it);
}

static void expect_complete(void)
{
	ck_assert_msg(complete_check(it.subscription, reason), "%s", reason);
	ck_assert_str_eq(reason, "");
}

static void expect_reason(const char *part)
{
	ck_assert(!complete_check(it.subscription, reason));
	ck_assert_msg(strstr(reason, part) != NULL, "%s", reason);
}

static const struct process *member(pid_t pid)
{
	const struct process *process = process_table_find(it.context.processes, pid);

	ck_assert_ptr_nonnull(process);
	return process;
}

START_TEST(everything_is_seen)
{
	begin_with(PORTWATCH_SCOPE_TREE, 100);
	expect_complete();
	ck_assert_str_eq(it.messages, "");
}
END_TEST

START_TEST(a_starting_watcher_is_incomplete)
{
	struct options options = subscriber_options();

	subscriber_begin(&it, &options);
	expect_reason("is starting");
}
END_TEST

START_TEST(incompleteness_has_a_reason)
{
	begin_with(PORTWATCH_SCOPE_TREE, 100);
	it.subscription->unplaced = true;
	expect_reason("no memory for a network namespace");
	it.subscription->unplaced = false;
	it.subscription->hidden = 3;
	expect_reason("more open ports than the limit of 100: 3 listening sockets");
	it.subscription->hidden = 0;
	it.view->ready = false;
	expect_reason("network namespace 4711 (PID 0) has not been read yet");
	/* A namespace without members has nothing to see. */
	it.view->marked = false;
	expect_complete();
	it.view->marked = true;
	it.view->ready = true;
	it.ns->exhausted = true;
	snprintf(it.ns->reason, sizeof(it.ns->reason), "cannot enter");
	expect_reason("cannot be read: cannot enter");
	it.ns->exhausted = false;
	it.subscription->scan_error = -EMFILE;
	expect_reason("Too many open files");
	/* After the end nothing is in scope. */
	it.subscription->state = SUBSCRIPTION_ENDED;
	expect_complete();
}
END_TEST

START_TEST(members_beyond_the_limit_are_left_out)
{
	begin_with(PORTWATCH_SCOPE_TREE, 1);
	expect_reason("more processes than the limit of 1");
	complete_note_members(it.subscription);
	complete_note_members(it.subscription);
	ck_assert_uint_eq(subscriber_messages(&it, "PORTWATCH_LIMIT_MEMBERS"), 1);
	complete_note_ports(it.subscription);
	complete_note_ports(it.subscription);
	ck_assert_uint_eq(subscriber_messages(&it, "PORTWATCH_LIMIT_PORTS"), 1);
}
END_TEST

/* Checks while opening any file of a member after its directory and its stat fails. */
static bool is_complete_with(int error)
{
	bool complete;

	wrap_fail("openat", WRAP_ANYWHERE, 3, 0, error);
	complete = wrap_inside(complete_check(it.subscription, reason));
	wrap_clear("openat");
	return complete;
}

START_TEST(a_member_that_refuses_for_long_is_warned_of_once)
{
	struct unreadable *unreadable;

	begin_with(PORTWATCH_SCOPE_TREE, 100);
	unreadable = &it.subscription->unreadable;
	unreadable_note(it.subscription, member(20), -EACCES);
	ck_assert_uint_eq(
		subscriber_messages(&it, "cannot read the descriptors of PID 20 (fake) now"), 1);
	unreadable_note(it.subscription, member(20), -EACCES);
	ck_assert(!unreadable->warned);
	unreadable->members[0].since -= NSEC_PER_SEC;
	unreadable_note(it.subscription, member(20), -EACCES);
	ck_assert(unreadable->warned);
	unreadable_note(it.subscription, member(20), -EPERM);
	ck_assert_uint_eq(subscriber_messages(&it, "ports that only it holds are not attributed"),
	                  1);
	ck_assert_uint_eq(subscriber_messages(&it, "PID 20 (fake) now"), 1);
}
END_TEST

/* A limit of our own process does not depend on the member, so one warning covers all members. */
START_TEST(a_limit_is_warned_of_at_once)
{
	begin_with(PORTWATCH_SCOPE_TREE, 100);
	unreadable_note(it.subscription, member(20), -EMFILE);
	unreadable_note(it.subscription, member(10), -ENOMEM);
	ck_assert_uint_eq(subscriber_messages(&it, "cannot read the descriptors of PID 20 (fake)"),
	                  1);
	ck_assert_uint_eq(subscriber_messages(&it, "cannot read"), 1);
	ck_assert(!it.subscription->unreadable.warned);
	ck_assert_int_eq(it.subscription->unreadable.next, 0);
}
END_TEST

START_TEST(an_unreadable_member_is_read_again)
{
	begin_with(PORTWATCH_SCOPE_TREE, 100);
	unreadable_note(it.subscription, member(20), -EACCES);
	expect_complete();
	/* An error that is not caused by the member does not count against the member. */
	ck_assert(is_complete_with(EMFILE));
	ck_assert(!is_complete_with(EACCES));
	ck_assert(!is_complete_with(EPERM));
	ck_assert_ptr_nonnull(strstr(reason, "the descriptors of PID 20 cannot be read"));
	/* The member has answered since. */
	unreadable_forget(it.subscription, member(20));
	ck_assert(is_complete_with(EACCES));
	/* Another process has the member's PID. */
	unreadable_note(it.subscription, member(20), -EACCES);
	fake_proc_remove(&it.fake, 20);
	fake_proc_add(&it.fake, 20, 1, 999);
	ck_assert(is_complete_with(EACCES));
}
END_TEST

START_TEST(in_scope_netns_no_member_is_read_again)
{
	begin_with(PORTWATCH_SCOPE_NETNS, 100);
	unreadable_note(it.subscription, member(20), -EACCES);
	ck_assert(is_complete_with(EACCES));
}
END_TEST

/* Only four are kept, and the oldest is replaced. The helper of a session manager never listens. */
START_TEST(unreadable_members_are_bounded)
{
	struct process others[UNREADABLE_MAX + 1];
	struct process idle = {.pid = 99, .name = "(sd-pam)"};

	begin_with(PORTWATCH_SCOPE_TREE, 100);
	unreadable_note(it.subscription, &idle, -EACCES);
	ck_assert_str_eq(it.messages, "");
	for (int i = 0; i <= UNREADABLE_MAX; i++) {
		others[i] = (struct process){.pid = 100 + i, .start_time = 5, .name = "other"};
		unreadable_note(it.subscription, &others[i], -EACCES);
	}
	ck_assert_uint_eq(subscriber_messages(&it, "(other) now"), UNREADABLE_MAX + 1);
	ck_assert_int_eq(it.subscription->unreadable.members[0].pid, 100 + UNREADABLE_MAX);
	ck_assert_int_eq(it.subscription->unreadable.members[1].pid, 101);
}
END_TEST

/* A failure that was too short for a warning is logged at the end if it has lasted until then. */
START_TEST(unreadable_members_are_read_again_at_the_end)
{
	begin_with(PORTWATCH_SCOPE_TREE, 100);
	unreadable_note(it.subscription, member(20), -EACCES);
	unreadable_finish(it.subscription);
	ck_assert_uint_eq(subscriber_messages(&it, "not attributed"), 0);
	for (int i = 0; i < 2; i++) {
		wrap_fail("openat", WRAP_ANYWHERE, 3, 0, EACCES);
		wrap_inside((unreadable_finish(it.subscription), 0));
		wrap_clear("openat");
	}
	ck_assert_uint_eq(subscriber_messages(&it, "not attributed"), 1);
}
END_TEST

/* An old kernel does not show the sockets of an io_uring. */
START_TEST(unnamed_sockets_of_an_io_uring)
{
	struct listener row = subscriber_listener(80, 1);

	begin_with(PORTWATCH_SCOPE_TREE, 100);
	unnamed_warn(it.subscription, &row);
	unnamed_note(it.subscription, member(20), false);
	expect_complete();
	unnamed_note(it.subscription, member(20), true);
	unnamed_note(it.subscription, member(10), true);
	expect_reason("PID 20 has TCP sockets in an io_uring");
	unnamed_note(it.subscription, member(10), false);
	unnamed_warn(it.subscription, &row);
	unnamed_warn(it.subscription, &row);
	ck_assert_uint_eq(subscriber_messages(&it, "port 80, which no process seems to hold"), 1);
	unnamed_note(it.subscription, member(20), false);
	expect_complete();
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("complete");
	TCase *check = tcase_create("check"), *members = tcase_create("members");

	tcase_add_checked_fixture(check, setup, teardown);
	tcase_add_test(check, everything_is_seen);
	tcase_add_test(check, a_starting_watcher_is_incomplete);
	tcase_add_test(check, incompleteness_has_a_reason);
	tcase_add_test(check, members_beyond_the_limit_are_left_out);
	suite_add_tcase(suite, check);
	tcase_add_checked_fixture(members, setup, teardown);
	tcase_add_test(members, a_member_that_refuses_for_long_is_warned_of_once);
	tcase_add_test(members, a_limit_is_warned_of_at_once);
	tcase_add_test(members, an_unreadable_member_is_read_again);
	tcase_add_test(members, in_scope_netns_no_member_is_read_again);
	tcase_add_test(members, unreadable_members_are_bounded);
	tcase_add_test(members, unreadable_members_are_read_again_at_the_end);
	tcase_add_test(members, unnamed_sockets_of_an_io_uring);
	suite_add_tcase(suite, members);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
