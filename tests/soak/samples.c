/* SPDX-License-Identifier: MIT */
/* samples.c - repeated samples of the watching process while nothing happens */
#include <stdio.h>

#include "support/patience.h"
#include "util/clock.h"
#include "director.h"

#define PATIENCE ((uint64_t)patience(120) * NSEC_PER_SEC)
#define CALM (NSEC_PER_SEC / 2)
/* The allocator keeps freed memory, in the cache of each thread and between blocks in use. The
 * amount varies and grows in the first minutes. So the last third of a run may exceed the first one
 * by so many KiB. A leak of 50 bytes an event exceeds this limit in half an hour. */
#define SLACK 1024
/* A shorter run is too short to compare the memory. */
#define SECONDS_MIN (10 * 60)

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED true
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

static bool is_same(const struct sample *a, const struct sample *b)
{
	return a->measure.descriptors == b->measure.descriptors &&
	       a->measure.threads == b->measure.threads &&
	       a->measure.children == b->measure.children && a->watched == b->watched;
}

static struct sample take_sample(struct soak *soak, pid_t watching)
{
	struct sample sample = {.watched = atomic_load(&soak->watched)};

	measure_take(&sample.measure, watching);
	return sample;
}

/* Returns the name of a watcher that has reported too few or too many open ports, or NULL. */
static const char *find_wrong_watcher(struct soak *soak)
{
	unsigned long long open = (unsigned long long)soak->keepers * SOAK_KEEPER_PORTS;

	for (int i = 0; i < SOAK_WATCHERS; i++)
		if (atomic_load(&soak->reported[i].opens) -
		            atomic_load(&soak->reported[i].closes) !=
		    open)
			return soak->reported[i].name;
	return NULL;
}

/* Returns the reason to wait, or NULL if the state equals the first sample. The first sample itself
 * must be as expected. */
static const char *find_obstacle(struct soak *soak, const struct samples *samples,
                                 const struct sample *sample)
{
	int namespaces = SOAK_WATCHERS * (soak->keepers + (soak->namespaces ? 1 : 0));

	if (atomic_load(&soak->paused) != atomic_load(&soak->actors))
		return "the actors";
	if (find_wrong_watcher(soak))
		return find_wrong_watcher(soak);
	if (sample->measure.zombies > 0)
		return "zombies";
	if (sample->watched != namespaces)
		return "namespaces";
	if (samples->count == 0)
		return atomic_load(&soak->degraded) ? "readers" : NULL;
	return is_same(sample, &samples->each[0]) ? NULL : "descriptors, threads or helpers";
}

static void explain(struct soak *soak, const struct sample *sample, pid_t watching)
{
	soak_fail(soak,
	          "the state differs from the first sample: %u descriptors, %u threads, %u "
	          "helpers, %u zombies, "
	          "%d namespaces watched; %d of %d actors pause",
	          sample->measure.descriptors, sample->measure.threads, sample->measure.children,
	          sample->measure.zombies, sample->watched, atomic_load(&soak->paused),
	          atomic_load(&soak->actors));
	for (int i = 0; i < SOAK_WATCHERS; i++)
		fprintf(stderr, "  %s: %llu opened, %llu closed\n", soak->reported[i].name,
		        atomic_load(&soak->reported[i].opens),
		        atomic_load(&soak->reported[i].closes));
	measure_list(stderr, watching);
}

void samples_take(struct samples *samples, struct soak *soak, pid_t watching)
{
	uint64_t begin = clock_now(CLOCK_MONOTONIC), since = begin, now = begin;
	struct sample last = {.watched = -1}, sample;
	const char *obstacle, *last_obstacle = "nothing";

	atomic_store(&soak->phase, SOAK_PAUSE);
	do {
		soak_sleep(soak, 20);
		now = clock_now(CLOCK_MONOTONIC);
		sample = take_sample(soak, watching);
		obstacle = find_obstacle(soak, samples, &sample);
		if (obstacle)
			last_obstacle = obstacle;
		if (obstacle || !is_same(&sample, &last))
			since = now;
		last = sample;
	} while (now - since < CALM && now - begin < PATIENCE);
	if (now - since < CALM)
		explain(soak, &sample, watching);
	sample.settle_seconds = (double)(since - begin) / (double)NSEC_PER_SEC;
	sample.obstacle = last_obstacle;
	measure_memory(&sample.measure, watching);
	samples->each[samples->count++] = sample;
}

