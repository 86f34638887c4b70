/* SPDX-License-Identifier: MIT */
/* part_latency.c - how long after listen(2) the callback is entered */
#include <grp.h>
#include <math.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "bench.h"
#include "latency.h"
#include "samples.h"
#include "watching.h"

#define PATIENCE 10
#define NOBODY 65534

struct latency {
	const char *what;
	enum place place;
	struct way way;
	unsigned int count; /* listens, in a full run */
	double median, p99;
};

enum {
	FOREIGN_NOTIFIER,
	OWN_NOTIFIER,
	FOREIGN_POLLING,
	OWN_POLLING,
	USER_POLLING,
	PROCFS_POLLING,
	LATENCIES,
};

#define POLLING_AUTO                                                                               \
	{                                                                                          \
		.notifier = false                                                                  \
	}

static struct latency latencies[LATENCIES] = {
	[FOREIGN_NOTIFIER] =
		{"foreign namespace, notifier", PLACE_FOREIGN, {.notifier = true}, 1000, NAN, NAN},
	[OWN_NOTIFIER] = {"own namespace, notifier", PLACE_OWN, {.notifier = true}, 1000, NAN, NAN},
	[FOREIGN_POLLING] = {"foreign namespace, polling", PLACE_FOREIGN, POLLING_AUTO, 64, NAN,
                             NAN},
	[OWN_POLLING] = {"own namespace, polling", PLACE_OWN, POLLING_AUTO, 64, NAN, NAN},
	[USER_POLLING] = {"foreign namespace, polling without privilege (own user namespace)",
                          PLACE_USER, POLLING_AUTO, 64, NAN, NAN},
	[PROCFS_POLLING] = {"foreign namespace, polling by the reader procfs",
                            PLACE_FOREIGN,
                            {.reader = PORTWATCH_READER_PROCFS},
                            32,
                            NAN,
                            NAN},
};

/* Listens again and again, waiting for each callback. False if one does not come. */
static bool repeat(struct watching *watching, struct actor *actor, const struct way *way,
                   unsigned int count, struct samples *samples)
{
	for (unsigned int i = 0; i < count; i++) {
		struct deed deed;

		/* At no particular moment of the pause after a read, or of the polls: these come
		 * less often for a while when there was much to do. */
		bench_sleep((way->notifier ? 2 : 100) * NSEC_PER_MSEC +
		            bench_random((way->notifier ? 8 : 400) * NSEC_PER_MSEC));
		deed = actor_listen(actor, 0);
		if (!sightings_wait(watching->opened, deed.port, deed.before, PATIENCE))
			return false;
		samples_add(samples, seconds(watching->opened->when[deed.port] - deed.before));
		actor_close(actor, deed.port);
	}
	return true;
}

static void measure(struct bench *bench, struct latency *latency)
{
	unsigned int count = bench->quick ? latency->count / 8 : latency->count;
	static struct samples samples;
	struct watching watching;
	struct actor actor;
	int error;

	samples.count = 0;
	if (!actor_start(&actor, latency->place, 1)) {
		report_impossible(bench->report, 1, latency->what, "no namespace can be made");
		return;
	}
	error = watching_start(&watching, actor.root, &latency->way);
	if (error == 0) {
		if (!repeat(&watching, &actor, &latency->way, count, &samples))
			bench_say("%s: an event did not come", latency->what);
		watching_stop(&watching);
	}
	actor_stop(&actor);
	latency->median = samples_median(&samples);
	latency->p99 = samples_quantile(&samples, 0.99);
	if (samples.count == count)
		report_figure(bench->report, 1, UNIT_SECONDS, latency->median, latency->p99, "%s",
		              latency->what);
	else
		report_impossible(bench->report, 1, latency->what,
		                  error < 0 ? strerror(-error) : "events did not come");
}

/* In a child that gives up all privilege for good; what it finds is left in shared memory. */
static void measure_unprivileged(struct bench *bench, struct latency *latency)
{
	size_t index = bench->report->figure_count;
	pid_t pid;

	if (!bench->root) {
		measure(bench, latency);
		return;
	}
	pid = bench_fork();
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
		    setresuid(NOBODY, NOBODY, NOBODY) < 0)
			_exit(1);
		/* /proc/self belongs to root otherwise. */
		prctl(PR_SET_DUMPABLE, 1);
		measure(bench, latency);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	if (bench->report->figure_count > index) {
		latency->median = bench->report->figures[index].median;
		latency->p99 = bench->report->figures[index].p99;
	}
}

struct baseline {
	const char *what;
	enum place place;
	unsigned int count;
	bool (*measure)(struct actor *actor, unsigned int count, struct samples *samples);
};

static double measure_baseline(struct bench *bench, const struct baseline *baseline)
{
	static struct samples samples;
	struct actor actor;
	bool done;

	samples.count = 0;
	if (!actor_start(&actor, baseline->place, 1)) {
		report_impossible(bench->report, 1, baseline->what, "no namespace can be made");
		return NAN;
	}
	done = baseline->measure(&actor, bench->quick ? baseline->count / 4 : baseline->count,
	                         &samples);
	actor_stop(&actor);
	if (done)
		report_figure(bench->report, 1, UNIT_SECONDS, samples_median(&samples),
		              samples_quantile(&samples, 0.99), "%s", baseline->what);
	else
		report_impossible(bench->report, 1, baseline->what, "it is not allowed, or failed");
	return done ? samples_median(&samples) : NAN;
}

static const struct baseline usual_foreign = {
	"baseline: nsenter, cat and a walk over /proc/*/fd each second, foreign namespace",
	PLACE_FOREIGN, 64, latency_of_polling};
static const struct baseline usual_own = {"baseline: the same, own namespace", PLACE_OWN, 80,
                                          latency_of_polling};
static const struct baseline record = {"limit: the bare record of the tracepoint arrives",
                                       PLACE_OWN, 500, latency_of_tracepoint};

static void compare(struct bench *bench, size_t first, size_t last, double usual)
{
	for (size_t i = first; i < last; i++)
		report_compare(&bench->report->figures[i], "the baseline", usual);
}

static void budgets(struct bench *bench)
{
	const struct latency *notifier = &latencies[FOREIGN_NOTIFIER];

	report_budget(bench->report, UNIT_SECONDS, notifier->median, 0.5e-3,
	              "listen(2) to callback with notifier, foreign namespace, median");
	report_budget(bench->report, UNIT_SECONDS, notifier->p99, 5e-3,
	              "listen(2) to callback with notifier, foreign namespace, p99");
	report_budget(bench->report, UNIT_SECONDS, latencies[USER_POLLING].median, 50e-3,
	              "the same without privilege (polling), median");
}

void part_latency(struct bench *bench)
{
	size_t first = bench->report->figure_count;
	double usual;
	size_t last;

	for (int i = 0; i < LATENCIES; i++) {
		struct latency *latency = &latencies[i];

		bench_say("   %s", latency->what);
		if (latency->way.notifier && !bench->notifier)
			report_impossible(bench->report, 1, latency->what,
			                  "the kernel refuses the notifier");
		else if (i == USER_POLLING)
			measure_unprivileged(bench, latency);
		else
			measure(bench, latency);
	}
	measure_baseline(bench, &record);
	last = bench->report->figure_count;
	bench_say("   the baselines");
	measure_baseline(bench, &usual_own);
	usual = measure_baseline(bench, &usual_foreign);
	compare(bench, first, last, usual);
	budgets(bench);
}
