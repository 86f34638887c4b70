/* SPDX-License-Identifier: MIT */
/* latency.h - the baselines for the latency of the library */
#ifndef LATENCY_H
#define LATENCY_H

#include "actor.h"
#include "samples.h"

/* From listen(2) until the usual method (polling.h) finds the port: `count` ports, opened at random
 * times. Returns false if the method fails. */
bool latency_of_polling(struct actor *actor, unsigned int count, struct samples *samples);

/* From listen(2) until the record of the notifier is read from its ring. */
bool latency_of_record(struct actor *actor, unsigned int count, struct samples *samples);

/* From listen(2) until the line that bpftrace(8) prints arrives in a pipe. */
bool latency_of_bpftrace(struct actor *actor, unsigned int count, struct samples *samples);

#endif
