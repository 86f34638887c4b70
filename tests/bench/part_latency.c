/* SPDX-License-Identifier: MIT */
/* part_latency.c - time from listen(2) to the callback */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "bench.h"
#include "latency.h"
#include "rights.h"
#include "samples.h"
#include "watching.h"

#define PATIENCE 10
struct latency {
	const char *what;
	enum place place;
	struct way way;
	unsigned int count;          /* of listens in a full run */
	const struct rights *rights; /* NULL: those of the benchmark */
	double median, p99;
	double close_median;
};

enum {
	FOREIGN_NOTIFIER,
	OWN_NOTIFIER,
	ADMIN_NOTIFIER,
	BPF_NOTIFIER,
	FOREIGN_POLLING,
	OWN_POLLING,
	USER_POLLING,
	PROCFS_POLLING,
	LATENCIES,
};

#define NOTIFIED                                                                                   \
	{                                                                                          \
		.notifier = true                                                                   \
	}
#define POLLING_AUTO                                                                               \
	{                                                                                          \
		.notifier = false                                                                  \
	}
#define POLLING_PROCFS                                                                             \
	{                                                                                          \
		.reader = PORTWATCH_READER_PROCFS                                                  \
	}
/* The members that the measurement sets are 0. */
#define LATENCY(what, place, way, count, rights)                                                   \
	{                                                                                          \
		what, place, way, count, rights, 0, 0, 0                                           \
	}

static struct latency table[LATENCIES] = {
	[FOREIGN_NOTIFIER] =
		LATENCY("foreign namespace, notifier", PLACE_FOREIGN, NOTIFIED, 1000, NULL),
	[OWN_NOTIFIER] = LATENCY("own namespace, notifier", PLACE_OWN, NOTIFIED, 1000, NULL),
	[ADMIN_NOTIFIER] = LATENCY("foreign namespace, notifier, CAP_SYS_ADMIN alone",
                                   PLACE_FOREIGN, NOTIFIED, 1000, &rights_admin),
	[BPF_NOTIFIER] =
		LATENCY("foreign namespace, notifier, CAP_BPF and CAP_PERFMON (own user namespace)",
                        PLACE_USER, NOTIFIED, 1000, &rights_bpf),
	[FOREIGN_POLLING] =
		LATENCY("foreign namespace, polling", PLACE_FOREIGN, POLLING_AUTO, 64, NULL),
	[OWN_POLLING] = LATENCY("own namespace, polling", PLACE_OWN, POLLING_AUTO, 64, NULL),
	[USER_POLLING] =
		LATENCY("foreign namespace, polling without privilege (own user namespace)",
                        PLACE_USER, POLLING_AUTO, 64, &rights_none),
	[PROCFS_POLLING] = LATENCY("foreign namespace, polling by the reader procfs", PLACE_FOREIGN,
                                   POLLING_PROCFS, 32, NULL),
};

/* Listens and closes `count` times, and waits for each callback. Returns false if an event is
 * missing. */
static bool repeat(struct watching *watching, struct actor *actor, const struct way *way,
                   unsigned int count, struct samples *opened, struct samples *closed)
{
	for (unsigned int i = 0; i < count; i++) {
		struct actor_result result;

		/* The random pause avoids a fixed position within the pause after a read and within
		 * the poll interval, which grows for a while after much work. */
		bench_sleep((way->notifier ? 2 : 100) * NSEC_PER_MSEC +
		            bench_random((way->notifier ? 8 : 400) * NSEC_PER_MSEC));
		result = actor_listen(actor, 0);
		if (!sightings_wait(watching->opened, result.port, result.before, PATIENCE))
			return false;
		samples_add(opened, seconds(watching->opened->when[result.port] - result.before));
		bench_sleep(way->notifier ? 2 * NSEC_PER_MSEC + bench_random(4 * NSEC_PER_MSEC)
		                          : 0);
		result = actor_close(actor, result.port);
		if (!sightings_wait(watching->closed, result.port, result.before, PATIENCE))
			return false;
		samples_add(closed, seconds(watching->closed->when[result.port] - result.before));
	}
	return true;
}

static void report_latency(struct bench *bench, struct latency *latency, unsigned int count,
                           int error, struct samples *opened, struct samples *closed)
{
	const char *why = error < 0 ? strerror(-error) : "an event is missing";

	latency->median = samples_median(opened);
	latency->p99 = samples_quantile(opened, 0.99);
	latency->close_median = samples_median(closed);
	if (opened->count == count)
		report_figure(bench->report, 1, UNIT_SECONDS, latency->median, latency->p99, "%s",
		              latency->what);
	else
		report_impossible(bench->report, 1, latency->what, why);
	if (closed->count == count)
		report_figure(bench->report, 1, UNIT_SECONDS, latency->close_median,
		              samples_quantile(closed, 0.99), "%s: close", latency->what);
}

/* Starts the actor and takes the rights of the watching process. */
static bool prepare(const struct latency *latency, struct actor *actor)
{
	const struct rights *rights = geteuid() == 0 ? latency->rights : NULL;

	if (rights && rights->placed_by_root)
		actor_user = RIGHTS_USER;
	else if (rights && !rights_take(rights))
		return false;
	if (!actor_start(actor, latency->place, 1))
		return false;
	return !actor_user || rights_take(rights);
}

