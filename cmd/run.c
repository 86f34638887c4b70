/* SPDX-License-Identifier: MIT */
/* run.c - the COMMAND that pwatch runs */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int failure_status(int error)
{
	return error == ENOENT ? RUN_NOT_FOUND : RUN_NOT_EXECUTABLE;
}

static ssize_t read_whole(int fd, void *data, size_t size)
{
	ssize_t length;

	do {
		length = read(fd, data, size);
	} while (length < 0 && errno == EINTR);
	return length;
}

/* File capabilities are pwatch's alone. Without them the process is the caller's like any other, so
 * that pwatch may look at it before it is COMMAND. The inheritable set is the caller's own. */
static int disown_capabilities(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	if (getauxval(AT_SECURE) == 0)
		return 0;
	if (syscall(SYS_capget, &header, sets) < 0)
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		sets[i].permitted = sets[i].effective = 0;
	if (syscall(SYS_capset, &header, sets) < 0 || prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L) < 0)
		return -errno;
	return 0;
}

/* The body of the forked process. All its other descriptors close at exec. */
static _Noreturn void become_command(int go_fd, int failure_fd, char **command,
                                     const struct inherited *inherited)
{
	char go;
	int error;

	/* A byte says that it is done. */
	if (disown_capabilities() < 0 || write(failure_fd, "", 1) != 1)
		_exit(RUN_FAILED);
	/* The end without a byte: pwatch has failed or is gone. */
	if (read_whole(go_fd, &go, 1) != 1)
		_exit(RUN_FAILED);
	inherited_restore(inherited);
	execvp(command[0], command);
	error = errno;
	/* If not even that can be written, the exit status tells. */
	if (write(failure_fd, &error, sizeof(error)) < 0)
		_exit(RUN_FAILED);
	_exit(failure_status(error));
}

static int fork_command(struct run *run, const int go[2], const int failure[2], char **command,
                        const struct inherited *inherited)
{
	char ready;

	run->pid = fork();
	if (run->pid < 0)
		return -errno;
	if (run->pid == 0) {
		close(go[1]);
		become_command(go[0], failure[1], command, inherited);
	}
	run->go_fd = go[1];
	run->failure_fd = failure[0];
	close(go[0]);
	close(failure[1]);
	/* Nothing to read: it has failed, and its exit tells. */
	(void)read_whole(run->failure_fd, &ready, 1);
	return 0;
}

int run_prepare(struct run *run, char **command, const struct inherited *inherited)
{
	int go[2] = {-1, -1}, failure[2] = {-1, -1};
	int result = 0;

	*run = (struct run){.go_fd = -1, .failure_fd = -1, .status = RUN_FAILED};
	if (prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) < 0 || pipe2(go, O_CLOEXEC) < 0 ||
	    pipe2(failure, O_CLOEXEC) < 0)
		result = -errno;
	if (result == 0)
		result = fork_command(run, go, failure, command, inherited);
	if (result < 0) {
		run->pid = 0;
		for (int i = 0; i < 2; i++) {
			close_fd(&go[i]);
			close_fd(&failure[i]);
		}
	}
	return result;
}

void run_go(struct run *run)
{
	/* SIGPIPE is ignored; a process that was killed meanwhile is reaped like any other. */
	if (write(run->go_fd, "", 1) < 0)
		run->status = RUN_FAILED;
	close_fd(&run->go_fd);
}

int run_result(struct run *run)
{
	int error = 0;

	if (read_whole(run->failure_fd, &error, sizeof(error)) != sizeof(error))
		error = 0;
	close_fd(&run->failure_fd);
	if (error != 0)
		run->status = failure_status(error);
	return -error;
}

static void set_status(struct run *run, int status)
{
	run->reaped = true;
	run->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void run_reap(struct run *run)
{
	int status;
	pid_t pid;

	/* The library's own children have no exit signal: waitpid(2) doesn't see them. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == run->pid)
			set_status(run, status);
	}
	run->alone = pid < 0 && errno == ECHILD;
}

void run_pass_on(const struct run *run, const struct signalfd_siginfo *info)
{
	if (run->reaped || run->pid <= 0)
		return;
	/* What the terminal sends (SI_KERNEL) goes to the whole process group; but to the leader of
	 * the session alone, when it hangs up. */
	if (info->ssi_code == SI_KERNEL && getpgid(run->pid) == getpgrp() &&
	    (info->ssi_signo != SIGHUP || getsid(0) != getpid()))
		return;
	kill(run->pid, (int)info->ssi_signo);
}

void run_finish(struct run *run)
{
	bool held = run->go_fd >= 0;

	close_fd(&run->go_fd);
	close_fd(&run->failure_fd);
	if (held && run->pid > 0)
		waitpid(run->pid, NULL, 0);
}
