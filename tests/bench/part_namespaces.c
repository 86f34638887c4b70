/* SPDX-License-Identifier: MIT */
/* part_namespaces.c - many namespaces: time until ready, cost at rest, all listen at once */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actor.h"
#include "bench.h"
#include "load.h"
#include "polling.h"
#include "samples.h"
#include "watching.h"

#define PORT 5000
#define PATIENCE 60

/* A process whose children each have a network namespace of their own. All children listen when the
 * benchmark closes the gate. */
struct namespace_tree {
	pid_t root;
	int gate;
};

/* A listener on 0.0.0.0 does not need the loopback interface. */
static void run_child(int gate, int ready)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	bool done = unshare(CLONE_NEWNET) == 0;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte;

	if (write(ready, done ? "+" : "-", 1) != 1)
		_exit(1);
	close(ready);
	while (read(gate, &byte, 1) < 0 && errno == EINTR)
		;
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		listen(fd, 16);
	for (;;)
		pause();
}

static void run_root(unsigned int count, const int gate[2], const int ready[2])
{
	close(gate[1]);
	close(ready[0]);
	for (unsigned int i = 0; i < count; i++)
		if (bench_fork() == 0)
			run_child(gate[0], ready[1]);
	close(ready[1]);
	for (;;)
		pause();
}

static bool all_ready(int ready, unsigned int count)
{
	char byte;

	while (count > 0 && read(ready, &byte, 1) == 1 && byte == '+')
		count--;
	return count == 0;
}

static void tree_stop(struct namespace_tree *tree)
{
	close(tree->gate);
	kill(tree->root, SIGKILL);
	while (waitpid(tree->root, NULL, 0) < 0 && errno == EINTR)
		;
}

static bool tree_start(struct namespace_tree *tree, unsigned int count)
{
	int gate[2], ready[2];
	bool done;

	if (pipe2(gate, O_CLOEXEC) < 0 || pipe2(ready, O_CLOEXEC) < 0)
		bench_fail("pipe: %s", strerror(errno));
	tree->root = bench_fork();
	if (tree->root == 0)
		run_root(count, gate, ready);
	close(gate[0]);
	close(ready[1]);
	tree->gate = gate[1];
	done = all_ready(ready[0], count);
	close(ready[0]);
	if (!done)
		tree_stop(tree);
	return done;
}

static const char *noun(unsigned int count)
{
	return count == 1 ? "namespace" : "namespaces";
}

/* CPU use during `duration` seconds, in percent of one CPU. */
static double measure_idle(const struct tasks *helpers, double duration)
{
	double before = load_cpu(helpers);
	uint64_t start = clock_now(CLOCK_MONOTONIC);

	bench_sleep((uint64_t)(duration * (double)NSEC_PER_SEC));
	return (load_cpu(helpers) - before) / seconds(clock_now(CLOCK_MONOTONIC) - start) * 100;
}

