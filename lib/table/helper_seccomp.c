/* SPDX-License-Identifier: MIT */
/* helper_seccomp.c - restricts a helper to the system calls and descriptors that it needs to serve
 *
 * A classic BPF program (seccomp(2)), generated on the stack. Other calls fail with EPERM: a killed
 * helper could not report its failure, and libc handles EPERM of an unexpected call.
 *
 * There is no filter
 *
 * - on architectures whose audit number isn't known below, and where the kernel, or a filter that
 *   the host lives under, refuses one: all the other bounds remain;
 * - under sanitizers and valgrind, which make system calls of their own to report what they
 * found. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#include "table/helper.h"
#include "table/helper_seccomp.h"
#include "util/sys.h"

#if defined(__x86_64__) && defined(__LP64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define ARCHITECTURE AUDIT_ARCH_I386
#elif defined(__aarch64__) && defined(__AARCH64EL__) && defined(__LP64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__arm__) && defined(__ARM_EABI__) && !defined(__ARM_BIG_ENDIAN)
#define ARCHITECTURE AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define ARCHITECTURE AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define ARCHITECTURE AUDIT_ARCH_S390X
#elif defined(__loongarch__) && __loongarch_grlen == 64 && defined(AUDIT_ARCH_LOONGARCH64)
#define ARCHITECTURE AUDIT_ARCH_LOONGARCH64
#endif

#ifdef ARCHITECTURE

#define CODE_MAX 80

/* The half of a 64-bit argument that contains a 32-bit number. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LOW_HALF 4U
#else
#define LOW_HALF 0U
#endif

#define REFUSE (SECCOMP_RET_ERRNO | EPERM)

struct program {
	struct sock_filter code[CODE_MAX];
	unsigned short count;
};

static void add(struct program *program, unsigned code, uint32_t value, unsigned yes, unsigned no)
{
	struct sock_filter *place = &program->code[program->count++];

	place->code = (uint16_t)code;
	place->k = value;
	place->jt = (uint8_t)yes;
	place->jf = (uint8_t)no;
}

static void add_load(struct program *program, size_t offset)
{
	add(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void add_result(struct program *program, uint32_t result)
{
	add(program, BPF_RET | BPF_K, result, 0, 0);
}

/* Skips the next `no` instructions if the loaded value differs. */
static void add_equal(struct program *program, uint32_t value, unsigned no)
{
	add(program, BPF_JMP | BPF_JEQ | BPF_K, value, 0, no);
}

/* x32, the second ABI of x86_64, has the same audit number, but its call numbers have an additional
 * bit, so they do not match the allowed ones. */
static void begin(struct program *program)
{
	program->count = 0;
	add_load(program, offsetof(struct seccomp_data, arch));
	add(program, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	add_result(program, REFUSE);
	add_load(program, offsetof(struct seccomp_data, nr));
}

static void allow(struct program *program, long call)
{
	add_equal(program, (uint32_t)call, 1);
	add_result(program, SECCOMP_RET_ALLOW);
}

static void add_load_argument(struct program *program, int argument)
{
	add_load(program, offsetof(struct seccomp_data, args[argument]) + LOW_HALF);
}

/* Allows a call if a 32-bit argument has one of these values; negative values are skipped. */
static void allow_one_of(struct program *program, long call, int argument, const int *values,
                         unsigned count)
{
	unsigned used = 0;

	for (unsigned i = 0; i < count; i++)
		used += values[i] >= 0;
	add_equal(program, (uint32_t)call, used + 3);
	add_load_argument(program, argument);
	for (unsigned i = 0; i < count; i++)
		if (values[i] >= 0)
			add(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)values[i], used--, 0);
	add_result(program, REFUSE);
	add_result(program, SECCOMP_RET_ALLOW);
}

static void allow_on(struct program *program, long call, int fd)
{
	allow_one_of(program, call, 0, &fd, 1);
}

/* Allows a call on one descriptor if another argument has this value. */
static void allow_with(struct program *program, long call, int fd, int argument, uint32_t value)
{
	add_equal(program, (uint32_t)call, 6);
	add_load_argument(program, 0);
	add_equal(program, (uint32_t)fd, 2);
	add_load_argument(program, argument);
	add(program, BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
	add_result(program, REFUSE);
	add_result(program, SECCOMP_RET_ALLOW);
}

static void make(struct program *program, const struct helper_needs *needs)
{
	const int text[] = {needs->text[0], needs->text[1], needs->requests};
	const int sockets[] = {needs->diag, needs->closes};
	const int waits = 2; /* for both of them */

	begin(program);
	/* A reopened text is read with read(2). */
	allow_one_of(program, SYS_read, 0, needs->proc < 0 ? &text[2] : text,
	             needs->proc < 0 ? 1 : 3);
	allow_on(program, SYS_writev, needs->responses);
	allow(program, SYS_exit_group);
	/* Without an address, so that the datagram goes to the kernel. */
	if (needs->diag >= 0)
		allow_with(program, SYS_sendto, needs->diag, 5, 0);
	if (needs->diag >= 0 || needs->closes >= 0)
		allow_one_of(program, SYS_recvfrom, 0, sockets, 2);
	if (needs->closes >= 0)
		allow_one_of(program, SYS_ppoll, 1, &waits, 1);
	if (needs->text[0] >= 0)
		allow_one_of(program, SYS_pread64, 0, text, 2);
	if (needs->proc >= 0) {
		allow_with(program, SYS_openat, needs->proc, 2, O_RDONLY | O_CLOEXEC);
		allow_one_of(program, SYS_dup3, 1, text, 2);
		/* Closing is allowed for every descriptor, because the helper cannot use a closed
		 * one. */
		allow(program, SYS_close);
	}
	add_result(program, REFUSE);
}

/* valgrind hides the vDSO, and cannot run a program that exec has made privileged. */
bool helper_can_filter(void)
{
	return !HELPER_SANITIZED && (getauxval(AT_SYSINFO_EHDR) != 0 || getauxval(AT_SECURE) != 0);
}

int helper_seccomp(const struct helper_needs *needs)
{
	struct program program;
	struct sock_fprog prog = {.filter = program.code};
	long error;

	make(&program, needs);
	prog.len = program.count;
	error = raw_call(SYS_prctl, PR_SET_SECCOMP, (long)SECCOMP_MODE_FILTER, &prog, 0L, 0L);
	return error == -ENOMEM ? -ENOMEM : 0;
}

#else

bool helper_can_filter(void)
{
	return false;
}

int helper_seccomp(const struct helper_needs *needs)
{
	(void)needs;
	return 0;
}

#endif
