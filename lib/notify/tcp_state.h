/* SPDX-License-Identifier: MIT */
/* tcp_state.h - TCP sockets that start or stop listening, and the sources of such reports
 *
 * There are two sources. Both deliver samples to perf events, one on each CPU, and the rest of the
 * code does not depend on the source. */
#ifndef TCP_STATE_H
#define TCP_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "notify/perf.h"

struct tcp_change {
	pid_t pid; /* the process in whose context it happened, in the PID namespace of who opened
	              the notifier; 0: not in it */
	pid_t tid;
	bool listening; /* true: a socket starts listening; false: it stops, or has failed to start
	                 */
	int family; /* AF_INET or AF_INET6, as the socket was created: an IPv4-mapped address stays
	               AF_INET6 */
	/* Local port, host order. At the start: 0 for an autobound socket, and an old port for a
	 * socket that was autobound before. At the end: may be 0 if the kernel had chosen the
	 * port. */
	uint16_t port;
	uint8_t address[16]; /* local address, network order; AF_INET uses 4 */
	uint64_t socket;     /* address of the kernel's struct sock: identifies a socket while it
	                        exists, also an autobound one */
	uint64_t time;       /* CLOCK_MONOTONIC */
};

struct tcp_source {
	const struct tcp_source_ops *ops;
	/* The perf event that delivers its samples, see perf_event_open(2). */
	uint32_t type;
	uint64_t config;
};

struct tcp_source_ops {
	/* Connects the event on a CPU, which is not enabled yet. */
	int (*connect)(struct tcp_source *source, int event, unsigned int cpu, const char **step);
	/* Disconnects the event. NULL: not needed. */
	void (*disconnect)(struct tcp_source *source, unsigned int cpu);
	/* Starts the reports, after the events of all CPUs are enabled. NULL: not needed. */
	int (*start)(struct tcp_source *source, const char **step);
	/* Decodes a sample; pid, tid and time are already set. Returns 0 or -EBADMSG. */
	int (*decode)(const struct tcp_source *source, const struct perf_sample *sample,
	              struct tcp_change *change);
	void (*close)(struct tcp_source *source);
};

#endif
