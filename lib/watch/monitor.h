/* SPDX-License-Identifier: MIT */
/* monitor.h - the one per process: an epoll loop on one thread that keeps everything up to date
 *
 * The monitor thread alone touches the monitor and all that it owns, so nothing of it has a lock.
 * Host threads reach it through the mailbox, and it reaches them through the outboxes. In the child
 * of a fork(2) it is abandoned as it is: the fork may have fallen into the middle of a change. */
#ifndef MONITOR_H
#define MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "notify/notifier.h"
#include "util/list.h"
#include "portwatch.h"
#include "proc/process_tree.h"
#include "proc/inits.h"
#include "proc/procfs.h"
#include "proc/recent_pids.h"
#include "util/loop.h"
#include "watch/elsewhere.h"
#include "watch/schedule.h"

/* Helpers that run at once. */
#define HELPERS_MAX 64

struct monitor {
	bool quit; /* no watcher needs it any more */
	struct loop loop;
	struct source wake; /* of the mailbox: a host thread wants something */
	struct procfs procfs;
	struct process_table *processes;
	struct inits inits;     /* of containers, by their namespaces */
	struct list namespaces; /* struct netns */
	struct elsewhere elsewhere;
	struct list subscriptions; /* struct subscription */
	struct list helpers; /* namespaces with a helper, the one that was read longest ago first */
	unsigned int helper_count;
	struct notifier *notifier;       /* NULL: nobody wants it, or there is no room for it */
	struct failure notifier_failure; /* why there is none */
	bool notifier_more;              /* not all that it holds was handled */
	bool refollow;         /* what it follows is to be told anew, after the next scan */
	uint64_t refollow_due; /* CLOCK_MONOTONIC: in any case then */
	struct source notifier_source;
	unsigned int notifier_wanted; /* by so many subscriptions */
	bool everybody_counts;        /* in the scope of some subscription: non-members matter */
	void *known_sockets;          /* tsearch(3): sockets of members, by the kernel's address */
	size_t known_socket_count;
	uint64_t recheck; /* when the trees are read, whether anything was forked or not */
	uint64_t stats[PORTWATCH_STAT_CPU + 1]; /* those that are counted, see stats.c */
	uint64_t serial;                        /* of the namespace made last */
	bool polled;               /* some table was asked for: look after the trees as well */
	bool adapts;               /* some namespace is read without an interval of its own */
	bool unplaced;             /* no memory for a worker or a view: with the next poll again */
	bool exit_unwatched;       /* no pidfd tells of the end of some tree */
	uint64_t refresh_earliest; /* the trees are not read before */
	uint64_t refresh_took;     /* CPU of the reading under way, in ns */
	bool refreshing;           /* the trees are being read, a slice at each turn */
	bool refresh_failed;       /* not all could be read: with the next poll again */
	bool forked;               /* processes may have come: read the trees */
	bool exited;               /* a member has exited: read the trees */
	bool moved;                /* members have come, gone or moved: place the workers again */
	struct recent_pids recent_pids;
	uint64_t round; /* CLOCK_MONOTONIC of the next poll of all namespaces without an interval of
	                   their own */
	uint64_t rounds;            /* begun */
	uint64_t resting;           /* the pause before the next one */
	struct allowance allowance; /* for bursts */
	bool bursting;              /* the look after the trees that is due belongs to one */
	uint64_t scan_cost; /* CPU of the look after the trees in a round, in ns, smoothed */
	uint64_t due; /* when there is something to do next, if nothing is touched until then */
	bool touched; /* something is to be done now */
	size_t locate_next;       /* round robin over members, see topology.c */
	uint64_t locate_earliest; /* when it is their turn again */
};

/* The body of the monitor thread: works until no watcher needs the monitor any more. For
 * mailbox_enter(). */
void *monitor_thread(void *data);

/* The rest of its work by file. */
extern const struct process_hooks monitor_process_hooks;
/* Opens the notifier where somebody wants it, closes it where nobody does. */
void monitor_notifier_update(struct monitor *monitor);
/* Whether the kernel reports that. */
bool monitor_notified(const struct monitor *monitor, enum notifier_kind kind);
/* Why it doesn't, or not by a better way, in words; or "". */
#define NOTIFIER_TEXT 1024
void monitor_notifier_reason(const struct monitor *monitor, enum notifier_kind kind,
                             char text[NOTIFIER_TEXT]);
/* Takes in what it has told. */
void monitor_notifier_drain(struct monitor *monitor);
/* Whether it has told more than was taken in. */
bool monitor_notifier_is_behind(const struct monitor *monitor);
/* Around a scan of the trees, so that nothing is missed between finding a process and following it:
 * before it, and when it is complete. */
void monitor_notifier_before_scan(struct monitor *monitor);
void monitor_notifier_after_scan(struct monitor *monitor);
/* What is followed takes effect. With each poll, whether anything was followed or not. */
void monitor_notifier_settle(struct monitor *monitor, bool poll);
void monitor_notifier_end(struct monitor *monitor);

#endif
