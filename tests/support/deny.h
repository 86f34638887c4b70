/* SPDX-License-Identifier: MIT */
/* deny.h - takes ways to be notified from the calling process, as a sandbox does (seccomp) */
#ifndef DENY_H
#define DENY_H

enum deny {
	DENY_BPF = 1,       /* bpf(2) */
	DENY_PERF = 2,      /* perf_event_open(2) */
	DENY_CONNECTOR = 4, /* a socket of the process connector */
	DENY_CLOSES = 8,    /* the multicast groups of netlink sockets */
};

/* From the calling thread and all that it starts, for good: each is refused with EPERM. Skips the
 * case where no filter can be set. */
void deny(unsigned int what);

/* By names, separated by blanks: "bpf", "perf", "connector", "closes". Returns what they mean; 0
 * for an unknown one. */
unsigned int deny_parse(const char *names);

#endif
