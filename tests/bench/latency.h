/* SPDX-License-Identifier: MIT */
/* latency.h - what the latency of the library is compared with */
#ifndef LATENCY_H
#define LATENCY_H

#include "actor.h"
#include "samples.h"

/* From listen(2) to a port known by the usual way (polling.h): so many ports, opened at random
 * moments. False where the way doesn't work. */
bool latency_of_polling(struct actor *actor, unsigned int count, struct samples *samples);

/* From listen(2) to the bare record of the notifier, taken from its ring. */
bool latency_of_record(struct actor *actor, unsigned int count, struct samples *samples);

/* From listen(2) to the line that bpftrace(8) prints of it, read from a pipe. */
bool latency_of_bpftrace(struct actor *actor, unsigned int count, struct samples *samples);

#endif
