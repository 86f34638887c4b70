/* SPDX-License-Identifier: MIT */
/* notifier.h - kernel events that say "look now"
 *
 * perf_event_open(2) on the tracepoint sock:inet_sock_set_state, one event per CPU with its own
 * ring, with fork and exit records. A filter in the kernel lets through only TCP sockets that begin
 * or cease to listen: connections, also those that a listener accepts, cost nothing. An event is a
 * hint; the table stays the truth. Needs CAP_PERFMON or CAP_SYS_ADMIN in the initial user
 * namespace, and the right to read tracefs: CAP_DAC_READ_SEARCH unless root, CAP_SYS_ADMIN where it
 * is not mounted. Not thread-safe: the monitor calls it. In the child of a fork(2) the rings are
 * not mapped: there it may not be used, nor closed. */
#ifndef NOTIFIER_H
#define NOTIFIER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/failure.h"

struct notifier;

struct tcp_change {
	pid_t pid; /* the process in whose context it happened, in the PID namespace of who opened
	              the notifier; 0: not in it */
	pid_t tid;
	bool listening; /* true: a socket starts listening; false: one stops, or failed to begin
	                 */
	int family;     /* AF_INET or AF_INET6, as the socket was made: an IPv4-mapped address stays
	                   AF_INET6 */
	/* Local port, host order. When it begins: 0 for an autobound socket, and a port of the past
	 * for one that was autobound before. */
	uint16_t port;
	uint8_t address[16]; /* local address, network order; AF_INET uses 4 */
	uint64_t socket; /* address of the kernel's struct sock (skaddr): tells sockets apart while
	                    they live, and is the only way to know an autobound one again */
	uint64_t time;   /* CLOCK_MONOTONIC */
};

/* They may not call the notifier. All are set. */
struct notifier_hooks {
	void (*changed)(void *data, const struct tcp_change *change);
	/* Processes only, not threads. parent is who called fork; 0: not in our PID namespace. */
	void (*forked)(void *data, pid_t parent, pid_t child);
	/* Some thread of the process is about to exit, the process perhaps with it: a hint. */
	void (*exited)(void *data, pid_t pid);
	/* Records were dropped, or may have been: look at everything again. 0: how many is not
	 * known. */
	void (*lost)(void *data, uint64_t records);
};

/* Opens it on all online CPUs. Returns 0 or a negative errno with *failure set. */
int notifier_open(struct notifier **notifier, const struct notifier_hooks *hooks, void *data,
                  struct failure *failure);
void notifier_close(struct notifier *notifier); /* NULL allowed */
/* The same in the child of a fork(2), which must neither drain nor close it otherwise. */
void notifier_forget(struct notifier *notifier);

/* One descriptor to wait on (EPOLLIN): an epoll of its own over the rings. A sample makes it
 * readable, and so does a ring that is half full; fork and exit records otherwise wait for the next
 * drain. The wait that reports it also resets it: drain after each, and once after adding it to an
 * epoll. */
int notifier_fd(const struct notifier *notifier);

/* Hands all waiting records to the hooks, in the order of their times across the rings; bounded by
 * what was there when it began. At most once a second it also notices CPUs that came or went: that
 * takes the capability again, and a CPU that came without it stays unheard. So does one that went
 * and came back between two looks. */
void notifier_drain(struct notifier *notifier);

/* Counters since it was opened: records handled, and records that the kernel said it dropped. */
uint64_t notifier_records(const struct notifier *notifier);
uint64_t notifier_lost(const struct notifier *notifier);

#endif
