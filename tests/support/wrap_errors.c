/* SPDX-License-Identifier: MIT */
/* wrap_errors.c - the ways in which each call can fail
 *
 * The errnos are those in the section ERRORS of the call's manual page, without those that only a
 * wrong argument causes (EBADF, EFAULT, ENAMETOOLONG, ...). Files of an exited process return ESRCH
 * (proc_pid_stat(5) and others). netlink(7) adds ENOBUFS. A filter returns ENOSYS and EPERM
 * (seccomp(2)). read(2) and write(2) may return EIO for any file. */
#include <errno.h>
#include <string.h>

#include "wrap_errors.h"

static const struct {
	const char *call;
	int ways[14];
} table[] = {
	{"malloc", {ENOMEM}},
	{"calloc", {ENOMEM}},
	{"realloc", {ENOMEM}},
	{"tsearch", {ENOMEM}},
	{"cap_get_proc", {ENOMEM}},
	{"cap_init", {ENOMEM}},
	{"cap_set_flag", {EINVAL}},
	{"cap_set_proc", {EPERM, ENOMEM}},
	{"pthread_atfork", {ENOMEM}},
	{"pthread_create", {EAGAIN, EPERM}},
	{"pthread_getcpuclockid", {ENOENT, ESRCH}},
	{"fork", {EAGAIN, ENOMEM, ENOSYS}},
	{"clone", {EAGAIN, EINVAL, ENOMEM, ENOSPC, ENOSYS, EPERM}},
	{"waitid", {EAGAIN, ECHILD, EINTR, EINVAL}},
	{"waitpid", {ECHILD, EINTR}},
	{"open", {EACCES, EINTR, ELOOP, EMFILE, ENFILE, ENOENT, ENOMEM, EPERM}},
	{"openat", {EACCES, EINTR, ELOOP, EMFILE, ENFILE, ENODEV, ENOENT, ENOMEM, EPERM, ESRCH}},
	{"close", {EINTR, EIO}},
	{"read", {EAGAIN, EINTR, EIO, ENOMEM, ESRCH, -1, -100}},
	{"pread", {EAGAIN, EINTR, EIO, ENOMEM, ESPIPE, ESRCH, -1, -100}},
	{"write", {EAGAIN, EINTR, EIO, ENOSPC, EPERM, EPIPE, -1, -100}},
	{"writev", {EAGAIN, EINTR, EIO, ENOSPC, EPERM, EPIPE, -1, -100}},
	{"recv", {EAGAIN, ECONNREFUSED, EINTR, ENOBUFS, ENOMEM, -1, -100}},
	{"send", {EAGAIN, ECONNREFUSED, EINTR, ENOBUFS, ENOMEM, EPERM, -1}},
	{"getsockopt", {EINVAL, ENOPROTOOPT}},
	{"setsockopt", {EINVAL, ENOBUFS, ENOMEM, ENOPROTOOPT}},
	{"fcntl", {EBUSY, EINVAL, EMFILE, EPERM}},
	{"ioctl", {EINVAL, ENOTTY}},
	{"mmap", {EACCES, EAGAIN, EINVAL, ENFILE, ENODEV, ENOMEM, EPERM}},
	{"munmap", {EINVAL, ENOMEM}},
	{"socketpair", {EMFILE, ENFILE, ENOMEM}},
	{"getsockname", {ENOBUFS}},
	{"recvmsg", {EAGAIN, EINTR, ENOMEM}},
	{"lseek", {ESPIPE}},
	{"sendmsg", {EAGAIN, EINTR, ENOBUFS, ENOMEM, EPIPE}},
	{"pipe2", {EMFILE, ENFILE}},
	{"poll", {EINTR, ENOMEM}},
	{"epoll_create1", {EMFILE, ENFILE, ENOMEM}},
	{"epoll_ctl", {ENOMEM, ENOSPC, EPERM}},
	{"epoll_wait", {EINTR}},
	{"eventfd", {EMFILE, ENFILE, ENODEV, ENOMEM}},
	{"eventfd_read", {EAGAIN, EINTR}},
	{"eventfd_write", {EAGAIN, EINTR}},
	{"fstatat", {EACCES, ELOOP, ENOENT, ENOMEM, ENOTDIR}},
	{"fstatfs", {EINTR, EIO, ENOMEM, ENOSYS, EPERM}},
	{"statx", {EACCES, ELOOP, ENOENT, ENOMEM, ENOSYS, ENOTDIR, EPERM}},
	{"faccessat", {EACCES, ELOOP, ENOENT, ENOMEM, ENOTDIR, EPERM}},
	{"readlinkat", {EACCES, EIO, ELOOP, ENOENT, ENOMEM, ENOTDIR}},
	{"kill", {EPERM, ESRCH}},
	{"arch_prctl", {EINVAL, ENODEV, EPERM}},
	{"bpf",
         {E2BIG, EACCES, EAGAIN, EBUSY, EINVAL, EMFILE, ENFILE, ENOENT, ENOMEM, ENOSYS, EPERM}},
	{"capget", {EINVAL, EPERM, ESRCH}},
	{"capset", {EINVAL, EPERM, ESRCH}},
	{"close_range", {EINVAL, EMFILE, ENOMEM, ENOSYS}},
	{"bind", {EACCES, EINVAL, ENOMEM, EPERM}},
	{"chdir", {EACCES, EIO, ELOOP, ENOENT, ENOMEM, ENOTDIR}},
	{"connect", {EACCES, EAGAIN, ECONNREFUSED, EINTR, EINVAL, EPERM}},
	{"dup3", {EBUSY, EINTR, EINVAL, EMFILE}},
	{"execve", {EACCES, EAGAIN, EIO, ELOOP, EMFILE, ENFILE, ENOENT, ENOMEM, EPERM, ETXTBSY}},
	{"fsopen", {EMFILE, ENFILE, ENODEV, ENOMEM, ENOSYS, EPERM}},
	{"fsconfig", {EBUSY, EINVAL, ENOMEM, EPERM}},
	{"fsmount", {EBUSY, EINVAL, EMFILE, ENFILE, ENOMEM, EPERM}},
	{"getdents", {EINVAL, ENOENT, ENOTDIR}},
	{"kcmp", {ENOSYS, EPERM, ESRCH}},
	{"madvise", {EAGAIN, EINVAL, EIO, ENOMEM}},
	{"perf_event_open",
         {E2BIG, EACCES, EBUSY, EINTR, EINVAL, EMFILE, ENODEV, ENOENT, ENOSPC, ENOSYS, EOPNOTSUPP,
          EPERM, ESRCH}},
	{"pidfd_getfd", {EBADF, EMFILE, ENFILE, ENOSYS, EPERM, ESRCH}},
	{"pidfd_open", {EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM, ENOSYS, EPERM, ESRCH}},
	{"pidfd_send_signal", {EINVAL, ENOSYS, EPERM, ESRCH}},
	{"ppoll", {EINTR, EINVAL, ENOMEM, ENOSYS, EPERM}},
	{"prctl", {EACCES, EBUSY, EINVAL, EPERM}},
	{"prlimit", {EINVAL, EPERM, ESRCH}},
	{"rt_sigaction", {EINVAL}},
	{"rt_sigprocmask", {EINVAL}},
	{"setns", {EINVAL, ENOMEM, EPERM, ESRCH}},
	{"setsid", {EPERM}},
	{"socket",
         {EACCES, EAFNOSUPPORT, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTONOSUPPORT}},
};

