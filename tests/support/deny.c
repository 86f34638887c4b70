/* SPDX-License-Identifier: MIT */
/* deny.c - takes ways to be notified from the calling process, as a sandbox does (seccomp) */
#include "deny.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

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

static const struct sock_filter bpf[] = {
	LOAD(nr),
	UNLESS(SYS_bpf, 1),
	REFUSE,
	ALLOW,
};
static const struct sock_filter perf[] = {
	LOAD(nr),
	UNLESS(SYS_perf_event_open, 1),
	REFUSE,
	ALLOW,
};
static const struct sock_filter connector[] = {
	LOAD(nr),      UNLESS(SYS_socket, 5), LOAD(args[0]), UNLESS(AF_NETLINK, 3),
	LOAD(args[2]), UNLESS(CONNECTOR, 1),  REFUSE,        ALLOW,
};
static const struct sock_filter closes[] = {
	LOAD(nr),      UNLESS(SYS_setsockopt, 5),         LOAD(args[1]), UNLESS(SOL_NETLINK, 3),
	LOAD(args[2]), UNLESS(NETLINK_ADD_MEMBERSHIP, 1), REFUSE,        ALLOW,
};

static const struct sock_filter tracefs[] = {
	LOAD(nr),
	UNLESS(SYS_fsopen, 1),
	REFUSE,
	ALLOW,
};

static const struct {
	const struct sock_filter *code;
	unsigned short length;
} filters[] = {
	{bpf, sizeof(bpf) / sizeof(*bpf)},
	{perf, sizeof(perf) / sizeof(*perf)},
	{connector, sizeof(connector) / sizeof(*connector)},
	{closes, sizeof(closes) / sizeof(*closes)},
	{tracefs, sizeof(tracefs) / sizeof(*tracefs)},
};
#define FILTERS (sizeof(filters) / sizeof(*filters))

/* Who may not change mounts may not read what is mounted there either. */
static void hide_tracefs(void)
{
	static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug"};

	if (!sandbox_own_mounts())
		return;
	for (int i = 0; i < 2; i++)
		while (umount2(places[i], MNT_DETACH) == 0)
			continue;
}

int deny_quietly(unsigned int what)
{
	if (what & DENY_TRACEFS)
		hide_tracefs();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	for (size_t i = 0; i < FILTERS; i++) {
		struct sock_fprog program = {filters[i].length,
		                             (struct sock_filter *)filters[i].code};

		if (what & 1U << i && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
			return -errno;
	}
	return 0;
}

void deny(unsigned int what)
{
	int result = deny_quietly(what);

	if (result < 0)
		test_skip("no seccomp filter: %s", strerror(-result));
}