/* Returns the private memory of a forked child that does nothing, to compare a helper with. */
static double measure_bare_fork(void)
{
	pid_t pid = bench_fork();
	double memory;

	if (pid == 0)
		for (;;)
			pause();
	bench_sleep(50 * NSEC_PER_MSEC);
	memory = load_private_memory(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return memory;
}

static double report_memory(struct bench *bench, const struct tasks *helpers, unsigned int count)
{
	static struct samples samples;
	double sum = 0, most = 0;
	struct figure *figure;

	samples.count = 0;
	for (size_t i = 0; i < helpers->count; i++) {
		double memory = load_private_memory(helpers->each[i]);

		if (isnan(memory))
			continue;
		samples_add(&samples, memory);
		sum += memory;
		most = memory > most ? memory : most;
	}
	figure = report_figure(bench->report, 4, UNIT_BYTES, samples_median(&samples), NAN,
	                       "%u %s: private memory of a helper", count, noun(count));
	report_compare(figure, "a bare fork", measure_bare_fork());
	report_note(figure, "at most %.0f KiB; %zu helpers together %.1f MiB", most / 1024,
	            samples.count, sum / (1 << 20));
	return samples.count > 0 ? most : NAN;
}

static void report_idle(struct bench *bench, struct watching *watching,
                        const struct namespace_tree *tree, unsigned int count, bool notifier,
                        double duration, double cat)
{
	uint64_t forks = load_forks();
	uint64_t reads = watching_stat(watching, PORTWATCH_STAT_READS);
	static struct tasks helpers;
	struct figure *figure;
	double percent;

	load_helpers(&helpers, tree->root);
	percent = measure_idle(&helpers, duration);
	reads = watching_stat(watching, PORTWATCH_STAT_READS) - reads;
	forks = load_forks() - forks;
	figure = report_figure(bench->report, 4, UNIT_PERCENT, percent, NAN,
	                       "%u %s: CPU at rest, %s", count, noun(count),
	                       notifier ? "notifier" : "polling");
	report_compare(figure, "`nsenter … cat` each second", cat * count * 100);
	report_note(figure, "over %.0f s, %.1f reads of each, %.0f forks on the machine", duration,
	            (double)reads / count, (double)forks);
	if (count == 100 && notifier)
		report_budget(bench->report, UNIT_PERCENT, percent, 0.1,
		              "CPU when nothing happens, 100 namespaces");
}

static void report_all_at_once(struct bench *bench, struct watching *watching,
                               struct namespace_tree *tree, unsigned int count)
{
	uint64_t start = clock_now(CLOCK_MONOTONIC);
	unsigned int seen;
	double took;

	close(tree->gate);
	tree->gate = -1;
	sightings_wait_total(watching->opened, count, PATIENCE);
	took = seconds(clock_now(CLOCK_MONOTONIC) - start);
	seen = watching->opened->total;
	report_note(report_figure(bench->report, 4, UNIT_SECONDS, took, NAN,
	                          "%u %s: all listen at once, until all are reported", count,
	                          noun(count)),
	            "%u of %u reported", seen, count);
	if (count == 1000)
		report_budget(bench->report, UNIT_COUNT, seen > count ? seen - count : count - seen,
		              0, "1,000 namespaces: events lost or invented");
}

static void measure(struct bench *bench, unsigned int count, bool notifier, double duration)
{
	struct way way = {.notifier = notifier};
	struct cost cat = {.cpu = NAN};
	struct watching watching;
	static struct tasks helpers;
	struct figure *figure;
	struct namespace_tree tree;
	double most;
	int error;

	bench_log("   %u namespaces, %s", count, notifier ? "notifier" : "polling");
	if (!tree_start(&tree, count)) {
		report_impossible(bench->report, 4, "namespaces", "no namespace can be created");
		return;
	}
	error = watching_start(&watching, tree.root, &way);
	if (error < 0) {
		report_impossible(bench->report, 4, "namespaces", strerror(-error));
		tree_stop(&tree);
		return;
	}
	if (!polling_cat(tree.root, 5, &cat))
		cat.cpu = cat.wall = NAN;
	load_helpers(&helpers, tree.root);
	if (notifier == bench->notifier) {
		figure = report_figure(bench->report, 4, UNIT_SECONDS, watching.ready, NAN,
		                       "%u %s: until ready", count, noun(count));
		report_compare(figure, "`nsenter … cat` of each", cat.wall * count);
		most = report_memory(bench, &helpers, count);
		if (count == 1000)
			report_budget(bench->report, UNIT_BYTES, most, 65536,
			              "1,000 namespaces: private memory of a helper, the largest");
	}
	report_idle(bench, &watching, &tree, count, notifier, duration, cat.cpu);
	if (notifier == bench->notifier)
		report_all_at_once(bench, &watching, &tree, count);
	watching_stop(&watching);
	tree_stop(&tree);
}

void part_namespaces(struct bench *bench)
{
	bool quick = bench->quick;

	if (!bench->root) {
		report_impossible(bench->report, 4, "the whole part", "requires root");
		return;
	}
	if (bench->notifier) {
		measure(bench, 1, true, quick ? 2 : 10);
		measure(bench, 10, true, quick ? 2 : 10);
		measure(bench, 100, true, quick ? 15 : 30);
		if (!quick)
			measure(bench, 1000, true, 60);
	}
	measure(bench, 1, false, quick ? 2 : 5);
	measure(bench, 100, false, quick ? 2 : 10);
}
