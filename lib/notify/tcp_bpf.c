/* SPDX-License-Identifier: MIT */
/* tcp_bpf.c - the BPF program that reports TCP sockets that start or stop listening */
#include "notify/tcp_bpf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "notify/tcp_tracepoint.h"
#include "util/caps.h"
#include "util/fd.h"
#include "util/number.h"

/* Older headers lack it. */
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

/* --- the program and its samples: pure */

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

_Static_assert(sizeof(struct tcp_sample) == 24 + TCP_SOCK_SIZE + 8,
               "no padding, because nothing would fill it");

/* Offsets in struct sock_common (include/net/sock.h). The members before the first pointer have not
 * moved for more than a decade. The IPv6 address follows four pointers (two of skc_bind_node,
 * skc_prot, skc_net) and another address. */
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

/* The program reports the transitions to LISTEN, and from LISTEN to CLOSE, which is how a listener
 * ends. It does not report other transitions from LISTEN, because each accepted connection starts
 * as a copy of its listener and leaves this state too. The protocol cannot be checked without the
 * layout of this kernel's struct sock, so listeners of SCTP, DCCP and MPTCP are reported as well.
 * They are rare, and a report is only a hint. */
size_t tcp_program_write(struct bpf_insn program[TCP_PROGRAM_MAX], int32_t read, int events,
                         size_t pointer)
{
	/* A jump is relative to the next instruction. */
	enum { TO_OUT_FIRST = 4, TO_OUT_SECOND = 5, REPORT = 6 };
	const struct bpf_insn begin[] = {
		MOVE(CONTEXT, BPF_REG_1),
		LOAD(OLD, CONTEXT, 8),
		LOAD(NEW, CONTEXT, 16),
		JUMP(BPF_JEQ, NEW, TCP_LISTEN, REPORT - 4),
		JUMP(BPF_JNE, NEW, TCP_CLOSE, 0),
		JUMP(BPF_JNE, OLD, TCP_LISTEN, 0),
		/* REPORT: unreadable memory becomes zeros. */
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
	/* A 32-bit process may run on a 64-bit kernel, whose pointers are above 4 GiB. */
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
	/* The tracepoint is hit before the state is set. A kernel with another layout fails here,
	 * and is polled. */
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

/* --- loaded, and attached to the raw tracepoint */

/* What bpftool(8) shows. */
#define NAME "portwatch"

struct tcp_bpf {
	struct tcp_source source; /* first */
	int events;               /* the map: one perf event for each CPU */
	int program;              /* -1 after it is attached, because the link keeps it */
	int link;                 /* the program runs while this is open */
};

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int create_map(unsigned int cpus)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_PERF_EVENT_ARRAY;
	attr.key_size = sizeof(uint32_t);
	attr.value_size = sizeof(uint32_t);
	attr.max_entries = cpus;
	memcpy(attr.map_name, NAME, sizeof(NAME));
	return fd_own(bpf(BPF_MAP_CREATE, &attr));
}

static int load_program(int events, int32_t read)
{
	struct bpf_insn program[TCP_PROGRAM_MAX];
	size_t count = tcp_program_write(program, read, events, sizeof(void *));
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = (uint32_t)count;
	/* The kernel allows these helpers only for GPL-compatible programs. */
	attr.license = (uintptr_t) "Dual MIT/GPL";
	memcpy(attr.prog_name, NAME, sizeof(NAME));
	return fd_own(bpf(BPF_PROG_LOAD, &attr));
}

/* Tries the newer helper first: architectures whose kernel and user addresses overlap have no older
 * one. Kernels before 5.5 have only the older one. */
static int load_any_program(int events)
{
	int program = load_program(events, TCP_PROGRAM_READ_KERNEL);

	if (program == -EINVAL)
		program = load_program(events, TCP_PROGRAM_READ);
	return program;
}

/* Whether the kernel knows no such command, which is no answer of a filter that refuses the whole
 * system call. */
static bool is_callable(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	return bpf((enum bpf_cmd)0xffff, &attr) < 0 && errno == EINVAL;
}

/* Whether EPERM means RLIMIT_MEMLOCK: before Linux 5.11 maps and programs count towards it,
 * together with the perf buffers of all programs of the same user. */
static bool is_limited(void)
{
	struct utsname system;
	uint64_t major = 0, minor = 0;
	const char *at, *end;

	if ((!caps_effective(CAP_SYS_ADMIN) && !caps_effective(CAP_BPF)) || !is_callable())
		return false;
	if (uname(&system) < 0)
		return false;
	at = system.release;
	end = at + strlen(at);
	return decimal_parse(&at, end, &major) && *at++ == '.' && decimal_parse(&at, end, &minor) &&
	       (major < 5 || (major == 5 && minor < 11));
}

static int set_up(struct tcp_bpf *made, unsigned int cpus, const char **step)
{
	*step = "make a map of perf events (bpf)";
	made->events = create_map(cpus);
	if (made->events == -EPERM && is_limited())
		*step = "make a map of perf events (bpf; raise RLIMIT_MEMLOCK, ulimit -l)";
	if (made->events < 0)
		return made->events;
	*step = "load a program (bpf)";
	made->program = load_any_program(made->events);
	if (made->program == -EPERM && is_limited())
		*step = "load a program (bpf; raise RLIMIT_MEMLOCK, ulimit -l)";
	/* A locked-down kernel does not refuse such programs; it lacks the helper, which gives
	 * EINVAL. */
	if (made->program == -EINVAL && lockdown_is_confidential()) {
		*step = "let a program read memory of the kernel, which is locked down (bpf)";
		return -EPERM;
	}
	return made->program < 0 ? made->program : 0;
}

static int connect_event(struct tcp_source *source, int event, unsigned int cpu, const char **step)
{
	struct tcp_bpf *self = (struct tcp_bpf *)source;
	uint32_t key = cpu, value = (uint32_t)event;
	union bpf_attr attr;

	*step = "connect the program to a perf event (bpf)";
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)self->events;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&value;
	attr.flags = BPF_ANY;
	return bpf(BPF_MAP_UPDATE_ELEM, &attr) < 0 ? -errno : 0;
}

