/* SPDX-License-Identifier: MIT */
/* sys.h - raw system calls for code that runs in a child which shares its parent's locks
 *
 * In the child of a raw clone(2) of a threaded process, any lock of libc may be held forever.
 * syscall(2) takes no lock, is not a cancellation point, and is not intercepted by sanitizers. All
 * functions return the result or a negative errno. */
#ifndef SYS_H
#define SYS_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 5.14. Not every C library has it, and not every architecture the same. */
#ifndef SO_NETNS_COOKIE
#if defined(__sparc__)
#define SO_NETNS_COOKIE 0x0050
#elif defined(__hppa__)
#define SO_NETNS_COOKIE 0x4045
#else
#define SO_NETNS_COOKIE 71
#endif
#endif

static inline long raw_result(long result)
{
	return result == -1 ? -errno : result;
}

#define raw_call(...) raw_result(syscall(__VA_ARGS__))

static inline long raw_read(int fd, void *buffer, size_t size)
{
	return raw_call(SYS_read, fd, buffer, size);
}

static inline long raw_pread(int fd, void *buffer, size_t size, uint64_t offset)
{
#if defined(__LP64__)
	return raw_call(SYS_pread64, fd, buffer, size, offset);
#else
	/* The passing of a 64-bit argument depends on the architecture, so libc makes this call. */
	return raw_result(pread(fd, buffer, size, (off_t)offset));
#endif
}

static inline int raw_open(int directory, const char *path, int flags)
{
	return (int)raw_call(SYS_openat, directory, path, flags | O_CLOEXEC, 0);
}

static inline void raw_close(int fd)
{
	if (fd >= 0)
		syscall(SYS_close, fd);
}

#endif
