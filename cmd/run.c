/* SPDX-License-Identifier: MIT */
/* run.c - the COMMAND that pwatch runs */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "privileges.h"
#include "run.h"

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

/* Drops the capabilities. The process is then an ordinary process of the caller, so that pwatch may
 * examine it before it becomes COMMAND. */
static int disown_capabilities(void)
{
	int result = privileges_disown();

	if (result == 0 && getauxval(AT_SECURE) != 0 && prctl(PR_SET_DUMPABLE, 1L, 0L, 0L, 0L) < 0)
		result = -errno;
	return result;
}

/* The body of the forked process. */
static _Noreturn void become_command(int go_fd, int failure_fd, char **command,
                                     const struct rlimit *files)
{
	char go;
	int error;

	/* One byte reports that the capabilities are dropped. */
	if (disown_capabilities() < 0 || write(failure_fd, "", 1) != 1)
		_exit(RUN_FAILED);
	/* If the pipe ends without a byte, pwatch has failed or is gone. */
	if (read_whole(go_fd, &go, 1) != 1 || !command)
		_exit(RUN_FAILED);
	(void)setrlimit(RLIMIT_NOFILE, files);
	execvp(command[0], command);
	error = errno;
	/* If the errno cannot be written, the exit status reports the failure. */
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
	/* If the pipe ends without a byte, the child has failed, and its exit status reports the
	 * failure. */
	(void)read_whole(run->failure_fd, &ready, 1);
	return 0;
}

/* Forks the process. After a failure no process and no descriptor remains. */
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

/* Makes an end of a pipe nonblocking: the other end belongs to the caller, who must not make pwatch
 * wait. */
static int protect(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int run_fork(struct run *run, char **command, const struct rlimit *files, int private_fd)
{
	int result = start_command(run, command, files, private_fd);

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
	/* SIGPIPE is ignored. If the process was killed meanwhile, it is reaped as usual. */
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
	/* The caller can write to this pipe too, so only a valid errno is accepted. */
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

	/* waitpid(2) does not return the children of the library, because they have no exit
	 * signal. */
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
	/* The terminal sends signals (SI_KERNEL) to the whole process group, except SIGHUP after a
	 * hangup, which goes to the session leader only. */
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
