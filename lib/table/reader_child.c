/* SPDX-License-Identifier: MIT */
/* reader_child.c - the library's side of the pipes to a helper or to nsenter */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "util/caps.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "config.h"
#include "table/helper.h"
#include "table/reader_child.h"
#include "util/sys.h"
#include "table/step.h"
#include "util/fd.h"

#define READ_SIZE 16384
/* The most reads in one pass: a child that never stops sending must not delay the others. */
#define READ_ROUNDS 64

/* Parses "COOKIE DEVICE INODE ERRNO", if present. 0 means unknown. ERRNO is the reason why closed
 * sockets are not reported. */
static int take_hello(struct reader *reader, const char *bytes, size_t size)
{
	const char *end = bytes + size;
	uint64_t numbers[4] = {0};

	for (int i = 0; i < 4 && bytes < end; i++)
		if (frame_read_number(&bytes, end, UINT64_MAX, &numbers[i]) < 0)
			return -EPROTO;
	reader->cookie = numbers[0];
	if (reader->reports && numbers[3] != 0)
		reader->reports_error = numbers[3] <= ERRNO_MAX ? -(int)numbers[3] : -EPROTO;
	if (numbers[2] != 0 && (numbers[1] != reader->netns.dev || numbers[2] != reader->netns.ino))
		return reader_fail(reader, STEP_REACH_NETNS, ESTALE);
	return 0;
}

static int greet(struct reader *reader, const struct frame *frame, const char *bytes, size_t size)
{
	struct reader_link *link = &reader->link;
	int error;

	if (link->greeted || frame->argument != FRAME_VERSION)
		return -EPROTO;
	error = take_hello(reader, bytes, size);
	if (error == 0 && link->process >= 0)
		error = reader_check_netns(reader, link->process);
	link->greeted = error == 0;
	/* From now on the child reports errors in frames. */
	cleanup_close(&link->complaints);
	link->complaints = -1;
	return error;
}

/* A datagram arrives in pieces, and is parsed as a whole. */
static int take_datagram(struct reader *reader, const struct frame *frame, uint32_t offset,
                         const char *bytes, size_t size)
{
	unsigned char *datagram = reader->link.datagram;

	if (frame->length > TABLE_SOURCE_BUFFER)
		return -EPROTO;
	memcpy(datagram + offset, bytes, size);
	if (offset + size < frame->length)
		return 0;
	return table_collector_feed(&reader->collector, (enum table_tag)frame->argument, datagram,
	                            frame->length);
}

/* Handles a piece of the table. After an error the rest of the answer is skipped. */
static void take_data(struct reader *reader, const struct frame *frame, uint32_t offset,
                      const char *bytes, size_t size)
{
	if (reader->error != 0)
		return;
	if (reader->form == PORTWATCH_TABLE_DIAG)
		reader->error = take_datagram(reader, frame, offset, bytes, size);
	else
		reader->error = table_collector_feed(&reader->collector,
		                                     (enum table_tag)frame->argument, bytes, size);
	if (reader->error < 0)
		reader_fail(reader,
		            reader->form == PORTWATCH_TABLE_DIAG ? STEP_READ_DIAG : STEP_PARSE,
		            -reader->error);
}

static void take_end(struct reader *reader, const struct frame *frame, const char *bytes,
                     size_t size)
{
	reader->link.awaiting = false;
	if (frame->argument != 0) {
		reader->error = frame->argument <= ERRNO_MAX ? -(int)frame->argument : -EPROTO;
		reader_fail(reader, step_find(bytes, size), -reader->error);
	} else if (reader->error == 0) {
		reader->error = table_collector_end(&reader->collector);
		if (reader->error < 0)
			reader_fail(reader, STEP_PROTOCOL, -reader->error);
	}
}

