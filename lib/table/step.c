/* SPDX-License-Identifier: MIT */
/* step.c - the steps of a reader that can fail; each completes "cannot ..." */
#include "table/step.h"

#include <string.h>

const char STEP_KIND[] = "read in an unknown way";
const char STEP_FIND_PROCESS[] = "find the process";
const char STEP_OPEN_NETNS[] = "open /proc/PID/ns/net";
const char STEP_CHECK_NETNS[] = "find the network namespace of the process";
const char STEP_REACH_NETNS[] = "reach the network namespace (the process has left it)";
const char STEP_LOCAL_NETNS[] = "read the network namespace of another process directly";
const char STEP_MAKE_PIPES[] = "make pipes to a helper";
const char STEP_START_CHILD[] = "start a helper";
const char STEP_MEMORY[] = "allocate memory";
const char STEP_ARRANGE_FDS[] = "arrange the descriptors of the helper";
const char STEP_SETNS[] = "enter the network namespace (setns)";
const char STEP_PRIVILEGES[] = "give up the privileges of the helper";
const char STEP_OPEN_TEXT[] = "open /proc/net/tcp";
const char STEP_OPEN_DIAG[] = "open a sock_diag socket";
const char STEP_READ_TEXT[] = "read /proc/net/tcp";
const char STEP_READ_DIAG[] = "dump the listening sockets (sock_diag)";
const char STEP_HEAR_CLOSES[] = "receive the kernel's reports of closed sockets (sock_diag)";
const char STEP_PARSE[] = "store the table of listening sockets";
const char STEP_ASK[] = "ask the helper for the table";
const char STEP_ANSWER[] = "get an answer from the helper";
const char STEP_PROTOCOL[] = "understand the answer of the helper";
const char STEP_NSENTER_AT_SECURE[] = "run nsenter while privileged by exec (AT_SECURE)";
const char STEP_NSENTER_FIND[] = "find nsenter";
const char STEP_NSENTER_EXEC[] = "execute nsenter";
const char STEP_NSENTER_RUN[] = "enter the network namespace with nsenter";
const char STEP_NSENTER_TABLE[] = "dump the listening sockets (sock_diag) through nsenter";
const char STEP_PROCFS_TABLE[] = "dump the listening sockets (sock_diag) through /proc/PID/net";

const char *step_find(const char *text, size_t size)
{
	/* The steps that a child may report. */
	static const char *const steps[] = {
		STEP_MEMORY,    STEP_ARRANGE_FDS, STEP_SETNS,     STEP_PRIVILEGES,   STEP_OPEN_TEXT,
		STEP_OPEN_DIAG, STEP_READ_TEXT,   STEP_READ_DIAG, STEP_NSENTER_EXEC,
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strlen(steps[i]) == size && memcmp(steps[i], text, size) == 0)
			return steps[i];
	return STEP_ANSWER;
}
