/* SPDX-License-Identifier: MIT */
/* test_tcp_bpf.c - the BPF program, executed instruction by instruction on handmade sockets */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "notify/tcp_bpf.h"
#include "support/check_main.h"

#define EVENTS 77 /* a descriptor */
#define STACK 512
#define KERNEL_SOCK 88 /* as much of it as is known */
#define SOCKET UINT64_C(0xffff888012345678)
#define SOCKET32 UINT64_C(0xc1234560)

/* --- a machine of the instructions that the program uses ------------------------------------- */

/* The registers hold numbers, or addresses in one of these areas. */
#define CONTEXT_AT UINT64_C(0x1000000000000000)
#define FRAME_AT UINT64_C(0x2000000000000000) /* its end */
#define MAP_AT UINT64_C(0x3000000000000000)

static struct {
	uint64_t context[3]; /* socket, old state, new state */
	uint8_t stack[STACK];
	bool written[STACK];
	const uint8_t *sock; /* the memory at the socket's address; NULL: unreadable */
	int32_t read_helper;
	size_t pointer; /* the pointer size of the process that writes the program */
	unsigned int outputs;
	uint8_t output[STACK];
	size_t output_size;
} machine;

static size_t stack_index(uint64_t address, size_t size)
{
	uint64_t below = FRAME_AT - address;

	ck_assert_msg(below <= STACK && below >= size, "outside of the frame");
	return (size_t)(STACK - below);
}

static void store(uint64_t address, const void *from, size_t size)
{
	size_t at = stack_index(address, size);

	memcpy(machine.stack + at, from, size);
	memset(machine.written + at, true, size);
}

static uint64_t load(uint64_t address)
{
	ck_assert_uint_ge(address, CONTEXT_AT);
	ck_assert_uint_lt(address, CONTEXT_AT + sizeof(machine.context));
	ck_assert_uint_eq(address % 8, 0);
	return machine.context[(address - CONTEXT_AT) / 8];
}

static void copy_from_kernel(const uint64_t *registers)
{
	static const uint8_t zeros[KERNEL_SOCK];
	uint64_t from = registers[BPF_REG_3] - machine.context[0], size = registers[BPF_REG_2];

	ck_assert_msg(from < KERNEL_SOCK && size <= KERNEL_SOCK - from, "behind the socket");
	store(registers[BPF_REG_1], (machine.sock ? machine.sock : zeros) + from, (size_t)size);
}

static void send_sample(const uint64_t *registers)
{
	size_t size = (size_t)registers[BPF_REG_5], at = stack_index(registers[BPF_REG_4], size);

	ck_assert_uint_eq(registers[BPF_REG_1], CONTEXT_AT);
	ck_assert_uint_eq(registers[BPF_REG_2], MAP_AT);
	ck_assert_uint_eq(registers[BPF_REG_3], BPF_F_CURRENT_CPU);
	for (size_t i = 0; i < size; i++)
		ck_assert_msg(machine.written[at + i], "byte %zu is sent as it was", i);
	memcpy(machine.output, machine.stack + at, size);
	machine.output_size = size;
	machine.outputs++;
}

static void call(uint64_t *registers, int32_t helper)
{
	if (helper == machine.read_helper)
		copy_from_kernel(registers);
	else if (helper == BPF_FUNC_perf_event_output)
		send_sample(registers);
	else
		ck_abort_msg("helper %d", helper);
	/* A program that relies on the old values fails here. */
	for (int i = BPF_REG_0; i <= BPF_REG_5; i++)
		registers[i] = 0xdeadULL << 32;
}

