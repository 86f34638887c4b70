/* SPDX-License-Identifier: MIT */
/* soak.h - data and functions that the processes of the soak share
 *
 * The director starts a watched process and a watching process. The watched process forks keepers,
 * which keep ports open until the end, and actors, which cause changes and pause on command. */
#ifndef SOAK_H
#define SOAK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "portwatch.h"

enum {
	SOAK_KEEPERS = 7, /* all but the first have a network namespace of their own */
	SOAK_KEEPER_PORTS = 20,
	SOAK_PORTS = SOAK_KEEPERS * SOAK_KEEPER_PORTS,
	SOAK_FIRST_PORT = 20000, /* of the keepers; no actor uses these ports */
	SOAK_STORM_PORT = 30000, /* of the storms */
	SOAK_WATCHERS = 4,
	SOAK_TRANSIENTS = 8,
};

enum soak_phase {
	SOAK_PAUSE = 0,
	SOAK_RUN,
	SOAK_QUIT, /* actors and watchers end */
	SOAK_END,  /* the keepers end too */
};

/* The events that one watcher has reported. The size is independent of the number of events. */
struct soak_reported {
	struct soak *soak;
	const char *name;
	atomic_ullong opens;
	atomic_ullong closes;
	atomic_uint ends;
	atomic_uint kept_opens[SOAK_PORTS];
	atomic_uint kept_closes[SOAK_PORTS];
};

/* All processes share this memory. */
struct soak {
	pid_t director;
	bool namespaces; /* the kernel allows new network namespaces */
	int keepers;
	atomic_int phase;
	atomic_int actors;
	atomic_int paused;     /* actors that pause */
	atomic_int ready;      /* halves of the keepers' ports that are open: 2 for each keeper */
	atomic_bool open_rest; /* the keepers open the second half of their ports */
	atomic_int keeper_pids[SOAK_KEEPERS];
	atomic_int transients[SOAK_TRANSIENTS]; /* PIDs of processes that exit soon */
	atomic_uint failures;
	/* the work of the actors */
	atomic_ullong processes;
	atomic_ullong listens;
	atomic_ullong namespaces_made;
	atomic_ullong brief_watches; /* watchers that were started and freed */
	/* the state of the watching process */
	atomic_int watching; /* 1: all watchers are started; a negative errno: a start has failed */
	atomic_int watched;  /* the sum of the namespaces of all watchers */
	atomic_int degraded; /* namespaces that are not read by the best reader */
	atomic_bool notifier;
	atomic_size_t heap; /* bytes allocated */
	atomic_ullong stats[PORTWATCH_STAT_CPU + 1];
	struct soak_reported reported[SOAK_WATCHERS];
};

/* Prints a message and makes the soak fail. Any process may call it. */
void soak_fail(struct soak *soak, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sleeps. Ends the process if the director has exited. */
void soak_sleep(const struct soak *soak, int milliseconds);
/* xorshift32: 0 to limit - 1. */
uint32_t soak_random(uint32_t *state, uint32_t limit);
/* Waits while the actors must pause. Returns false when the actor must exit. */
bool soak_may_run(struct soak *soak);
/* Forks and counts the child. An alarm ends the child, because it can outlive its actor. */
pid_t soak_fork(struct soak *soak);
/* Listens on the address with the given number; port 0: any port. Returns a descriptor or a
 * negative errno. */
int soak_listen(struct soak *soak, unsigned int address, uint16_t port);
/* Enters a new network namespace and brings up its loopback interface. Returns 0 or a negative
 * errno. */
int soak_enter_netns(void);

/* The main functions of the processes. */
_Noreturn void soak_run_tree(struct soak *soak);
_Noreturn void soak_keep(struct soak *soak, int number);
_Noreturn void soak_act_namespaces(struct soak *soak, int number);
_Noreturn void soak_act_trees(struct soak *soak, int number);
_Noreturn void soak_act_storm(struct soak *soak, int number);
_Noreturn void soak_watch(struct soak *soak, pid_t root);

/* Starts and frees a watcher of a process that lives on, or of a process that exits soon. */
void soak_watch_briefly(struct soak *soak, pid_t root, uint32_t *random);

#endif
