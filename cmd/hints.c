/* SPDX-License-Identifier: MIT */
/* hints.c - what pwatch lacks, and what to grant to it
 *
 * Only what helps on this system is suggested, because the reader will try it. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "hints.h"

#define SELF "/proc/self/exe"
#define QUOTED_MAX (2 * PATH_MAX)
#define LINE_MAX_LENGTH (QUOTED_MAX + 1024)

#define OWNERS (PRIVILEGES_SYS_PTRACE | PRIVILEGES_DAC_READ_SEARCH)
#define PARANOID_MAX 2

static const struct {
	uint64_t bit;
	const char *name;
} wanted[] = {
	{PRIVILEGES_SYS_ADMIN, "SYS_ADMIN"},
	{PRIVILEGES_SYS_PTRACE, "SYS_PTRACE"},
	{PRIVILEGES_DAC_READ_SEARCH, "DAC_READ_SEARCH"},
};
#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

static const struct {
	unsigned int bit;
	const char *name;
} calls[] = {
	{PLACE_CALL_SETNS, "setns"},
	{PLACE_CALL_BPF, "bpf"},
	{PLACE_CALL_PERF, "perf_event_open"},
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

/* The input of all functions below. */
struct hints {
	const struct privileges *privileges;
	const struct place *place;
	const struct hints_probe *probe;
	struct report *report;
	uint64_t lacking;      /* wanted capabilities that are not permitted */
	unsigned int refused;  /* refused calls that the library could use */
	bool may_get_reports;  /* has the capabilities for reports of listen(2) */
	char path[QUOTED_MAX]; /* of pwatch, for a shell */
};

static void list_calls(struct text *text, unsigned int set, const char *separator)
{
	for (size_t i = 0; i < CALLS; i++)
		if (set & calls[i].bit)
			text_add(text, "%s%s", text->length > 0 ? separator : "", calls[i].name);
}

static void list_capabilities(struct text *text, uint64_t set, const char *prefix)
{
	for (size_t i = 0; i < WANTED; i++)
		if (set & wanted[i].bit)
			text_add(text, "%s%s%s", text->length > 0 ? " " : "", prefix,
			         wanted[i].name);
}

/* --- what is missing */

/* CAP_PERFMON alone needs tracefs, which only root may read. */
static bool may_get_reports(const struct privileges *privileges)
{
	uint64_t permitted = privileges->permitted;

	if (permitted & PRIVILEGES_SYS_ADMIN)
		return true;
	return permitted & PRIVILEGES_PERFMON &&
	       (permitted & (PRIVILEGES_BPF | PRIVILEGES_DAC_READ_SEARCH) || privileges->uid == 0);
}

static bool is_locked_down(const struct hints *hints)
{
	return hints->probe->polls && strcmp(hints->place->lockdown, "confidentiality") == 0;
}

/* Kernels of Debian and Ubuntu require CAP_SYS_ADMIN above this value; others do not. */
static bool is_paranoid(const struct hints *hints)
{
	return hints->probe->polls && hints->may_get_reports &&
	       !(hints->privileges->permitted & PRIVILEGES_SYS_ADMIN) &&
	       hints->place->paranoid > PARANOID_MAX && !(hints->place->refused & PLACE_CALL_PERF);
}

static bool needs_tracefs(const struct hints *hints)
{
	return hints->probe->polls && hints->privileges->permitted & PRIVILEGES_PERFMON &&
	       !(hints->privileges->permitted & (PRIVILEGES_SYS_ADMIN | PRIVILEGES_BPF)) &&
	       !hints->place->tracefs;
}

static void report_missing(const struct hints *hints, const char *name, const char *value,
                           const char *note)
{
	report_add(hints->report, TOPIC_MISSING, name, value, note);
}

static void report_missing_capabilities(const struct hints *hints)
{
	if (hints->lacking & PRIVILEGES_SYS_ADMIN)
		report_missing(hints, "cap_sys_admin", "to enter other network namespaces",
		               "without it pwatch reads them from outside, which costs more");
	if (!hints->may_get_reports)
		report_missing(hints, "cap_sys_admin",
		               "to receive a report when a socket starts listening",
		               "or cap_bpf and cap_perfmon; without them pwatch polls");
	if (hints->lacking & OWNERS)
		report_missing(hints, "cap_sys_ptrace",
		               "to see the ports of other users' processes, and of processes that "
		               "are not dumpable",
		               "with cap_dac_read_search");
}

