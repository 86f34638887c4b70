/* SPDX-License-Identifier: MIT */
/* monitor.h - the monitor: one per process, an epoll loop on one thread that updates all watched
 * objects
 *
 * The layer `watch` manages the watched objects and their changes. From the bottom to the top:
 *
 * - netns.h: one worker for each network namespace that is read. A worker decides when and by which
 *   reader its table is read, and passes changes on. schedule.h decides how often the tables are
 *   read, and expectation.h which listeners a read must show.
 * - sockets.h: the listening sockets of a namespace as one subscription sees them (a view), and the
 *   ports that the sockets hold open. owners.h searches for the holders of the sockets, and
 *   holders.h stores them.
 * - subscription.h: one started watcher. scope.h decides which processes count and which namespaces
 *   are read, complete.h reports what cannot be seen, and log.h writes the messages.
 * - elsewhere.h: namespaces in which members listen without living there. unseen.h: reported
 *   listen(2) calls that lead to no port. placement.h: which namespaces are read, and how each is
 *   entered. kernel_events.h: the objects that an event of the notifier concerns.
 * - monitor.c: the passes of the loop. Only the monitor knows all of these objects. A lower object
 *   reports to an upper one through an observer, or by a flag in the context (context.h).
 *
 * mailbox.h and outbox.h connect the monitor with the threads of the host. An outbox contains a
 * struct ports (ports.h): the open ports and the queued events.
 *
 * Work is divided into slices of 2 to 5 ms. One pass visits only the namespaces and subscriptions
 * that are due or have work, and finds them without a walk over the others.
 *
 * Only the monitor thread touches the monitor and the objects that it owns, so they have no lock.
 * Host threads send requests through the mailbox, and the monitor sends events through the
 * outboxes. In the child of a fork(2) the monitor is abandoned, because the fork may have happened
 * in the middle of a change. */
#ifndef MONITOR_H
#define MONITOR_H

/* The body of the monitor thread: runs until no watcher needs the monitor any more. For
 * mailbox_enter(). */
void *monitor_thread(void *data);

#endif
