/* SPDX-License-Identifier: MIT */
/* names.c - the names of readers and of forms of the table, as the command line takes them */
#include "portwatch.h"

const char *portwatch_reader_name(enum portwatch_reader reader)
{
	static const char *const names[] = {"auto", "local", "setns", "nsenter", "procfs"};

	return reader <= PORTWATCH_READER_PROCFS ? names[reader] : 0;
}

const char *portwatch_table_name(enum portwatch_table table)
{
	static const char *const names[] = {"auto", "diag", "procfs"};

	return table <= PORTWATCH_TABLE_PROCFS ? names[table] : 0;
}