static void report_missing_calls(const struct hints *hints)
{
	char buffer[64];
	struct text text;

	if (!hints->refused)
		return;
	text_init(&text, buffer, sizeof(buffer));
	list_calls(&text, hints->refused, ", ");
	report_missing(hints, "system calls", buffer,
	               "a seccomp filter or the sandbox refuses them: setns enters network "
	               "namespaces; bpf and perf_event_open receive reports of the kernel");
}

static void report_missing_kernel(const struct hints *hints)
{
	if (is_locked_down(hints))
		report_missing(hints, "lockdown", "none, or integrity",
		               "the kernel was started with lockdown=confidentiality, and reports "
		               "no sockets until it is started without this setting");
	if (is_paranoid(hints))
		report_missing(hints, "kernel.perf_event_paranoid", "2 or less",
		               "the value is higher; kernels of Debian and Ubuntu then require "
		               "cap_sys_admin");
	if (needs_tracefs(hints))
		report_missing(hints, "tracefs", "at /sys/kernel/tracing",
		               "without cap_bpf and cap_sys_admin, cap_perfmon needs this file "
		               "system for reports of the kernel");
	if (hints->probe->no_module)
		report_missing(hints, "tcp_diag",
		               "the kernel module that lists listening sockets only",
		               hints->place->modules_disabled
		                       ? "it is not loaded, and kernel.modules_disabled is 1: no "
		                         "module can be loaded until the system restarts"
		                       : "it is not loaded; pwatch reads the text of all sockets "
		                         "instead");
	if (hints->place->confinement[0] && (hints->probe->refused || hints->probe->outside))
		report_missing(hints, "security module", hints->place->confinement,
		               "this profile may refuse more than capabilities allow");
	if (!hints->privileges->initial_user_namespace)
		report_missing(hints, "user namespace",
		               "the initial one, to receive reports of the kernel and to see "
		               "processes outside of this one",
		               "run pwatch there");
}

/* --- what to grant: capabilities and calls, in the terms of the program that has started pwatch */

static void grant(const struct hints *hints, const char *name, const char *value, const char *note)
{
	report_add(hints->report, TOPIC_GRANT, name, value, note);
}

/* Why file capabilities would have no effect; or "". */
static const char *file_obstacle(const struct privileges *privileges)
{
	struct statvfs file_system;

	if (privileges->no_new_privs)
		return "no effect here: no_new_privs is set";
	if ((privileges->bounding & PRIVILEGES_OF_FILE) != PRIVILEGES_OF_FILE)
		return "no effect here: the bounding set lacks some of them";
	if (statvfs(SELF, &file_system) == 0 && (file_system.f_flag & ST_NOSUID))
		return "no effect on this file: its file system is mounted nosuid";
	return "";
}

static void grant_to_file(const struct hints *hints)
{
	char line[LINE_MAX_LENGTH];
	const char *obstacle = file_obstacle(hints->privileges);

	/* In a container, root is subject to the same restrictions and cannot grant more. */
	if (*obstacle != '\0' && hints->place->kind != PLACE_HOST)
		return;
	snprintf(line, sizeof(line), "setcap cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=p %s",
	         hints->path);
	grant(hints, "permanently", line, obstacle);
}

/* Writes the current groups of pwatch as an option of setpriv(1). */
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

static void name_process(const struct hints *hints, char name[16])
{
	if (hints->probe->pid > 0)
		snprintf(name, 16, "%d", (int)hints->probe->pid);
	else
		snprintf(name, 16, "PID");
}

/* Suggests setpriv(1), which needs an unrestricted root: not the root of the same container. */
static void grant_once(const struct hints *hints)
{
	static const char caps[] = "+sys_admin,+sys_ptrace,+dac_read_search";
	const struct privileges *privileges = hints->privileges;
	bool limited = (privileges->bounding & PRIVILEGES_OF_FILE) != PRIVILEGES_OF_FILE;
	char line[LINE_MAX_LENGTH], process[16], groups[512];

	if ((limited && hints->place->kind != PLACE_HOST) ||
	    (access("/usr/bin/setpriv", X_OK) < 0 && access("/bin/setpriv", X_OK) < 0))
		return;
	list_groups(groups, sizeof(groups));
	name_process(hints, process);
	snprintf(line, sizeof(line),
	         "setpriv --reuid=%u --regid=%u %s --inh-caps=%s --ambient-caps=%s %s %s",
	         privileges->uid, privileges->gid, groups, caps, caps, hints->path, process);
	grant(hints, "once, as root", line,
	      limited || privileges->no_new_privs || hints->place->refused
	              ? "from another session, because root is restricted in this one too"
	              : "");
}

