/* SPDX-License-Identifier: MIT */
/* target.c - one process tree that pwatch watches */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "message.h"
#include "place.h"
#include "port_hint.h"
#include "privileges.h"
#include "target.h"

#define REASON_MAX (PORT_HINT_MAX + 64)

/* Reports why a process cannot be watched, and what to do. --check includes the reason in its
 * report instead. */
static int complain(struct target *target, const struct options *options, int error,
                    const char *because)
{
	snprintf(target->failure, sizeof(target->failure), "%s", because);
	if (options->action == OPTIONS_CHECK)
		return error;
	if (options->command)
		message_error("cannot watch " MESSAGE_NAME ": %s", options->command[0], because);
	else
		message_error("cannot watch process %d: %s", (int)target->pid, because);
	return error;
}

/* The privileges decide what the message suggests: root is not advised to become root. */
static struct privileges read_privileges(void)
{
	struct privileges privileges;

	/* If the privileges are unknown, assume that there are none. */
	if (privileges_read(&privileges) < 0)
		privileges = (struct privileges){.uid = geteuid(), .initial_user_namespace = true};
	return privileges;
}

/* Why /proc hides the process. */
static const char *hidden_reason(void)
{
	struct privileges privileges = read_privileges();

	if (!privileges.initial_user_namespace)
		return "/proc hides it (hidepid); run pwatch outside of this user namespace";
	if (privileges.uid == 0)
		return "/proc hides it (hidepid); run pwatch as its user, or with the capability "
		       "cap_sys_ptrace";
	return "/proc hides it (hidepid); run pwatch as its user or as root";
}

/* A user who types a single number may mean a port. */
static const char *missing_reason(const struct target *target, const struct options *options,
                                  char buffer[REASON_MAX])
{
	char hint[PORT_HINT_MAX];

	if (options->pid_count != 1 || target->pid > (pid_t)VALUES_PORT_MAX)
		return "no such process; ps -e lists processes";
	if (!port_hint(target->pid, hint))
		return "no such process; ps -e lists processes; --ports or --wait=PORT selects a "
		       "port";
	snprintf(buffer, REASON_MAX, "no such process; %s", hint);
	return buffer;
}

static const char *open_reason(const struct target *target, const struct options *options,
                               int error, char buffer[REASON_MAX])
{
	switch (error) {
	case -ESRCH:
		return missing_reason(target, options, buffer);
	case -EINVAL:
		return "it is a thread; give the PID of its process";
	case -EACCES:
		return hidden_reason();
	case -ENOTSUP:
		return "this system is not Linux";
	default:
		return message_reason(error);
	}
}

/* Why pwatch may not examine the process. */
static const char *access_reason(pid_t pid)
{
	struct privileges privileges = read_privileges();
	const uint64_t sight = PRIVILEGES_SYS_PTRACE | PRIVILEGES_DAC_READ_SEARCH;
	bool all = (privileges.permitted & sight) == sight;

	if (all && !privileges.initial_user_namespace)
		return "permission denied: it is in another user namespace; run pwatch outside of "
		       "this one";
	if (all)
		return "permission denied: a security module or the sandbox refuses access, "
		       "regardless of capabilities";
	if (privileges.uid == 0 && !privileges.initial_user_namespace)
		return "permission denied: it has capabilities that pwatch lacks, or another user, "
		       "or another user namespace; give pwatch the capabilities cap_sys_ptrace "
		       "and cap_dac_read_search, or run it outside of this one";
	if (privileges.uid == 0)
		return "permission denied: it has capabilities that pwatch lacks, or another user, "
		       "or a security module or the sandbox refuses; give pwatch the capabilities "
		       "cap_sys_ptrace and cap_dac_read_search";
	if (place_owns(privileges.uid, pid))
		return "permission denied: it belongs to another user of a rootless container; run "
		       "podman unshare pwatch with its PID";
	return "permission denied; run pwatch as its user or as root, or with the capabilities "
	       "cap_sys_ptrace and cap_dac_read_search";
}

