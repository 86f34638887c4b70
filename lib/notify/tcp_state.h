/* SPDX-License-Identifier: MIT */
/* tcp_state.h - TCP sockets that start or stop listening, and how the kernel reports them
 *
 * There are two sources of such reports. Both deliver samples to perf events, one on each CPU, and
 * the rest of the code doesn't know which of them is in use. */
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
	bool listening; /* true: a socket starts listening; false: one stops, or failed to begin
	                 */
	int family;     /* AF_INET or AF_INET6, as the socket was made: an IPv4-mapped address stays
	                   AF_INET6 */
	/* Local port, host order. When it begins: 0 for an autobound socket, and a port of the past
	 * for one that was autobound before. When it ends: perhaps 0 where the kernel had chosen
	 * it.
	 */
	uint16_t port;
	uint8_t address[16]; /* local address, network order; AF_INET uses 4 */
	uint64_t socket;     /* address of the kernel's struct sock: tells sockets apart while they
	                        live, and is the only way to know an autobound one again */
	uint64_t time;       /* CLOCK_MONOTONIC */
};

struct tcp_source {
	const struct tcp_source_ops *ops;
	/* The perf event by which its samples arrive, see perf_event_open(2). */
	uint32_t type;
	uint64_t config;
};

struct tcp_source_ops {
	/* Connects the event on a CPU, which is not enabled yet. */
	int (*connect)(struct tcp_source *source, int event, unsigned int cpu, const char **step);
	/* Lets go of it. NULL: there is nothing to do. */
	void (*disconnect)(struct tcp_source *source, unsigned int cpu);
	/* Begins, after the events of all CPUs are enabled. NULL: there is nothing to do. */
	int (*start)(struct tcp_source *source, const char **step);
	/* Reads a sample; pid, tid and time are set already. 0 or -EBADMSG. */
	int (*decode)(const struct tcp_source *source, const struct perf_sample *sample,
	              struct tcp_change *change);
	void (*close)(struct tcp_source *source);
};

#endif
