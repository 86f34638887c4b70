/* SPDX-License-Identifier: MIT */
/* connector.h - the messages of the process connector, and the filter that selects them
 *
 * Pure: no I/O. The kernel's header linux/cn_proc.h differs between releases; the messages do
 * not. */
#ifndef CONNECTOR_H
#define CONNECTOR_H

#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum process_what {
	PROCESS_ACK = 0,
	PROCESS_FORK = 1,
	PROCESS_EXEC = 2,
	PROCESS_EXIT = INT32_MIN, /* the highest of 32 bits */
};

/* An event in a message, after a struct nlmsghdr and a struct cn_msg. */
struct process_record {
	uint32_t what;
	uint32_t cpu;
	uint64_t time; /* CLOCK_MONOTONIC, in ns */
	/* Of the process of the event; of a fork: the parent. The kernel names the parent of the
	 * child, which with CLONE_PARENT is the parent of the process that forks. */
	uint32_t tid;
	uint32_t pid;
	uint32_t child_tid; /* of a fork */
	uint32_t child_pid;
	uint32_t unused[2];
};

#define PROCESS_RECORD (NLMSG_HDRLEN + offsetof(struct cn_msg, data))
#define PROCESS_MESSAGE_MAX 256

/* A process, not a thread, has forked, called exec, or lost its main thread. PIDs are those of the
 * initial PID namespace. */
struct process_event {
	enum process_what what;
	pid_t pid;   /* of a fork: the parent */
	pid_t child; /* of a fork; otherwise 0 */
	uint64_t time;
};

/* Reads a datagram. Returns 1; 0 for a message about something else; -EBADMSG. */
int process_message_parse(const void *bytes, size_t size, struct process_event *event);

/* Requests. Every kernel acknowledges LISTEN with PROCESS_ALL. LISTEN with another mask is
 * supported since Linux 6.6 and ignored before, and its mask suppresses the acknowledgement. */
enum process_request {
	PROCESS_LISTEN = 1,
	PROCESS_IGNORE = 2,
};

#define PROCESS_ALL 0U

/* Writes a request; number comes back in its acknowledgement. Returns its size. */
size_t process_message_request(uint8_t bytes[PROCESS_MESSAGE_MAX], enum process_request request,
                               uint32_t mask, uint32_t number);
/* Whether a datagram is the acknowledgement of this request: then *error is the kernel's answer, 0
 * or a positive errno. */
bool process_message_is_ack(const void *bytes, size_t size, uint32_t number, int *error);

/* --- the filter ---
 *
 * A classic BPF program (SO_ATTACH_FILTER). The connector reports every process of the host, and a
 * wake-up for each report costs more than the rest of watching. The kernel runs the program in the
 * process that forks, and drops the other reports.
 *
 * A new child of a watched process may fork at once, before the program includes its PID. PIDs are
 * assigned in ascending order, so the program also passes the forks of all processes with a PID
 * above a mark. */

#define PROCESS_FILTER_RANGES 32
#define PROCESS_FILTER_MAX (4 * PROCESS_FILTER_RANGES + 64) /* instructions */

/* Watched processes. If there are too many ranges, neighbouring ones are merged: events of some
 * other processes then pass as well, but no watched process is missed. */
struct process_filter {
	struct {
		pid_t first;
		pid_t last;
	} ranges[PROCESS_FILTER_RANGES]; /* ascending, not adjacent */
	size_t count;
	pid_t mark; /* forks of processes with higher PIDs pass; 0: all forks pass */
};

/* Starts without a watched process; all forks pass. */
void process_filter_clear(struct process_filter *filter);
/* pid is greater than 0. */
void process_filter_add(struct process_filter *filter, pid_t pid);

/* Writes the program: it passes forks of processes (not of threads) by watched or young processes,
 * execs of watched processes, and exits of their main threads. Returns the number of
 * instructions. */
unsigned short process_filter_make(const struct process_filter *filter,
                                   struct sock_filter code[PROCESS_FILTER_MAX]);
/* The same for a program that passes only acknowledgements. */
unsigned short process_filter_make_ack(struct sock_filter code[PROCESS_FILTER_MAX]);

#endif