/* Why no reader may enter the network namespace. */
static const char *entry_reason(const struct options *options)
{
	struct privileges privileges = read_privileges();

	if (options->reader == PORTWATCH_READER_NSENTER && privileges.secure)
		return "a pwatch with file capabilities never runs nsenter; "
		       "choose another --reader, or none";
	if (privileges.permitted & PRIVILEGES_SYS_ADMIN && privileges.initial_user_namespace)
		return "permission denied to enter its network namespace: a seccomp filter, a "
		       "security module or the sandbox refuses; --reader=procfs reads from outside";
	if (privileges.uid == 0)
		return "permission denied to enter its network namespace; run pwatch with the "
		       "capability cap_sys_admin outside of any container, or with --reader=procfs";
	return "permission denied to enter its network namespace; run pwatch as root or with the "
	       "capability cap_sys_admin, or with --reader=procfs";
}

static const char *start_reason(const struct options *options, pid_t pid, int error)
{
	switch (error) {
	case -ESRCH:
		return "it has exited";
	case -EACCES:
		return access_reason(pid);
	case -EPERM:
		return entry_reason(options);
	case -EXDEV:
		return "it is in another network namespace, which --reader=local does not read";
	case -ENOTSUP:
		return "this --reader does not support this --table";
	case -ETIMEDOUT:
		return "no complete read in time; --verbose prints details";
	default:
		break;
	}
	if (error == -ENOENT && options->reader == PORTWATCH_READER_NSENTER)
		return "nsenter is not installed";
	return message_reason(error);
}

static int configure(const struct target *target, const struct options *options)
{
	struct portwatch *watcher = target->watcher;
	unsigned int kinds = options->events | PORTWATCH_EVENT_END;
	int result;

	/* The events of several trees can be merged (overlap.h) only with all opens and closes.
	 * --settle also needs the current owner. */
	if (options->pid_count > 1 || options->settle > 0 || options->live || target->explains)
		kinds |= PORTWATCH_EVENT_OPEN | PORTWATCH_EVENT_CLOSE;
	if (options->settle > 0 || options->live)
		kinds |= PORTWATCH_EVENT_OWNER;
	result = portwatch_set_events(watcher, kinds);
	if (result == 0)
		result = portwatch_set_delivery(watcher, PORTWATCH_DELIVERY_DISPATCH);
	if (result == 0 && options->interval != 0)
		result = portwatch_set_interval(watcher, options->interval);
	if (result == 0)
		result = portwatch_set_addresses(
			watcher, target->explains ? PORTWATCH_ADDRESSES_ALL
						  : (enum portwatch_addresses)options->addresses);
	if (result == 0)
		result = portwatch_set_scope(watcher, (enum portwatch_scope)options->scope);
	if (result == 0)
		result = portwatch_set_reader(watcher, (enum portwatch_reader)options->reader);
	if (result == 0)
		result = portwatch_set_table(watcher, (enum portwatch_table)options->table);
	if (result == 0)
		/* A single read needs no notifier, and closing one takes longer than everything
		 * else. */
		result = portwatch_set_notifier(watcher, options->notify && !options->once);
	if (result == 0)
		result = portwatch_set_subreaper(watcher, target->adopts);
	if (result == 0)
		result = portwatch_set_log(watcher, (enum portwatch_log_level)options->log_level,
		                           message_log);
	return result;
}

int target_open(struct target *target, const struct options *options, portwatch_callback callback)
{
	char reason[REASON_MAX];
	int result = portwatch_new(&target->watcher, target->pid, callback, target);

	if (result < 0) {
		target->watcher = NULL;
		return complain(target, options, result,
		                open_reason(target, options, result, reason));
	}
	result = configure(target, options);
	if (result < 0)
		return complain(target, options, result, message_reason(result));
	return 0;
}

int target_start(struct target *target, const struct options *options)
{
	const char *debug = secure_getenv("PORTWATCH_DEBUG");
	bool verbose = options->log_level >= PORTWATCH_LOG_INFO || (debug && *debug);
	int result;

	if (!verbose)
		message_hold();
	result = portwatch_start(target->watcher);
	if (!verbose)
		message_release(result == 0);
	return result < 0 ? complain(target, options, result,
	                             start_reason(options, target->pid, result))
	                  : 0;
}

void target_close(struct target *target)
{
	portwatch_free(target->watcher);
	target->watcher = NULL;
}
