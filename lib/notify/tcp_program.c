/* SPDX-License-Identifier: MIT */
/* tcp_program.c - the BPF program that reports TCP sockets that start or stop listening */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "notify/tcp_program.h"

/* Registers (Documentation/bpf/standardization/instruction-set.rst): calls take R1 to R5, return
 * R0, keep R6 to R9; R10 is the frame, which grows downward. */
#define CONTEXT BPF_REG_6
#define OLD BPF_REG_7
#define NEW BPF_REG_8
#define SOCK BPF_REG_9

#define INSTRUCTION(code_, dst, src, off_, imm_)                                                   \
	((struct bpf_insn){.code = (code_),                                                        \
	                   .dst_reg = (dst),                                                       \
	                   .src_reg = (src),                                                       \
	                   .off = (int16_t)(off_),                                                 \
	                   .imm = (imm_)})
#define MOVE(dst, src) INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
/* 32 bits: the upper half becomes 0. */
#define SET(dst, value) INSTRUCTION(BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, value)
#define ADD_REGISTER(dst, src) INSTRUCTION(BPF_ALU64 | BPF_ADD | BPF_X, dst, src, 0, 0)
#define ADD(dst, value) INSTRUCTION(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, value)
#define SHIFT_RIGHT(dst, bits) INSTRUCTION(BPF_ALU64 | BPF_RSH | BPF_K, dst, 0, 0, bits)
#define LOAD(dst, src, offset) INSTRUCTION(BPF_LDX | BPF_MEM | BPF_DW, dst, src, offset, 0)
#define STORE(size, offset, src) INSTRUCTION(BPF_STX | BPF_MEM | (size), BPF_REG_10, src, offset, 0)
#define JUMP(condition, dst, value, by)                                                            \
	INSTRUCTION(BPF_JMP | (condition) | BPF_K, dst, 0, by, value)
#define CALL(helper) INSTRUCTION(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define LOAD_MAP(dst, fd) INSTRUCTION(BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_FD, 0, fd)
#define SECOND_HALF INSTRUCTION(0, 0, 0, 0, 0)
#define EXIT INSTRUCTION(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

#define SAMPLE (-(int)sizeof(struct tcp_sample))
#define IN_SAMPLE(field) (SAMPLE + (int)offsetof(struct tcp_sample, field))

_Static_assert(sizeof(struct tcp_sample) == 24 + TCP_SOCK_SIZE + 8, "no padding: nobody fills it");

/* Where things lie in struct sock_common (include/net/sock.h). What comes before the first pointer
 * has lain there for more than a decade; the address of IPv6 lies behind four pointers (two of
 * skc_bind_node, skc_prot, skc_net) and another address. */
#define SOCK_ADDRESS 4
#define SOCK_PORT 14 /* host order */
#define SOCK_FAMILY 16
#define SOCK_STATE 18
#define SOCK_ADDRESS6(pointer) (24 + 4 * (pointer) + 16)

static size_t append(struct bpf_insn *program, size_t at, const struct bpf_insn *more, size_t count)
{
	memcpy(program + at, more, count * sizeof(*more));
	return at + count;
}

#define APPEND(at, more) append(program, at, more, sizeof(more) / sizeof((more)[0]))

/* Of the transitions, those to LISTEN, and from there to CLOSE, which is the only way out. Not all
 * that leave it: each connection that a listener accepts begins as its copy, and so leaves that
 * state as well.
 *
 * The protocol can't be asked without knowing this kernel's struct sock: listeners of SCTP, DCCP
 * and MPTCP are reported as well. They are rare, and a report is only a hint. */
