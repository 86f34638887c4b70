/* SPDX-License-Identifier: MIT */
/* deny.c - denies notifier mechanisms to the calling process, as a sandbox does (seccomp) */
#include "deny.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox.h"
#include "skip.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif
#define CONNECTOR 11 /* NETLINK_CONNECTOR */

#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)

static const struct sock_filter connector[] = {
	LOAD(nr),      UNLESS(SYS_socket, 5), LOAD(args[0]), UNLESS(AF_NETLINK, 3),
	LOAD(args[2]), UNLESS(CONNECTOR, 1),  REFUSE,        ALLOW,
};
static const struct sock_filter closes[] = {
	LOAD(nr),      UNLESS(SYS_setsockopt, 5),         LOAD(args[1]), UNLESS(SOL_NETLINK, 3),
	LOAD(args[2]), UNLESS(NETLINK_ADD_MEMBERSHIP, 1), REFUSE,        ALLOW,
};

/* A process that may not change mounts must not read mounted tracepoints either. Returns whether it
 * cannot. */
static bool hide_tracefs(void)
{
	static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug"};

	if (sandbox_own_mounts())
		for (int i = 0; i < 2; i++)
			while (umount2(places[i], MNT_DETACH) == 0)
				continue;
	return access("/sys/kernel/tracing/events", R_OK | X_OK) < 0 &&
	       access("/sys/kernel/debug/tracing/events", R_OK | X_OK) < 0;
}

static int set_filter(const struct sock_filter *code, unsigned short length)
{
	struct sock_fprog program = {length, (struct sock_filter *)code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return -errno;
	return 0;
}

int deny_call(long number, int error)
{
	const struct sock_filter code[] = {
		LOAD(nr),
		UNLESS((uint32_t)number, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((uint32_t)error & 0xfff)),
		ALLOW,
	};

	return set_filter(code, sizeof(code) / sizeof(*code));
}

int deny_quietly(unsigned int what)
{
	int result = 0;

	if (what & DENY_TRACEFS) {
		/* Where tracefs is mounted, only a process that may change mounts can hide it. */
		result = hide_tracefs() ? deny_call(SYS_fsopen, EPERM) : -EBUSY;
	}
	if (result == 0 && what & DENY_BPF)
		result = deny_call(SYS_bpf, EPERM);
	if (result == 0 && what & DENY_PERF)
		result = deny_call(SYS_perf_event_open, EPERM);
	if (result == 0 && what & DENY_CONNECTOR)
		result = set_filter(connector, sizeof(connector) / sizeof(*connector));
	if (result == 0 && what & DENY_CLOSES)
		result = set_filter(closes, sizeof(closes) / sizeof(*closes));
	return result;
}

void deny(unsigned int what)
{
	int result = deny_quietly(what);

	if (result < 0)
		test_skip("cannot deny the mechanism: %s", strerror(-result));
}