/* A frame_sink. Answers to earlier requests are skipped. */
static int take_frame(void *data, const struct frame *frame, uint32_t offset, const char *bytes,
                      size_t size)
{
	struct reader *reader = data;
	bool current = reader->link.awaiting && frame->sequence == reader->sequence;

	if (frame->kind == FRAME_HELLO)
		return greet(reader, frame, bytes, size);
	if (frame->kind == FRAME_END && frame->sequence == 0) {
		take_end(reader, frame, bytes, size);
		return reader->error < 0 ? reader->error : -EPROTO;
	}
	if (!reader->link.greeted)
		return -EPROTO;
	if (frame->kind == FRAME_CLOSED) {
		reader->closed |= frame->sequence == 0;
		reader_count_samples(reader, frame->argument);
		return 0;
	}
	if (current && frame->kind == FRAME_END)
		take_end(reader, frame, bytes, size);
	else if (current)
		take_data(reader, frame, offset, bytes, size);
	return 0;
}

/* The library's ends must not block. */
static int unblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int reader_link_open(struct reader *reader, int ends[2])
{
	struct reader_link *link = &reader->link;
	int requests[2], responses[2];
	int error;

	frame_decoder_init(&link->decoder, take_frame, reader);
	error = fd_pipe(requests);
	if (error < 0)
		return reader_fail(reader, STEP_MAKE_PIPES, -error);
	ends[0] = requests[0];
	link->requests = requests[1];
	error = fd_pipe(responses);
	if (error == 0) {
		link->responses = responses[0];
		ends[1] = responses[1];
		error = unblock(link->responses);
	}
	if (error == 0)
		error = unblock(link->requests);
	return error < 0 ? reader_fail(reader, STEP_MAKE_PIPES, -error) : 0;
}

/* A full pipe means that the child does not read any more. SIGPIPE is blocked in the library's
 * threads. */
enum reader_state reader_link_request(struct reader *reader)
{
	struct frame_request request = {reader->sequence, reader->form, 0};
	char line[FRAME_REQUEST_MAX];
	ssize_t written;
	size_t size;
	int error;

	if (reader->changes_only && reader->link.silence)
		request.known = reader->link.held;
	size = frame_format_request(line, &request);
	do {
		written = write(reader->link.requests, line, size);
	} while (written < 0 && errno == EINTR);
	reader->link.awaiting = true;
	if (written == (ssize_t)size)
		return READER_PENDING;
	error = written < 0 && errno != EAGAIN ? errno : ETIMEDOUT;
	/* Data that the child has sent before its death may include the reason. */
	if (error == EPIPE && reader_link_process(reader) == READER_BROKEN)
		return READER_BROKEN;
	reader->broken = true;
	reader_fail(reader, STEP_ASK, error);
	return READER_BROKEN;
}

/* The stream is invalid or has ended. */
static enum reader_state give_up(struct reader *reader, const char *step, int error)
{
	/* The sink may have set the failure already. */
	if (reader->failure.error != -error)
		reader_fail(reader, step, -error);
	reader->broken = true;
	return READER_BROKEN;
}

/* Returns the positive errno that the error messages of a program name; EPIPE: none that is
 * known. */
static int find_complaint(int fd)
{
	/* The expected errors. In the C locale every libc has the same texts for them. */
	static const int errors[] = {EPERM, EACCES};
	char text[512];
	ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[size > 0 ? size : 0] = '\0';
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strstr(text, strerrordesc_np(errors[i])))
			return errors[i];
	return EPIPE;
}

static enum reader_state take_exit(struct reader *reader)
{
	struct reader_link *link = &reader->link;

	if (link->greeted)
		return give_up(reader, STEP_ANSWER, -EPIPE);
	return give_up(reader, link->exit_step, -find_complaint(link->complaints));
}

static enum reader_state state_now(struct reader *reader, bool was_awaiting)
{
	if (reader->link.awaiting || !was_awaiting)
		return READER_PENDING;
	if (reader->error < 0)
		return reader_give_up(reader, reader->failure.step, -reader->error);
	reader->link.held = reader->sequence;
	return READER_COMPLETE;
}

bool reader_link_take_unchanged(struct reader *reader, uint64_t *took)
{
	struct reader_link *link = &reader->link;
	struct helper_silence *silence = link->silence;

	if (!link->awaiting || !silence ||
	    atomic_load_explicit(&silence->sequence, memory_order_acquire) != reader->sequence)
		return false;
	*took = atomic_load_explicit(&silence->took, memory_order_relaxed) * NSEC_PER_USEC;
	link->awaiting = false;
	link->held = reader->sequence;
	return true;
}

