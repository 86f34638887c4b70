/* SPDX-License-Identifier: MIT */
/* hints.c - what pwatch lacks, and what to grant to it */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "hints.h"

#define SELF "/proc/self/exe"
#define QUOTED_MAX (2 * PATH_MAX)

/* What is lacking, as bits. */
enum {
	LACKS_ENTRY = 1, /* into network namespaces */
	LACKS_NOTIFIER = 2,
	LACKS_OWNERS = 4,
	LACKS_CALLS = 8, /* a filter refuses them */
};

/* With CAP_PERFMON alone it takes tracefs, which is root's. */
static bool may_open_notifier(const struct privileges *privileges)
{
	uint64_t permitted = privileges->permitted;

	if (permitted & PRIVILEGES_SYS_ADMIN)
		return true;
	return permitted & PRIVILEGES_PERFMON &&
	       (permitted & (PRIVILEGES_BPF | PRIVILEGES_DAC_READ_SEARCH) || privileges->uid == 0);
}

static unsigned int find_lacks(const struct privileges *privileges, bool degraded)
{
	const uint64_t owners = PRIVILEGES_SYS_PTRACE | PRIVILEGES_DAC_READ_SEARCH;
	unsigned int lacks = 0;

	if (!(privileges->permitted & PRIVILEGES_SYS_ADMIN))
		lacks |= LACKS_ENTRY;
	if (!may_open_notifier(privileges))
		lacks |= LACKS_NOTIFIER;
	if ((privileges->permitted & owners) != owners)
		lacks |= LACKS_OWNERS;
	if (degraded && privileges->seccomp != 0)
		lacks |= LACKS_CALLS;
	return lacks;
}

static void report_missing(const struct privileges *privileges, unsigned int lacks,
                           struct report *report)
{
	if (lacks & LACKS_ENTRY)
		report_add(report, TOPIC_MISSING, "cap_sys_admin",
		           "to enter other network namespaces",
		           "without it they are read from outside, which costs more");
	if (lacks & LACKS_NOTIFIER)
		report_add(report, TOPIC_MISSING, "cap_sys_admin",
		           "to be told by the kernel when a socket starts listening",
		           "or cap_bpf and cap_perfmon; without them pwatch looks from time to "
		           "time");
	if (lacks & LACKS_OWNERS)
		report_add(report, TOPIC_MISSING, "cap_sys_ptrace",
		           "to see what processes of other users hold, and those that "
		           "can't be dumped",
		           "with cap_dac_read_search");
	if (lacks & LACKS_CALLS)
		report_add(report, TOPIC_MISSING, "system calls",
		           "setns to enter other network namespaces, bpf and perf_event_open to "
		           "be told by the kernel",
		           "a seccomp filter may refuse them");
	if (!privileges->initial_user_namespace)
		report_add(report, TOPIC_MISSING, "user namespace",
		           "the initial one, to be told by the kernel and to see what is "
		           "outside of this one",
		           "run pwatch there");
}

/* What keeps file capabilities from working, or "". */
static const char *file_obstacle(const struct privileges *privileges)
{
	struct statvfs file_system;

	if (privileges->no_new_privs)
		return "no use here: no_new_privs is set";
	if ((privileges->bounding & PRIVILEGES_OF_FILE) != PRIVILEGES_OF_FILE)
		return "no use here: the bounding set lacks some";
	if (statvfs(SELF, &file_system) == 0 && (file_system.f_flag & ST_NOSUID))
		return "no use there: the file system is mounted nosuid";
	return "";
}

static void report_files(const struct privileges *privileges, const char *path,
                         struct report *report)
{
	char line[QUOTED_MAX + 128];

	snprintf(line, sizeof(line), "setcap cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=p %s",
	         path);
	report_add(report, TOPIC_GRANT, "lastingly", line, file_obstacle(privileges));
}

/* As an option of setpriv(1): those that pwatch has now. */
static void list_groups(char *buffer, size_t size)
{
	gid_t groups[32];
	int count = getgroups(32, groups);
	struct text text;

	text_init(&text, buffer, size);
	if (count < 0)
		text_add(&text, "--init-groups");
	else if (count == 0)
		text_add(&text, "--clear-groups");
	for (int i = 0; i < count; i++)
		text_add(&text, "%s%u", i ? "," : "--groups=", groups[i]);
}

static void report_once(const struct privileges *privileges, const char *path, pid_t pid,
                        struct report *report)
{
	static const char caps[] = "+sys_admin,+sys_ptrace,+dac_read_search";
	char line[QUOTED_MAX + 1024], process[16] = "PID", groups[512];

	list_groups(groups, sizeof(groups));
	if (pid > 0)
		snprintf(process, sizeof(process), "%d", (int)pid);
	snprintf(line, sizeof(line),
	         "setpriv --reuid=%u --regid=%u %s --inh-caps=%s --ambient-caps=%s %s %s",
	         privileges->uid, privileges->gid, groups, caps, caps, path, process);
	report_add(report, TOPIC_GRANT, "once, as root", line, "");
}

static void report_containers(struct report *report, unsigned int lacks)
{
	if (lacks & LACKS_CALLS)
		report_add(report, TOPIC_GRANT, "docker, podman",
		           "--security-opt=seccomp=unconfined", "or a profile that allows them");
	if (lacks == LACKS_CALLS)
		return;
	report_add(report, TOPIC_GRANT, "docker, podman",
	           "--pid=host --cap-add=SYS_ADMIN --cap-add=SYS_PTRACE "
	           "--cap-add=DAC_READ_SEARCH",
	           "the default seccomp profile refuses setns and perf_event_open without "
	           "SYS_ADMIN; where AppArmor confines containers also "
	           "--security-opt=apparmor=unconfined");
	report_add(report, TOPIC_GRANT, "systemd",
	           "AmbientCapabilities=CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH",
	           "without PrivateUsers= and ProtectProc=; RestrictNamespaces= must allow "
	           "net and user");
}

/* As a shell needs it: as it is, or in quotes. */
static void quote(char quoted[QUOTED_MAX], const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "@%+=:,./-_";
	struct text text;

	text_init(&text, quoted, QUOTED_MAX);
	if (path[strspn(path, plain)] == '\0') {
		text_add(&text, "%s", path);
		return;
	}
	text_add(&text, "'");
	for (; *path; path++) {
		if (*path == '\'')
			text_add(&text, "'\"'\"'");
		else
			text_add(&text, "%c", *path);
	}
	text_add(&text, "'");
}

void hints_report(const struct privileges *privileges, pid_t pid, bool degraded,
                  struct report *report)
{
	unsigned int lacks = find_lacks(privileges, degraded);
	char link[PATH_MAX], path[QUOTED_MAX];
	ssize_t length;

	report_missing(privileges, lacks, report);
	if (lacks == 0)
		return;
	length = readlink(SELF, link, sizeof(link) - 1);
	link[length < 0 ? 0 : length] = '\0';
	quote(path, length < 0 ? "pwatch" : link);
	/* They would be of no use to root, who has them unless they were taken away. */
	if (privileges->uid != 0 && lacks != LACKS_CALLS) {
		report_files(privileges, path, report);
		report_once(privileges, path, pid, report);
	}
	report_containers(report, lacks);
}
