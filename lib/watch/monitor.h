/* SPDX-License-Identifier: MIT */
/* monitor.h - the one per process: an epoll loop on one thread that keeps everything up to date
 *
 * The layer watch knows what is watched and what has changed. From the bottom to the top:
 *
 * - netns.h: one worker for each network namespace that is read. A worker decides when its table is
 *   read, by which reader, and passes on what has changed. schedule.h says how often the tables are
 *   read, expectation.h what a read must show.
 * - sockets.h: the listening sockets of a namespace as one subscription sees them (a view), and the
 *   ports that the sockets hold open. owners.h finds out who holds the sockets, and holders.h keeps
 *   what was found.
 * - subscription.h: one started watcher. scope.h decides which processes count and which namespaces
 *   are read, complete.h says what cannot be seen, and log.h writes the messages.
 * - elsewhere.h: namespaces in which members listen and do not live. unseen.h: reported listen(2)
 *   calls that lead to no port. placement.h: which namespaces are read, and how each is entered.
 *   kernel_events.h: whom an event of the notifier concerns.
 * - monitor.c: the turns of the loop. Only the monitor knows all of these objects. A lower object
 *   reports to an upper one through an observer, or by a flag in the context (context.h).
 *
 * mailbox.h and outbox.h connect the monitor with the threads of the host, and ports.h is what an
 * outbox holds: the open ports and the events that wait.
 *
 * Work is divided into slices of 5 ms. One turn visits only the namespaces and subscriptions that
 * are due or have something to do; to find them takes no walk over the others.
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
