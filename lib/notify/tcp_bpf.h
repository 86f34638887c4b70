/* SPDX-License-Identifier: MIT */
/* tcp_bpf.h - the BPF program that reports TCP sockets that start or stop listening
 *
 * It runs at the raw tracepoint inet_sock_set_state (include/trace/events/sock.h), whose arguments
 * are the socket, its state and its next state. It is loaded with bpf(2), without a library. */
#ifndef TCP_BPF_H
#define TCP_BPF_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#include "notify/tcp_state.h"

/* A BPF program on the raw tracepoint inet_sock_set_state. Needs CAP_SYS_ADMIN, or CAP_BPF and
 * CAP_PERFMON; Linux 4.18. cpus: the number of possible CPUs. Returns 0 or a negative errno with
 * *step set, as in failure.h. */
int tcp_bpf_open(struct tcp_source **source, unsigned int cpus, const char **step);

/* --- the program and its samples: pure --- */

#define TCP_PROGRAM_MAX 40

/* The helpers that copy memory of the kernel, by the numbers of enum bpf_func_id, which not all
 * headers have: since Linux 5.5, and before it. */
#define TCP_PROGRAM_READ_KERNEL 113
#define TCP_PROGRAM_READ 4

/* The number of bytes at the beginning of struct sock (struct sock_common) that the program
 * copies. */
#define TCP_SOCK_SIZE 24

struct tcp_sample {
	uint64_t socket;
	uint8_t address6[16]; /* the IPv6 address in struct sock */
	uint8_t sock[TCP_SOCK_SIZE];
	uint32_t old_state;
	uint32_t new_state;
};

/* Writes the program, which sends its samples to the perf event array of the descriptor. `read` is
 * one of the helpers above, `pointer` the size of a pointer of the caller. Returns the number of
 * instructions. */
size_t tcp_program_write(struct bpf_insn program[TCP_PROGRAM_MAX], int32_t read, int events,
                         size_t pointer);

/* Decodes the raw data of a sample. Returns 0, or -EBADMSG if it is invalid, or if the kernel's
 * struct sock has another layout. */
int tcp_program_decode(const struct perf_sample *sample, struct tcp_change *change);

#endif
