/* SPDX-License-Identifier: MIT */
/* test_options.c - the options of a watcher before its start */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/watcher.h"
#include "support/check_main.h"
#include "util/lock.h"

static struct portwatch *watcher;

static void ignore(struct portwatch *of, const struct portwatch_event *event, void *data)
{
	(void)of, (void)event, (void)data;
}

static void log_nothing(struct portwatch *of, enum portwatch_log_level level, const char *text,
                        void *data)
{
	(void)of, (void)level, (void)text, (void)data;
}

static void setup(void)
{
	unsetenv("PORTWATCH_DEBUG");
	ck_assert_int_eq(portwatch_new(&watcher, getpid(), ignore, &watcher), 0);
}

static void teardown(void)
{
	portwatch_free(watcher);
}

/* Each setter with its bounds: the last accepted value, and the first refused value. */
static int set_events(unsigned int value)
{
	return portwatch_set_events(watcher, value);
}
static int set_interval(unsigned int value)
{
	return portwatch_set_interval(watcher, value);
}
static int set_addresses(unsigned int value)
{
	return portwatch_set_addresses(watcher, (enum portwatch_addresses)value);
}
static int set_scope(unsigned int value)
{
	return portwatch_set_scope(watcher, (enum portwatch_scope)value);
}
static int set_reader(unsigned int value)
{
	return portwatch_set_reader(watcher, (enum portwatch_reader)value);
}
static int set_table(unsigned int value)
{
	return portwatch_set_table(watcher, (enum portwatch_table)value);
}
static int set_delivery(unsigned int value)
{
	return portwatch_set_delivery(watcher, (enum portwatch_delivery)value);
}
static int set_members(unsigned int value)
{
	return portwatch_set_limit(watcher, PORTWATCH_LIMIT_MEMBERS, value);
}
static int set_ports(unsigned int value)
{
	return portwatch_set_limit(watcher, PORTWATCH_LIMIT_PORTS, value);
}
static int set_helpers(unsigned int value)
{
	return portwatch_set_limit(watcher, PORTWATCH_LIMIT_HELPERS, value);
}
static int set_warnings(unsigned int value)
{
	return portwatch_set_limit(watcher, PORTWATCH_LIMIT_WARNINGS, value);
}
static int set_subreaper(unsigned int value)
{
	return portwatch_set_subreaper(watcher, (int)value);
}
static int set_notifier(unsigned int value)
{
	return portwatch_set_notifier(watcher, (int)value);
}

static unsigned int get(size_t setter)
{
	const struct options *options = &watcher->options;
	const unsigned int values[] = {
		options->kinds,    options->interval, options->addresses, options->scope,
		options->reader,   options->table,    options->delivery,  options->members,
		options->ports,    options->helpers,  options->warnings,  options->subreaper,
		options->notifier,
	};

	return values[setter];
}

static const struct {
	int (*set)(unsigned int value);
	unsigned int highest;
	unsigned int refused; /* equal to the last: no value is refused */
} setters[] = {
	{set_events, 15, 16},
	{set_interval, 86400000, 86400001},
	{set_addresses, PORTWATCH_ADDRESSES_ALL, 3},
	{set_scope, PORTWATCH_SCOPE_NETNS, 2},
	{set_reader, PORTWATCH_READER_PROCFS, 5},
	{set_table, PORTWATCH_TABLE_PROCFS, 3},
	{set_delivery, PORTWATCH_DELIVERY_DISPATCH, 2},
	{set_members, UINT_MAX, 0},
	{set_ports, UINT_MAX, 0},
	{set_helpers, UINT_MAX, 0},
	{set_warnings, UINT_MAX, 0},
	{set_subreaper, 1, 1},
	{set_notifier, 1, 1},
};
#define SETTERS ((int)(sizeof(setters) / sizeof(*setters)))

