/* SPDX-License-Identifier: MIT */
/* monitor.h - the one per process: an epoll loop on one thread that keeps everything up to date
 *
 * The monitor thread alone touches the monitor and all that it owns, so nothing of it has a lock.
 * Host threads reach it through the mailbox, and it reaches them through the outboxes. In the child
 * of a fork(2) it is abandoned as it is: the fork may have fallen into the middle of a change. */
#ifndef MONITOR_H
#define MONITOR_H

/* The body of the monitor thread: works until no watcher needs the monitor any more. For
 * mailbox_enter(). */
void *monitor_thread(void *data);

#endif