static void measure(struct bench *bench, struct latency *latency)
{
	unsigned int count = bench->quick ? latency->count / 8 : latency->count;
	static struct samples opened, closed;
	struct watching watching;
	struct actor actor;
	int error;

	opened.count = closed.count = 0;
	if (!prepare(latency, &actor)) {
		report_impossible(bench->report, 1, latency->what, "no namespace can be created");
		return;
	}
	error = watching_start(&watching, actor.root, &latency->way);
	if (error == 0) {
		if (!repeat(&watching, &actor, &latency->way, count, &opened, &closed))
			bench_log("%s: an event is missing", latency->what);
		watching_stop(&watching);
	}
	actor_stop(&actor);
	report_latency(bench, latency, count, error, &opened, &closed);
}

/* Runs in a child, because the change of user is permanent. The results are in shared memory. */
static void measure_in_child(struct bench *bench, struct latency *latency)
{
	pid_t pid = bench_fork();

	if (pid == 0) {
		measure(bench, latency);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
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
		report_impossible(bench->report, 1, baseline->what, "no namespace can be created");
		return NAN;
	}
	done = baseline->measure(&actor, bench->quick ? baseline->count / 4 : baseline->count,
	                         &samples);
	actor_stop(&actor);
	if (done)
		report_figure(bench->report, 1, UNIT_SECONDS, samples_median(&samples),
		              samples_quantile(&samples, 0.99), "%s", baseline->what);
	else
		report_impossible(bench->report, 1, baseline->what, "it is refused or failed");
	return done ? samples_median(&samples) : NAN;
}

static const struct baseline usual_foreign = {
	"baseline: nsenter, cat and a walk over /proc/*/fd each second, foreign namespace",
	PLACE_FOREIGN, 64, latency_of_polling};
static const struct baseline usual_own = {"baseline: the same, own namespace", PLACE_OWN, 80,
                                          latency_of_polling};
static const struct baseline record = {"limit: the bare record arrives", PLACE_OWN, 500,
                                       latency_of_record};
static const struct baseline trace = {"bpftrace prints the bare record", PLACE_OWN, 500,
                                      latency_of_bpftrace};

static void compare(struct bench *bench, size_t first, size_t last, double usual)
{
	for (size_t i = first; i < last; i++)
		report_compare(&bench->report->figures[i], "the baseline", usual);
}

static void budget(struct bench *bench, const struct latency *latency, const char *who)
{
	report_budget(bench->report, UNIT_SECONDS, latency->median, 0.2e-3,
	              "listen(2) to callback with notifier, foreign namespace, %s, median", who);
	report_budget(bench->report, UNIT_SECONDS, latency->p99, 3e-3,
	              "listen(2) to callback with notifier, foreign namespace, %s, p99", who);
	report_budget(bench->report, UNIT_SECONDS, latency->close_median, 1e-3,
	              "end of listening to callback with notifier, %s, median", who);
}

static void budgets(struct bench *bench, const struct latency *latencies)
{
	budget(bench, &latencies[FOREIGN_NOTIFIER], "root");
	if (bench->root)
		budget(bench, &latencies[ADMIN_NOTIFIER], "CAP_SYS_ADMIN alone");
	report_budget(bench->report, UNIT_SECONDS, latencies[USER_POLLING].median, 50e-3,
	              "listen(2) to callback without privilege (polling), median");
}

/* The array is in memory that the children share. */
static struct latency *make_latencies(void)
{
	struct latency *latencies = mmap(NULL, sizeof(table), PROT_READ | PROT_WRITE,
	                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (latencies == MAP_FAILED)
		bench_fail("mmap: %s", strerror(errno));
	memcpy(latencies, table, sizeof(table));
	for (int i = 0; i < LATENCIES; i++)
		latencies[i].median = latencies[i].p99 = latencies[i].close_median = NAN;
	return latencies;
}

void part_latency(struct bench *bench)
{
	struct latency *latencies = make_latencies();
	size_t first = bench->report->figure_count;
	double usual;
	size_t last;

	for (int i = 0; i < LATENCIES; i++) {
		struct latency *latency = &latencies[i];
		bool other_user = latency->rights && bench->root;

		bench_log("   %s", latency->what);
		if (latency->way.notifier && !bench->notifier)
			report_impossible(bench->report, 1, latency->what,
			                  "the kernel refuses the notifier");
		else if (latency->rights && latency->rights->count > 0 && !bench->root)
			report_impossible(bench->report, 1, latency->what, "requires root");
		else if (other_user)
			measure_in_child(bench, latency);
		else
			measure(bench, latency);
	}
	bench_log("   the bare record");
	measure_baseline(bench, &record);
	measure_baseline(bench, &trace);
	last = bench->report->figure_count;
	bench_log("   the baselines");
	measure_baseline(bench, &usual_own);
	usual = measure_baseline(bench, &usual_foreign);
	compare(bench, first, last, usual);
	budgets(bench, latencies);
}
