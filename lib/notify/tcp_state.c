/* SPDX-License-Identifier: MIT */
/* tcp_state.c - TCP sockets that start or stop listening */
#include <errno.h>

#include "notify/tcp_state.h"

int tcp_change_decode(const struct tcp_source *source, const struct perf_record *record,
                      struct tcp_change *change)
{
	struct perf_sample sample;

	if (perf_record_sample(record, &sample) < 0)
		return -EBADMSG;
	*change = (struct tcp_change){
		.pid = sample.pid > 0 ? sample.pid : 0,
		.tid = sample.tid > 0 ? sample.tid : 0,
		.time = record->time,
	};
	return source->ops->decode(source, &sample, change);
}