enum reader_state reader_link_process(struct reader *reader)
{
	struct reader_link *link = &reader->link;
	bool was_awaiting = link->awaiting;
	char buffer[READ_SIZE];

	for (int i = 0; i < READ_ROUNDS; i++) {
		ssize_t got = read(link->responses, buffer, sizeof(buffer));
		int error;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got < 0)
			return give_up(reader, STEP_ANSWER, -errno);
		if (got == 0)
			return take_exit(reader);
		link->received += (uint64_t)got;
		error = frame_decode(&link->decoder, buffer, (size_t)got);
		if (error < 0)
			return give_up(reader, STEP_PROTOCOL, error);
		/* The answer is complete. The end of the stream, if it follows, is handled
		 * later. */
		if (was_awaiting && !link->awaiting)
			break;
	}
	return state_now(reader, was_awaiting);
}

void reader_link_close(struct reader *reader)
{
	struct reader_link *link = &reader->link;

	if (link->requests >= 0)
		fd_close(link->requests);
	if (link->responses >= 0)
		fd_close(link->responses);
	if (link->complaints >= 0)
		fd_close(link->complaints);
	if (link->process >= 0)
		fd_close(link->process);
	if (link->silence)
		munmap(link->silence, sizeof(*link->silence));
}

/* --- setns: reads another network namespace through a forked helper */

/* The first attempt raises no privilege: the kernel decides whether the caller may examine the
 * process. */
static int open_process_netns(struct reader *reader, const struct reader_target *target)
{
	CLEANUP_CLOSE int process = reader_open_process(reader, target);
	CLEANUP_CLOSE int netns = -1;
	int error, kept;

	if (process < 0)
		return process;
	netns = procfs_open_netns(process);
	if (netns == -EACCES) {
		/* The administrator may have granted access to other users' processes. */
		caps_set taken = caps_begin(CAPS_READ_PROCESS);

		if (taken)
			netns = procfs_open_netns(process);
		caps_end(taken);
	}
	if (netns < 0)
		return reader_fail(reader, STEP_OPEN_NETNS, -netns);
	/* This check may avoid a useless helper. The helper checks again, from inside. */
	error = reader_check_netns(reader, process);
	if (error < 0)
		return error;
	kept = netns;
	netns = -1;
	return kept;
}