static void run(const struct bpf_insn *program, size_t count)
{
	uint64_t registers[11] = {[BPF_REG_1] = CONTEXT_AT, [BPF_REG_10] = FRAME_AT};

	memset(machine.written, false, sizeof(machine.written));
	machine.outputs = 0;
	for (size_t at = 0; at < count; at++) {
		const struct bpf_insn *now = &program[at];
		uint64_t *to = &registers[now->dst_reg], from = registers[now->src_reg];
		bool jumps = false;

		switch (now->code) {
		case BPF_ALU64 | BPF_MOV | BPF_X:
			*to = from;
			break;
		case BPF_ALU | BPF_MOV | BPF_K:
			*to = (uint32_t)now->imm;
			break;
		case BPF_ALU64 | BPF_ADD | BPF_K:
			*to += (uint64_t)(int64_t)now->imm;
			break;
		case BPF_ALU64 | BPF_ADD | BPF_X:
			*to += from;
			break;
		case BPF_ALU64 | BPF_RSH | BPF_K:
			*to >>= now->imm;
			break;
		case BPF_LDX | BPF_MEM | BPF_DW:
			*to = load(from + (uint64_t)(int64_t)now->off);
			break;
		case BPF_STX | BPF_MEM | BPF_DW:
			ck_assert_int_eq(now->off % 8, 0); /* the verifier wants it */
			store(*to + (uint64_t)(int64_t)now->off, &from, 8);
			break;
		case BPF_STX | BPF_MEM | BPF_W: {
			uint32_t low = (uint32_t)from;

			ck_assert_int_eq(now->off % 4, 0);
			store(*to + (uint64_t)(int64_t)now->off, &low, 4);
			break;
		}
		case BPF_LD | BPF_DW | BPF_IMM:
			ck_assert_int_eq(now->src_reg, BPF_PSEUDO_MAP_FD);
			ck_assert_int_eq(now->imm, EVENTS);
			ck_assert_int_eq(program[++at].code, 0);
			*to = MAP_AT;
			break;
		case BPF_JMP | BPF_JA:
			jumps = true;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			jumps = *to == (uint64_t)(int64_t)now->imm;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			jumps = *to != (uint64_t)(int64_t)now->imm;
			break;
		case BPF_JMP | BPF_CALL:
			call(registers, now->imm);
			break;
		case BPF_JMP | BPF_EXIT:
			ck_assert_uint_eq(registers[BPF_REG_0], 0);
			return;
		default:
			ck_abort_msg("instruction %zu: %#x", at, now->code);
		}
		if (jumps) {
			ck_assert_int_ge(now->off, 0); /* Linux before 5.3 does not allow loops */
			at += (size_t)now->off;
		}
	}
	ck_abort_msg("it runs past its end");
}

/* Executes the program for a change of state. Returns how many samples it sent. */
static unsigned int pass(uint64_t socket, const uint8_t *sock, int old_state, int new_state)
{
	struct bpf_insn program[TCP_PROGRAM_MAX];

	if (!machine.read_helper)
		machine.read_helper = TCP_PROGRAM_READ_KERNEL;
	machine.context[0] = socket;
	machine.context[1] = (uint64_t)old_state;
	machine.context[2] = (uint64_t)new_state;
	machine.sock = sock;
	run(program, tcp_program_write(program, machine.read_helper, EVENTS, machine.pointer));
	return machine.outputs;
}

static int decode(struct tcp_change *change)
{
	struct perf_sample sample = {
		.raw = machine.output,
		.raw_size = (uint32_t)machine.output_size,
	};

	memset(change, 0, sizeof(*change));
	return tcp_program_decode(&sample, change);
}

/* --- the program ------------------------------------------------------------------------------ */

/* Makes 127.0.0.1:8080 or [::1]:8080 in a kernel with this pointer size. */
static const uint8_t *make_sock(uint16_t family, uint8_t state, size_t pointer)
{
	static uint8_t sock[KERNEL_SOCK];
	uint16_t port = 8080;

	memset(sock, 0xee, sizeof(sock));
	memcpy(sock + 4, &(struct in_addr){htonl(INADDR_LOOPBACK)}, 4);
	memcpy(sock + 14, &port, 2);
	memcpy(sock + 16, &family, 2);
	sock[18] = state;
	memcpy(sock + (pointer == 8 ? 72 : 56), &in6addr_loopback, 16);
	return sock;
}

/* From the kernel's enum: TCP_ESTABLISHED is 1, TCP_NEW_SYN_RECV 12, TCP_BOUND_INACTIVE 13. */
START_TEST(test_only_what_listens)
{
	for (int old_state = 0; old_state <= 13; old_state++) {
		for (int new_state = 0; new_state <= 13; new_state++) {
			bool wanted = new_state == TCP_LISTEN ||
			              (old_state == TCP_LISTEN && new_state == TCP_CLOSE);
			const uint8_t *sock = make_sock(AF_INET, (uint8_t)old_state, 8);

			ck_assert_msg(pass(SOCKET, sock, old_state, new_state) == wanted,
			              "from %d to %d", old_state, new_state);
		}
	}
}
END_TEST

