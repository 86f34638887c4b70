/* SPDX-License-Identifier: MIT */
/* actor.h - a process in a watched tree that listens on command */
#ifndef ACTOR_H
#define ACTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The network namespace of an actor. */
enum place {
	PLACE_OWN,     /* the namespace of the benchmark */
	PLACE_FOREIGN, /* a new one; without root: as PLACE_USER */
	PLACE_USER,    /* a new one in a new user namespace: requires no privilege */
};

struct actor {
	int channel;
	pid_t root; /* the process to watch */
	pid_t pid;  /* the process that listens: the root, or the middle one of its children */
};

/* The answer to a command. */
struct actor_result {
	int error;       /* 0, or an errno */
	int port;        /* the port that was opened or closed */
	uint64_t before; /* CLOCK_MONOTONIC just before listen(2) or close(2) */
	double value;    /* the result of actor_dumps() */
};

/* The user that an actor becomes after it has entered its namespace; 0: no change. */
extern uid_t actor_user;

/* Starts an actor in a tree of the given number of processes, the actor included. Returns false if
 * the kernel refuses the namespace. */
bool actor_start(struct actor *actor, enum place place, unsigned int members);
/* Ends the actor and its tree. */
void actor_stop(struct actor *actor);

/* Listens on 127.0.0.1; port 0: the next free port. */
struct actor_result actor_listen(struct actor *actor, int port);
/* The same in two steps: the actor listens after the delay (ns), while the caller waits for the
 * event. */
void actor_listen_begin(struct actor *actor, int port, uint64_t delay);
struct actor_result actor_listen_end(struct actor *actor);
/* Closes a listener. */
struct actor_result actor_close(struct actor *actor, int port);
/* Opens listeners, and connections of the actor to itself. All stay open. */
void actor_fill(struct actor *actor, int listeners, int connections);
/* The CPU time of one pair of sock_diag(7) dumps of the listeners in the actor's namespace, IPv4
 * and IPv6, by plain system calls: the median of `count` pairs, with a pause (ns) after each. */
double actor_dumps(struct actor *actor, int count, uint64_t pause);

/* A port of a storm. Times are CLOCK_MONOTONIC; 0: not opened, not closed. */
struct storm_port {
	uint64_t opened; /* after listen(2) */
	uint64_t closed; /* before close(2) */
};

#define STORM_FIRST 20000
#define STORM_PORTS 10000

/* Opens and closes each port from STORM_FIRST on once, as fast as possible. Every `keep`th port
 * stays open for at least `stay` ns. The actor writes to `ports`, which is shared memory. Returns
 * when the storm is over. */
void actor_storm(struct actor *actor, struct storm_port *ports, int keep, uint64_t stay);

#endif
