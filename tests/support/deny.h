/* SPDX-License-Identifier: MIT */
/* deny.h - denies notifier mechanisms to the calling process, as a sandbox does (seccomp) */
#ifndef DENY_H
#define DENY_H

enum deny {
	DENY_BPF = 1,       /* bpf(2) */
	DENY_PERF = 2,      /* perf_event_open(2) */
	DENY_CONNECTOR = 4, /* a socket of the process connector */
	DENY_CLOSES = 8,    /* the multicast groups of netlink sockets */
	DENY_TRACEFS = 16,  /* the tracepoints: fsopen(2), and existing mounts of tracefs */
};

/* Refuses this system call with the error, permanently, to the calling thread and to everything
 * that the thread starts. Returns 0, or a negative errno if no filter can be set. */
int deny_call(long number, int error);
/* Refuses these mechanisms with EPERM in the same way. Returns 0, or a negative errno if no filter
 * can be set; -EBUSY: tracefs is mounted and cannot be unmounted. */
int deny_quietly(unsigned int what);
/* Does the same for a test case, and skips the case if they cannot be refused. */
void deny(unsigned int what);

#endif