/* The map would keep the event alive, and the epoll set keeps an event as long as the map does.
 */
static void disconnect(struct tcp_source *source, unsigned int cpu)
{
	struct tcp_bpf *self = (struct tcp_bpf *)source;
	uint32_t key = cpu;
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)self->events;
	attr.key = (uintptr_t)&key;
	bpf(BPF_MAP_DELETE_ELEM, &attr);
}

static void close_fd(int *fd)
{
	fd_close(*fd);
	*fd = -1;
}

static int start(struct tcp_source *source, const char **step)
{
	struct tcp_bpf *self = (struct tcp_bpf *)source;
	union bpf_attr attr;

	*step = "attach the program to the tracepoint (bpf)";
	memset(&attr, 0, sizeof(attr));
	attr.raw_tracepoint.name = (uintptr_t) "inet_sock_set_state";
	attr.raw_tracepoint.prog_fd = (uint32_t)self->program;
	self->link = fd_own(bpf(BPF_RAW_TRACEPOINT_OPEN, &attr));
	if (self->link < 0)
		return self->link;
	close_fd(&self->program);
	return 0;
}

static int decode(const struct tcp_source *source, const struct perf_sample *sample,
                  struct tcp_change *change)
{
	(void)source;
	return tcp_program_decode(sample, change);
}

static void close_all(struct tcp_source *source)
{
	struct tcp_bpf *self = (struct tcp_bpf *)source;

	close_fd(&self->link);
	close_fd(&self->program);
	close_fd(&self->events);
	free(self);
}

int tcp_bpf_open(struct tcp_source **source, unsigned int cpus, const char **step)
{
	static const struct tcp_source_ops ops = {connect_event, disconnect, start, decode,
	                                          close_all};
	struct tcp_bpf *made = calloc(1, sizeof(*made));
	int error;

	*step = "make room for a program (malloc)";
	if (!made)
		return -ENOMEM;
	*made = (struct tcp_bpf){
		.source = {&ops, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT},
		.events = -1,
		.program = -1,
		.link = -1,
	};
	error = set_up(made, cpus, step);
	if (error < 0)
		close_all(&made->source);
	else
		*source = &made->source;
	return error;
}
