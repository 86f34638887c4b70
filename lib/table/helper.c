/* SPDX-License-Identifier: MIT */
/* helper.c - the body of the forked child that reads the tables of another network namespace */
#include <linux/capability.h>
#include <linux/stat.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
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
#include "util/number.h"
#include "util/sys.h"

#ifndef NS_GET_USERNS
#define NS_GET_USERNS _IO(0xb7, 0x1)
#endif

/* Its descriptors, in this order. What it opens gets higher numbers: it need not be moved away from
 * those of standard input, output and error (fd_own()). */
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

/* From ptrace(2), from /proc/PID/fd, and from core dumps, for whoever has less than the host had.
 */
static long stay_hidden(void)
{
	return raw_call(SYS_prctl, PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
}

/* The kernel forgets that when the credentials change, as in a user namespace that is joined. */
static void die_with_parent(void)
{
	raw_call(SYS_prctl, PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
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
	die_with_parent();
	return error < 0 ? (int)error : (int)enter(netns, CLONE_NEWNET);
}

/* With what is in effect; else with what is permitted; else as the owner. */
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

/* Beforehand: later the helper may not make the calls that this takes. */
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

/* Writes a whole frame. 0 or a negative errno. */
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
	/* The second is empty, not null: to go past its end is undefined then. */
	struct iovec parts[2] = {{(void *)bytes, size}, {(void *)bytes, 0}};

	return write_parts(fd, parts);
}

/* A small answer goes out in one piece, so that the reader wakes up once. */
struct answer {
	uint32_t sequence;
	size_t used;
	char pending[2048];
};

static int flush(struct answer *answer)
{
	int error = write_all(RESPONSES, answer->pending, answer->used);

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

/* What a helper serves with. */
struct service {
	struct table_source *source;
	int closes;          /* where the kernel reports closed sockets; -1: nowhere */
	bool unheard;        /* it may have reported something that was not taken yet */
	bool reported;       /* that was sent since the last request */
	struct closes heard; /* since the last answer */
};

/* That listening sockets were closed is said at once, but once for each request: the answer shows
 * what is closed until then. */
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

/* Before the table is read, which shows all that was closed until now. */
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
	return frame.argument > 0 ? append(answer, &frame, "") : 0;
}

static int answer_request(struct service *service, const char *line, size_t size)
{
	struct table_source *source = service->source;
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
	error = service->closes < 0 ? 0 : answer_closes(service, &answer);
	if (error < 0)
		return error;
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

/* Waits for a request, and meanwhile listens to what the kernel reports. 0 or a negative errno. */
static int wait_for_request(struct service *service)
{
	struct pollfd ready[] = {
		{.fd = REQUESTS, .events = POLLIN},
		{.fd = service->closes, .events = POLLIN},
	};
	long error;

	for (;;) {
		/* A negative number is passed over. */
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

/* Until the parent closes its end, or dies. */
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

/* What it will have to do with what it has opened. */
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

	/* What is refused is only one bound of several. */
	if (raw_call(SYS_prlimit64, 0, resource, NULL, &before) == 0 && before.rlim_max < most)
		after.rlim_cur = after.rlim_max = before.rlim_max;
	raw_call(SYS_prlimit64, 0, resource, &after, NULL);
}

/* For good. */
static int give_up_privileges(const struct helper_needs *needs, bool filter)
{
	long error;

	limit(RLIMIT_NPROC, 0);
	/* poll(2) takes no more than that, and the first two are taken. */
	if (needs->proc < 0)
		limit(RLIMIT_NOFILE, needs->closes >= 0 ? 2 : 0);
	error = caps_child_drop_all();
	if (error == 0)
		error = stay_hidden();
	if (error == 0)
		error = raw_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
	return error < 0 || !filter ? (int)error : helper_seccomp(needs);
}

/* Not on the stack, all of whose pages a compiler may have touched (-fstack-clash-protection): few
 * of these ever are. */
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
	struct service service = {.source = &source, .closes = -1};
	struct helper_needs needs;
	struct hello hello;
	int error;

	if (!buffer) {
		helper_send_failure(RESPONSES, 0, STEP_MEMORY, errno);
		return 1;
	}
	table_source_init(&source, buffer, setup->linux_kernel);
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
	/* A copy: the original may lie in memory that is dropped. */
	struct helper_setup setup = *(const struct helper_setup *)arg;
	int descriptors[] = {setup.requests, setup.responses, setup.proc, setup.netns};
	bool filter = helper_can_filter();
	int error = helper_isolate(descriptors, 4);

	if (error < 0) {
		helper_send_failure(descriptors[RESPONSES], 0, STEP_ARRANGE_FDS, -error);
		return 1;
	}
	helper_drop_memory(PROC, __builtin_frame_address(0));
	/* Nothing above this frame is left to return to. */
	syscall(SYS_exit_group, enter_and_serve(&setup, filter));
	__builtin_unreachable();
}

/* --- makes a forked child a process of its own, and writes its frames */

#define SIGNALS 64
#define SIGNAL_SET_SIZE ((size_t)(_NSIG / 8))
#define CLOSE_MAX 1048576
/* What a helper ever has open, and a shell and what it starts. */
#define DESCRIPTORS_MAX 64

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

/* Those that /proc says are open. Returns 0 or a negative errno. */
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
	/* No such call, or a filter refuses it. */
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
		/* It stands where another one goes. */
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

	/* The end of the pipe says that the host has died, but not to a child that is stopped. Its
	 * parent is the monitor's thread, which outlives it. */
	die_with_parent();
	/* No core dump and no ptrace by whoever may have less than the host had. */
	stay_hidden();
	error = arrange(descriptors, count);
	if (error < 0)
		return error;
	close_from((unsigned)count);
	raw_call(SYS_setsid);
	raw_call(SYS_prctl, PR_SET_NAME, "portwatch-ns", 0L, 0L, 0L);
	/* Else it would keep a file system mounted that the host was started in. */
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
