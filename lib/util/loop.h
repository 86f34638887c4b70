/* SPDX-License-Identifier: MIT */
/* loop.h - an epoll loop for descriptors and children
 *
 * The layer `util` has general helpers, which are independent of ports and processes. list.h,
 * hash.h (by a number) and heap.h (by due time) are containers whose links are inside the objects,
 * so that adding an object never fails. fd.h owns every descriptor of the library and can close all
 * of them in the child of a fork(2); lock.h has the only lock, and its fork handlers. spawn.h
 * starts children that make raw system calls only (sys.h), because another thread of the host may
 * hold a lock of libc. caps.h is the only user of libcap: it raises privileges around single calls.
 * failure.h describes a failure: a step in words and an errno. vdso.h detects whether the kernel is
 * Linux.
 *
 * A loop belongs to one thread. Only this thread calls its functions. */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/list.h"
#include "util/spawn.h"

/* A descriptor to wait for, part of the object that it belongs to. */
struct source {
	int fd; /* -1: none */
	void (*ready)(struct source *source);
	uint32_t slot; /* in loop->slots, from loop_add() to loop_remove() */
};

struct loop_slot;

/* The number of PIDs of reaped children that are kept. */
#define LOOP_REAPED_MAX 32
/* While so many killed children have not ended, no further child that may not end is started. */
#define REAPING_MAX 32

struct loop {
	int epoll;
	struct loop_slot *slots;
	uint32_t slot_count;
	uint32_t slot_free;  /* the first free slot; slot_count: none */
	struct list reaping; /* children that were killed */
	unsigned int reaping_count;
	pid_t reaped[LOOP_REAPED_MAX];
	unsigned int reaped_count; /* in total; only the last ones are kept */
};

/* 0 or a negative errno. A loop that was zeroed, or failed to open, may be closed. */
int loop_open(struct loop *loop);
/* Waits for the children that were killed, at most some seconds. */
void loop_close(struct loop *loop);

/* Waits for a descriptor to become readable (EPOLLIN). 0 or a negative errno. */
int loop_add(struct loop *loop, struct source *source);
/* Removes a source; its fd stays open. The source is not called again, not even for events that
 * epoll_wait(2) has already reported. */
void loop_remove(struct loop *loop, struct source *source);

/* Waits at most `timeout` milliseconds (0: not at all), and calls the sources that are ready. */
void loop_wait(struct loop *loop, int timeout);

/* Takes over a killed child with its pidfd, and reaps it without waiting. pid 0: does nothing. */
void loop_reap(struct loop *loop, const struct child *child);
/* Whether a PID is that of a child to be reaped. */
bool loop_reaps(const struct loop *loop, pid_t pid);
/* Whether a PID was that of a child which was reaped since loop_forget_reaped(). What the kernel
 * has reported of the child may still be unread. */
bool loop_has_reaped(const struct loop *loop, pid_t pid);
void loop_forget_reaped(struct loop *loop);
/* Tries to reap children without a pidfd. Returns true while there are such children. */
bool loop_reap_more(struct loop *loop);

#endif
