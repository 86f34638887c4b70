/* SPDX-License-Identifier: MIT */
/* reader_setns.c - reads another network namespace through a forked helper */
#include <errno.h>

#include "caps.h"
#include "cleanup.h"
#include "helper.h"
#include "reader_ops.h"
#include "step.h"

/* Without raising any privilege first: the kernel says whether the caller may look at this process.
 */
static int open_netns(struct reader *reader, const struct reader_target *target)
{
	CLEANUP_CLOSE int process = reader_open_process(reader, target);
	CLEANUP_CLOSE int netns = -1;
	int error, kept;

	if (process < 0)
		return process;
	netns = procfs_open_netns(process);
	if (netns == -EACCES) {
		/* The administrator may have granted the sight of other users' processes. */
		unsigned int taken = caps_begin(CAPS_READ_PROCESS);

		if (taken)
			netns = procfs_open_netns(process);
		caps_end(taken);
	}
	if (netns < 0)
		return reader_fail(reader, STEP_OPEN_NETNS, -netns);
	/* Spares a helper. The helper looks again, from inside. */
	error = reader_check_netns(reader, process);
	if (error < 0)
		return error;
	kept = netns;
	netns = -1;
	return kept;
}

static int setns_open(struct reader *reader, const struct reader_target *target)
{
	CLEANUP_CLOSE int netns = open_netns(reader, target);
	int ends[2] = {-1, -1};
	struct helper_setup setup;
	int error;

	if (netns < 0)
		return netns;
	error = reader_link_open(reader, ends);
	if (error == 0) {
		setup = (struct helper_setup){
			.requests = ends[0],
			.responses = ends[1],
			.netns = netns,
			.proc = target->procfs->fd,
			.table = reader->wanted,
		};
		reader->link.exit_step = STEP_ANSWER;
		error = spawn_child(&reader->link.child, helper_main, &setup);
		if (error < 0)
			reader_fail(reader, STEP_START_CHILD, -error);
	}
	cleanup_close(&ends[0]);
	cleanup_close(&ends[1]);
	return error;
}

const struct reader_ops reader_setns_ops = {
	.open = setns_open,
	.request = reader_link_request,
	.process = reader_link_process,
	.close = reader_link_close,
};
