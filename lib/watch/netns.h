/* SPDX-License-Identifier: MIT */
/* netns.h - the workers of network namespaces: their identity, their readers, their listeners
 *
 * A worker reads its namespace when a read is due, and passes changes on to the observer. */
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
#include "watch/turns.h"

struct netns;

/* A burst: reads in quick succession, because a member of a watcher was forked or has called exec
 * in the namespace. */
struct burst {
	struct list link;    /* in netns->bursts; unlinked: the burst is over */
	struct share *share; /* the share of the watcher, from which the reads are paid */
	uint64_t begun;      /* CLOCK_MONOTONIC */
	uint64_t next;       /* of its next read */
};

/* The hooks that the workers call. */
struct netns_observer {
	/* A listener has appeared or disappeared. */
	void (*changed)(void *data, struct netns *ns, enum snapshot_change change,
	                const struct listener *listener);
	/* The evaluation of a large table begins. The changes follow in slices. May be NULL. */
	void (*begins)(void *data, struct netns *ns);
	/* A complete read was evaluated. */
	void (*completed)(void *data, struct netns *ns);
	/* No reader works for the namespace at present. */
	void (*exhausted)(void *data, struct netns *ns);
	/* No read shows a listener that the notifier has reported. */
	void (*missed)(void *data, struct netns *ns, const struct expectation *expectation);
	void (*log)(void *data, struct netns *ns, enum portwatch_log_level level, const char *text);
	/* Chooses the process through which the namespace is entered. If no process is known to
	 * live there, chooses a socket that keeps the namespace alive: then the caller closes
	 * target->descriptor. Sets ns->pid and ns->inode. Returns 0; -ESRCH: there is no way into
	 * the namespace; another negative errno if this cannot be determined. */
	int (*enter)(void *data, struct netns *ns, struct reader_target *target);
	/* Whether the kernel's reports of closed sockets are wanted. */
	bool (*wants_closes)(void *data, const struct netns *ns);
	/* Returns the turn of a watcher that needs the namespace; NULL: no watcher needs it. */
	struct turn *(*turn)(void *data, const struct netns *ns);
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
	struct hash by_helper;    /* those with a helper, by its PID */
	struct list helpers;      /* the same workers, the one whose last read is oldest first */
	unsigned int helpers_max; /* the most that run at once */
	struct heap due;    /* ordered by a time that is not later than the worker's due time */
	struct turns turns; /* of the workers whose time has come */
	struct list evaluations; /* of large tables */
	struct turn nobody;      /* the turn of those that no watcher needs */
	uint64_t entered; /* CPU time of this thread when it took up the present worker; or 0 */
	struct list views_changed; /* those whose views have changed, for placement.c */
	size_t adapting;           /* the number of workers without an interval of their own */
	uint64_t visits;           /* of workers by netns_table_work(), for the tests */
	uint64_t serial;           /* of the newest worker */
	bool polled;               /* a table was requested: the trees are checked too */
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
	struct turn_place place; /* its place in a turn, in which it waits for its read */
	bool parked; /* its reader was closed because of a quota, and is opened for the next read */
	struct list views_changed; /* in table->views_changed */
	struct list views;         /* owned by the observer: struct view, see sockets.h */
	uint64_t serial;           /* never reused */
	struct netns_id id;
	enum portwatch_reader forced_reader;
	enum portwatch_table forced_table;
	uint64_t inode;        /* of /proc/PID/ns/net; 0: unknown */
	uint64_t cookie;       /* 0: unknown */
	pid_t pid;             /* the process through which it is entered */
	struct reader *reader; /* NULL: none at present */
	struct source source;  /* of the reader */
	size_t kind;           /* which reader, an index into `order` in netns_reader.c */
	unsigned int worked;   /* the kinds that have read it, as bits */
	bool pending;          /* a request is unanswered */
	bool again;            /* something has happened since the request: repeat it at once */
	bool asked;   /* ... by netns_read_now(): the result of the next complete read is urgent */
	bool silent;  /* the pending request may remain unanswered if nothing has changed */
	bool settled; /* the last complete read has left nothing to be confirmed */
	bool confirming;     /* the next read confirms that rows are missing */
	bool prompted;       /* an event of the kernel has caused the request */
	bool exhausted;      /* no reader works */
	uint64_t requested;  /* the time of the pending request */
	uint64_t deadline;   /* of the pending request */
	uint64_t progress;   /* of the reader when the deadline was set */
	uint64_t received;   /* bytes from the reader at `heard` */
	uint64_t heard;      /* when the reader was asked or answered last */
	uint64_t slowest;    /* the longest pause before a part of an answer */
	uint64_t cost;       /* of a read that finds nothing new, in ns of CPU, smoothed */
	uint64_t spent;      /* CPU time of this thread for the present read */
	bool changed;        /* the present read has found a change */
	uint64_t cpu;        /* CPU time of the helper when it was measured last */
	uint64_t length;     /* of the last read, see netns_read_length() ... */
	uint64_t length_cpu; /* ... and the CPU time of the helper at its end */
	uint64_t work;       /* CPU time of this thread for the present read */
	uint64_t opened;     /* when the reader was opened */
	uint64_t requests;   /* number of requests so far */
	uint64_t completed;  /* number of the last request that was answered completely; 0: none yet
	                      */
	uint64_t reads;      /* complete reads by this reader */
	enum portwatch_table table; /* the form of the last complete read */
	unsigned int failures;      /* consecutive failures, for the backoff */
	unsigned int retries;       /* consecutive failed reads */
	uint64_t next; /* CLOCK_MONOTONIC of the next read after a failure; UINT64_MAX: none */
	uint64_t expected_at; /* of the next read for expected listeners; UINT64_MAX: none */
	uint64_t slot;        /* time of the next read according to the interval that was set */
	struct list bursts;
	uint64_t burst_next; /* of the next read of a burst, or earlier; UINT64_MAX: none */
	uint64_t improve;    /* when a better reader is tried again; UINT64_MAX: this is the best */
	uint64_t improve_delay;
	uint64_t closes_retry; /* when the reader may report closed sockets again; 0: it may now */
	uint64_t closes_delay;
	bool adapts;           /* some watcher has not set an interval */
	unsigned int interval; /* ms, the shortest that a watcher has set; 0: adapts */
	uint64_t earliest; /* earliest time of the next read: a storm of events causes few reads */
	struct expectations expected;  /* listeners that the notifier has reported */
	unsigned int begun, ended;     /* ends of listeners that the notifier has reported since the
	                                  last complete read */
	struct snapshot known;         /* the listeners, see snapshot_update() */
	struct evaluation *evaluation; /* of a large table, in slices; NULL: none. Until its end
	                                  some changes of `known` are not reported yet */
	struct failure failure;        /* the last failure */
	char reason[LOG_TEXT];         /* why no better reader or form is used */
	char logged[LOG_TEXT];         /* the last warning, which is not repeated */
	char logged_way[LOG_TEXT];     /* the reader and form that were logged last */
	uint64_t rejected;             /* number of malformed rows that were logged */
};