/* For a user other than root, docker adds capabilities to the bounding set only. With SYS_ADMIN the
 * default seccomp profiles allow all calls. */
static void grant_by_engine(const struct hints *hints, const char *name, bool user_gets_it)
{
	bool filtered = hints->refused && !(hints->lacking & PRIVILEGES_SYS_ADMIN);
	char buffer[256];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	if (hints->lacking && !user_gets_it && hints->privileges->uid != 0)
		text_add(&text, "--user=0");
	list_capabilities(&text, hints->lacking, "--cap-add=");
	if (filtered)
		text_add(&text, "%s--security-opt=seccomp=unconfined", text.length ? " " : "");
	if (hints->place->confinement[0])
		text_add(&text, "%s--security-opt=%s", text.length ? " " : "",
		         strchr(hints->place->confinement, ':') ? "label=disable"
		                                                : "apparmor=unconfined");
	if (text.length > 0)
		grant(hints, name, buffer,
		      filtered ? "or a profile that allows the calls"
		               : "and --pid=host for the processes of the whole machine");
}

static void grant_by_kubernetes(const struct hints *hints)
{
	char names[128] = "", line[256];
	const char *separator = "";
	struct text text;

	text_init(&text, names, sizeof(names));
	for (size_t i = 0; i < WANTED; i++) {
		if (!(hints->lacking & wanted[i].bit))
			continue;
		text_add(&text, "%s\"%s\"", separator, wanted[i].name);
		separator = ", ";
	}
	if (hints->lacking)
		snprintf(line, sizeof(line),
		         "securityContext: {runAsUser: 0, capabilities: {add: [%s]}}", names);
	else
		snprintf(line, sizeof(line),
		         "securityContext: {seccompProfile: {type: Unconfined}}");
	grant(hints, "kubernetes", line, "and hostPID: true for the processes of the node");
}

static void grant_by_nspawn(const struct hints *hints)
{
	char buffer[256], names[64];
	struct text text, list;

	text_init(&text, buffer, sizeof(buffer));
	for (size_t i = 0; i < WANTED; i++)
		if (hints->lacking & wanted[i].bit)
			text_add(&text, "%s--capability=CAP_%s", text.length ? " " : "",
			         wanted[i].name);
	text_init(&list, names, sizeof(names));
	list_calls(&list, hints->refused, " ");
	if (hints->refused)
		text_add(&text, "%s--system-call-filter='%s'", text.length ? " " : "", names);
	grant(hints, "systemd-nspawn", buffer, "");
}

static void add_directive(struct text *text, const char *name, const char *value)
{
	text_add(text, "%s%s=%s", text->length > 0 ? "; " : "", name, value);
}

/* Suggests directives. Each of the lists is added to the list that the unit already has. */
static void grant_by_service(const struct hints *hints)
{
	const struct privileges *privileges = hints->privileges;
	bool unshare = !(hints->place->refused & PLACE_CALL_UNSHARE);
	bool net = !(hints->place->refused & PLACE_CALL_UNSHARE_NET);
	unsigned int filtered = hints->refused;
	char buffer[512], list[128];
	struct text text, names;

	/* Without SystemCallFilter= in the unit, one with these calls would refuse all others. */
	if (unshare && !net)
		filtered &= ~(unsigned int)PLACE_CALL_SETNS;
	text_init(&text, buffer, sizeof(buffer));
	text_init(&names, list, sizeof(list));
	list_capabilities(&names, PRIVILEGES_OF_FILE, "CAP_");
	if (hints->lacking && privileges->uid != 0)
		add_directive(&text, "AmbientCapabilities", list);
	if (PRIVILEGES_OF_FILE & ~privileges->bounding)
		add_directive(&text, "CapabilityBoundingSet", list);
	if (hints->refused & PLACE_CALL_SETNS && !net)
		add_directive(&text, "RestrictNamespaces", "net user");
	text_init(&names, list, sizeof(list));
	list_calls(&names, filtered, " ");
	if (names.length > 0)
		add_directive(&text, "SystemCallFilter", list);
	if (!privileges->initial_user_namespace)
		add_directive(&text, "PrivateUsers", "no");
	if (text.length > 0)
		grant(hints, "systemd", buffer, "in the unit of the service");
}

