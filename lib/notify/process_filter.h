/* SPDX-License-Identifier: MIT */
/* process_filter.h - which messages of the process connector a socket receives
 *
 * A classic BPF program (SO_ATTACH_FILTER). The connector reports every process of the host, and
 * to wake up for each costs more than to watch. The kernel runs the program in the process that
 * forks, and drops what nobody waits for. Pure: no I/O.
 *
 * A process that was just forked by a watched one may fork at once, before the program knows its
 * number. Numbers are given out upwards. So the program also passes the forks of all processes that
 * are younger than a mark. */
#ifndef PROCESS_FILTER_H
#define PROCESS_FILTER_H

#include <linux/filter.h>
#include <stddef.h>
#include <sys/types.h>

#define PROCESS_FILTER_RANGES 32
#define PROCESS_FILTER_MAX (4 * PROCESS_FILTER_RANGES + 64) /* instructions */

/* Watched processes. Where there are more than fit, ranges that lie close together become one: some
 * strangers pass as well, but no watched process is missed. */
struct process_filter {
	struct {
		pid_t first;
		pid_t last;
	} ranges[PROCESS_FILTER_RANGES]; /* ascending, not adjacent */
	size_t count;
	pid_t mark; /* forks of processes with higher numbers pass; 0: the forks of all */
};

/* Begins with no process, and the forks of all. */
void process_filter_clear(struct process_filter *filter);
/* pid is greater than 0. */
void process_filter_add(struct process_filter *filter, pid_t pid);

/* Writes the program: forks of processes (not of threads) by watched or young ones, execs of
 * watched processes, and exits of their main threads. Returns the number of instructions. */
unsigned short process_filter_make(const struct process_filter *filter,
                                   struct sock_filter code[PROCESS_FILTER_MAX]);
/* The same for a program that passes nothing but acknowledgements. */
unsigned short process_filter_make_ack(struct sock_filter code[PROCESS_FILTER_MAX]);

#endif
