/* SPDX-License-Identifier: MIT */
/* helper.c - the body of the forked child that reads the tables of another network namespace */
#include <limits.h>
#include <linux/capability.h>
#include <linux/stat.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "util/caps.h"
#include "table/frame.h"
#include "table/helper.h"
#include "util/sys.h"
#include "table/step.h"
#include "table/source.h"

#ifndef NS_GET_USERNS
#define NS_GET_USERNS _IO(0xb7, 0x1)
#endif

enum {
	REQUESTS = 0,
	RESPONSES = 1,
	NETNS = 2,
};

static long enter(int ns, int type)
{
	return raw_call(SYS_setns, ns, type);
}

/* From ptrace(2), from /proc/PID/fd, and from core dumps, for whoever has less than the host had.
 */
static long stay_hidden(void)
{
	return raw_call(SYS_prctl, PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
}

/* A namespace of a rootless container: whoever made the user namespace that owns it may do
 * everything there, once inside. */
static int enter_through_owner(int netns)
{
	int owner = (int)raw_call(SYS_ioctl, netns, NS_GET_USERNS, 0L);
	long error;

	if (owner < 0)
		return owner;
	error = enter(owner, CLONE_NEWUSER);
	raw_close(owner);
	/* New credentials: the kernel has set what /proc/sys/fs/suid_dumpable says. */
	stay_hidden();
	helper_die_with_parent();
	return error < 0 ? (int)error : (int)enter(netns, CLONE_NEWNET);
}

/* With what is in effect; else with what is permitted; else as the owner. */
static int enter_netns(int netns)
{
	long error = enter(netns, CLONE_NEWNET);

	if (error == -EPERM && caps_child_raise(CAP_SYS_ADMIN) == 0) {
		error = enter(netns, CLONE_NEWNET);
		caps_child_lower(CAP_SYS_ADMIN);
	}
	if (error == -EPERM && enter_through_owner(netns) == 0)
		error = 0;
	return (int)error;
}

static uint64_t read_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	if (fd < 0 || raw_call(SYS_getsockopt, fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) < 0)
		return 0;
	return cookie;
}

