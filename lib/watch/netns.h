/* SPDX-License-Identifier: MIT */
/* netns.h - the workers of network namespaces: their identity, their readers, what listens there
 *
 * A worker reads its namespace when that is due, and passes on what has changed to the observer. */
#ifndef NETNS_H
#define NETNS_H

#include "portwatch.h"
#include "table/reader.h"
#include "table/snapshot.h"
#include "util/hash.h"
#include "util/heap.h"
#include "util/list.h"
#include "watch/context.h"
#include "watch/expectation.h"
#include "watch/log.h"
#include "watch/schedule.h"

/* Helpers that run at once. */
#define HELPERS_MAX 64

struct netns;

/* Reads that follow each other quickly, because a member of one watcher has been forked or has
 * called exec there. */
struct burst {
	struct list link;    /* in netns->bursts; by itself: it is over */
	struct share *share; /* of the watcher, which pays for the reads */
	uint64_t begun;      /* CLOCK_MONOTONIC */
	uint64_t next;       /* of its next read */
};

/* Whom the workers report to, and ask. */
struct netns_observer {
	/* A listener has come or gone. */
	void (*changed)(void *data, struct netns *ns, enum snapshot_change change,
	                const struct listener *listener);
	/* A complete read has been taken in. */
	void (*completed)(void *data, struct netns *ns);
	/* No way is left to read the namespace, for now. */
	void (*exhausted)(void *data, struct netns *ns);
	/* No read shows what the notifier has reported. */
	void (*missed)(void *data, struct netns *ns, const struct expectation *expectation);
	void (*log)(void *data, struct netns *ns, enum portwatch_log_level level, const char *text);
	/* Chooses the process by which the namespace is entered, or where nobody is known to live
	 * there, a socket that keeps it: then target->descriptor is the caller's to close. Sets
	 * ns->pid and ns->inode. 0; -ESRCH: nothing leads there; another negative errno if that
	 * cannot be found out. */
	int (*enter)(void *data, struct netns *ns, struct reader_target *target);
	/* Whether the kernel's reports of closed sockets are wanted. */
	bool (*wants_closes)(void *data, const struct netns *ns);
};

/* All workers. */
struct netns_table {
	struct context *context;
	struct schedule *schedule;
	const struct netns_observer *observer;
	void *data; /* of the observer */
	struct list list;
	struct hash by_id; /* by id.ino */
	struct hash by_serial;
	struct hash by_helper;     /* those with a helper, by its PID */
	struct list helpers;       /* the same, the one that was read longest ago first */
	struct heap due;           /* by a time that is not later than netns_due() */
	struct list views_changed; /* those whose views have changed, for placement.c */
	size_t adapting;           /* so many have no interval of their own */
	uint64_t visits;           /* of workers by netns_table_work(), for the tests */
	uint64_t serial;           /* of the worker made last */
	bool polled;               /* some table was asked for: look after the trees as well */
	bool prompted; /* ... because the kernel has reported something: that is passed on first */
};