START_TEST(a_value_within_its_bounds_is_kept)
{
	unsigned int others[SETTERS];

	for (int i = 0; i < SETTERS; i++)
		others[i] = get((size_t)i);
	ck_assert_int_eq(setters[_i].set(1), 0);
	ck_assert_uint_eq(get((size_t)_i), 1);
	ck_assert_int_eq(setters[_i].set(setters[_i].highest), 0);
	ck_assert_uint_eq(get((size_t)_i), setters[_i].highest);
	if (setters[_i].refused != setters[_i].highest) {
		ck_assert_int_eq(setters[_i].set(setters[_i].refused), -EINVAL);
		ck_assert_uint_eq(get((size_t)_i), setters[_i].highest);
	}
	/* No other option has changed. */
	for (int i = 0; i < SETTERS; i++)
		if (i != _i)
			ck_assert_uint_eq(get((size_t)i), others[i]);
}
END_TEST

/* Options cannot be set during a start or a stop, or after a stop. */
START_TEST(only_a_new_watcher_has_options)
{
	unsigned int before = get((size_t)_i);

	for (int state = WATCHER_NEW + 1; state <= WATCHER_NEW + 2; state++) {
		watcher->state = (enum watcher_state)state;
		ck_assert_int_eq(setters[_i].set(1), -EBUSY);
		ck_assert_uint_eq(get((size_t)_i), before);
	}
	watcher->state = WATCHER_NEW;
	/* The lock is free. */
	library_lock();
	library_unlock();
	/* A copy in a forked process has no effect. */
	watcher->generation++;
	ck_assert_int_eq(setters[_i].set(1), -EBUSY);
	watcher->generation--;
	ck_assert_int_eq(setters[_i].set(1), 0);
}
END_TEST

START_TEST(messages)
{
	const struct options *options = &watcher->options;

	ck_assert_int_eq(portwatch_set_log(watcher, PORTWATCH_LOG_WARNING, log_nothing), 0);
	ck_assert_int_eq(options->log_level, PORTWATCH_LOG_WARNING);
	ck_assert(options->log == log_nothing);
	ck_assert_int_eq(portwatch_set_log(watcher, PORTWATCH_LOG_DEBUG + 1, NULL), -EINVAL);
	ck_assert(options->log == log_nothing);
	setenv("PORTWATCH_DEBUG", "", 1);
	ck_assert_int_eq(portwatch_set_log(watcher, PORTWATCH_LOG_ERROR, log_nothing), 0);
	ck_assert_int_eq(options->log_level, PORTWATCH_LOG_ERROR);
	setenv("PORTWATCH_DEBUG", "1", 1);
	ck_assert_int_eq(portwatch_set_log(watcher, PORTWATCH_LOG_ERROR, log_nothing), 0);
	ck_assert_int_eq(options->log_level, PORTWATCH_LOG_DEBUG);
	ck_assert_int_eq(portwatch_set_log(watcher, PORTWATCH_LOG_ERROR, NULL), 0);
	ck_assert(options->log == NULL);
}
END_TEST

START_TEST(the_arguments_of_a_watcher)
{
	ck_assert_int_eq(portwatch_get_pid(watcher), getpid());
	ck_assert_ptr_eq(portwatch_get_user_data(watcher), &watcher);
	/* There is no such limit. */
	ck_assert_int_eq(portwatch_set_limit(watcher, PORTWATCH_LIMIT_WARNINGS + 1, 1), -EINVAL);
	ck_assert_int_eq(portwatch_set_events(NULL, 1), -EINVAL);
	/* Any number but 0 means true. */
	ck_assert_int_eq(portwatch_set_subreaper(watcher, 256), 0);
	ck_assert(watcher->options.subreaper);
	ck_assert_int_eq(portwatch_set_notifier(watcher, 0), 0);
	ck_assert(!watcher->options.notifier);
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("options");
	TCase *all = tcase_create("options");

	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_loop_test(all, a_value_within_its_bounds_is_kept, 0, SETTERS);
	tcase_add_loop_test(all, only_a_new_watcher_has_options, 0, SETTERS);
	tcase_add_test(all, messages);
	tcase_add_test(all, the_arguments_of_a_watcher);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
