/* SPDX-License-Identifier: MIT */
/* helper.c - the body of the forked child that reads the tables of another network namespace */
#include <linux/capability.h>
#include <linux/stat.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "proc/procfs.h"
#include "table/closes.h"
#include "table/frame.h"
#include "table/helper.h"
#include "table/helper_memory.h"
#include "table/helper_seccomp.h"
#include "table/source.h"
#include "table/step.h"
#include "util/caps.h"
#include "util/clock.h"
#include "util/number.h"
#include "util/sys.h"

#ifndef NS_GET_USERNS
#define NS_GET_USERNS _IO(0xb7, 0x1)
#endif

/* The descriptors of the helper, in this order. Later ones get higher numbers, so they need not be
 * moved above standard input, output and error (fd_own()). */
enum {
	REQUESTS,
	RESPONSES,
	PROC,
	NETNS,
};

static long enter(int ns, int type)
{
	return raw_call(SYS_setns, ns, type);
}

/* Protects the helper from ptrace(2), from reads of /proc/PID/fd, and from core dumps by processes
 * with fewer privileges than the host had. */
static long stay_hidden(void)
{
	return raw_call(SYS_prctl, PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
}

/* The kernel clears this setting when the credentials change, for example when a user namespace is
 * joined. */
static void die_with_parent(void)
{
	raw_call(SYS_prctl, PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
}

/* For a namespace of a rootless container: the creator of the user namespace that owns it has all
 * capabilities there after joining it. */
static int enter_through_owner(int netns)
{
	int owner = (int)raw_call(SYS_ioctl, netns, NS_GET_USERNS, 0L);
	long error;

	if (owner < 0)
		return owner;
	error = enter(owner, CLONE_NEWUSER);
	raw_close(owner);
	/* With the new credentials the kernel has reset the dumpable flag to
	 * /proc/sys/fs/suid_dumpable. */
	stay_hidden();
	die_with_parent();
	return error < 0 ? (int)error : (int)enter(netns, CLONE_NEWNET);
}

/* Tries the effective capabilities, then the permitted ones, then the rights of the owner. */
int helper_enter_netns(int netns)
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

void helper_netns_identity(int proc, struct netns_id *id)
{
	struct statx status = {0};

	*id = (struct netns_id){0};
	if (raw_call(SYS_statx, proc, "thread-self/net/tcp", 0, STATX_INO, &status) < 0)
		return;
	id->dev = makedev(status.stx_dev_major, status.stx_dev_minor);
	id->ino = status.stx_ino;
}

struct hello {
	struct frame frame;
	char note[FRAME_NOTE_MAX];
};

/* Prepared early, because the filter refuses the necessary calls later. */
static void prepare_hello(struct hello *hello, const struct table_source *source, int closes)
{
	struct netns_id id;
	char *end;

	helper_netns_identity(PROC, &id);
	end = decimal_write(hello->note, table_source_cookie(source));
	*end++ = ' ';
	end = decimal_write(end, id.dev);
	*end++ = ' ';
	end = decimal_write(end, id.ino);
	*end++ = ' ';
	end = decimal_write(end, closes < 0 ? (uint64_t)-closes : 0);
	hello->frame = (struct frame){FRAME_HELLO, 0, FRAME_VERSION, 0};
	hello->frame.length = (uint32_t)(end - hello->note);
}

/* Skips the bytes that were written. */
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

/* Writes a complete frame. Returns 0 or a negative errno. */
static int send_frame(int fd, const struct frame *frame, const void *bytes)
{
	char header[FRAME_HEADER_MAX];
	struct iovec parts[2] = {
		{header, frame_format(header, frame)},
		{(void *)bytes, frame->length},
	};

	return write_parts(fd, parts);
}

/* Writes all bytes. 0 or a negative errno. */
static int write_all(int fd, const void *bytes, size_t size)
{
	/* The second part is empty but not NULL, because arithmetic on NULL is undefined. */
	struct iovec parts[2] = {{(void *)bytes, size}, {(void *)bytes, 0}};

	return write_parts(fd, parts);
}

/* A small answer is written in one piece, so that the reader wakes up once. */
struct answer {
	uint32_t sequence;
	size_t used;
	bool begun; /* a part was written, or must be */
	char pending[2048];
};

static int flush(struct answer *answer)
{
	int error = write_all(RESPONSES, answer->pending, answer->used);

	answer->begun = true;
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
		return send_frame(RESPONSES, frame, bytes);
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

/* The most rows that are compared with those of the last answer: as many as fit in an answer that
 * is written in one piece. */
#define ROWS_MAX 16

/* The rows of the last answer. If the next one has the same rows, the host need not be woken. */
struct last_answer {
	uint32_t sequence; /* of its request; 0: the rows are not known */
	size_t count;
	size_t read; /* rows of the present answer so far */
	bool same;   /* they are the same until now */
	struct listener rows[ROWS_MAX];
};

/* The state of a serving helper. */
struct service {
	struct helper_silence *silence; /* NULL: none */
	struct last_answer last;
	struct table_source *source;
	int closes;          /* socket for reports of closed sockets; -1: none */
	bool unheard;        /* it may have reported something that was not taken yet */
	bool reported;       /* a close was reported since the last request */
	struct closes heard; /* closes since the last answer */
};

/* Reports closed listeners at once, but only once for each request: the answer includes all closes
 * until then. */
static int take_closes(struct service *service)
{
	const struct frame frame = {FRAME_CLOSED, 0, 0, 0};
	int error = closes_take(service->closes, &service->heard);

	if (error < 0)
		return error;
	if (service->heard.listeners == 0)
		return 0;
	service->reported = true;
	return send_frame(RESPONSES, &frame, "");
}

/* Called before the table is read, which includes all closes until now. */
static int answer_closes(struct service *service, struct answer *answer)
{
	struct frame frame = {FRAME_CLOSED, answer->sequence, 0, 0};
	int error = service->unheard ? closes_take(service->closes, &service->heard) : 0;

	if (error < 0)
		return error;
	service->unheard = false;
	frame.argument = (uint32_t)service->heard.samples;
	service->heard = (struct closes){0};
	service->reported = false;
	answer->begun = frame.argument > 0;
	return frame.argument > 0 ? append(answer, &frame, "") : 0;
}

static bool is_same(const struct listener *a, const struct listener *b)
{
	return listener_compare(a, b) == 0 && a->cookie == b->cookie && a->v6only == b->v6only;
}

/* A listener_sink: compares a row, and keeps it for the next time. */
static int compare_row(void *data, const struct listener *listener)
{
	struct last_answer *last = data;
	size_t i = last->read++;

	if (i >= ROWS_MAX || (i < last->count && is_same(&last->rows[i], listener)))
		return 0;
	last->rows[i] = *listener;
	last->same = false;
	return 0;
}

static void begin_comparison(struct last_answer *last, const struct frame_request *request)
{
	last->same = last->sequence != 0 && request->known == last->sequence;
	last->sequence = 0; /* until the answer is complete */
	last->read = 0;
}

/* Returns whether the complete answer is the one that the host has. */
static bool end_comparison(struct last_answer *last, const struct frame_request *request)
{
	bool same = last->same && last->read == last->count && last->read <= ROWS_MAX;

	/* The text has no rows. */
	if (last->read <= ROWS_MAX && request->table != PORTWATCH_TABLE_PROCFS)
		last->sequence = request->sequence;
	last->count = last->read;
	return same;
}

/* Returns whether silence is the answer. The vDSO gives the time. Where it would need a system
 * call, which the filter refuses, the time is 0. */
static bool keep_silent(struct helper_silence *silence, uint32_t sequence, uint64_t begun)
{
	uint64_t took;

	if (!silence || begun == 0)
		return false;
	took = (clock_now(CLOCK_MONOTONIC) - begun) / NSEC_PER_USEC;
	if (took > UINT32_MAX)
		return false;
	atomic_store_explicit(&silence->took, (uint32_t)took, memory_order_relaxed);
	atomic_store_explicit(&silence->sequence, sequence, memory_order_release);
	return true;
}

static int answer_request(struct service *service, const char *line, size_t size)
{
	struct table_source *source = service->source;
	struct frame end = {FRAME_END, 0, 0, 0};
	struct frame_request request;
	struct answer answer;
	struct failure failure = {STEP_PARSE, EPROTO};
	uint64_t begun;
	int error;

	if (frame_parse_request(line, size, &request) < 0)
		return -EPROTO;
	answer.sequence = request.sequence;
	answer.used = 0;
	answer.begun = false;
	begin_comparison(&service->last, &request);
	begun = request.known ? clock_now(CLOCK_MONOTONIC) : 0;
	end.sequence = request.sequence;
	error = service->closes < 0 ? 0 : answer_closes(service, &answer);
	if (error < 0)
		return error;
	if (table_source_read(source, (enum portwatch_table)request.table, request.sequence,
	                      send_piece, &answer, &failure) < 0) {
		end.argument = (uint32_t)failure.error;
		end.length = (uint32_t)strlen(failure.step);
	} else if (end_comparison(&service->last, &request) && !answer.begun &&
	           keep_silent(service->silence, request.sequence, begun)) {
		return 0;
	}
	error = append(&answer, &end, end.length ? failure.step : "");
	return error < 0 ? error : flush(&answer);
}

/* Answers each complete line in the buffer. Returns the length of the incomplete rest, or a
 * negative errno. */
static ssize_t answer_lines(struct service *service, char *buffer, size_t used)
{
	const char *line = buffer;
	const char *newline;
	int error;

	while ((newline = memchr(line, '\n', used)) != NULL) {
		error = answer_request(service, line, (size_t)(newline - line));
		if (error < 0)
			return error;
		used -= (size_t)(newline + 1 - line);
		line = newline + 1;
	}
	memmove(buffer, line, used);
	return (ssize_t)used;
}

/* Waits for a request, and meanwhile handles reports of the kernel. Returns 0 or a negative
 * errno. */
static int wait_for_request(struct service *service)
{
	struct pollfd ready[] = {
		{.fd = REQUESTS, .events = POLLIN},
		{.fd = service->closes, .events = POLLIN},
	};
	long error;

	for (;;) {
		/* poll(2) ignores a negative number. */
		ready[1].fd = service->reported ? -1 : service->closes;
		error = raw_call(SYS_ppoll, ready, 2L, NULL, NULL, 0L);
		if (error == -EINTR)
			continue;
		/* Where it was not waited for, nobody has looked. */
		service->unheard = service->reported || ready[1].revents;
		if (error < 0 || ready[0].revents)
			return error < 0 ? (int)error : 0;
		error = take_closes(service);
		if (error < 0)
			return (int)error;
	}
}

/* Serves until the parent closes its end or dies. */
static int serve(struct service *service)
{
	char buffer[2 * FRAME_REQUEST_MAX];
	ssize_t used = 0;

	for (;;) {
		int error = service->closes < 0 ? 0 : wait_for_request(service);
		long got;

		if (error < 0)
			return error;
		got = raw_read(REQUESTS, buffer + used, sizeof(buffer) - (size_t)used);
		if (got == -EINTR)
			continue;
		if (got <= 0)
			return (int)got;
		used = answer_lines(service, buffer, (size_t)(used + got));
		if (used < 0)
			return (int)used;
		if ((size_t)used == sizeof(buffer))
			return -EPROTO;
	}
}

static void open_tables(struct table_source *source, enum portwatch_table table)
{
	if (table != PORTWATCH_TABLE_PROCFS)
		table_source_open_diag(source);
	if (table != PORTWATCH_TABLE_DIAG)
		table_source_open_text(source, PROC, "thread-self");
}

/* Determines the descriptors that the helper still needs. */
static struct helper_needs find_needs(const struct table_source *source, int closes)
{
	struct helper_needs needs = {
		.requests = REQUESTS,
		.responses = RESPONSES,
		.diag = source->diag,
		.closes = closes,
		.text = {source->text[0].fd, source->text[1].fd},
		.proc = -1,
	};

	if (needs.text[0] >= 0 && raw_pread(needs.text[0], source->buffer, 0, 0) == -ESPIPE)
		needs.proc = PROC;
	return needs;
}

static void limit(int resource, uint64_t most)
{
	struct rlimit64 before, after = {most, most};

	/* A refusal is ignored, because this limit is only one of several protections. */
	if (raw_call(SYS_prlimit64, 0, resource, NULL, &before) == 0 && before.rlim_max < most)
		after.rlim_cur = after.rlim_max = before.rlim_max;
	raw_call(SYS_prlimit64, 0, resource, &after, NULL);
}

/* Gives up all privileges permanently. */
static int give_up_privileges(const struct helper_needs *needs, bool filter)
{
	long error;

	limit(RLIMIT_NPROC, 0);
	/* poll(2) needs a limit of 2, and these two descriptors are in use. */
	if (needs->proc < 0)
		limit(RLIMIT_NOFILE, needs->closes >= 0 ? 2 : 0);
	error = caps_child_drop_all();
	if (error == 0)
		error = stay_hidden();
	if (error == 0)
		error = raw_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
	return error < 0 || !filter ? (int)error : helper_seccomp(needs);
}

/* Not on the stack, because a compiler may touch all its pages (-fstack-clash-protection). Few of
 * these pages are ever used. */
static unsigned char *map_buffer(void)
{
	void *buffer = mmap(NULL, TABLE_SOURCE_BUFFER, PROT_READ | PROT_WRITE,
	                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* cppcheck-suppress memleak */
	return buffer == MAP_FAILED ? NULL : buffer;
}

static int enter_and_serve(const struct helper_setup *setup, bool filter)
{
	unsigned char *buffer = map_buffer();
	struct table_source source;
	const char *step = STEP_SETNS;
	struct service service = {.source = &source, .closes = -1, .silence = setup->silence};
	struct helper_needs needs;
	struct hello hello;
	int error;

	if (!buffer) {
		helper_send_failure(RESPONSES, 0, STEP_MEMORY, errno);
		return 1;
	}
	table_source_init(&source, buffer, setup->linux_kernel);
	source.rows = compare_row;
	source.rows_data = &service.last;
	error = helper_enter_netns(NETNS);
	raw_close(NETNS);
	if (error == 0) {
		open_tables(&source, setup->table);
		if (setup->closes)
			service.closes = closes_open();
		prepare_hello(&hello, &source, setup->closes ? service.closes : 0);
		needs = find_needs(&source, service.closes);
		if (needs.proc < 0)
			raw_close(PROC);
		step = STEP_PRIVILEGES;
		error = give_up_privileges(&needs, filter);
	}
	if (error < 0) {
		helper_send_failure(RESPONSES, 0, step, -error);
		return 1;
	}
	if (send_frame(RESPONSES, &hello.frame, hello.note) < 0)
		return 1;
	return serve(&service) < 0;
}

int helper_main(void *arg)
{
	/* A copy, because the original may be in memory that is unmapped. */
	struct helper_setup setup = *(const struct helper_setup *)arg;
	int descriptors[] = {setup.requests, setup.responses, setup.proc, setup.netns};
	bool filter = helper_can_filter();
	int error = helper_isolate(descriptors, 4);

	if (error < 0) {
		helper_send_failure(descriptors[RESPONSES], 0, STEP_ARRANGE_FDS, -error);
		return 1;
	}
	helper_drop_memory(PROC, __builtin_frame_address(0));
	/* The frames above this one are gone, so the function must not return. */
	syscall(SYS_exit_group, enter_and_serve(&setup, filter));
	__builtin_unreachable();
}

/* --- isolates a forked child, and writes its frames */

#define SIGNALS 64
#define SIGNAL_SET_SIZE ((size_t)(_NSIG / 8))
#define CLOSE_MAX 1048576
/* The most descriptors of a helper, or of a shell and its children. */
#define DESCRIPTORS_MAX 64

static void reset_signals(void)
{
	/* Zero bytes mean SIG_DFL, no flags and an empty mask in every layout of the kernel's
	 * sigaction. */
	unsigned long action[16] = {0};
	unsigned long empty[4] = {0};

	for (int number = 1; number <= SIGNALS; number++)
		syscall(SYS_rt_sigaction, number, action, NULL, SIGNAL_SET_SIZE);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, empty, NULL, SIGNAL_SET_SIZE);
}

struct closing {
	long first;
	int list;
};

static int close_listed(void *data, long number)
{
	const struct closing *closing = data;

	if (number >= closing->first && number != closing->list)
		raw_close((int)number);
	return 0;
}

/* Closes the descriptors that /proc lists. Returns 0 or a negative errno. */
static int close_all_listed(unsigned first)
{
	struct closing closing = {
		.first = first,
		.list = raw_open(AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY),
	};
	int error;

	if (closing.list < 0)
		return closing.list;
	error = procfs_list_numbers(closing.list, close_listed, &closing);
	raw_close(closing.list);
	return error;
}

static void close_from(unsigned first)
{
	struct rlimit64 limit = {CLOSE_MAX, CLOSE_MAX};

#ifdef SYS_close_range
	if (raw_call(SYS_close_range, first, ~0U, 0U) == 0)
		return;
#endif
	/* The kernel lacks the call, or a filter refuses it. */
	if (close_all_listed(first) == 0)
		return;
	raw_call(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit);
	for (unsigned fd = first; fd < limit.rlim_max && fd < CLOSE_MAX; fd++)
		raw_close((int)fd);
}

/* Moves descriptors to 0, 1, ... Returns 0 or a negative errno. */
static int arrange(int *descriptors, int count)
{
	long result;

	for (int i = 0; i < count; i++) {
		/* The descriptor has a number that another one needs. */
		if (descriptors[i] >= count)
			continue;
		result = raw_call(SYS_fcntl, descriptors[i], F_DUPFD, (long)count);
		if (result < 0)
			return (int)result;
		descriptors[i] = (int)result;
	}
	for (int i = 0; i < count; i++) {
		result = raw_call(SYS_dup3, descriptors[i], i, 0);
		if (result < 0)
			return (int)result;
	}
	return 0;
}

int helper_isolate(int *descriptors, int count)
{
	int error;

	/* The end of the pipe reports the death of the host, but not to a stopped child. The parent
	 * is the monitor's thread, which outlives the child. */
	die_with_parent();
	/* No core dump and no ptrace(2) by processes with fewer privileges than the host had. */
	stay_hidden();
	error = arrange(descriptors, count);
	if (error < 0)
		return error;
	close_from((unsigned)count);
	raw_call(SYS_setsid);
	raw_call(SYS_prctl, PR_SET_NAME, "portwatch-ns", 0L, 0L, 0L);
	/* Otherwise the helper would keep the file system of the host's working directory
	 * mounted. */
	raw_call(SYS_chdir, "/");
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_NOFILE, DESCRIPTORS_MAX);
	reset_signals();
	return 0;
}

int helper_send_failure(int fd, uint32_t sequence, const char *step, int error)
{
	struct frame frame = {FRAME_END, sequence, (uint32_t)error, (uint32_t)strlen(step)};

	return send_frame(fd, &frame, step);
}
