/* SPDX-License-Identifier: MIT */
/* deny.c - takes ways to be notified from the calling process, as a sandbox does (seccomp) */
#include "deny.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

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

static const struct {
	const char *name;
	const struct sock_filter *code;
	unsigned short length;
} filters[] = {
	{"bpf", bpf, sizeof(bpf) / sizeof(*bpf)},
	{"perf", perf, sizeof(perf) / sizeof(*perf)},
	{"connector", connector, sizeof(connector) / sizeof(*connector)},
	{"closes", closes, sizeof(closes) / sizeof(*closes)},
};
#define FILTERS (sizeof(filters) / sizeof(*filters))

void deny(unsigned int what)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		test_skip("no_new_privs: %s", strerror(errno));
	for (size_t i = 0; i < FILTERS; i++) {
		struct sock_fprog program = {filters[i].length,
		                             (struct sock_filter *)filters[i].code};

		if (what & 1U << i && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
			test_skip("no seccomp filter: %s", strerror(errno));
	}
}

unsigned int deny_parse(const char *names)
{
	unsigned int what = 0;

	while (*names) {
		size_t length = strcspn(names, " "), i = 0;

		while (i < FILTERS && (strlen(filters[i].name) != length ||
		                       strncmp(filters[i].name, names, length) != 0))
			i++;
		if (i == FILTERS)
			return 0;
		what |= 1U << i;
		names += length;
		names += strspn(names, " ");
	}
	return what;
}
