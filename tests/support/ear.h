/* SPDX-License-Identifier: MIT */
/* ear.h - listens to the doorbell
 *
 * The whole machine rings it: what concerns others is left out. */
#ifndef EAR_H
#define EAR_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "doorbell.h"

#define HEARD_MAX 1024
#define PATIENCE 60000 /* ms: a hang, not a slow machine */

/* What the hooks were told of this process and its children. */
struct heard {
	struct doorbell_change changes[HEARD_MAX];
	size_t change_count;
	pid_t parents[HEARD_MAX], children[HEARD_MAX];
	size_t fork_count;
	pid_t exits[HEARD_MAX];
	size_t exit_count;
	unsigned int losses;
	uint64_t last_time;
	bool disordered;
};
extern struct heard heard;
extern pid_t listener_pid; /* whose changes are kept: at first, those of this process */
extern struct doorbell *doorbell;
extern const struct doorbell_hooks ear_hooks;

/* Opens the doorbell, or skips the case. */
void ear_open(void);
void ear_close(void);

/* Waits for the doorbell as its user would, until so many changes were kept. */
void ear_await(size_t changes);

/* A TCP socket bound to a port that the kernel chose. */
int ear_socket(const char *address, uint16_t *port);

/* Opens a listener on 127.0.0.1 and closes it again. */
void ear_listen_once(void);

/* Forks a child that exits at once, and waits for that. */
pid_t ear_fork(void);

/* Puts this thread on one CPU; returns where it was allowed before. */
cpu_set_t ear_stay_on(int cpu);

/* Runs the rest of a case in a child, with namespaces of its own (unshare(2)); returns whether this
 * is it. There ear_open_in_child() opens the doorbell, and _exit(0) is success. */
bool ear_in_child(int namespaces);
void ear_open_in_child(void);

#endif