static void print_heading(const struct soak *soak)
{
	printf("watching %d long-lived ports in %d network namespaces, by %d watchers, %s\n\n",
	       soak->keepers * SOAK_KEEPER_PORTS, soak->keepers, SOAK_WATCHERS,
	       atomic_load(&soak->notifier) ? "with the notifier" : "without the notifier");
	printf("%8s %7s %7s %7s %8s %5s %4s %7s %6s %5s | %9s %8s %8s %6s | %6s %5s %8s %7s %9s "
	       "%7s\n",
	       "seconds", "rss KiB", "pss KiB", "private", "heap B", "fds", "thr", "helpers",
	       "zombie", "netns", "events", "reads", "restarts", "lost", "killed", "stop",
	       "processes", "netns", "listens", "brief");
}

void samples_print(const struct samples *samples, const struct soak *soak, double elapsed,
                   const struct killer *killer)
{
	const struct sample *sample = &samples->each[samples->count - 1];
	const struct measure *measure = &sample->measure;
	unsigned long long events = 0;

	if (samples->count == 1)
		print_heading(soak);
	for (int i = 0; i < SOAK_WATCHERS; i++)
		events += atomic_load(&soak->reported[i].opens) +
		          atomic_load(&soak->reported[i].closes);
	printf("%8.1f %7zu %7zu %7zu %8zu %5u %4u %7u %6u %5d | %9llu %8llu %8llu %6llu | %6u %5u "
	       "%8llu "
	       "%7llu %9llu %7llu | settled in %.1f s (%s)%s\n",
	       elapsed, measure->resident, measure->proportional, measure->private,
	       atomic_load(&soak->heap), measure->descriptors, measure->threads, measure->children,
	       measure->zombies, sample->watched, events,
	       atomic_load(&soak->stats[PORTWATCH_STAT_READS]),
	       atomic_load(&soak->stats[PORTWATCH_STAT_RESTARTS]),
	       atomic_load(&soak->stats[PORTWATCH_STAT_NOTIFIER_LOST]), killer->killed,
	       killer->stopped, atomic_load(&soak->processes), atomic_load(&soak->namespaces_made),
	       atomic_load(&soak->listens), atomic_load(&soak->brief_watches),
	       sample->settle_seconds, sample->obstacle,
	       atomic_load(&soak->degraded) ? ", degraded" : "");
	fflush(stdout);
}

static void judge_ports(struct soak *soak)
{
	for (int i = 0; i < SOAK_WATCHERS; i++) {
		struct soak_reported *reported = &soak->reported[i];

		if (atomic_load(&reported->ends) > 0)
			soak_fail(soak, "%s: reported that the tree has ended", reported->name);
		for (int port = 0; port < soak->keepers * SOAK_KEEPER_PORTS; port++)
			if (atomic_load(&reported->kept_opens[port]) != 1 ||
			    atomic_load(&reported->kept_closes[port]) != 0)
				soak_fail(soak, "%s: port %d was opened %u times and closed %u",
				          reported->name, SOAK_FIRST_PORT + port,
				          atomic_load(&reported->kept_opens[port]),
				          atomic_load(&reported->kept_closes[port]));
	}
}

static size_t largest(const struct samples *samples, unsigned int first, unsigned int end)
{
	size_t result = 0;

	for (unsigned int i = first; i < end; i++)
		if (samples->each[i].measure.resident > result)
			result = samples->each[i].measure.resident;
	return result;
}

static void judge_memory(const struct samples *samples, struct soak *soak, unsigned int seconds)
{
	unsigned int third = samples->count / 3;
	size_t early, late;

	if (SANITIZED || seconds < SECONDS_MIN) {
		printf("resident memory is not compared: %s\n",
		       SANITIZED ? "a sanitizer keeps freed memory"
		                 : "the run is shorter than ten minutes");
		return;
	}
	early = largest(samples, 0, third);
	late = largest(samples, samples->count - third, samples->count);
	printf("resident memory: at most %zu KiB in the first third, %zu KiB in the last\n", early,
	       late);
	if (late > early + SLACK)
		soak_fail(soak, "resident memory has grown by %zu KiB", late - early);
}

void samples_judge(const struct samples *samples, struct soak *soak, unsigned int seconds)
{
	const struct measure *first = &samples->each[0].measure;
	const struct measure *last = &samples->each[samples->count - 1].measure;

	judge_ports(soak);
	judge_memory(samples, soak, seconds);
	printf("descriptors: %u after the first part, %u at the end; threads: %u, %u; "
	       "helpers: %u, %u; zombies: %u, %u\n",
	       first->descriptors, last->descriptors, first->threads, last->threads,
	       first->children, last->children, first->zombies, last->zombies);
}
