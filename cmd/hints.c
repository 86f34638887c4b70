/* SPDX-License-Identifier: MIT */
/* hints.c - what pwatch lacks, and what to grant to it
 *
 * What doesn't help here isn't said: who asks would try it. */
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

/* All that is known. */
struct hints {
	const struct privileges *privileges;
	const struct place *place;
	const struct hints_look *look;
	struct report *report;
	uint64_t lacking;      /* of the capabilities that are wanted, what isn't permitted */
	unsigned int refused;  /* calls that would be of use */
	bool may_be_told;      /* has what it takes for the kernel to report listen(2) */
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

/* With CAP_PERFMON alone it takes tracefs, which is root's. */
static bool may_be_told(const struct privileges *privileges)
{
	uint64_t permitted = privileges->permitted;

	if (permitted & PRIVILEGES_SYS_ADMIN)
		return true;
	return permitted & PRIVILEGES_PERFMON &&
	       (permitted & (PRIVILEGES_BPF | PRIVILEGES_DAC_READ_SEARCH) || privileges->uid == 0);
}

static bool is_locked_down(const struct hints *hints)
{
	return hints->look->polls && strcmp(hints->place->lockdown, "confidentiality") == 0;
}

/* Kernels of Debian and Ubuntu ask for more there than others do. */
static bool is_paranoid(const struct hints *hints)
{
	return hints->look->polls && hints->may_be_told &&
	       !(hints->privileges->permitted & PRIVILEGES_SYS_ADMIN) &&
	       hints->place->paranoid > PARANOID_MAX && !(hints->place->refused & PLACE_CALL_PERF);
}

static bool needs_tracefs(const struct hints *hints)
{
	return hints->look->polls && hints->privileges->permitted & PRIVILEGES_PERFMON &&
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
		               "without it they are read from outside, which costs more");
	if (!hints->may_be_told)
		report_missing(hints, "cap_sys_admin",
		               "to be told by the kernel when a socket starts listening",
		               "or cap_bpf and cap_perfmon; without them pwatch looks from time to "
		               "time");
	if (hints->lacking & OWNERS)
		report_missing(hints, "cap_sys_ptrace",
		               "to see what processes of other users hold, and those that can't be "
		               "dumped",
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
	               "a seccomp filter, or the sandbox, refuses them: setns enters network "
	               "namespaces, by bpf or perf_event_open the kernel reports");
}

static void report_missing_kernel(const struct hints *hints)
{
	if (is_locked_down(hints))
		report_missing(hints, "lockdown", "none, or integrity",
		               "the kernel was started with lockdown=confidentiality, and reports "
		               "no socket to anybody until it is started without");
	if (is_paranoid(hints))
		report_missing(hints, "kernel.perf_event_paranoid", "2 or less",
		               "it is more, which on kernels of Debian and Ubuntu takes "
		               "cap_sys_admin");
	if (needs_tracefs(hints))
		report_missing(hints, "tracefs", "at /sys/kernel/tracing",
		               "it tells what cap_perfmon without cap_bpf or cap_sys_admin takes, "
		               "to be told by the kernel");
	if (hints->look->no_module)
		report_missing(hints, "tcp_diag",
		               "the kernel's module, to read listening sockets alone",
		               hints->place->modules_disabled
		                       ? "it is not loaded, and kernel.modules_disabled is 1: no "
		                         "module can be, until the system starts again"
		                       : "it is not loaded; without it the text of all sockets is "
		                         "read");
	if (hints->place->confinement[0] && (hints->look->refused || hints->look->outside))
		report_missing(hints, "security module", hints->place->confinement,
		               "this profile may refuse more than capabilities allow");
	if (!hints->privileges->initial_user_namespace)
		report_missing(hints, "user namespace",
		               "the initial one, to be told by the kernel and to see what is "
		               "outside of this one",
		               "run pwatch there");
}

/* --- what to grant: capabilities and calls, in the words of whoever has started pwatch */

static void grant(const struct hints *hints, const char *name, const char *value, const char *note)
{
	report_add(hints->report, TOPIC_GRANT, name, value, note);
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

static void grant_to_file(const struct hints *hints)
{
	char line[LINE_MAX_LENGTH];
	const char *obstacle = file_obstacle(hints->privileges);

	/* In a container nobody has more. */
	if (*obstacle != '\0' && hints->place->kind != PLACE_HOST)
		return;
	snprintf(line, sizeof(line), "setcap cap_sys_admin,cap_sys_ptrace,cap_dac_read_search=p %s",
	         hints->path);
	grant(hints, "lastingly", line, obstacle);
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

static void name_process(const struct hints *hints, char name[16])
{
	if (hints->look->pid > 0)
		snprintf(name, 16, "%d", (int)hints->look->pid);
	else
		snprintf(name, 16, "PID");
}

/* By a root who isn't limited himself: not one of the same container. */
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
	              ? "from another session: in this one root is limited too"
	              : "");
}

/* Docker gives a user other than root what is added in the bounding set alone. With SYS_ADMIN the
 * default profiles for seccomp allow all calls. */
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

/* Of what it sets, a list adds to those that the unit has already. */
static void grant_by_service(const struct hints *hints)
{
	const struct privileges *privileges = hints->privileges;
	bool unshare = !(hints->place->refused & PLACE_CALL_UNSHARE);
	bool net = !(hints->place->refused & PLACE_CALL_UNSHARE_NET);
	unsigned int filtered = hints->refused;
	char buffer[512], list[128];
	struct text text, names;

	/* Where there is no filter of calls, one that allows these would refuse all others. */
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
	if (hints->look->no_module && !hints->place->modules_disabled)
		grant(hints, "module", "modprobe tcp_diag", "as root of the host");
}

/* Who isn't root in a rootless container has another ID outside: root in there sees that process.
 */
static void grant_in_rootless(const struct hints *hints)
{
	char line[LINE_MAX_LENGTH];
	pid_t pid = hints->look->pid, entrance;

	if (!hints->look->refused || pid == 0 || !place_owns(hints->privileges->uid, pid))
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

static void find_path(char quoted[QUOTED_MAX])
{
	char link[PATH_MAX];
	ssize_t length = readlink(SELF, link, sizeof(link) - 1);

	link[length < 0 ? 0 : length] = '\0';
	quote(quoted, length < 0 ? "pwatch" : link);
}

void hints_report(const struct privileges *privileges, const struct place *place,
                  const struct hints_look *look, struct report *report)
{
	struct hints hints = {
		.privileges = privileges,
		.place = place,
		.look = look,
		.report = report,
		.lacking = PRIVILEGES_OF_FILE & ~privileges->permitted,
		.refused = place->refused & (PLACE_CALL_SETNS | PLACE_CALL_BPF | PLACE_CALL_PERF),
		.may_be_told = may_be_told(privileges),
	};
	bool here = privileges->initial_user_namespace;
	bool limited = hints.lacking || hints.refused || !here;

	report_missing_capabilities(&hints);
	report_missing_calls(&hints);
	report_missing_kernel(&hints);
	find_path(hints.path);
	grant_in_rootless(&hints);
	/* Root has them, unless they were taken away: then only whoever did that can give them. In
	 * a user namespace there is nothing to be had. */
	if (hints.lacking && privileges->uid != 0 && here && place->kind != PLACE_SERVICE) {
		grant_to_file(&hints);
		grant_once(&hints);
	}
	if (limited && (here || place->kind == PLACE_SERVICE))
		grant_by_place(&hints);
	if (here)
		grant_by_kernel(&hints);
}