struct netns {
	struct netns_table *workers;
	struct list link;
	struct hash_link by_id;
	struct hash_link by_serial;
	struct hash_link by_helper;
	struct list helper; /* in table->helpers, while it has one */
	struct heap_link due;
	struct list working; /* for netns_table_work() */
	bool parked; /* its reader was closed for want of room, and comes back for the next read */
	struct list views_changed; /* in table->views_changed */
	struct list views;         /* the observer's: struct view, see sockets.h */
	uint64_t serial;           /* never reused */
	struct netns_id id;
	enum portwatch_reader forced_reader;
	enum portwatch_table forced_table;
	uint64_t inode;        /* of /proc/PID/ns/net; 0: not known */
	uint64_t cookie;       /* 0: not known */
	pid_t pid;             /* the process by which it is entered */
	struct reader *reader; /* NULL: none now */
	struct source source;  /* of the reader */
	size_t kind;           /* which reader, an index of netns_reader.c's order */
	unsigned int worked;   /* the kinds that have read it, as bits */
	bool pending;          /* a request is under way */
	bool again;            /* something has happened since it was made: ask once more at once */
	bool confirming;       /* the next read is the second look at missing rows */
	bool prompted;         /* the request was made because the kernel has reported something */
	bool exhausted;        /* no reader works */
	uint64_t requested;    /* when the pending request was made */
	uint64_t deadline;     /* of the pending request */
	uint64_t progress;     /* of the reader when the deadline was set */
	uint64_t received;     /* from the reader, when it was heard last */
	uint64_t heard;        /* when the reader was asked or said something last */
	uint64_t slowest;      /* the longest time that it took to say something */
	uint64_t cost;         /* of a read that finds nothing new, in ns of CPU, smoothed */
	uint64_t spent;        /* by this thread on the read under way */
	bool changed;          /* it has found something new */
	uint64_t cpu;          /* of the helper, when it was looked at last */
	uint64_t opened;       /* when the reader was opened */
	uint64_t requests;     /* made */
	uint64_t completed; /* number of the request that was answered completely last; 0: none yet
	                     */
	uint64_t reads;     /* complete ones by this reader */
	enum portwatch_table table; /* the form of the last of them */
	unsigned int failures;      /* in a row: for the backoff */
	unsigned int retries;       /* in a row: answers without information */
	uint64_t next; /* CLOCK_MONOTONIC of the next read after a failure; UINT64_MAX: none */
	uint64_t expected_at; /* of the next read for what is expected; UINT64_MAX: none */
	uint64_t slot;        /* of the next read by the interval that was set */
	struct list bursts;
	uint64_t burst_next; /* of the next read of a burst, or earlier; UINT64_MAX: none */
	uint64_t improve;    /* when a better reader is tried again; UINT64_MAX: this is the best */
	uint64_t improve_delay;
	uint64_t closes_retry; /* when its reader may report closed sockets again; 0: it may */
	uint64_t closes_delay;
	bool adapts;                  /* a watcher has set no interval */
	unsigned int interval;        /* ms, the shortest that a watcher has set; 0: adapts */
	uint64_t earliest;            /* no read before: a storm of events is no storm of reads */
	struct expectations expected; /* what the notifier has reported */
	unsigned int begun,
		ended; /* listeners, as the notifier has reported since the last complete read */
	struct snapshot known;     /* what listens, see snapshot_update() */
	struct failure failure;    /* the last one */
	char reason[LOG_TEXT];     /* why it is read as it is */
	char logged[LOG_TEXT];     /* the last warning: each once */
	char logged_way[LOG_TEXT]; /* how it is read, as it was logged last */
	uint64_t rejected;         /* malformed rows that were logged */
};

void netns_table_init(struct netns_table *table, struct context *context, struct schedule *schedule,
                      const struct netns_observer *observer, void *data);
void netns_table_clear(struct netns_table *table);
/* Does what is due at `now`: deadlines, reads, better readers. */
void netns_table_work(struct netns_table *table, uint64_t now);
/* When netns_table_work() has something to do next. */
uint64_t netns_table_due(const struct netns_table *table);
/* Begins a poll cycle: reads all that have no interval of their own. Returns what that costs, in ns
 * of CPU. */
uint64_t netns_table_poll(struct netns_table *table);
/* Whether the process is the helper of some worker. */
bool netns_table_has_helper(const struct netns_table *table, pid_t pid);
/* The first worker of a namespace; there is one for each way to read it. NULL: none. */
struct netns *netns_find(const struct netns_table *table, const struct netns_id *id);
struct netns *netns_find_next(const struct netns *ns);
struct netns *netns_find_serial(const struct netns_table *table, uint64_t serial);

/* Finds the worker of a namespace that is read in the given way, or makes it. NULL without memory.
 */
struct netns *netns_get(struct netns_table *table, const struct netns_id *id,
                        enum portwatch_reader reader, enum portwatch_table form);
/* Lets it go, with its reader. It must have no views any more. */
void netns_free(struct netns *ns);
/* Reads now, or once more when a read is under way. */
void netns_read_now(struct netns *ns);
/* Reads now, and again until the read shows what the notifier has reported. */
void netns_expect(struct netns *ns, const struct tcp_change *change);
/* The notifier has lost records: any listen(2) may have been among them, and is reported before the
 * socket is in the table. */
void netns_lost(struct netns *ns);
/* These processes hold the socket with this inode: it may be one that is expected. */
void netns_attributed(struct netns *ns, uint64_t inode, const struct holder_set *holders);
/* The namespace is new, or a process there has been forked, has been found or has called exec:
 * servers usually listen soon after they start. */
void netns_begin_burst(struct netns *ns, struct burst *burst);
/* A view has come or gone. */
void netns_views_changed(struct netns *ns);
/* How often it is read: interval in ms, 0: none is set; adapts: some watcher has set none. */
void netns_set_interval(struct netns *ns, unsigned int interval, bool adapts);

#endif