static void grant_by_place(const struct hints *hints)
{
	switch (hints->place->kind) {
	case PLACE_DOCKER:
		grant_by_engine(hints, "docker", false);
		break;
	case PLACE_PODMAN:
		grant_by_engine(hints, "podman", true);
		break;
	case PLACE_KUBERNETES:
		grant_by_kubernetes(hints);
		break;
	case PLACE_NSPAWN:
		grant_by_nspawn(hints);
		break;
	case PLACE_SERVICE:
		grant_by_service(hints);
		break;
	case PLACE_CONTAINER:
	case PLACE_HOST:
		break;
	}
}

/* --- what to grant: the rest */

static void grant_by_kernel(const struct hints *hints)
{
	if (is_paranoid(hints))
		grant(hints, "sysctl", "sysctl kernel.perf_event_paranoid=2",
		      "as root of the host");
	if (needs_tracefs(hints))
		grant(hints, "mount", "mount -t tracefs tracefs /sys/kernel/tracing",
		      hints->place->kind == PLACE_HOST
		              ? "as root"
		              : "as root of the host, and mounted into the container from there");
	if (hints->probe->no_module && !hints->place->modules_disabled)
		grant(hints, "module", "modprobe tcp_diag", "as root of the host");
}

/* A user other than root in a rootless container has another ID outside. Root inside the
 * container's user namespace can examine the user's processes. */
static void grant_in_rootless(const struct hints *hints)
{
	char line[LINE_MAX_LENGTH];
	pid_t pid = hints->probe->pid, entrance;

	if (!hints->probe->refused || pid == 0 || !place_owns(hints->privileges->uid, pid))
		return;
	snprintf(line, sizeof(line), "podman unshare %s %d", hints->path, (int)pid);
	grant(hints, "rootless podman", line, "");
	entrance = place_entrance(hints->privileges->uid, pid);
	if (entrance == 0)
		return;
	snprintf(line, sizeof(line), "nsenter --user --preserve-credentials --target=%d %s %d",
	         (int)entrance, hints->path, (int)pid);
	grant(hints, "rootless containers", line, "");
}

/* Quotes a path for the shell, if it needs quotes. */
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

static void find_path(char quoted[QUOTED_MAX])
{
	char link[PATH_MAX];
	ssize_t length = readlink(SELF, link, sizeof(link) - 1);

	link[length < 0 ? 0 : length] = '\0';
	quote(quoted, length < 0 ? "pwatch" : link);
}

void hints_report(const struct privileges *privileges, const struct place *place,
                  const struct hints_probe *probe, struct report *report)
{
	struct hints hints = {
		.privileges = privileges,
		.place = place,
		.probe = probe,
		.report = report,
		.lacking = PRIVILEGES_OF_FILE & ~privileges->permitted,
		.refused = place->refused & (PLACE_CALL_SETNS | PLACE_CALL_BPF | PLACE_CALL_PERF),
		.may_get_reports = may_get_reports(privileges),
	};
	bool here = privileges->initial_user_namespace;
	bool limited = hints.lacking || hints.refused || !here;

	report_missing_capabilities(&hints);
	report_missing_calls(&hints);
	report_missing_kernel(&hints);
	find_path(hints.path);
	grant_in_rootless(&hints);
	/* Root lacks a capability only if a container engine or service manager has removed it, and
	 * only the remover can restore it. In a user namespace nothing can be granted. */
	if (hints.lacking && privileges->uid != 0 && here && place->kind != PLACE_SERVICE) {
		grant_to_file(&hints);
		grant_once(&hints);
	}
	if (limited && (here || place->kind == PLACE_SERVICE))
		grant_by_place(&hints);
	if (here)
		grant_by_kernel(&hints);
}
