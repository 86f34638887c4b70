/* SPDX-License-Identifier: MIT */
/* options.c - options that are set between portwatch_new() and portwatch_start() */
#include <errno.h>
#include <stdlib.h>

#include "util/lock.h"
#include "portwatch.h"
#include "api/watcher.h"

#define INTERVAL_MAX 86400000
#define ALL_KINDS                                                                                  \
	(PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE | PORTWATCH_EVENT_END | PORTWATCH_EVENT_OWNER)

/* Checks whether an option may be set. Returns 0 with the lock held, or a negative errno. */
static int begin_set(const struct portwatch *watcher, bool valid)
{
	int result;

	if (!watcher || !valid)
		return -EINVAL;
	if (watcher_is_inert(watcher))
		return -EBUSY;
	library_lock();
	result = watcher->state == WATCHER_NEW ? 0 : -EBUSY;
	if (result < 0)
		library_unlock();
	return result;
}

/* Ends what begin_set() has begun. */
static int end_set(int result)
{
	if (result == 0)
		library_unlock();
	return result;
}

int portwatch_set_events(struct portwatch *watcher, unsigned int kinds)
{
	int result = begin_set(watcher, (kinds & ~(unsigned int)ALL_KINDS) == 0);

	if (result == 0)
		watcher->options.kinds = kinds;
	return end_set(result);
}

int portwatch_set_interval(struct portwatch *watcher, unsigned int milliseconds)
{
	int result = begin_set(watcher, milliseconds <= INTERVAL_MAX);

	if (result == 0)
		watcher->options.interval = milliseconds;
	return end_set(result);
}

int portwatch_set_addresses(struct portwatch *watcher, enum portwatch_addresses addresses)
{
	int result = begin_set(watcher, addresses <= PORTWATCH_ADDRESSES_ALL);

	if (result == 0)
		watcher->options.addresses = addresses;
	return end_set(result);
}

int portwatch_set_scope(struct portwatch *watcher, enum portwatch_scope scope)
{
	int result = begin_set(watcher, scope <= PORTWATCH_SCOPE_NETNS);

	if (result == 0)
		watcher->options.scope = scope;
	return end_set(result);
}

int portwatch_set_reader(struct portwatch *watcher, enum portwatch_reader reader)
{
	int result = begin_set(watcher, reader <= PORTWATCH_READER_PROCFS);

	if (result == 0)
		watcher->options.reader = reader;
	return end_set(result);
}

int portwatch_set_table(struct portwatch *watcher, enum portwatch_table table)
{
	int result = begin_set(watcher, table <= PORTWATCH_TABLE_PROCFS);

	if (result == 0)
		watcher->options.table = table;
	return end_set(result);
}

int portwatch_set_limit(struct portwatch *watcher, enum portwatch_limit limit, unsigned int number)
{
	int result = begin_set(watcher, limit <= PORTWATCH_LIMIT_WARNINGS && number > 0);

	if (result < 0)
		return end_set(result);
	switch (limit) {
	case PORTWATCH_LIMIT_MEMBERS:
		watcher->options.members = number;
		break;
	case PORTWATCH_LIMIT_PORTS:
		watcher->options.ports = number;
		break;
	case PORTWATCH_LIMIT_HELPERS:
		watcher->options.helpers = number;
		break;
	case PORTWATCH_LIMIT_WARNINGS:
		watcher->options.warnings = number;
		break;
	}
	return end_set(0);
}

int portwatch_set_subreaper(struct portwatch *watcher, int enabled)
{
	int result = begin_set(watcher, true);

	if (result == 0)
		watcher->options.subreaper = enabled != 0;
	return end_set(result);
}

int portwatch_set_notifier(struct portwatch *watcher, int enabled)
{
	int result = begin_set(watcher, true);

	if (result == 0)
		watcher->options.notifier = enabled != 0;
	return end_set(result);
}

int portwatch_set_delivery(struct portwatch *watcher, enum portwatch_delivery delivery)
{
	int result = begin_set(watcher, delivery <= PORTWATCH_DELIVERY_DISPATCH);

	if (result == 0)
		watcher->options.delivery = delivery;
	return end_set(result);
}

int portwatch_set_log(struct portwatch *watcher, enum portwatch_log_level level,
                      portwatch_log_callback callback)
{
	bool valid = level == PORTWATCH_LOG_ERROR || level == PORTWATCH_LOG_WARNING ||
	             level == PORTWATCH_LOG_INFO || level == PORTWATCH_LOG_DEBUG;
	int result = begin_set(watcher, valid);

	if (result == 0) {
		watcher->options.log_level = watcher_log_level(level);
		watcher->options.log = callback;
	}
	return end_set(result);
}

pid_t portwatch_get_pid(const struct portwatch *watcher)
{
	return watcher->pid;
}

void *portwatch_get_user_data(const struct portwatch *watcher)
{
	return watcher->user_data;
}
