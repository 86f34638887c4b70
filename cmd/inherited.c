/* SPDX-License-Identifier: MIT */
/* inherited.c - the inherited environment, and the changes that pwatch makes for itself */
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "inherited.h"

int inherited_fill_standard_fds(void)
{
	int fd;

	/* open(2) returns the lowest free number. */
	do {
		fd = open("/", O_PATH | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

bool inherited_take_utf8(void)
{
	return setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static bool is_ignored(int signal_number)
{
	struct sigaction action;

	return sigaction(signal_number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* A signal that is ignored but blocked is queued, and signalfd(2) would deliver it. So an ignored
 * SIGHUP (nohup) or SIGINT (a shell's background job) is not added. */
static void add_signals(sigset_t *signals, bool run, const int *more)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
	static const int passed_on[] = {SIGQUIT, SIGUSR1, SIGUSR2};

	sigemptyset(signals);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (!is_ignored(ends[i]))
			sigaddset(signals, ends[i]);
	}
	sigaddset(signals, SIGCHLD);
	for (; more && *more != 0; more++) {
		if (!is_ignored(*more))
			sigaddset(signals, *more);
	}
	if (!run)
		return;
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++) {
		if (!is_ignored(passed_on[i]))
			sigaddset(signals, passed_on[i]);
	}
}

static void change_dispositions(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGXFSZ, &action, NULL);
	/* If SIGCHLD is ignored, the kernel discards the status of COMMAND. */
	action.sa_handler = SIG_DFL;
	sigaction(SIGCHLD, &action, NULL);
}

int inherited_raise_files(struct rlimit *limit)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, limit) < 0)
		return -errno;
	files = *limit;
	files.rlim_cur = files.rlim_max;
	/* If the kernel refuses, the inherited limit stays. */
	(void)setrlimit(RLIMIT_NOFILE, &files);
	return 0;
}

int inherited_change(bool run, const int *more)
{
	sigset_t signals;
	int fd;

	add_signals(&signals, run, more);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	change_dispositions();
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}
