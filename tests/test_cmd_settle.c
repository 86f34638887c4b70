/* SPDX-License-Identifier: MIT */
/* test_cmd_settle.c - ports are reported only when they have stayed open for some time */
#include <string.h>
#include <sys/socket.h>

#include "../cmd/settle.h"
#include "support/check_main.h"

static struct settle settle;

static void set_up(void)
{
	settle = (struct settle){.delay = 100};
}

static void tear_down(void)
{
	settle_free(&settle);
}

static struct format_fields make(enum portwatch_event_kind kind, uint64_t id)
{
	return (struct format_fields){
		.realtime = id,
		.kind = kind,
		.id = id,
		.family = AF_INET,
		.address = "127.0.0.1",
		.port = 8000,
		.pid = 42,
		.process = "server",
		.owners = 1,
		.initial = true,
	};
}

static bool take(enum portwatch_event_kind kind, uint64_t id, int64_t now)
{
	struct format_fields fields = make(kind, id);

	return settle_take(&settle, &fields, now);
}

static void expect_due(uint64_t id, int64_t now)
{
	const struct format_fields *fields = settle_due(&settle, now);

	ck_assert_ptr_nonnull(fields);
	ck_assert_uint_eq(fields->id, id);
	ck_assert_int_eq(fields->kind, PORTWATCH_EVENT_OPEN);
}

START_TEST(an_open_waits_for_its_time)
{
	ck_assert_int_eq(settle_next(&settle), 0);
	ck_assert(!take(PORTWATCH_EVENT_OPEN, 1, 1000));
	ck_assert(!take(PORTWATCH_EVENT_OPEN, 2, 1050));
	ck_assert_int_eq(settle_next(&settle), 1100);
	ck_assert_ptr_null(settle_due(&settle, 1099));
	expect_due(1, 1100);
	ck_assert_ptr_null(settle_due(&settle, 1100));
	ck_assert_int_eq(settle_next(&settle), 1150);
	expect_due(2, 9999);
	ck_assert_ptr_null(settle_due(&settle, 9999));
	ck_assert_int_eq(settle_next(&settle), 0);
	/* The port is then like any other port. */
	ck_assert(take(PORTWATCH_EVENT_OWNER, 1, 1200));
	ck_assert(take(PORTWATCH_EVENT_CLOSE, 1, 1200));
}
END_TEST

START_TEST(a_port_that_closes_early_is_not_reported)
{
	ck_assert(!take(PORTWATCH_EVENT_OPEN, 1, 1000));
	ck_assert(!take(PORTWATCH_EVENT_OPEN, 2, 1000));
	ck_assert(!take(PORTWATCH_EVENT_CLOSE, 1, 1099));
	/* An id comes only once, but a second one must do no harm. */
	ck_assert(!take(PORTWATCH_EVENT_OPEN, 1, 1099));
	expect_due(2, 1100);
	ck_assert_ptr_null(settle_due(&settle, 1100));
	expect_due(1, 1199);
	ck_assert_ptr_null(settle_due(&settle, 1199));
}
END_TEST

/* The functions copy the event, because the event's strings do not outlive the callback. */
START_TEST(the_owner_is_the_last_one)
{
	char name[] = "launcher", address[] = "127.0.0.1";
	struct format_fields fields = make(PORTWATCH_EVENT_OPEN, 7);
	const struct format_fields *due;

	fields.process = name;
	fields.address = address;
	ck_assert(!settle_take(&settle, &fields, 1000));
	fields = make(PORTWATCH_EVENT_OWNER, 7);
	fields.realtime = 99;
	fields.pid = 43;
	fields.initial = false;
	ck_assert(!settle_take(&settle, &fields, 1001));
	memset(name, 'x', sizeof(name) - 1);
	memset(address, 'x', sizeof(address) - 1);
	due = settle_due(&settle, 1100);
	ck_assert_ptr_nonnull(due);
	ck_assert_int_eq(due->kind, PORTWATCH_EVENT_OPEN);
	ck_assert_int_eq(due->pid, 43);
	ck_assert_str_eq(due->process, "server");
	ck_assert_str_eq(due->address, "127.0.0.1");
	ck_assert_uint_eq(due->realtime, 7);
	ck_assert(due->initial);
}
END_TEST

START_TEST(the_end_and_no_delay_pass)
{
	ck_assert(take(PORTWATCH_EVENT_END, 0, 1000));
	settle.delay = 0;
	ck_assert(take(PORTWATCH_EVENT_OPEN, 1, 1000));
	ck_assert_ptr_null(settle_due(&settle, 2000));
}
END_TEST

static Suite *make_suite(void)
{
	Suite *suite = suite_create("cmd_settle");
	TCase *tcase = tcase_create("settle");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, an_open_waits_for_its_time);
	tcase_add_test(tcase, a_port_that_closes_early_is_not_reported);
	tcase_add_test(tcase, the_owner_is_the_last_one);
	tcase_add_test(tcase, the_end_and_no_delay_pass);
	suite_add_tcase(suite, tcase);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
