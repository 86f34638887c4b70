/* SPDX-License-Identifier: MIT */
/* options.c - what is set between portwatch_new() and portwatch_start(), and names for it */
#include <errno.h>
#include <stdlib.h>

#include "watcher.h"

#define INTERVAL_MAX 86400000
#define ALL_KINDS (PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE | PORTWATCH_EVENT_END)

/* Whether an option may be set to a value that is `valid`. */
static int check(const struct portwatch *watcher, bool valid)
{
	if (!watcher || !valid)
		return -EINVAL;
	return watcher->state == WATCHER_NEW ? 0 : -EBUSY;
}

int portwatch_set_events(struct portwatch *watcher, unsigned int kinds)
{
	int result = check(watcher, (kinds & ~(unsigned int)ALL_KINDS) == 0);

	if (result == 0)
		watcher->options.kinds = kinds;
	return result;
}

int portwatch_set_interval(struct portwatch *watcher, unsigned int milliseconds)
{
	int result = check(watcher, milliseconds <= INTERVAL_MAX);

	if (result == 0)
		watcher->options.interval = milliseconds;
	return result;
}

int portwatch_set_addresses(struct portwatch *watcher, enum portwatch_addresses addresses)
{
	int result = check(watcher, addresses <= PORTWATCH_ADDRESSES_ALL);

	if (result == 0)
		watcher->options.addresses = addresses;
	return result;
}

int portwatch_set_scope(struct portwatch *watcher, enum portwatch_scope scope)
{
	int result = check(watcher, scope <= PORTWATCH_SCOPE_NETNS);

	if (result == 0)
		watcher->options.scope = scope;
	return result;
}

int portwatch_set_reader(struct portwatch *watcher, enum portwatch_reader reader)
{
	int result = check(watcher, reader <= PORTWATCH_READER_PROCFS);

	if (result == 0)
		watcher->options.reader = reader;
	return result;
}

int portwatch_set_table(struct portwatch *watcher, enum portwatch_table table)
{
	int result = check(watcher, table <= PORTWATCH_TABLE_PROCFS);

	if (result == 0)
		watcher->options.table = table;
	return result;
}

int portwatch_set_subreaper(struct portwatch *watcher, int enabled)
{
	int result = check(watcher, true);

	if (result == 0)
		watcher->options.subreaper = enabled != 0;
	return result;
}

int portwatch_set_doorbell(struct portwatch *watcher, int enabled)
{
	int result = check(watcher, true);

	if (result == 0)
		watcher->options.doorbell = enabled != 0;
	return result;
}

int portwatch_set_delivery(struct portwatch *watcher, enum portwatch_delivery delivery)
{
	int result = check(watcher, delivery <= PORTWATCH_DELIVERY_DISPATCH);

	if (result == 0)
		watcher->options.delivery = delivery;
	return result;
}

int portwatch_set_log(struct portwatch *watcher, enum portwatch_log_level level,
                      portwatch_log_callback callback)
{
	bool valid = level == PORTWATCH_LOG_ERROR || level == PORTWATCH_LOG_WARNING ||
	             level == PORTWATCH_LOG_INFO || level == PORTWATCH_LOG_DEBUG;
	const char *debug = secure_getenv("PORTWATCH_DEBUG");
	int result = check(watcher, valid);

	if (result < 0)
		return result;
	watcher->options.log_level = debug && *debug ? PORTWATCH_LOG_DEBUG : level;
	watcher->options.log = callback;
	return 0;
}

pid_t portwatch_get_pid(const struct portwatch *watcher)
{
	return watcher->pid;
}

void *portwatch_get_user_data(const struct portwatch *watcher)
{
	return watcher->user_data;
}
