/* SPDX-License-Identifier: MIT */
/* actor.h - a process that listens when it is told to, somewhere in a tree of others */
#ifndef ACTOR_H
#define ACTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Where an actor lives. */
enum place {
	PLACE_OWN,     /* in the network namespace of the benchmark */
	PLACE_FOREIGN, /* in one of its own; as PLACE_USER where that takes more than we are */
	PLACE_USER, /* in one of its own, below a user namespace of its own: takes no privilege */
};

struct actor {
	int channel;
	pid_t root; /* the process to watch */
	pid_t pid;  /* the one that listens: the root itself, or in the middle of its children */
};

/* What was done. */
struct deed {
	int error;       /* 0, or an errno */
	int port;        /* on which it listens */
	uint64_t before; /* CLOCK_MONOTONIC just before listen(2) or close(2) */
	double value;    /* of actor_dumps() */
};

/* Who it is, once it is in its place; 0: who starts it. */
extern uid_t actor_user;

/* Starts one in a tree of so many processes, itself included. False where that isn't allowed. */
bool actor_start(struct actor *actor, enum place place, unsigned int members);
/* Ends it, and its tree. */
void actor_stop(struct actor *actor);

/* Listens on 127.0.0.1; port 0: on the next that is free. */
struct deed actor_listen(struct actor *actor, int port);
/* The same in two halves: it listens some time after it was told to, while the caller waits for
 * something else. */
void actor_listen_begin(struct actor *actor, int port, uint64_t delay);
struct deed actor_listen_end(struct actor *actor);
/* Closes a listener. */
struct deed actor_close(struct actor *actor, int port);
/* Listens on so many ports, or makes so many connections to itself, that stay. */
void actor_fill(struct actor *actor, int listeners, int connections);
/* The CPU time of one pair of sock_diag(7) dumps of the listeners of its namespace, IPv4 and IPv6,
 * made and received by bare system calls: the median of so many, with a pause after each. */
double actor_dumps(struct actor *actor, int count, uint64_t pause);

/* A port of a storm. Times of CLOCK_MONOTONIC; 0: not opened, not closed. */
struct storm_port {
	uint64_t opened; /* after listen(2) */
	uint64_t closed; /* before close(2) */
};

#define STORM_FIRST 20000
#define STORM_PORTS 10000

/* Listens on and closes all these ports, once each, as fast as it can, but keeps each `keep`th for
 * `stay` nanoseconds at least. ports is memory shared with it. Returns when it has ended. */
void actor_storm(struct actor *actor, struct storm_port *ports, int keep, uint64_t stay);

#endif
