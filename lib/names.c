/* SPDX-License-Identifier: MIT */
/* names.c - the names of the values of the public enumerations */
#include "portwatch.h"

const char *portwatch_reader_name(enum portwatch_reader reader)
{
	static const char *const names[] = {"auto", "local", "setns", "nsenter", "procfs"};

	return reader <= PORTWATCH_READER_PROCFS ? names[reader] : 0;
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
		"doorbell records",
		"doorbell records lost",
		"helpers started",
		"readers restarted",
		"CPU time (ns)",
	};

	return (size_t)stat < sizeof(names) / sizeof(names[0]) ? names[stat] : 0;
}

const char *portwatch_table_name(enum portwatch_table table)
{
	static const char *const names[] = {"auto", "diag", "procfs"};

	return table <= PORTWATCH_TABLE_PROCFS ? names[table] : 0;
}