#define NAME(error)                                                                                \
	{                                                                                          \
#error, error                                                                      \
	}

static const struct {
	const char *name;
	int error;
} names[] = {
	NAME(E2BIG),  NAME(EACCES),          NAME(EAFNOSUPPORT), NAME(EAGAIN),      NAME(EBADF),
	NAME(EBUSY),  NAME(ECHILD),          NAME(ECONNREFUSED), NAME(EINTR),       NAME(EINVAL),
	NAME(EIO),    NAME(ELOOP),           NAME(EMFILE),       NAME(ENFILE),      NAME(ENOBUFS),
	NAME(ENODEV), NAME(ENOENT),          NAME(ENOMEM),       NAME(ENOPROTOOPT), NAME(ENOSPC),
	NAME(ENOSYS), NAME(ENOTDIR),         NAME(ENOTTY),       NAME(EOPNOTSUPP),  NAME(EPERM),
	NAME(EPIPE),  NAME(EPROTONOSUPPORT), NAME(ESPIPE),       NAME(ESRCH),       NAME(ETXTBSY),
};
#define NAMES (sizeof(names) / sizeof(names[0]))

const char *wrap_error_name(int error)
{
	for (size_t i = 0; i < NAMES; i++)
		if (names[i].error == error)
			return names[i].name;
	return NULL;
}

int wrap_error_number(const char *name)
{
	for (size_t i = 0; i < NAMES; i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].error;
	return 0;
}

const int *wrap_errors(const char *call)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].call, call) == 0)
			return table[i].ways;
	return NULL;
}

void wrap_fail_by(const char *call, enum wrap_where where, unsigned int nth, int way)
{
	if (way < 0)
		wrap_short(call, where, nth, 1, (size_t)-way);
	else
		wrap_fail(call, where, nth, 1, way);
}
