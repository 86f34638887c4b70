/* SPDX-License-Identifier: MIT */
/* helper_process.c - makes a forked child a process of its own, and writes its frames */
#include <signal.h>
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

static void reset_signals(void)
{
	/* Zeros are SIG_DFL, no flags and an empty mask in every layout of the kernel's sigaction.
	 */
	unsigned long action[16] = {0};

	for (int number = 1; number <= SIGNALS; number++)
		syscall(SYS_rt_sigaction, number, action, NULL, SIGNAL_SET_SIZE);
}

void helper_unblock_signals(void)
{
	unsigned long empty[4] = {0};

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, empty, NULL, SIGNAL_SET_SIZE);
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
	raw_call(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	for (unsigned fd = first; fd <= last && fd < limit.rlim_max && fd < CLOSE_MAX; fd++)
		raw_close((int)fd);
}

int helper_isolate(const int *descriptors, int count, int keep)
{
	/* No core dump and no ptrace by whoever may have less than the host had. */
	raw_call(SYS_prctl, PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
	reset_signals();
	raw_call(SYS_setsid);
	raw_call(SYS_prctl, PR_SET_NAME, "portwatch-ns", 0L, 0L, 0L);
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

int helper_send(int fd, const struct frame *frame, const void *bytes)
{
	char header[FRAME_HEADER_MAX];
	struct iovec parts[2] = {
		{header, frame_format(header, frame)},
		{(void *)bytes, frame->length},
	};

	while (parts[0].iov_len + parts[1].iov_len > 0) {
		long written = raw_call(SYS_writev, fd, parts, 2L);

		if (written < 0 && written != -EINTR)
			return (int)written;
		if (written > 0)
			advance(parts, (size_t)written);
	}
	return 0;
}

int helper_send_failure(int fd, uint32_t sequence, const char *step, int error)
{
	struct frame frame = {FRAME_END, sequence, (uint32_t)error, (uint32_t)strlen(step)};

	return helper_send(fd, &frame, step);
}