size_t tcp_program_write(struct bpf_insn program[TCP_PROGRAM_MAX], int32_t read, int events,
                         size_t pointer)
{
	/* A jump counts from the instruction behind it. */
	enum { TO_OUT_FIRST = 4, TO_OUT_SECOND = 5, REPORT = 6 };
	const struct bpf_insn begin[] = {
		MOVE(CONTEXT, BPF_REG_1),
		LOAD(OLD, CONTEXT, 8),
		LOAD(NEW, CONTEXT, 16),
		JUMP(BPF_JEQ, NEW, TCP_LISTEN, REPORT - 4),
		JUMP(BPF_JNE, NEW, TCP_CLOSE, 0),
		JUMP(BPF_JNE, OLD, TCP_LISTEN, 0),
		/* REPORT: what can't be read becomes zeros. */
		LOAD(SOCK, CONTEXT, 0),
		MOVE(BPF_REG_1, BPF_REG_10),
		ADD(BPF_REG_1, IN_SAMPLE(sock)),
		SET(BPF_REG_2, TCP_SOCK_SIZE),
		MOVE(BPF_REG_3, SOCK),
		CALL(read),
	};
	const struct bpf_insn long_pointers[] = {
		SET(BPF_REG_3, SOCK_ADDRESS6(8)),
	};
	/* Where this program is a 32-bit one, the kernel may be a 64-bit one all the same: then it
	 * is above 4 GiB. */
	const struct bpf_insn any_pointers[] = {
		MOVE(BPF_REG_3, SOCK),          SHIFT_RIGHT(BPF_REG_3, 32),
		JUMP(BPF_JNE, BPF_REG_3, 0, 2), SET(BPF_REG_3, SOCK_ADDRESS6(4)),
		JUMP(BPF_JA, 0, 0, 1),          SET(BPF_REG_3, SOCK_ADDRESS6(8)),
	};
	const struct bpf_insn end[] = {
		ADD_REGISTER(BPF_REG_3, SOCK),
		MOVE(BPF_REG_1, BPF_REG_10),
		ADD(BPF_REG_1, IN_SAMPLE(address6)),
		SET(BPF_REG_2, 16),
		CALL(read),
		STORE(BPF_DW, IN_SAMPLE(socket), SOCK),
		STORE(BPF_W, IN_SAMPLE(old_state), OLD),
		STORE(BPF_W, IN_SAMPLE(new_state), NEW),
		MOVE(BPF_REG_1, CONTEXT),
		LOAD_MAP(BPF_REG_2, events),
		SECOND_HALF,
		SET(BPF_REG_3, -1), /* BPF_F_CURRENT_CPU */
		MOVE(BPF_REG_4, BPF_REG_10),
		ADD(BPF_REG_4, SAMPLE),
		SET(BPF_REG_5, sizeof(struct tcp_sample)),
		CALL(BPF_FUNC_perf_event_output),
	};
	const struct bpf_insn out[] = {
		SET(BPF_REG_0, 0),
		EXIT,
	};
	size_t count = APPEND(0, begin);

	_Static_assert(sizeof(begin) + sizeof(any_pointers) + sizeof(end) + sizeof(out) <=
	                       TCP_PROGRAM_MAX * sizeof(struct bpf_insn),
	               "it fits");
	count = pointer == 8 ? APPEND(count, long_pointers) : APPEND(count, any_pointers);
	count = APPEND(count, end);
	program[TO_OUT_FIRST].off = (int16_t)(count - TO_OUT_FIRST - 1);
	program[TO_OUT_SECOND].off = (int16_t)(count - TO_OUT_SECOND - 1);
	return APPEND(count, out);
}

int tcp_program_decode(const struct perf_sample *sample, struct tcp_change *change)
{
	struct tcp_sample body;
	uint16_t family;

	if (sample->raw_size < sizeof(body))
		return -EBADMSG;
	memcpy(&body, sample->raw, sizeof(body));
	memcpy(&family, body.sock + SOCK_FAMILY, sizeof(family));
	/* The tracepoint is passed before the state is set. A kernel that lays it out otherwise
	 * would fail here, and be polled. */
	if (body.sock[SOCK_STATE] != body.old_state || (family != AF_INET && family != AF_INET6))
		return -EBADMSG;
	change->listening = body.new_state == TCP_LISTEN;
	change->family = family;
	change->socket = body.socket;
	memcpy(&change->port, body.sock + SOCK_PORT, sizeof(change->port));
	if (family == AF_INET)
		memcpy(change->address, body.sock + SOCK_ADDRESS, 4);
	else
		memcpy(change->address, body.address6, 16);
	return 0;
}
