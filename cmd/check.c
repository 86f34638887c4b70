/* SPDX-License-Identifier: MIT */
/* check.c - reports what pwatch can see on this system, and what to grant so that it sees more */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "hints.h"
#include "message.h"
#include "output.h"
#include "privileges.h"
#include "report.h"
#include "target.h"

/* Further namespaces are only counted. */
#define NAMESPACES_MAX 32

struct seen_namespace {
	uint64_t inode;
	pid_t pid;
	enum portwatch_reader reader;
	enum portwatch_table table;
	char reason[512];
};

struct check {
	struct options options; /* for the one target */
	struct privileges privileges;
	struct target target;
	pid_t sample; /* without a PID: a process like those that the caller starts; or 0 */
	struct seen_namespace namespaces[NAMESPACES_MAX];
	size_t namespace_count;
	size_t unread; /* namespaces for which no reader works */
	struct hints_probe probe;
	struct place place;
	unsigned int ports;
	struct report report;
};

static void count_port(struct portwatch *watcher, const struct portwatch_event *event,
                       void *user_data)
{
	struct target *target = user_data;
	struct check *check = target->user_data;

	(void)watcher;
	if (portwatch_event_get_kind(event) == PORTWATCH_EVENT_OPEN)
		check->ports++;
}

/* The kernel answers a dump with ENOENT if it has no module for the dump (net/core/sock_diag.c). */
static bool lacks_module(const struct seen_namespace *seen)
{
	const char *diag = strstr(seen->reason, "table diag: ");

	return diag && strstr(diag, strerror(ENOENT));
}

static int see_namespace(const struct portwatch_namespace *ns, void *user_data)
{
	struct check *check = user_data;
	struct seen_namespace seen = {
		.inode = portwatch_namespace_get_inode(ns),
		.pid = portwatch_namespace_get_pid(ns),
		.reader = portwatch_namespace_get_reader(ns),
		.table = portwatch_namespace_get_table(ns),
	};

	if (seen.reader == PORTWATCH_READER_AUTO)
		check->unread++;
	if (seen.reader == PORTWATCH_READER_NSENTER || seen.reader == PORTWATCH_READER_PROCFS)
		check->probe.outside = true;
	snprintf(seen.reason, sizeof(seen.reason), "%s", portwatch_namespace_get_reason(ns));
	if (lacks_module(&seen))
		check->probe.no_module = true;
	if (check->namespace_count < NAMESPACES_MAX)
		check->namespaces[check->namespace_count] = seen;
	check->namespace_count++;
	return 0;
}

static void report_namespace(struct check *check, const struct seen_namespace *seen)
{
	char name[32], value[128];

	if (seen->inode != 0)
		snprintf(name, sizeof(name), "netns %" PRIu64, seen->inode);
	else
		snprintf(name, sizeof(name), "netns ?");
	if (seen->reader == PORTWATCH_READER_AUTO)
		snprintf(value, sizeof(value), "not read");
	else
		snprintf(value, sizeof(value), "%s reader, %s table, through process %d",
		         portwatch_reader_name(seen->reader), portwatch_table_name(seen->table),
		         (int)seen->pid);
	report_add(&check->report, TOPIC_NAMESPACE, name, value, seen->reason);
}

static void report_namespaces(struct check *check)
{
	char more[32];

	for (size_t i = 0; i < check->namespace_count && i < NAMESPACES_MAX; i++)
		report_namespace(check, &check->namespaces[i]);
	if (check->namespace_count <= NAMESPACES_MAX)
		return;
	snprintf(more, sizeof(more), "%zu", check->namespace_count - NAMESPACES_MAX);
	report_add(&check->report, TOPIC_NAMESPACE, "and more", more, "");
}

static void report_notice(struct check *check, enum portwatch_notice notice, const char *name)
{
	char reason[1024];
	int notifier =
		portwatch_get_notifier(check->target.watcher, notice, reason, sizeof(reason));

	if (notice == PORTWATCH_NOTICE_LISTEN && check->options.notify)
		check->probe.polls = notifier == PORTWATCH_NOTIFIER_NONE;
	if (notifier < 0)
		report_add(&check->report, TOPIC_NOTIFIER, name, "?", strerror(-notifier));
	else
		report_add(&check->report, TOPIC_NOTIFIER, name,
		           portwatch_notifier_name((enum portwatch_notifier)notifier), reason);
}

