/* SPDX-License-Identifier: MIT */
/* check_main.c - the main function of a test program */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "check_main.h"
#include "patience.h"
#include "skip.h"

static bool forks;

bool check_forks(void)
{
	return forks;
}

/* Reaps the processes that the cases have detached: this process is their subreaper, and they end
 * when their case has ended. Returns false if one of them does not end. */
static bool reap_orphans(const sigset_t *child)
{
	const struct timespec longest = {.tv_sec = patience(60)};
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0)
		if (pid == 0 && sigtimedwait(child, NULL, &longest) < 0) {
			fprintf(stderr, "a process has outlived its test\n");
			return false;
		}
	return true;
}

static bool run_all(SRunner *runner, const char *one)
{
	sigset_t child;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	srunner_run(runner, NULL, one, CK_ENV);
	/* Blocked only after the cases have run, because the cases must not inherit the mask. */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	return reap_orphans(&child);
}

int check_main(int argc, char **argv, Suite *(*make)(void))
{
	char limit[16];
	SRunner *runner;
	int run, failed;
	bool clean;

	/* The limit ends a test that hangs. The limit is high because a loaded machine is slow,
	 * too. */
	snprintf(limit, sizeof(limit), "%d", patience(300));
	setenv("CK_DEFAULT_TIMEOUT", limit, 0);
	skip_begin();
	/* Called before the suite is made, because the suite may depend on the result. */
	runner = srunner_create(NULL);
	forks = srunner_fork_status(runner) == CK_FORK;
	srunner_add_suite(runner, make());
	clean = run_all(runner, argc > 1 ? argv[1] : getenv("CK_RUN_CASE"));
	run = srunner_ntests_run(runner);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	if (failed > 0 || !clean)
		return EXIT_FAILURE;
	return run > 0 && skip_count() >= run ? SKIP_STATUS : EXIT_SUCCESS;
}
