/* SPDX-License-Identifier: MIT */
/* names.c - the names of the values of the public enumerations */
#include <stddef.h>

#include "portwatch.h"

const char *portwatch_reader_name(enum portwatch_reader reader)
{
	static const char *const names[] = {"auto", "local", "setns", "nsenter", "procfs"};

	return reader <= PORTWATCH_READER_PROCFS ? names[reader] : 0;
}

const char *portwatch_notifier_name(enum portwatch_notifier notifier)
{
	static const char *const names[] = {
		"polling", "bpf", "tracepoint", "perf", "connector", "destroy",
	};

	return (size_t)notifier < sizeof(names) / sizeof(names[0]) ? names[notifier] : 0;
}

const char *portwatch_stat_name(enum portwatch_stat stat)
{
	static const char *const names[] = {
		"reads",
		"failed reads",
		"rows",
		"events",
		"wake-ups",
		"tree reads",
		"descriptor scans",
		"notifier records",
		"notifier losses",
		"helpers started",
		"readers restarted",
		"CPU time (ns)",
		"members",
		"open ports",
		"members left out",
		"sockets left out",
		"helpers running",
		"warnings left out",
	};

	return (size_t)stat < sizeof(names) / sizeof(names[0]) ? names[stat] : 0;
}

const char *portwatch_table_name(enum portwatch_table table)
{
	static const char *const names[] = {"auto", "diag", "procfs"};

	return table <= PORTWATCH_TABLE_PROCFS ? names[table] : 0;
}
