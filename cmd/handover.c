/* SPDX-License-Identifier: MIT */
/* handover.c - a pwatch with file capabilities executes itself again */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handover.h"

/* PID, four descriptors, and the name of the process. */
#define VARIABLE "PWATCH_COMMAND"
#define VALUE_MAX 120
#define NAME_SIZE 16 /* of PR_GET_NAME */

/* In the order of the variable. */
#define DESCRIPTORS 4

static void list_descriptors(int *list[DESCRIPTORS], struct run *run, struct hook *hook)
{
	list[0] = &run->go_fd;
	list[1] = &run->failure_fd;
	list[2] = &hook->request_fd;
	list[3] = &hook->done_fd;
}

/* Keeps a descriptor open across exec, or closes it there. */
static int keep(int fd, bool on)
{
	if (fd < 0)
		return 0;
	return fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC) < 0 ? -errno : 0;
}

bool handover_is_due(void)
{
	return getauxval(AT_SECURE) != 0 && getenv(VARIABLE);
}

int handover_give(const struct run *run, const struct hook *hook, char **argv)
{
	const int fds[DESCRIPTORS] = {run->go_fd, run->failure_fd, hook->request_fd, hook->done_fd};
	char value[VALUE_MAX], name[NAME_SIZE] = "";

	/* exec names the process after the link, "exe", so the name is passed on too. */
	prctl(PR_GET_NAME, name, 0L, 0L, 0L);
	snprintf(value, sizeof(value), "%d:%d:%d:%d:%d:%s", (int)run->pid, fds[0], fds[1], fds[2],
	         fds[3], name);
	if (setenv(VARIABLE, value, 1) < 0)
		return -errno;
	for (size_t i = 0; i < DESCRIPTORS; i++) {
		if (keep(fds[i], true) < 0)
			return -errno;
	}
	execv("/proc/self/exe", argv);
	return -errno;
}

static bool is_pipe(int fd)
{
	struct stat status;

	return fd > STDERR_FILENO && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

/* The two descriptors of COMMAND must be present, those of a hook may be missing; each must be a
 * pipe and appear once. */
static bool are_usable(int *const fds[DESCRIPTORS])
{
	for (size_t i = 0; i < DESCRIPTORS; i++) {
		if (i >= 2 && *fds[2] == -1 && *fds[3] == -1)
			return true;
		for (size_t j = 0; j < i; j++) {
			if (*fds[j] == *fds[i])
				return false;
		}
		if (!is_pipe(*fds[i]) || keep(*fds[i], false) < 0)
			return false;
	}
	return true;
}

int handover_take(struct run *run, struct hook *hook)
{
	const char *value = getenv(VARIABLE);
	int *fds[DESCRIPTORS], pid, end = 0;
	siginfo_t info;

	list_descriptors(fds, run, hook);
	if (!value ||
	    sscanf(value, "%d:%d:%d:%d:%d:%n", &pid, fds[0], fds[1], fds[2], fds[3], &end) != 5 ||
	    end == 0 || pid <= 0 || !are_usable(fds) ||
	    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
		for (size_t i = 0; i < DESCRIPTORS; i++)
			*fds[i] = -1;
		return -EINVAL;
	}
	run->pid = pid;
	prctl(PR_SET_NAME, value + end, 0L, 0L, 0L);
	unsetenv(VARIABLE);
	return 0;
}
