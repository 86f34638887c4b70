/* SPDX-License-Identifier: MIT */
/* helper_process.c - makes a forked child a process of its own, and writes its frames */
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "frame.h"
#include "helper.h"
#include "raw.h"

#define SIGNALS 64
#define SIGNAL_SET_SIZE ((size_t)(_NSIG / 8))
#define CLOSE_MAX 1048576
/* struct linux_dirent64, which no header has */
#define ENTRY_LENGTH 16
#define ENTRY_NAME 19

static void reset_signals(void)
{
	/* Zeros are SIG_DFL, no flags and an empty mask in every layout of the kernel's sigaction.
	 */
	unsigned long action[16] = {0};
	unsigned long empty[4] = {0};

	for (int number = 1; number <= SIGNALS; number++)
		syscall(SYS_rt_sigaction, number, action, NULL, SIGNAL_SET_SIZE);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, empty, NULL, SIGNAL_SET_SIZE);
}

/* The number that a name in /proc/self/fd is; false for "." and "..". */
static bool parse_descriptor(const char *name, unsigned *fd)
{
	uint64_t number;

	if (frame_read_number(&name, name + strlen(name), INT_MAX, &number) < 0)
		return false;
	*fd = (unsigned)number;
	return true;
}

/* One buffer of struct linux_dirent64, getdents64(2). */
static void close_entries(const char *entries, long size, unsigned first, unsigned last, int list)
{
	unsigned short length;
	unsigned fd;

	for (; size > 0; size -= length, entries += length) {
		memcpy(&length, entries + ENTRY_LENGTH, sizeof(length));
		if (parse_descriptor(entries + ENTRY_NAME, &fd) && fd >= first && fd <= last &&
		    fd != (unsigned)list)
			raw_close((int)fd);
	}
}

/* Those that /proc says are open. Returns 0 or a negative errno. */
static long close_listed(unsigned first, unsigned last)
{
	int list = raw_open(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY);
	char entries[1024];
	long size;

	if (list < 0)
		return list;
	while ((size = raw_call(SYS_getdents64, list, entries, sizeof(entries))) > 0)
		close_entries(entries, size, first, last, list);
	raw_close(list);
	return size;
}

static void close_between(unsigned first, unsigned last)
{
	struct rlimit64 limit = {CLOSE_MAX, CLOSE_MAX};

	if (first > last)
		return;
#ifdef SYS_close_range
	if (raw_call(SYS_close_range, first, last, 0U) == 0)
		return;
#endif
	/* No such call, or a filter refuses it. */
	if (close_listed(first, last) == 0)
		return;
	raw_call(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	for (unsigned fd = first; fd <= last && fd < limit.rlim_max && fd < CLOSE_MAX; fd++)
		raw_close((int)fd);
}

void helper_die_with_parent(void)
{
	raw_call(SYS_prctl, PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
}

int helper_isolate(const int *descriptors, int count, int keep)
{
	/* The end of the pipe says that the host has died, but not to a child that is stopped. Its
	 * parent is the monitor's thread, which outlives it. */
	helper_die_with_parent();
	/* No core dump and no ptrace by whoever may have less than the host had. */
	raw_call(SYS_prctl, PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
	for (int i = 0; i < count; i++) {
		long error = raw_call(SYS_dup3, descriptors[i], i, 0);

		if (error < 0)
			return (int)error;
	}
	if (keep < count) {
		close_between((unsigned)count, ~0U);
	} else {
		close_between((unsigned)count, (unsigned)keep - 1);
		close_between((unsigned)keep + 1, ~0U);
	}
	raw_call(SYS_setsid);
	raw_call(SYS_prctl, PR_SET_NAME, "portwatch-ns", 0L, 0L, 0L);
	reset_signals();
	return 0;
}

/* Goes past what has been written. */
static void advance(struct iovec *parts, size_t written)
{
	for (int i = 0; i < 2; i++) {
		size_t taken = written < parts[i].iov_len ? written : parts[i].iov_len;

		parts[i].iov_base = (char *)parts[i].iov_base + taken;
		parts[i].iov_len -= taken;
		written -= taken;
	}
}

static int write_parts(int fd, struct iovec parts[2])
{
	while (parts[0].iov_len + parts[1].iov_len > 0) {
		long written = raw_call(SYS_writev, fd, parts, 2L);

		if (written < 0 && written != -EINTR)
			return (int)written;
		if (written > 0)
			advance(parts, (size_t)written);
	}
	return 0;
}

int helper_send(int fd, const struct frame *frame, const void *bytes)
{
	char header[FRAME_HEADER_MAX];
	struct iovec parts[2] = {
		{header, frame_format(header, frame)},
		{(void *)bytes, frame->length},
	};

	return write_parts(fd, parts);
}

int helper_write(int fd, const void *bytes, size_t size)
{
	/* The second is empty, not null: to go past its end is undefined then. */
	struct iovec parts[2] = {{(void *)bytes, size}, {(void *)bytes, 0}};

	return write_parts(fd, parts);
}

int helper_send_failure(int fd, uint32_t sequence, const char *step, int error)
{
	struct frame frame = {FRAME_END, sequence, (uint32_t)error, (uint32_t)strlen(step)};

	return helper_send(fd, &frame, step);
}