/* Any socket tells it, and is closed at once. */
static uint64_t netns_cookie(int diag)
{
	uint64_t cookie;
	int fd = -1;

	if (diag < 0)
		fd = (int)raw_call(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cookie = read_cookie(diag < 0 ? fd : diag);
	raw_close(fd);
	return cookie;
}

/* What struct netns_id (procfs.h) is made of, seen from inside. */
static void netns_identity(int proc, uint64_t *device, uint64_t *inode)
{
	struct statx status = {0};

	*device = 0;
	*inode = 0;
	if (raw_call(SYS_statx, proc, "thread-self/net/tcp", 0, STATX_INO, &status) < 0)
		return;
	*device = makedev(status.stx_dev_major, status.stx_dev_minor);
	*inode = status.stx_ino;
}

struct hello {
	struct frame frame;
	char note[FRAME_NOTE_MAX];
};

/* Beforehand: later the helper may not make the calls that this takes. */
static void prepare_hello(struct hello *hello, int proc, int diag)
{
	uint64_t device, inode;
	char *end;

	netns_identity(proc, &device, &inode);
	end = frame_write_number(hello->note, netns_cookie(diag));
	*end++ = ' ';
	end = frame_write_number(end, device);
	*end++ = ' ';
	end = frame_write_number(end, inode);
	hello->frame = (struct frame){FRAME_HELLO, 0, FRAME_VERSION, 0};
	hello->frame.length = (uint32_t)(end - hello->note);
}

/* A small answer goes out in one piece, so that the reader wakes up once. */
struct answer {
	uint32_t sequence;
	size_t used;
	char pending[2048];
};

static int flush(struct answer *answer)
{
	int error = helper_write(RESPONSES, answer->pending, answer->used);

	answer->used = 0;
	return error;
}

static int append(struct answer *answer, const struct frame *frame, const void *bytes)
{
	int error;

	if (answer->used + FRAME_HEADER_MAX + frame->length > sizeof(answer->pending)) {
		error = flush(answer);
		if (error < 0)
			return error;
	}
	if (FRAME_HEADER_MAX + frame->length > sizeof(answer->pending))
		return helper_send(RESPONSES, frame, bytes);
	answer->used += frame_format(answer->pending + answer->used, frame);
	memcpy(answer->pending + answer->used, bytes, frame->length);
	answer->used += frame->length;
	return 0;
}

/* A table_sink. */
static int send_piece(void *data, enum table_tag tag, const void *bytes, size_t size)
{
	struct answer *answer = data;
	struct frame frame = {FRAME_DATA, answer->sequence, tag, (uint32_t)size};

	return append(answer, &frame, bytes);
}

static int answer_request(struct table_source *source, const char *line, size_t size)
{
	struct frame end = {FRAME_END, 0, 0, 0};
	struct frame_request request;
	struct answer answer;
	struct failure failure = {STEP_PARSE, EPROTO};
	int error;

	if (frame_parse_request(line, size, &request) < 0)
		return -EPROTO;
	answer.sequence = request.sequence;
	answer.used = 0;
	end.sequence = request.sequence;
	if (table_source_read(source, (enum portwatch_table)request.table, request.sequence,
	                      send_piece, &answer, &failure) < 0) {
		end.argument = (uint32_t)failure.error;
		end.length = (uint32_t)strlen(failure.step);
	}
	error = append(&answer, &end, end.length ? failure.step : "");
	return error < 0 ? error : flush(&answer);
}

/* Takes the lines out of the buffer and answers each. Returns what is left of the last, or a
 * negative errno. */
static ssize_t answer_lines(struct table_source *source, char *buffer, size_t used)
{
	const char *line = buffer;
	const char *newline;
	int error;

	while ((newline = memchr(line, '\n', used)) != NULL) {
		error = answer_request(source, line, (size_t)(newline - line));
		if (error < 0)
			return error;
		used -= (size_t)(newline + 1 - line);
		line = newline + 1;
	}
	memmove(buffer, line, used);
	return (ssize_t)used;
}

/* Until the parent closes its end, or dies. */
static int serve(struct table_source *source)
{
	char buffer[2 * FRAME_REQUEST_MAX];
	ssize_t used = 0;

	for (;;) {
		long got = raw_read(REQUESTS, buffer + used, sizeof(buffer) - (size_t)used);

		if (got == -EINTR)
			continue;
		if (got <= 0)
			return (int)got;
		used = answer_lines(source, buffer, (size_t)(used + got));
		if (used < 0)
			return (int)used;
		if ((size_t)used == sizeof(buffer))
			return -EPROTO;
	}
}

static void open_tables(struct table_source *source, int proc, enum portwatch_table table)
{
	if (table != PORTWATCH_TABLE_PROCFS)
		table_source_open_diag(source);
	if (table != PORTWATCH_TABLE_DIAG)
		table_source_open_text(source, proc, "thread-self");
}

/* What it will have to do with what it has opened. */
static unsigned int find_ways(const struct table_source *source)
{
	unsigned int ways = source->diag >= 0 ? HELPER_DIAG : 0;
	int text = source->text[0].fd;

	if (text >= 0)
		ways |= HELPER_TEXT;
	if (text >= 0 && raw_pread(text, source->buffer, 0, 0) == -ESPIPE)
		ways |= HELPER_REOPENS;
	return ways;
}

/* For good. */
static int give_up_privileges(unsigned int ways, bool filter)
{
	long error = caps_child_drop_all();

	if (error == 0)
		error = stay_hidden();
	if (error == 0)
		error = raw_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
	return error < 0 || !filter ? (int)error : helper_seccomp(ways);
}

/* A frame of its own, so that the buffer lies below what helper_drop_memory() looks at. */
__attribute__((noinline)) static int enter_and_serve(const struct helper_setup *setup, bool filter)
{
	unsigned char buffer[TABLE_SOURCE_BUFFER];
	struct table_source source;
	const char *step = STEP_SETNS;
	struct hello hello;
	unsigned int ways;
	int error;

	table_source_init(&source, buffer);
	error = enter_netns(NETNS);
	raw_close(NETNS);
	if (error == 0) {
		open_tables(&source, setup->proc, setup->table);
		prepare_hello(&hello, setup->proc, source.diag);
		ways = find_ways(&source);
		if (!(ways & HELPER_REOPENS))
			raw_close(setup->proc);
		step = STEP_PRIVILEGES;
		error = give_up_privileges(ways, filter);
	}
	if (error < 0) {
		helper_send_failure(RESPONSES, 0, step, -error);
		return 1;
	}
	if (helper_send(RESPONSES, &hello.frame, hello.note) < 0)
		return 1;
	return serve(&source) < 0;
}

int helper_main(void *arg)
{
	/* A copy: the original may lie in memory that is dropped. */
	struct helper_setup setup = *(const struct helper_setup *)arg;
	const int descriptors[] = {setup.requests, setup.responses, setup.netns};
	bool filter = helper_can_filter();
	int error = helper_isolate(descriptors, 3, setup.proc);

	if (error < 0) {
		helper_send_failure(setup.responses, 0, STEP_ARRANGE_FDS, -error);
		return 1;
	}
	helper_drop_memory(setup.proc, __builtin_frame_address(0));
	/* Nothing above this frame is left to return to. */
	syscall(SYS_exit_group, enter_and_serve(&setup, filter));
	__builtin_unreachable();
}

/* --- makes a forked child a process of its own, and writes its frames */

#define SIGNALS 64
#define SIGNAL_SET_SIZE ((size_t)(_NSIG / 8))
#define CLOSE_MAX 1048576
/* struct linux_dirent64, which no header has */
#define ENTRY_LENGTH 16
#define ENTRY_NAME 19

static void reset_signals(void)
{
	/* Zeros are SIG_DFL, no flags and an empty mask in every layout of the kernel's sigaction.
	 */
	unsigned long action[16] = {0};
	unsigned long empty[4] = {0};

	for (int number = 1; number <= SIGNALS; number++)
		syscall(SYS_rt_sigaction, number, action, NULL, SIGNAL_SET_SIZE);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, empty, NULL, SIGNAL_SET_SIZE);
}

