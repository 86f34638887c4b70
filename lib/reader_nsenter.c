/* SPDX-License-Identifier: MIT */
/* reader_nsenter.c - reads another network namespace through nsenter(1) and a shell script
 *
 * The script speaks frame.h like the helper, with the text of the tables alone. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "caps.h"
#include "cleanup.h"
#include "helper.h"
#include "raw.h"
#include "reader_ops.h"
#include "step.h"

#ifndef SH_PATH
#define SH_PATH "/bin/sh"
#endif
#ifndef SED_PATH
#define SED_PATH "/bin/sed"
#endif

/* table TAG FILE: one frame with the heading and the listeners, which come first. The substitution
 * takes away the last newline only, and ${#text} counts bytes in the C locale. */
static const char script[] =
	"exec 2>/dev/null\n"
	"table() {\n"
	"  text=$(" SED_PATH
	" -n '1p;1d;/^ *[0-9]*: [0-9A-F]*:[0-9A-F]* [0-9A-F]*:[0-9A-F]* 0A /!q;p' "
	"\"/proc/self/net/$2\") || return 1\n"
	"  printf 'D %s %s %s\\n%s\\n' \"$sequence\" \"$1\" \"$((${#text} + 1))\" \"$text\"\n"
	"}\n"
	"printf 'H 0 1 0\\n'\n"
	"while read -r sequence form; do\n"
	"  if table 4 tcp && { [ ! -e /proc/self/net/tcp6 ] || table 6 tcp6; }; then\n"
	"    printf 'E %s 0 0\\n' \"$sequence\"\n"
	"  else\n"
	"    step='read /proc/net/tcp'\n"
	"    printf 'E %s 5 %s\\n%s' \"$sequence\" \"${#step}\" \"$step\"\n"
	"  fi\n"
	"done\n";

static char *const environment[] = {
	"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
	"LC_ALL=C",
	NULL,
};

struct nsenter_setup {
	int descriptors[3]; /* to become 0, 1 and 2 */
	int netns;          /* stays at its number; -1 where it could not be opened */
	const char *path;
	char *const *arguments;
};

/* A child_body. */
static int nsenter_main(void *arg)
{
	const struct nsenter_setup *setup = arg;
	int error = helper_isolate(setup->descriptors, 3, setup->netns);

	if (error < 0) {
		helper_send_failure(setup->descriptors[1], 0, STEP_ARRANGE_FDS, -error);
		return 1;
	}
	if (setup->netns >= 0)
		raw_call(SYS_fcntl, setup->netns, F_SETFD, 0);
	/* Root's exec would give back what the host has given up, and take away the signal at the
	 * host's death. To anybody else it gives what nsenter was given, or nothing. */
	if (raw_call(SYS_geteuid) == 0)
		raw_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
	error = (int)raw_call(SYS_execve, setup->path, setup->arguments, environment);
	helper_send_failure(STDOUT_FILENO, 0, STEP_NSENTER_EXEC, -error);
	return 1;
}

static int start(struct reader *reader, const struct reader_target *target, int netns,
                 const int ends[2], int complaints)
{
	char descriptor[48], pid[24];
	char *by_descriptor[] = {"nsenter", descriptor, SH_PATH, "-c", (char *)script, NULL};
	char *by_pid[] = {"nsenter", "--target", pid, "--net", SH_PATH, "-c", (char *)script, NULL};
	struct nsenter_setup setup = {
		.descriptors = {ends[0], ends[1], complaints},
		.netns = netns,
		.path = target->nsenter,
		.arguments = netns >= 0 ? by_descriptor : by_pid,
	};
	int error;

	snprintf(descriptor, sizeof(descriptor), "--net=/proc/self/fd/%d", netns);
	snprintf(pid, sizeof(pid), "%ld", (long)target->pid);
	error = spawn_child(&reader->link.child, nsenter_main, &setup);
	if (error < 0)
		return reader_fail(reader, STEP_START_CHILD, -error);
	return 0;
}

/* The namespace that nsenter has entered is compared when the script says hello. Where that won't
 * be possible the reader is broken from the start: there is a child already, so opening can't fail.
 */
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
	/* A program started by us would run with what exec gave us and the caller doesn't have. */
	if (caps_secure())
		return reader_fail(reader, STEP_NSENTER_AT_SECURE, EPERM);
	if (!target->nsenter || target->nsenter[0] != '/')
		return reader_fail(reader, STEP_NSENTER_FIND, ENOENT);
	return 0;
}

/* The namespace of the process if that can be told beforehand: it may be out of our reach, and
 * nsenter's business. */
static int find_netns(struct reader *reader, const struct reader_target *target)
{
	CLEANUP_CLOSE int process = reader_open_process(reader, target);
	int error;

	if (process < 0)
		return process;
	error = reader_check_netns(reader, process);
	return error < 0 ? error : procfs_open_netns(process);
}

/* nsenter says why it can't on standard error, and nowhere else. */
static int open_complaints(struct reader *reader, int ends[2])
{
	int error = spawn_pipe(ends);

	if (error < 0)
		return reader_fail(reader, STEP_MAKE_PIPES, -error);
	reader->link.complaints = ends[0];
	error = fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	return error < 0 ? reader_fail(reader, STEP_MAKE_PIPES, -error) : 0;
}

int reader_complaint(int fd)
{
	/* What it may be refused. In the C locale each has this name in every libc. */
	static const int errors[] = {EPERM, EACCES};
	char text[512];
	ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[size > 0 ? size : 0] = '\0';
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strstr(text, strerrordesc_np(errors[i])))
			return errors[i];
	return EPIPE;
}

static int nsenter_open(struct reader *reader, const struct reader_target *target)
{
	CLEANUP_CLOSE int netns = -1;
	int ends[2] = {-1, -1}, complaints[2] = {-1, -1};
	int error = check_allowed(reader, target);

	if (error < 0)
		return error;
	reader->form = PORTWATCH_TABLE_PROCFS;
	reader->link.exit_step = STEP_NSENTER_RUN;
	netns = find_netns(reader, target);
	/* Without a failure it is only that the kernel refuses to open it to us. */
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
