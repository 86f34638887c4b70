/* SPDX-License-Identifier: MIT */
/* unsupported.c - the public functions on other systems than Linux: no watcher can be created */
#include <errno.h>
#include <stddef.h>

#include "portwatch.h"

const char *portwatch_version(void)
{
	return PACKAGE_VERSION;
}

int portwatch_new(struct portwatch **watcher, pid_t pid, portwatch_callback callback,
                  void *user_data)
{
	(void)watcher;
	(void)pid;
	(void)callback;
	(void)user_data;
	return -ENOTSUP;
}

int portwatch_set_events(struct portwatch *watcher, unsigned int kinds)
{
	(void)watcher;
	(void)kinds;
	return -ENOTSUP;
}

int portwatch_set_interval(struct portwatch *watcher, unsigned int milliseconds)
{
	(void)watcher;
	(void)milliseconds;
	return -ENOTSUP;
}

int portwatch_set_addresses(struct portwatch *watcher, enum portwatch_addresses addresses)
{
	(void)watcher;
	(void)addresses;
	return -ENOTSUP;
}

int portwatch_set_scope(struct portwatch *watcher, enum portwatch_scope scope)
{
	(void)watcher;
	(void)scope;
	return -ENOTSUP;
}

int portwatch_set_reader(struct portwatch *watcher, enum portwatch_reader reader)
{
	(void)watcher;
	(void)reader;
	return -ENOTSUP;
}

int portwatch_set_table(struct portwatch *watcher, enum portwatch_table table)
{
	(void)watcher;
	(void)table;
	return -ENOTSUP;
}

int portwatch_set_subreaper(struct portwatch *watcher, int enabled)
{
	(void)watcher;
	(void)enabled;
	return -ENOTSUP;
}

int portwatch_set_notifier(struct portwatch *watcher, int enabled)
{
	(void)watcher;
	(void)enabled;
	return -ENOTSUP;
}

int portwatch_set_delivery(struct portwatch *watcher, enum portwatch_delivery delivery)
{
	(void)watcher;
	(void)delivery;
	return -ENOTSUP;
}

int portwatch_set_log(struct portwatch *watcher, enum portwatch_log_level level,
                      portwatch_log_callback callback)
{
	(void)watcher;
	(void)level;
	(void)callback;
	return -ENOTSUP;
}

int portwatch_start(struct portwatch *watcher)
{
	(void)watcher;
	return -ENOTSUP;
}

int portwatch_stop(struct portwatch *watcher)
{
	(void)watcher;
	return -ENOTSUP;
}

void portwatch_free(struct portwatch *watcher)
{
	(void)watcher;
}

int portwatch_get_fd(struct portwatch *watcher)
{
	(void)watcher;
	return -ENOTSUP;
}

int portwatch_dispatch(struct portwatch *watcher)
{
	(void)watcher;
	return -ENOTSUP;
}

pid_t portwatch_get_pid(const struct portwatch *watcher)
{
	(void)watcher;
	return 0;
}

void *portwatch_get_user_data(const struct portwatch *watcher)
{
	(void)watcher;
	return NULL;
}

uint64_t portwatch_get_stat(struct portwatch *watcher, enum portwatch_stat stat)
{
	(void)watcher;
	(void)stat;
	return 0;
}

int portwatch_get_notifier(struct portwatch *watcher, enum portwatch_notice notice, char *reason,
                           size_t size)
{
	(void)watcher;
	(void)notice;
	(void)reason;
	(void)size;
	return -ENOTSUP;
}

int portwatch_limit_privileges(void)
{
	return -ENOTSUP;
}

int portwatch_each_namespace(struct portwatch *watcher, portwatch_namespace_callback callback,
                             void *user_data)
{
	(void)watcher;
	(void)callback;
	(void)user_data;
	return -ENOTSUP;
}

uint64_t portwatch_namespace_get_inode(const struct portwatch_namespace *ns)
{
	(void)ns;
	return 0;
}

uint64_t portwatch_namespace_get_cookie(const struct portwatch_namespace *ns)
{
	(void)ns;
	return 0;
}

pid_t portwatch_namespace_get_pid(const struct portwatch_namespace *ns)
{
	(void)ns;
	return 0;
}

enum portwatch_reader portwatch_namespace_get_reader(const struct portwatch_namespace *ns)
{
	(void)ns;
	return PORTWATCH_READER_AUTO;
}

enum portwatch_table portwatch_namespace_get_table(const struct portwatch_namespace *ns)
{
	(void)ns;
	return PORTWATCH_TABLE_AUTO;
}

const char *portwatch_namespace_get_reason(const struct portwatch_namespace *ns)
{
	(void)ns;
	return "";
}

const char *portwatch_event_get_command_line(const struct portwatch_event *event)
{
	(void)event;
	return "";
}

uid_t portwatch_event_get_uid(const struct portwatch_event *event)
{
	(void)event;
	return (uid_t)-1;
}

const char *portwatch_event_get_cgroup(const struct portwatch_event *event)
{
	(void)event;
	return "";
}

int portwatch_new_pidfd(struct portwatch **watcher, int pidfd, portwatch_callback callback,
                        void *user_data)
{
	(void)watcher;
	(void)pidfd;
	(void)callback;
	(void)user_data;
	return -ENOTSUP;
}

int portwatch_each_port(struct portwatch *watcher, portwatch_port_callback callback,
                        void *user_data)
{
	(void)watcher;
	(void)callback;
	(void)user_data;
	return -ENOTSUP;
}

int portwatch_get_error(struct portwatch *watcher, char *text, size_t size)
{
	(void)watcher;
	(void)text;
	(void)size;
	return -ENOTSUP;
}

int portwatch_get_complete(struct portwatch *watcher, char *reason, size_t size)
{
	(void)watcher;
	(void)reason;
	(void)size;
	return -ENOTSUP;
}

int portwatch_namespace_open(const struct portwatch_namespace *ns)
{
	(void)ns;
	return -ENOTSUP;
}

int portwatch_event_open_netns(const struct portwatch_event *event)
{
	(void)event;
	return -ENOTSUP;
}

int portwatch_set_limit(struct portwatch *watcher, enum portwatch_limit limit, unsigned int number)
{
	(void)watcher;
	(void)limit;
	(void)number;
	return -ENOTSUP;
}
