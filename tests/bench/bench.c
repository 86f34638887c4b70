/* SPDX-License-Identifier: MIT */
/* bench.c - measures the latency and the cost of watching, compared with simpler methods */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "notify/notifier.h"

/* Seconds after which a part counts as hanging. */
#define PART_MAX 400

void bench_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

void bench_log(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "bench: ");
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

void bench_sleep(uint64_t nanoseconds)
{
	struct timespec left = {
		.tv_sec = (time_t)(nanoseconds / NSEC_PER_SEC),
		.tv_nsec = (long)(nanoseconds % NSEC_PER_SEC),
	};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

uint64_t bench_random(uint64_t limit)
{
	return (uint64_t)((double)random() / (double)RAND_MAX * (double)limit) % limit;
}

int bench_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		bench_fail("fork: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
	}
	return pid;
}

static void ignore_change(void *data, const struct tcp_change *change)
{
	(void)data, (void)change;
}

bool bench_ignore_fork(void *data, pid_t parent, pid_t child)
{
	(void)data, (void)parent, (void)child;
	return false;
}

bool bench_ignore_process(void *data, pid_t pid)
{
	(void)data, (void)pid;
	return false;
}

void bench_ignore_followed(void *data, pid_t pid)
{
	(void)data, (void)pid;
}

void bench_ignore_loss(void *data, uint64_t records)
{
	(void)data, (void)records;
}

static bool can_open_notifier(void)
{
	static const struct notifier_hooks hooks = BENCH_HOOKS(ignore_change);
	struct notifier *notifier = NULL;
	struct failure failure;
	bool can = notifier_open(&notifier, &hooks, NULL, NOTIFIER_ALL_WAYS, &failure) == 0 &&
	           notifier_way(notifier, NOTIFIER_LISTEN) != NOTIFIER_NONE;

	notifier_close(notifier);
	return can;
}

/* The cases with many helpers and 8,000 connections exceed the usual limit of descriptors. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void run_part(struct bench *bench, int part, void (*run)(struct bench *bench))
{
	uint64_t start = clock_now(CLOCK_MONOTONIC);
	int status = 0;
	pid_t pid;

	fflush(NULL);
	bench_log("%d. %s", part, report_part(part));
	pid = bench_fork();
	if (pid == 0) {
		alarm(PART_MAX);
		run(bench);
		exit(0);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status != 0)
		report_impossible(bench->report, part, "the rest of this part",
		                  WIFSIGNALED(status) ? "a signal ended it" : "it failed");
	bench_log("%d. took %.0f s", part, seconds(clock_now(CLOCK_MONOTONIC) - start));
}

static const char usage[] =
	"Usage: bench [--quick] [--parts=LIST] [--json=FILE] [--pwatch=FILE]\n"
	"Measures libportwatch; prints a Markdown table.\n"
	"  --quick        about two minutes, with fewer repeats and smaller cases\n"
	"  --parts=LIST   run only these parts, such as 1,3\n"
	"  --json=FILE    also write the figures to FILE\n"
	"  --pwatch=FILE  the command to measure; default ./pwatch\n";

static void write_json(const struct bench *bench, const char *name)
{
	FILE *out = fopen(name, "we");

	if (!out)
		bench_fail("%s: %s", name, strerror(errno));
	report_json(bench->report, bench->quick, out);
	if (fclose(out) != 0)
		bench_fail("%s: %s", name, strerror(errno));
}

static const struct option options[] = {
	{"quick", no_argument, NULL, 'q'},      {"parts", required_argument, NULL, 'p'},
	{"json", required_argument, NULL, 'j'}, {"pwatch", required_argument, NULL, 'w'},
	{"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
};

int main(int argc, char **argv)
{
	static void (*const runs[])(struct bench *) = {
		part_latency, part_poll_cycle, part_owner,  part_namespaces, part_tables,
		part_storm,   part_once,       part_starts, part_others};
	if (argc == 2 && strncmp(argv[1], STARTS_SERVE, strlen(STARTS_SERVE)) == 0)
		starts_serve(argv[1] + strlen(STARTS_SERVE));
	struct bench bench = {.pwatch = "./pwatch", .root = geteuid() == 0};
	const char *parts = "123456789", *json = NULL;
	int key;

	while ((key = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (key == 'q')
			bench.quick = true;
		else if (key == 'p')
			parts = optarg;
		else if (key == 'j')
			json = optarg;
		else if (key == 'w')
			bench.pwatch = optarg;
		else
			return fputs(usage, key == 'h' ? stdout : stderr), key == 'h' ? 0 : 2;
	}
	bench.report = mmap(NULL, sizeof(*bench.report), PROT_READ | PROT_WRITE,
	                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (bench.report == MAP_FAILED)
		bench_fail("mmap: %s", strerror(errno));
	raise_limit();
	bench.notifier = can_open_notifier();
	for (int part = 1; part <= BENCH_PARTS; part++)
		if (strchr(parts, '0' + part))
			run_part(&bench, part, runs[part - 1]);
	report_markdown(bench.report, stdout);
	if (json)
		write_json(&bench, json);
	return 0;
}
