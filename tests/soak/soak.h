/* SPDX-License-Identifier: MIT */
/* soak.h - what the processes of the soak share
 *
 * One process directs. One is watched with all it forks: keepers, who hold ports for good, and
 * actors, who make trouble and can be told to pause. One watches. */
#ifndef SOAK_H
#define SOAK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "portwatch.h"

enum {
	SOAK_KEEPERS = 7, /* the first in our own network namespace, each other in one of its own */
	SOAK_KEEPER_PORTS = 20,
	SOAK_PORTS = SOAK_KEEPERS * SOAK_KEEPER_PORTS,
	SOAK_FIRST_PORT = 20000, /* of the keepers; nobody else uses theirs */
	SOAK_STORM_PORT = 30000, /* of the storms */
	SOAK_WATCHERS = 4,
	SOAK_TRANSIENTS = 8,
};

enum soak_phase {
	SOAK_PAUSE = 0,
	SOAK_RUN,
	SOAK_QUIT, /* actors and watchers end */
	SOAK_END,  /* the keepers as well */
};

/* What one of the watchers was told. Nothing grows with the number of events. */
struct soak_told {
	struct soak *soak;
	const char *name;
	atomic_ullong opens;
	atomic_ullong closes;
	atomic_uint ends;
	atomic_uint kept_opens[SOAK_PORTS];
	atomic_uint kept_closes[SOAK_PORTS];
};

/* In memory that all processes share. */
struct soak {
	pid_t director;
	bool namespaces; /* can be made here */
	int keepers;
	atomic_int phase;
	atomic_int actors;
	atomic_int idle;       /* of them */
	atomic_int ready;      /* keepers */
	atomic_bool open_rest; /* the keepers open the second half of their ports */
	atomic_int keeper_pids[SOAK_KEEPERS];
	atomic_int transients[SOAK_TRANSIENTS]; /* PIDs that soon die */
	atomic_uint complaints;
	/* what the actors have done */
	atomic_ullong processes;
	atomic_ullong listens;
	atomic_ullong made;   /* namespaces */
	atomic_ullong visits; /* watchers that were started and freed again */
	/* what the watching process tells */
	atomic_int watching; /* 1: all watchers are started; negative: none can */
	atomic_int watched;  /* namespaces, by all watchers together */
	atomic_int degraded; /* of those that a helper could read: read in another way */
	atomic_bool notifier;
	atomic_size_t heap; /* bytes allocated */
	atomic_ullong stats[PORTWATCH_STAT_CPU + 1];
	struct soak_told told[SOAK_WATCHERS];
};

/* Prints it and has the soak fail. From any process. */
void soak_complain(struct soak *soak, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Pauses for some milliseconds; ends the process if the director is gone. */
void soak_nap(const struct soak *soak, int milliseconds);
/* xorshift32: 0 to limit - 1. */
uint32_t soak_random(uint32_t *state, uint32_t limit);
/* Begins an actor's turn: waits while it is to pause. False when it is to end. */
bool soak_turn(struct soak *soak);
/* Forks and counts it. In the child of an actor that can outlive it an alarm ends it some day. */
pid_t soak_fork(struct soak *soak);
/* Listens on an address of the given number, on port 0: any. A descriptor or a negative errno. */
int soak_listen(struct soak *soak, unsigned int address, uint16_t port);
/* Enters a new network namespace, its loopback interface up. 0 or a negative errno. */
int soak_enter_netns(void);

/* The bodies of the processes; they don't return. */
_Noreturn void soak_stage(struct soak *soak);
_Noreturn void soak_keep(struct soak *soak, int number);
_Noreturn void soak_act_namespaces(struct soak *soak, int number);
_Noreturn void soak_act_trees(struct soak *soak, int number);
_Noreturn void soak_act_storm(struct soak *soak, int number);
_Noreturn void soak_watch(struct soak *soak, pid_t root);

/* One more watcher, of something that lives or of something that is about to die. */
void soak_visit(struct soak *soak, pid_t root, uint32_t *random);

#endif
