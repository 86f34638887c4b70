/* SPDX-License-Identifier: MIT */
/* wrap_calls.c - the functions that replace the calls of wrap.options at link time */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <search.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wrap_calls.h"
#include "wrap_names.h"

/* The linker replaces an unversioned call of a shared library with one of these functions, which
 * therefore must be visible. */
#pragma GCC visibility push(default)

/* Declares the call under both of the linker's names, and defines the one that lib/ reaches. */
#define WRAP(type, failed, name, parameters, ...)                                                  \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;                                                             \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		if (wrap_strike(CALL_##name, NULL))                                                \
			return failed;                                                             \
		return __real_##name(__VA_ARGS__);                                                 \
	}

/* Does the same for calls that transfer `size` bytes. */
#define WRAP_SIZED(name, call, parameters, ...)                                                    \
	ssize_t __real_##name parameters;                                                          \
	ssize_t __wrap_##name parameters;                                                          \
	ssize_t __wrap_##name parameters                                                           \
	{                                                                                          \
		if (wrap_strike(CALL_##call, &size))                                               \
			return -1;                                                                 \
		return __real_##name(__VA_ARGS__);                                                 \
	}

WRAP(void *, NULL, malloc, (size_t size), size)
WRAP(void *, NULL, calloc, (size_t count, size_t size), count, size)
WRAP(void *, NULL, realloc, (void *old, size_t size), old, size)
WRAP(void *, NULL, tsearch,
     (const void *key, void **root, int (*compare)(const void *, const void *)), key, root, compare)
WRAP(cap_t, NULL, cap_get_proc, (void), )
WRAP(cap_t, NULL, cap_init, (void), )
WRAP(int, -1, cap_set_proc, (cap_t caps), caps)
WRAP(int, -1, cap_set_flag,
     (cap_t caps, cap_flag_t flag, int count, const cap_value_t *values, cap_flag_value_t value),
     caps, flag, count, values, value)
WRAP(int, -1, getsockopt, (int fd, int level, int name, void *value, socklen_t *size), fd, level,
     name, value, size)
WRAP(void *, MAP_FAILED, mmap,
     (void *address, size_t size, int protection, int flags, int fd, off_t offset), address, size,
     protection, flags, fd, offset)
WRAP(int, -1, socketpair, (int domain, int type, int protocol, int ends[2]), domain, type, protocol,
     ends)
WRAP(int, -1, pipe2, (int ends[2], int flags), ends, flags)
WRAP(int, -1, poll, (struct pollfd * fds, nfds_t count, int timeout), fds, count, timeout)
WRAP(int, -1, epoll_create1, (int flags), flags)
WRAP(int, -1, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event), epoll,
     operation, fd, event)
WRAP(int, -1, eventfd, (unsigned int value, int flags), value, flags)
WRAP(int, -1, eventfd_read, (int fd, eventfd_t *value), fd, value)
WRAP(int, -1, eventfd_write, (int fd, eventfd_t value), fd, value)
WRAP(int, -1, fstatat, (int directory, const char *path, struct stat *status, int flags), directory,
     path, status, flags)
WRAP(int, -1, fstatfs, (int fd, struct statfs *status), fd, status)
WRAP(int, -1, faccessat, (int directory, const char *path, int mode, int flags), directory, path,
     mode, flags)
WRAP(ssize_t, -1, readlinkat, (int directory, const char *path, char *buffer, size_t size),
     directory, path, buffer, size)
WRAP(int, -1, kill, (pid_t pid, int signal), pid, signal)
WRAP(int, -1, munmap, (void *address, size_t size), address, size)
/* These calls return their error. */
WRAP(int, errno, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *), void *data),
     thread, attributes, start, data)
WRAP(int, errno, pthread_atfork, (void (*before)(void), void (*parent)(void), void (*child)(void)),
     before, parent, child)
WRAP(int, errno, pthread_getcpuclockid, (pthread_t thread, clockid_t *clock), thread, clock)

WRAP_SIZED(read, read, (int fd, void *buffer, size_t size), fd, buffer, size)
WRAP_SIZED(write, write, (int fd, const void *buffer, size_t size), fd, buffer, size)
WRAP_SIZED(pread, pread, (int fd, void *buffer, size_t size, off_t offset), fd, buffer, size,
           offset)
#ifdef __GLIBC__
WRAP_SIZED(pread64, pread, (int fd, void *buffer, size_t size, int64_t offset), fd, buffer, size,
           offset)
#endif
WRAP_SIZED(recv, recv, (int fd, void *buffer, size_t size, int flags), fd, buffer, size, flags)
WRAP_SIZED(send, send, (int fd, const void *buffer, size_t size, int flags), fd, buffer, size,
           flags)

/* close(2) closes the descriptor even if it fails. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	int fails = wrap_strike(CALL_close, NULL), error = errno;
	int result = __real_close(fd);

	if (!fails)
		return result;
	errno = error;
	return -1;
}

/* Handles waitpid(2) without a child: another process has reaped the child, so the child must have
 * exited. Children of lib/ are made to exit before lib/ waits for them. */
static bool is_reaped(bool fails)
{
	return fails && errno == ECHILD;
}

int __real_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	bool fails = wrap_strike(CALL_waitid, NULL);

	if (is_reaped(fails)) {
		__real_waitid(type, id, info, options & ~WNOHANG);
		errno = ECHILD;
	}
	return fails ? -1 : __real_waitid(type, id, info, options);
}

pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
	bool fails = wrap_strike(CALL_waitpid, NULL);

	if (is_reaped(fails)) {
		__real_waitpid(pid, status, options & ~WNOHANG);
		errno = ECHILD;
	}
	return fails ? -1 : __real_waitpid(pid, status, options);
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
	pid_t pid = wrap_strike(CALL_fork, NULL) ? -1 : __real_fork();

	if (pid == 0)
		wrap_forked();
	return pid;
}

static int optional_mode(int flags, va_list arguments)
{
	return flags & O_CREAT ? va_arg(arguments, int) : 0;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	va_list arguments;
	int mode;

	va_start(arguments, flags);
	mode = optional_mode(flags, arguments);
	va_end(arguments);
	wrap_note_path(path);
	return wrap_strike(CALL_open, NULL) ? -1 : __real_open(path, flags, mode);
}

int __real_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...);
int __wrap_openat(int directory, const char *path, int flags, ...)
{
	va_list arguments;
	int mode;

	va_start(arguments, flags);
	mode = optional_mode(flags, arguments);
	va_end(arguments);
	wrap_note_path(path);
	return wrap_strike(CALL_openat, NULL) ? -1 : __real_openat(directory, path, flags, mode);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return wrap_strike(CALL_fcntl, NULL) ? -1 : __real_fcntl(fd, command, argument);
}

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return wrap_strike(CALL_ioctl, NULL) ? -1 : __real_ioctl(fd, request, argument);
}

/* With _FORTIFY_SOURCE: the same calls. The compiler has already checked that the buffer is large
 * enough. */
#define WRAP_CHECKED(type, name, checked, parameters, room, needed, ...)                           \
	type __wrap_##checked parameters;                                                          \
	type __wrap_##checked parameters                                                           \
	{                                                                                          \
		if ((room) < (needed))                                                             \
			abort();                                                                   \
		return __wrap_##name(__VA_ARGS__);                                                 \
	}

WRAP_CHECKED(ssize_t, read, __read_chk, (int fd, void *buffer, size_t size, size_t room), room,
             size, fd, buffer, size)
WRAP_CHECKED(ssize_t, pread, __pread_chk,
             (int fd, void *buffer, size_t size, off_t offset, size_t room), room, size, fd, buffer,
             size, offset)
#ifdef __GLIBC__
WRAP_CHECKED(ssize_t, pread64, __pread64_chk,
             (int fd, void *buffer, size_t size, int64_t offset, size_t room), room, size, fd,
             buffer, size, offset)
#endif
WRAP_CHECKED(ssize_t, recv, __recv_chk, (int fd, void *buffer, size_t size, size_t room, int flags),
             room, size, fd, buffer, size, flags)
WRAP_CHECKED(ssize_t, readlinkat, __readlinkat_chk,
             (int directory, const char *path, char *buffer, size_t size, size_t room), room, size,
             directory, path, buffer, size)
WRAP_CHECKED(int, poll, __poll_chk, (struct pollfd * fds, nfds_t count, int timeout, size_t room),
             room / sizeof(*fds), count, fds, count, timeout)
/* Such calls must not need a mode. */
#define WRAP_OPEN_2(checked)                                                                       \
	WRAP_CHECKED(int, open, checked, (const char *path, int flags), 0, (flags & O_CREAT) != 0, \
	             path, flags)
#define WRAP_OPENAT_2(checked)                                                                     \
	WRAP_CHECKED(int, openat, checked, (int directory, const char *path, int flags), 0,        \
	             (flags & O_CREAT) != 0, directory, path, flags)
WRAP_OPEN_2(__open_2)
WRAP_OPEN_2(__open64_2)
WRAP_OPENAT_2(__openat_2)
WRAP_OPENAT_2(__openat64_2)

static int transfers(enum wrap_call call)
{
	return call == CALL_read || call == CALL_write || call == CALL_pread || call == CALL_recv ||
	       call == CALL_send;
}

#define VECTORS 4

/* Copies as many of the vectors as `size` allows. Returns their number. */
static unsigned long shorten(struct iovec *to, const struct iovec *from, unsigned long count,
                             size_t size)
{
	unsigned long used = 0;

	for (; used < count && used < VECTORS && size > 0; used++) {
		to[used] = from[used];
		if (to[used].iov_len > size)
			to[used].iov_len = size;
		size -= to[used].iov_len;
	}
	return used;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
/* The number of arguments is unknown, so the function takes six and passes on some that the caller
 * has not given. */
__attribute__((no_sanitize("address"))) long __wrap_syscall(long number, ...)
{
	enum wrap_call call = wrap_find_number(number);
	struct iovec vectors[VECTORS];
	unsigned long a[6];
	va_list arguments;
	size_t size;
	long result;

	va_start(arguments, number);
	for (size_t i = 0; i < 6; i++)
		a[i] = va_arg(arguments, unsigned long);
	va_end(arguments);
	if (call == CALL_openat)
		wrap_note_path((const char *)a[1]);
	size = call == CALL_writev ? SIZE_MAX : a[2];
	if (wrap_strike(call, &size)) {
		int error = errno;

		if (call == CALL_close)
			__real_syscall(number, a[0]);
		errno = error;
		return -1;
	}
	if (transfers(call)) {
		a[2] = size;
	} else if (call == CALL_writev && size != SIZE_MAX) {
		a[2] = shorten(vectors, (const struct iovec *)a[1], a[2], size);
		a[1] = (unsigned long)vectors;
	}
	result = __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if ((call == CALL_clone || call == CALL_fork) && result == 0)
		wrap_forked();
	return result;
}