static int open_netns(struct reader *reader, const struct reader_target *target)
{
	int copy;

	if (!target->descriptor)
		return open_process_netns(reader, target);
	copy = fd_own(fcntl(target->descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
	return copy < 0 ? reader_fail(reader, STEP_OPEN_NETNS, -copy) : copy;
}

/* Without this memory the helper answers each request. */
static struct helper_silence *map_silence(void)
{
	void *memory = mmap(NULL, sizeof(struct helper_silence), PROT_READ | PROT_WRITE,
	                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	/* cppcheck-suppress memleak */
	return memory == MAP_FAILED ? NULL : memory;
}

static int setns_open(struct reader *reader, const struct reader_target *target)
{
	CLEANUP_CLOSE int netns = open_netns(reader, target);
	int ends[2] = {-1, -1};
	struct helper_setup setup;
	int error;

	if (netns < 0)
		return netns;
	error = reader_link_open(reader, ends);
	if (error == 0) {
		reader->link.silence = map_silence();
		setup = (struct helper_setup){
			.requests = ends[0],
			.responses = ends[1],
			.netns = netns,
			.proc = target->procfs->fd,
			.table = reader->wanted,
			.closes = reader->reports,
			.silence = reader->link.silence,
			.linux_kernel = reader->source.linux_kernel,
		};
		reader->link.exit_step = STEP_ANSWER;
		error = spawn_child(&reader->link.child, helper_main, &setup);
		if (error < 0)
			reader_fail(reader, STEP_START_CHILD, -error);
		/* Later children of the host do not get it. */
		if (reader->link.silence)
			raw_call(SYS_madvise, reader->link.silence, sizeof(*reader->link.silence),
			         MADV_DONTFORK);
	}
	cleanup_close(&ends[0]);
	cleanup_close(&ends[1]);
	return error;
}

const struct reader_ops reader_setns_ops = {
	.open = setns_open,
	.request = reader_link_request,
	.process = reader_link_process,
	.close = reader_link_close,
};

/* --- nsenter: reads another network namespace through nsenter(1) and a shell script
 *
 * The script uses the protocol of frame.h like the helper, but only with the text form. */

#ifndef SH_PATH
#define SH_PATH "/bin/sh"
#endif
#ifndef SED_PATH
#define SED_PATH "/bin/sed"
#endif

/* The descriptors of nsenter besides standard input, output and error. If the namespace could not
 * be opened, the last one is missing. */
enum { NSENTER_PROC = STDERR_FILENO + 1, NSENTER_NETNS, NSENTER_DESCRIPTORS };
#define NSENTER_PROC_PATH "/proc/self/fd/3"
#define NSENTER_NETNS_PATH "/proc/self/fd/4"
_Static_assert(NSENTER_PROC == 3 && NSENTER_NETNS == 4, "the paths contain the numbers");

/* table TAG FILE: one frame with the heading and the listeners, by the program of sed(1) that is
 * the first argument. The substitution removes only the last newline, and ${#text} counts bytes in
 * the C locale. */
static const char script[] =
	"exec 2>/dev/null\n"
	"program=$1\n"
	"net=" NSENTER_PROC_PATH "/self/net\n"
	"table() {\n"
	"  text=$(" SED_PATH " -n \"$program\" \"$net/$2\") || return 1\n"
	"  printf 'D %s %s %s\\n%s\\n' \"$sequence\" \"$1\" \"$((${#text} + 1))\" \"$text\"\n"
	"}\n"
	"printf 'H 0 1 0\\n'\n"
	"while read -r sequence form; do\n"
	"  if table 4 tcp && { [ ! -e \"$net/tcp6\" ] || table 6 tcp6; }; then\n"
	"    printf 'E %s 0 0\\n' \"$sequence\"\n"
	"  else\n"
	"    step='read /proc/net/tcp'\n"
	"    printf 'E %s 5 %s\\n%s' \"$sequence\" \"${#step}\" \"$step\"\n"
	"  fi\n"
	"done\n";

#define SED_LISTENER "/^ *[0-9]*: [0-9A-F]*:[0-9A-F]* [0-9A-F]*:[0-9A-F]* 0A /"
/* Prints the rows up to the first other row, if the listeners come first; otherwise all
 * listeners. */
static const char sed_sorted[] = "1p;1d;" SED_LISTENER "!q;p";
static const char sed_unsorted[] = "1p;1d;" SED_LISTENER "p";

static char *const environment[] = {
	"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
	"LC_ALL=C",
	NULL,
};

struct nsenter_setup {
	int descriptors[NSENTER_DESCRIPTORS];
	int count;
	const char *path;
	char *const *arguments;
};

/* A child_body. */
static int nsenter_main(void *arg)
{
	struct nsenter_setup *setup = arg;
	int error = helper_isolate(setup->descriptors, setup->count);

	if (error < 0) {
		helper_send_failure(setup->descriptors[STDOUT_FILENO], 0, STEP_ARRANGE_FDS, -error);
		return 1;
	}
	/* For root, exec would restore the capabilities that the host has given up, and clear the
	 * parent-death signal. For other users, exec gives only the capabilities of nsenter's file,
	 * if any. */
	if (raw_call(SYS_geteuid) == 0)
		raw_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
	error = (int)raw_call(SYS_execve, setup->path, setup->arguments, environment);
	helper_send_failure(STDOUT_FILENO, 0, STEP_NSENTER_EXEC, -error);
	return 1;
}

static int start(struct reader *reader, const struct reader_target *target, int netns,
                 const int ends[2], int complaints)
{
	char pid[24];
	const char *program = table_source_is_sorted(&reader->source, target->procfs->fd)
	                              ? sed_sorted
	                              : sed_unsorted;
	char *by_descriptor[] = {"nsenter",       "--net=" NSENTER_NETNS_PATH,
	                         SH_PATH,         "-c",
	                         (char *)script,  "sh",
	                         (char *)program, NULL};
	char *by_pid[] = {"nsenter", "--target",     pid,  "--net",         SH_PATH,
	                  "-c",      (char *)script, "sh", (char *)program, NULL};
	struct nsenter_setup setup = {
		.descriptors = {ends[0], ends[1], complaints, target->procfs->fd, netns},
		.count = netns >= 0 ? NSENTER_DESCRIPTORS : NSENTER_NETNS,
		.path = target->nsenter,
		.arguments = netns >= 0 ? by_descriptor : by_pid,
	};
	int error;

	snprintf(pid, sizeof(pid), "%ld", (long)target->pid);
	error = spawn_child(&reader->link.child, nsenter_main, &setup);
	if (error < 0)
		return reader_fail(reader, STEP_START_CHILD, -error);
	return 0;
}

/* The namespace that nsenter has entered is compared when the script sends its hello. If this is
 * not possible, the reader is broken from the start: opening cannot fail any more, because the
 * child exists. */
static void watch_child(struct reader *reader, const struct procfs *procfs)
{
	struct reader_link *link = &reader->link;

	link->process = procfs_open_process(procfs, link->child.pid);
	if (link->process < 0)
		reader_give_up(reader, STEP_CHECK_NETNS, -link->process);
	reader->broken = link->process < 0;
}

static int check_allowed(struct reader *reader, const struct reader_target *target)
{
	if (reader->wanted == PORTWATCH_TABLE_DIAG)
		return reader_fail(reader, STEP_NSENTER_TABLE, ENOTSUP);
	/* A program would run with the privileges that exec has given to this process and that the
	 * caller does not have. */
	if (caps_secure())
		return reader_fail(reader, STEP_NSENTER_AT_SECURE, EPERM);
	if (!target->nsenter || target->nsenter[0] != '/')
		return reader_fail(reader, STEP_NSENTER_FIND, ENOENT);
	return 0;
}

/* Finds the namespace of the process, if it can be opened here. If not, nsenter may still be able
 * to enter it. */
static int find_netns(struct reader *reader, const struct reader_target *target)
{
	CLEANUP_CLOSE int process = reader_open_process(reader, target);
	int error;

	if (process < 0)
		return process;
	error = reader_check_netns(reader, process);
	return error < 0 ? error : procfs_open_netns(process);
}

/* nsenter reports failures on standard error only. */
static int open_complaints(struct reader *reader, int ends[2])
{
	int error = fd_pipe(ends);

	if (error < 0)
		return reader_fail(reader, STEP_MAKE_PIPES, -error);
	reader->link.complaints = ends[0];
	error = fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	return error < 0 ? reader_fail(reader, STEP_MAKE_PIPES, -error) : 0;
}

static int nsenter_open(struct reader *reader, const struct reader_target *target)
{
	CLEANUP_CLOSE int netns = -1;
	int ends[2] = {-1, -1}, complaints[2] = {-1, -1};
	int error = check_allowed(reader, target);

	if (error < 0)
		return error;
	reader->form = PORTWATCH_TABLE_PROCFS;
	/* A shell script cannot use a netlink socket. */
	reader->reports_error = reader->reports ? -ENOTSUP : 0;
	reader->link.exit_step = STEP_NSENTER_RUN;
	netns = find_netns(reader, target);
	/* Without a failure, the kernel only refuses to open the namespace in this process. */
	if (netns < 0 && reader->failure.error != 0)
		return netns;
	error = reader_link_open(reader, ends);
	if (error == 0)
		error = open_complaints(reader, complaints);
	if (error == 0)
		error = start(reader, target, netns, ends, complaints[1]);
	if (error == 0)
		watch_child(reader, target->procfs);
	cleanup_close(&ends[0]);
	cleanup_close(&ends[1]);
	cleanup_close(&complaints[1]);
	return error;
}

const struct reader_ops reader_nsenter_ops = {
	.open = nsenter_open,
	.request = reader_link_request,
	.process = reader_link_process,
	.close = reader_link_close,
};
