/* SPDX-License-Identifier: MIT */
/* run.c - the COMMAND that pwatch runs */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

/* How a pwatch that executes itself anew finds COMMAND's process: PID, the two descriptors, and the
 * name of its own process. */
#define HANDOVER "PWATCH_COMMAND"
#define HANDOVER_MAX 80
#define NAME_SIZE 16 /* of PR_GET_NAME */

#define ERRNO_MAX 4095

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

/* The body of the forked process. */
static _Noreturn void become_command(int go_fd, int failure_fd, char **command,
                                     const struct rlimit *files)
{
	char go;
	int error;

	/* A byte says that it is done. */
	if (disown_capabilities() < 0 || write(failure_fd, "", 1) != 1)
		_exit(RUN_FAILED);
	/* The end without a byte: pwatch has failed or is gone. */
	if (read_whole(go_fd, &go, 1) != 1 || !command)
		_exit(RUN_FAILED);
	(void)setrlimit(RLIMIT_NOFILE, files);
	execvp(command[0], command);
	error = errno;
	/* If not even that can be written, the exit status tells. */
	if (write(failure_fd, &error, sizeof(error)) < 0)
		_exit(RUN_FAILED);
	_exit(failure_status(error));
}

static int fork_command(struct run *run, const int go[2], const int failure[2], char **command,
                        const struct rlimit *files, int private_fd)
{
	char ready;

	run->pid = fork();
	if (run->pid < 0)
		return -errno;
	if (run->pid == 0) {
		close(go[1]);
		close(failure[0]);
		if (private_fd > STDERR_FILENO)
			close(private_fd);
		become_command(go[0], failure[1], command, files);
	}
	run->go_fd = go[1];
	run->failure_fd = failure[0];
	close(go[0]);
	close(failure[1]);
	/* Nothing to read: it has failed, and its exit tells. */
	(void)read_whole(run->failure_fd, &ready, 1);
	return 0;
}

/* Forks the process. After a failure nothing is left of it. */
static int start_command(struct run *run, char **command, const struct rlimit *files,
                         int private_fd)
{
	int go[2] = {-1, -1}, failure[2] = {-1, -1};
	int result = 0;

	if (pipe2(go, O_CLOEXEC) < 0 || pipe2(failure, O_CLOEXEC) < 0)
		result = -errno;
	if (result == 0)
		result = fork_command(run, go, failure, command, files, private_fd);
	if (result < 0) {
		run->pid = 0;
		for (int i = 0; i < 2; i++) {
			close_fd(&go[i]);
			close_fd(&failure[i]);
		}
	}
	return result;
}

/* Keeps a descriptor over exec, or not. */
static int keep(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC) < 0 ? -errno : 0;
}

/* The same program with the same capabilities, but at other addresses and with another stack
 * guard. Returns only when that has failed. */
static int execute_anew(const struct run *run, char **argv)
{
	char value[HANDOVER_MAX], name[NAME_SIZE] = "";
	int result;

	/* The kernel would name the process after the link, "exe". */
	prctl(PR_GET_NAME, name, 0L, 0L, 0L);
	snprintf(value, sizeof(value), "%d:%d:%d:%s", (int)run->pid, run->go_fd, run->failure_fd,
	         name);
	result = setenv(HANDOVER, value, 1) < 0 ? -errno : 0;
	if (result == 0)
		result = keep(run->go_fd, true);
	if (result == 0)
		result = keep(run->failure_fd, true);
	if (result == 0)
		execv("/proc/self/exe", argv);
	return result < 0 ? result : -errno;
}

static bool is_pipe(int fd)
{
	struct stat status;

	return fd > STDERR_FILENO && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

/* Takes over what execute_anew() has handed over. The caller may have set the variable too, and
 * gains nothing by it: what it names must be the caller's own child and pipes. */
static int take_over(struct run *run, const char *value)
{
	siginfo_t info;
	int pid, end = 0;

	if (sscanf(value, "%d:%d:%d:%n", &pid, &run->go_fd, &run->failure_fd, &end) != 3 ||
	    end == 0 || pid <= 0 || !is_pipe(run->go_fd) || !is_pipe(run->failure_fd) ||
	    run->go_fd == run->failure_fd ||
	    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
		run->go_fd = run->failure_fd = -1;
		return -EINVAL;
	}
	run->pid = pid;
	prctl(PR_SET_NAME, value + end, 0L, 0L, 0L);
	return 0;
}

/* Neither end may keep pwatch waiting: the other is the caller's. */
static int protect(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return keep(fd, false);
}

int run_fork(struct run *run, char **argv, char **command, const struct rlimit *files,
             int private_fd)
{
	const char *handover = getauxval(AT_SECURE) != 0 ? getenv(HANDOVER) : NULL;
	int result;

	*run = RUN_INIT;
	if (handover) {
		result = take_over(run, handover);
		unsetenv(HANDOVER);
	} else {
		result = start_command(run, command, files, private_fd);
		if (result == 0 && getauxval(AT_SECURE) != 0)
			result = execute_anew(run, argv);
	}
	if (result == 0)
		result = protect(run->go_fd);
	if (result == 0)
		result = protect(run->failure_fd);
	return result;
}

int run_adopt(struct run *run)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L) < 0)
		return -errno;
	run->adopts = true;
	return 0;
}

void run_go(struct run *run)
{
	/* SIGPIPE is ignored; a process that was killed meanwhile is reaped like any other. */
	if (write(run->go_fd, "", 1) < 0)
		run->status = RUN_FAILED;
	close_fd(&run->go_fd);
}

bool run_result(struct run *run, int *error)
{
	ssize_t length = read_whole(run->failure_fd, error, sizeof(*error));

	if (length < 0 && errno == EAGAIN)
		return false;
	close_fd(&run->failure_fd);
	/* The caller can write there as well: only what may be an errno is one. */
	if (length != sizeof(*error) || *error < 0 || *error > ERRNO_MAX)
		*error = 0;
	if (*error != 0)
		run->status = failure_status(*error);
	return true;
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
