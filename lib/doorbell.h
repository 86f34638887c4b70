/* SPDX-License-Identifier: MIT */
/* doorbell.h - kernel events that say "look now"
 *
 * perf_event_open(2) on the tracepoint sock:inet_sock_set_state, filtered in the kernel to newstate
 * == TCP_LISTEN || oldstate == TCP_LISTEN, one event per CPU with its own ring, with fork and exit
 * records (attr.task). An event is a hint; the table stays the truth. Needs CAP_PERFMON or
 * CAP_SYS_ADMIN in the initial user namespace. Not thread-safe: the monitor calls it. */
#ifndef DOORBELL_H
#define DOORBELL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "failure.h"

struct doorbell;

struct doorbell_change {
	pid_t pid; /* the process in whose context it happened, in our PID namespace; 0: not in it
		    */
	pid_t tid;
	bool listening;	     /* true: a socket begins to listen; false: one ceases to */
	int family;	     /* AF_INET or AF_INET6, as the socket was made */
	uint16_t port;	     /* local port, host order; 0: not bound yet (autobind) */
	uint8_t address[16]; /* local address, network order; AF_INET uses 4 */
	uint64_t socket; /* address of the kernel's struct sock (skaddr): tells sockets apart while
			    they live */
	uint64_t time;	 /* CLOCK_MONOTONIC */
};

struct doorbell_hooks {
	void (*changed)(void *data, const struct doorbell_change *change);
	void (*forked)(void *data, pid_t parent, pid_t child); /* processes only, not threads */
	void (*exited)(void *data, pid_t pid); /* the last thread of... or any thread: a hint */
	void (*lost)(void *data,
		     uint64_t records); /* records were dropped: look at everything again */
};

/* Opens it on all online CPUs. Returns 0 or a negative errno with *failure set. */
int doorbell_open(struct doorbell **doorbell, const struct doorbell_hooks *hooks, void *data,
		  struct failure *failure);
void doorbell_close(struct doorbell *doorbell); /* NULL allowed */

/* One descriptor to wait on (EPOLLIN): an epoll of its own over the rings. Samples make it
 * readable; fork and exit records wait for the next drain. */
int doorbell_fd(const struct doorbell *doorbell);

/* Hands all waiting records to the hooks, in the order of their times across the rings as far as it
 * is known; bounded by the size of the rings. Also notices CPUs that came or went. */
void doorbell_drain(struct doorbell *doorbell);

/* Counters since it was opened. */
uint64_t doorbell_records(const struct doorbell *doorbell);
uint64_t doorbell_lost(const struct doorbell *doorbell);

#endif
