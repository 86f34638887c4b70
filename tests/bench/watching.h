/* SPDX-License-Identifier: MIT */
/* watching.h - a watcher whose events are recorded */
#ifndef WATCHING_H
#define WATCHING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "portwatch.h"
#include "sightings.h"

struct watching {
	struct portwatch *watcher;
	struct sightings *opened;
	struct sightings *closed;
	double ready; /* seconds that portwatch_start() took */
};

struct way {
	enum portwatch_reader reader;
	enum portwatch_table table;
	bool notifier;
	unsigned int interval; /* the poll interval in ms; 0: it adapts */
};

/* Starts a watcher. Returns 0 or a negative errno. */
int watching_start(struct watching *watching, pid_t pid, const struct way *way);
void watching_stop(struct watching *watching);

uint64_t watching_stat(struct watching *watching, enum portwatch_stat stat);

#endif