/* A 64-bit program, on architectures whose kernel is above all memory and where it is not (s390);
 * a 32-bit one below a kernel of either kind. */
static const struct {
	size_t ours, kernels;
	uint64_t socket;
	uint16_t family;
	const char *address;
} sockets[] = {
	{8, 8, SOCKET, AF_INET, "\x7f\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0"},
	{8, 8, SOCKET, AF_INET6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"},
	{8, 8, SOCKET32, AF_INET6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"},
	{4, 8, SOCKET, AF_INET, "\x7f\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0"},
	{4, 8, SOCKET, AF_INET6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"},
	{4, 4, SOCKET32, AF_INET, "\x7f\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0"},
	{4, 4, SOCKET32, AF_INET6, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1"},
};

START_TEST(test_begin_and_end)
{
	struct tcp_change change;

	machine.pointer = sockets[_i].ours;
	for (int end = 0; end < 2; end++) {
		uint8_t state = end ? TCP_LISTEN : TCP_CLOSE;

		ck_assert_uint_eq(pass(sockets[_i].socket,
		                       make_sock(sockets[_i].family, state, sockets[_i].kernels),
		                       state, end ? TCP_CLOSE : TCP_LISTEN),
		                  1);
		ck_assert_int_eq(decode(&change), 0);
		ck_assert_int_eq(change.listening, !end);
		ck_assert_int_eq(change.family, sockets[_i].family);
		ck_assert_uint_eq(change.port, 8080);
		ck_assert_uint_eq(change.socket, sockets[_i].socket);
		ck_assert_mem_eq(change.address, sockets[_i].address, 16);
	}
}
END_TEST

static const int32_t helpers[] = {TCP_PROGRAM_READ_KERNEL, TCP_PROGRAM_READ};

START_TEST(test_helpers)
{
	machine.read_helper = helpers[_i];
	ck_assert_uint_eq(pass(SOCKET, make_sock(AF_INET, TCP_CLOSE, 8), TCP_CLOSE, TCP_LISTEN), 1);
	machine.read_helper = 0;
}
END_TEST

/* If a kernel has another layout of sockets, the program sends no sample rather than a wrong one.
 */
START_TEST(test_another_layout)
{
	struct tcp_change change;

	pass(SOCKET, NULL, TCP_CLOSE, TCP_LISTEN);
	ck_assert_int_eq(decode(&change), -EBADMSG);
	pass(SOCKET, make_sock(AF_INET, TCP_LISTEN, 8), TCP_CLOSE, TCP_LISTEN);
	ck_assert_int_eq(decode(&change), -EBADMSG);
	pass(SOCKET, make_sock(AF_UNIX, TCP_CLOSE, 8), TCP_CLOSE, TCP_LISTEN);
	ck_assert_int_eq(decode(&change), -EBADMSG);
}
END_TEST

/* The kernel pads the data that it sends. */
START_TEST(test_size)
{
	size_t size = sizeof(struct tcp_sample);
	struct tcp_change change;

	pass(SOCKET, make_sock(AF_INET, TCP_CLOSE, 8), TCP_CLOSE, TCP_LISTEN);
	ck_assert_uint_eq(machine.output_size, size);
	for (size_t claimed = 0; claimed < size + 8; claimed++) {
		machine.output_size = claimed;
		ck_assert_int_eq(decode(&change), claimed < size ? -EBADMSG : 0);
	}
}
END_TEST

#define ENTRIES(array) ((int)(sizeof(array) / sizeof((array)[0])))

static Suite *make_suite(void)
{
	Suite *suite = suite_create("tcp_bpf");
	TCase *all = tcase_create("all");

	tcase_add_test(all, test_only_what_listens);
	tcase_add_loop_test(all, test_begin_and_end, 0, ENTRIES(sockets));
	tcase_add_loop_test(all, test_helpers, 0, ENTRIES(helpers));
	tcase_add_test(all, test_another_layout);
	tcase_add_test(all, test_size);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make_suite);
}
