/* SPDX-License-Identifier: MIT */
/* monitor.h - the one per process: an epoll loop on one thread that keeps everything up to date
 *
 * All of it is guarded by the library's lock, which its thread holds while it works. */
#ifndef MONITOR_H
#define MONITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "notify/notifier.h"
#include "util/list.h"
#include "portwatch.h"
#include "proc/process_tree.h"
#include "proc/procfs.h"
#include "proc/recent_pids.h"
#include "util/spawn.h"

#define MONITOR_BATCH 64

/* Something to wait on. */
struct source {
	int fd; /* -1: none */
	void (*ready)(struct source *source);
};

struct monitor {
	unsigned int references; /* started watchers */
	struct list link;        /* in the list of all; more than one only while one ends */
	pthread_t thread;
	pthread_t delivery; /* see delivery.h */
	bool quit;
	bool forked_away; /* this is a copy in the child of a fork(2) that is being taken apart */
	int epoll;
	struct source wake; /* an eventfd: another thread has changed something */
	struct epoll_event batch[MONITOR_BATCH];
	int batch_size;
	bool stale; /* a source was removed: what epoll_wait(2) fetched meanwhile may name it */
	struct procfs procfs;
	struct process_table *processes;
	struct list namespaces;    /* struct portwatch_namespace */
	struct list subscriptions; /* struct subscription */
	struct list reaping;       /* children that were told to go */
	struct notifier *notifier;
	struct failure notifier_failure; /* why there is none */
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
	bool refresh_failed;       /* not all could be read: with the next poll again */
	bool forked;               /* processes may have come: read the trees */
	bool exited;               /* a member has exited: read the trees */
	bool moved;                /* members have come, gone or moved: place the workers again */
	struct recent_pids recent_pids;
	uint64_t round; /* CLOCK_MONOTONIC of the next poll of all namespaces without an interval of
	                   their own */
	uint64_t rounds;    /* begun */
	uint64_t scan_cost; /* CPU of the look after the trees in a round, in ns, smoothed */
	uint64_t due; /* when there is something to do next, if nothing is touched until then */
	bool touched; /* something is to be done now */
	size_t locate_next;       /* round robin over members, see topology.c */
	uint64_t locate_earliest; /* when it is their turn again */
};

/* Whether the calling thread is the library's own that calls callbacks. */
bool monitor_is_delivering(void);
/* Whether no watcher needs it any more. */
bool monitor_is_idle(const struct monitor *monitor);

/* The monitor of this process, made if there is none; a reference for the caller. 0 or a negative
 * errno. Lock held. */
int monitor_get(struct monitor **monitor);
/* Registers what happens at fork(2). Called before the lock is first taken. 0 or a negative errno.
 */
int monitor_prepare(void);
/* Ends the threads and frees the monitor; for monitor_put() and the delivery thread. */
void monitor_end(struct monitor *monitor);
/* Gives the reference back. The last one ends the threads; the lock is released meanwhile. */
void monitor_put(struct monitor *monitor);

/* Makes its thread look at everything soon. From any thread. */
void monitor_wake(struct monitor *monitor);

/* Waits on a source with EPOLLIN. 0 or a negative errno. */
int monitor_add(struct monitor *monitor, struct source *source);
/* Ends that; its fd is left open. It isn't called again, not even for events already fetched. */
void monitor_remove(struct monitor *monitor, struct source *source);

/* The body of its thread (monitor.c), and the rest of its work by file. */
void *monitor_run(void *monitor);
extern const struct process_hooks monitor_process_hooks;
/* Opens the notifier where somebody wants it, closes it where nobody does. */
void monitor_notifier_update(struct monitor *monitor);
/* Takes in what it has told. */
void monitor_notifier_drain(struct monitor *monitor);
void monitor_notifier_end(struct monitor *monitor);
/* Frees what waits for children; in the child of a fork(2) their descriptors alone. */
void monitor_reap_end(struct monitor *monitor);
/* Children without a pidfd are asked at each turn. True while there are such. */
bool monitor_reap_turn(struct monitor *monitor);
/* Whether a PID is that of a child to be reaped. */
bool monitor_reaps(const struct monitor *monitor, pid_t pid);

/* Takes over a child that was killed, and reaps it. pid 0: nothing to do. */
void monitor_reap(struct monitor *monitor, const struct child *child);

#endif
