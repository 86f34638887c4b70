/* SPDX-License-Identifier: MIT */
/* deny.h - takes ways to be notified from the calling process, as a sandbox does (seccomp) */
#ifndef DENY_H
#define DENY_H

enum deny {
	DENY_BPF = 1,       /* bpf(2) */
	DENY_PERF = 2,      /* perf_event_open(2) */
	DENY_CONNECTOR = 4, /* a socket of the process connector */
	DENY_CLOSES = 8,    /* the multicast groups of netlink sockets */
	DENY_TRACEFS = 16,  /* the tracepoints: fsopen(2), and what is mounted already */
};

/* From the calling thread and all that it starts, for good: this system call is refused with the
 * error. 0, or a negative errno where no filter can be set. */
int deny_call(long number, int error);
/* The same with these ways: each is refused with EPERM. 0, or a
 * negative errno where no filter can be set. */
int deny_quietly(unsigned int what);
/* The same for a case, which is skipped then. */
void deny(unsigned int what);

#endif