void netns_table_init(struct netns_table *table, struct context *context, struct schedule *schedule,
                      const struct netns_observer *observer, void *data);
void netns_table_clear(struct netns_table *table);
/* Does the work that is due at `now`: deadlines, reads, better readers. Leaves the work that
 * exceeds a slice for the next call. */
void netns_table_work(struct netns_table *table, uint64_t now);
/* When netns_table_work() has work next. */
uint64_t netns_table_due(const struct netns_table *table);
/* Begins a poll cycle: reads all namespaces without an interval of their own. Returns the cost of
 * these reads, in ns of CPU time. */
uint64_t netns_table_poll(struct netns_table *table);
/* A watcher ends: moves the namespaces in its turn to the turns of other watchers. */
void netns_end_turn(struct turn *turn);
/* Whether the process is the helper of a worker. */
bool netns_table_has_helper(const struct netns_table *table, pid_t pid);
/* The first worker of a namespace; each combination of reader and form has a worker of its own.
 * NULL: none. */
struct netns *netns_find(const struct netns_table *table, const struct netns_id *id);
struct netns *netns_find_next(const struct netns *ns);
struct netns *netns_find_serial(const struct netns_table *table, uint64_t serial);

/* Finds or creates the worker of a namespace for the given reader and form. Returns NULL without
 * memory. */
struct netns *netns_get(struct netns_table *table, const struct netns_id *id,
                        enum portwatch_reader reader, enum portwatch_table form);
/* Frees a worker and its reader. The worker must have no views any more. */
void netns_free(struct netns *ns);
/* Reads now, or once more after the present read. */
void netns_read_now(struct netns *ns);
/* Reads now, and again until a read shows the listener that the notifier has reported. */
void netns_expect(struct netns *ns, const struct tcp_change *change);
/* The notifier has lost records, possibly of a listen(2), which the kernel reports before the
 * socket is in the table. */
void netns_lost(struct netns *ns);
/* The processes in `holders` hold the socket with this inode, which may be expected. */
void netns_attributed(struct netns *ns, uint64_t inode, const struct holder_set *holders);
/* Starts a burst: the namespace is new, or a process there was forked, was found or has called
 * exec. Servers usually listen soon after they start. */
void netns_begin_burst(struct netns *ns, struct burst *burst);
/* A view was added or removed. */
void netns_views_changed(struct netns *ns);
/* Sets how often the namespace is read: `interval` in ms, 0: none is set; `adapts`: some watcher
 * has not set an interval. */
void netns_set_interval(struct netns *ns, unsigned int interval, bool adapts);

#endif
