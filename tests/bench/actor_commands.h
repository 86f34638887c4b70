/* SPDX-License-Identifier: MIT */
/* actor_commands.h - the commands that an actor receives over its channel */
#ifndef ACTOR_COMMANDS_H
#define ACTOR_COMMANDS_H

#include <stdint.h>

#include "actor.h"

enum actor_verb {
	ACTOR_LISTEN,
	ACTOR_CLOSE,
	ACTOR_FILL,
	ACTOR_DUMPS,
	ACTOR_STORM,
};

struct actor_command {
	enum actor_verb verb;
	int a, b;
	uint64_t time;
	struct storm_port *ports;
};

/* The main loop of an actor: answers each command until the channel is closed. */
void actor_serve(int channel) __attribute__((noreturn));

/* See actor_dumps() (dumps.c). */
double dumps_measure(int count, uint64_t pause);

#endif