static void report_notifier(struct check *check)
{
	report_notice(check, PORTWATCH_NOTICE_LISTEN, "listen");
	report_notice(check, PORTWATCH_NOTICE_CLOSE, "close");
	report_notice(check, PORTWATCH_NOTICE_PROCESS, "processes");
}

/* Why pwatch cannot see processes of other users, or processes with more capabilities than those of
 * the caller; or "". */
static const char *others_obstacle(const struct privileges *privileges)
{
	const uint64_t sight = PRIVILEGES_SYS_PTRACE | PRIVILEGES_DAC_READ_SEARCH;

	if ((privileges->permitted & sight) != sight)
		return "other users' processes and processes with more capabilities need "
		       "cap_sys_ptrace "
		       "and cap_dac_read_search";
	if (!privileges->initial_user_namespace)
		return "only processes of this user namespace and its descendants are visible";
	if (*privileges->hidepid != '\0' && strcmp(privileges->hidepid, "0") != 0 &&
	    !(privileges->effective & PRIVILEGES_SYS_PTRACE))
		return "/proc hides processes of other users (hidepid)";
	return "";
}

static void report_others(struct check *check)
{
	const char *obstacle = others_obstacle(&check->privileges);

	report_add(&check->report, TOPIC_RESULT, "other processes",
	           *obstacle == '\0' ? "yes" : "no", obstacle);
}

static void report_result(struct check *check, bool visible)
{
	char name[32] = "own processes", open_now[64];
	const char *note = check->target.failure;

	if (!check->sample)
		snprintf(name, sizeof(name), "process %d", (int)check->target.pid);
	snprintf(open_now, sizeof(open_now), "open now: %u", check->ports);
	if (visible)
		note = check->sample ? "" : open_now;
	else if (check->unread > 0)
		note = "no reader works for a network namespace";
	report_add(&check->report, TOPIC_RESULT, name, visible ? "yes" : "no", note);
	if (check->sample)
		report_others(check);
}

/* Starts to watch, to find out what works. Returns whether the ports can be seen. */
static bool probe(struct check *check)
{
	int result;

	check->target.pid = check->sample ? check->sample : check->options.pids[0];
	check->target.user_data = check;
	result = target_open(&check->target, &check->options, count_port);
	if (result == 0)
		result = target_start(&check->target, &check->options);
	check->probe.refused = result == -EACCES || result == -EPERM;
	if (result < 0)
		return false;
	while (portwatch_dispatch(check->target.watcher) > 0)
		continue;
	return portwatch_each_namespace(check->target.watcher, see_namespace, check) > 0 &&
	       check->unread == 0;
}

/* Returns whether the ports can be seen. */
static bool make_report(struct check *check)
{
	bool visible = probe(check);

	report_init(&check->report, check->options.json);
	report_result(check, visible);
	privileges_report(&check->privileges, &check->report);
	if (check->namespace_count > 0) {
		report_namespaces(check);
		report_notifier(check);
	}
	check->probe.pid = check->options.pid_count > 0 ? check->target.pid : 0;
	hints_report(&check->privileges, &check->place, &check->probe, &check->report);
	return visible;
}

/* Returns 0 or a negative errno. */
static int print(const struct check *check)
{
	struct output output;
	int result = output_open(&output, check->options.output,
	                         check->options.fd >= 0 ? check->options.fd : STDOUT_FILENO);

	if (result == 0)
		result = output_line(&output, check->report.buffer, check->report.text.length);
	if (result == 0)
		result = output_finish(&output);
	/* If the reader of the output has closed it, nothing has failed. */
	if (result == -EPIPE)
		result = 0;
	if (result < 0)
		message_error(MESSAGE_NAME ": %s", output.name, strerror(-result));
	output_close(&output);
	return result;
}

int check_run(const struct options *options, const struct run *run)
{
	struct check check = {.options = *options, .sample = run->pid};
	int result = privileges_read(&check.privileges);
	bool visible;

	signal(SIGPIPE, SIG_IGN);
	/* If SIGCHLD were ignored, the status of children would be lost. */
	signal(SIGCHLD, SIG_DFL);
	/* The report includes what warnings would say. */
	check.options.log_level = PORTWATCH_LOG_ERROR;
	if (result == 0)
		result = portwatch_limit_privileges();
	if (result < 0) {
		message_error("cannot check: %s", message_reason(result));
		return 1;
	}
	place_read(&check.place, check.privileges.seccomp != 0);
	visible = make_report(&check);
	result = print(&check);
	target_close(&check.target);
	return result == 0 && visible ? 0 : 1;
}