/* The number that a name in /proc/self/fd is; false for "." and "..". */
static bool parse_descriptor(const char *name, unsigned *fd)
{
	uint64_t number;

	if (frame_read_number(&name, name + strlen(name), INT_MAX, &number) < 0)
		return false;
	*fd = (unsigned)number;
	return true;
}

/* One buffer of struct linux_dirent64, getdents64(2). */
static void close_entries(const char *entries, long size, unsigned first, unsigned last, int list)
{
	unsigned short length;
	unsigned fd;

	for (; size > 0; size -= length, entries += length) {
		memcpy(&length, entries + ENTRY_LENGTH, sizeof(length));
		if (parse_descriptor(entries + ENTRY_NAME, &fd) && fd >= first && fd <= last &&
		    fd != (unsigned)list)
			raw_close((int)fd);
	}
}

/* Those that /proc says are open. Returns 0 or a negative errno. */
static long close_listed(unsigned first, unsigned last)
{
	int list = raw_open(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY);
	char entries[1024];
	long size;

	if (list < 0)
		return list;
	while ((size = raw_call(SYS_getdents64, list, entries, sizeof(entries))) > 0)
		close_entries(entries, size, first, last, list);
	raw_close(list);
	return size;
}

static void close_between(unsigned first, unsigned last)
{
	struct rlimit64 limit = {CLOSE_MAX, CLOSE_MAX};

	if (first > last)
		return;
#ifdef SYS_close_range
	if (raw_call(SYS_close_range, first, last, 0U) == 0)
		return;
#endif
	/* No such call, or a filter refuses it. */
	if (close_listed(first, last) == 0)
		return;
	raw_call(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	for (unsigned fd = first; fd <= last && fd < limit.rlim_max && fd < CLOSE_MAX; fd++)
		raw_close((int)fd);
}

void helper_die_with_parent(void)
{
	raw_call(SYS_prctl, PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
}

int helper_isolate(const int *descriptors, int count, int keep)
{
	/* The end of the pipe says that the host has died, but not to a child that is stopped. Its
	 * parent is the monitor's thread, which outlives it. */
	helper_die_with_parent();
	/* No core dump and no ptrace by whoever may have less than the host had. */
	raw_call(SYS_prctl, PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
	for (int i = 0; i < count; i++) {
		long error = raw_call(SYS_dup3, descriptors[i], i, 0);

		if (error < 0)
			return (int)error;
	}
	if (keep < count) {
		close_between((unsigned)count, ~0U);
	} else {
		close_between((unsigned)count, (unsigned)keep - 1);
		close_between((unsigned)keep + 1, ~0U);
	}
	raw_call(SYS_setsid);
	raw_call(SYS_prctl, PR_SET_NAME, "portwatch-ns", 0L, 0L, 0L);
	reset_signals();
	return 0;
}

/* Goes past what has been written. */
static void advance(struct iovec *parts, size_t written)
{
	for (int i = 0; i < 2; i++) {
		size_t taken = written < parts[i].iov_len ? written : parts[i].iov_len;

		parts[i].iov_base = (char *)parts[i].iov_base + taken;
		parts[i].iov_len -= taken;
		written -= taken;
	}
}

static int write_parts(int fd, struct iovec parts[2])
{
	while (parts[0].iov_len + parts[1].iov_len > 0) {
		long written = raw_call(SYS_writev, fd, parts, 2L);

		if (written < 0 && written != -EINTR)
			return (int)written;
		if (written > 0)
			advance(parts, (size_t)written);
	}
	return 0;
}

int helper_send(int fd, const struct frame *frame, const void *bytes)
{
	char header[FRAME_HEADER_MAX];
	struct iovec parts[2] = {
		{header, frame_format(header, frame)},
		{(void *)bytes, frame->length},
	};

	return write_parts(fd, parts);
}

int helper_write(int fd, const void *bytes, size_t size)
{
	/* The second is empty, not null: to go past its end is undefined then. */
	struct iovec parts[2] = {{(void *)bytes, size}, {(void *)bytes, 0}};

	return write_parts(fd, parts);
}

int helper_send_failure(int fd, uint32_t sequence, const char *step, int error)
{
	struct frame frame = {FRAME_END, sequence, (uint32_t)error, (uint32_t)strlen(step)};

	return helper_send(fd, &frame, step);
}
