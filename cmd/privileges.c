/* SPDX-License-Identifier: MIT */
/* privileges.c - the privileges of pwatch: its user, its capabilities and their restrictions */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "privileges.h"

/* The initial user namespace always has this inode number (PROC_USER_INIT_INO, linux/proc_ns.h). */
#define INITIAL_USER_NAMESPACE 0xeffffffdU

static const struct {
	uint64_t bit;
	const char *name;
} capabilities[] = {
	{PRIVILEGES_SYS_ADMIN, "cap_sys_admin"},
	{PRIVILEGES_SYS_PTRACE, "cap_sys_ptrace"},
	{PRIVILEGES_DAC_READ_SEARCH, "cap_dac_read_search"},
	{PRIVILEGES_PERFMON, "cap_perfmon"},
	{PRIVILEGES_BPF, "cap_bpf"},
};

#define CAPABILITY_COUNT (sizeof(capabilities) / sizeof(capabilities[0]))

static void take_status_line(struct privileges *privileges, const char *line)
{
	uint64_t value;

	if (sscanf(line, "CapPrm: %" SCNx64, &value) == 1)
		privileges->permitted = value;
	else if (sscanf(line, "CapEff: %" SCNx64, &value) == 1)
		privileges->effective = value;
	else if (sscanf(line, "CapBnd: %" SCNx64, &value) == 1)
		privileges->bounding = value;
	else if (sscanf(line, "NoNewPrivs: %" SCNu64, &value) == 1)
		privileges->no_new_privs = value != 0;
	else if (sscanf(line, "Seccomp: %" SCNu64, &value) == 1)
		privileges->seccomp = (unsigned int)value;
}

/* A line of proc_pid_mountinfo(5): the fifth word is the mount point; " - " precedes the type of
 * the file system, its source, and its options. The last line for a mount point counts. */
static void take_mount_line(struct privileges *privileges, const char *line)
{
	const char *type = strstr(line, " - proc "), *option;
	char place[8];

	if (!type || sscanf(line, "%*s %*s %*s %*s %7s", place) != 1 || strcmp(place, "/proc") != 0)
		return;
	option = strstr(type, "hidepid=");
	privileges->hidepid[0] = '\0';
	if (option)
		snprintf(privileges->hidepid, sizeof(privileges->hidepid), "%.*s",
		         (int)strcspn(option + 8, ", \n"), option + 8);
}

static int read_lines(const char *path, struct privileges *privileges,
                      void (*take)(struct privileges *privileges, const char *line))
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int result = 0;

	if (!file)
		return -errno;
	while (getline(&line, &size, file) >= 0)
		take(privileges, line);
	if (ferror(file))
		result = -EIO;
	free(line);
	fclose(file);
	return result;
}

int privileges_read(struct privileges *privileges)
{
	struct stat user_namespace;
	int result;

	memset(privileges, 0, sizeof(*privileges));
	privileges->uid = geteuid();
	privileges->gid = getegid();
	privileges->secure = getauxval(AT_SECURE) != 0;
	if (stat("/proc/self/ns/user", &user_namespace) == 0)
		privileges->initial_user_namespace =
			user_namespace.st_ino == INITIAL_USER_NAMESPACE;
	result = read_lines("/proc/self/status", privileges, take_status_line);
	if (result == 0)
		result = read_lines("/proc/self/mountinfo", privileges, take_mount_line);
	return result;
}

int privileges_disown(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	if (getauxval(AT_SECURE) == 0)
		return 0;
	if (syscall(SYS_capget, &header, sets) < 0)
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		sets[i].permitted = sets[i].effective = 0;
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

int privileges_raise(uint64_t set)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	uint32_t raised = 0;

	if (syscall(SYS_capget, &header, sets) < 0)
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		uint32_t word = sets[i].permitted & (uint32_t)(set >> (32 * i));

		sets[i].effective |= word;
		raised |= word;
	}
	if (raised == 0)
		return -EPERM;
	return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

static void report_capabilities(struct report *report, const char *name, uint64_t set,
                                const char *note)
{
	char buffer[256];
	struct text text;

	text_init(&text, buffer, sizeof(buffer));
	for (size_t i = 0; i < CAPABILITY_COUNT; i++) {
		if (set & capabilities[i].bit)
			text_add(&text, "%s%s", text.length > 0 ? " " : "", capabilities[i].name);
	}
	report_add(report, TOPIC_PRIVILEGE, name,
	           text.length > 0 ? buffer : "none that pwatch uses", note);
}

static void report_flag(struct report *report, const char *name, bool value, const char *note)
{
	report_add(report, TOPIC_PRIVILEGE, name, value ? "yes" : "no", value ? note : "");
}

static const char *seccomp_name(unsigned int seccomp)
{
	return seccomp == 0 ? "off" : seccomp == 1 ? "strict" : "filter";
}

void privileges_report(const struct privileges *privileges, struct report *report)
{
	char user[16];

	snprintf(user, sizeof(user), "%u", privileges->uid);
	report_add(report, TOPIC_PRIVILEGE, "user", user, "");
	report_flag(report, "gained by exec", privileges->secure,
	            "file capabilities or setuid (AT_SECURE): nsenter is not used");
	report_capabilities(report, "permitted", privileges->permitted, "");
	report_capabilities(report, "in effect", privileges->effective, "");
	if ((privileges->bounding & PRIVILEGES_OF_FILE) != PRIVILEGES_OF_FILE)
		report_capabilities(report, "bounding set", privileges->bounding,
		                    "no program can gain any other");
	report_flag(report, "no_new_privs", privileges->no_new_privs,
	            "file capabilities are ignored");
	report_add(report, TOPIC_PRIVILEGE, "seccomp", seccomp_name(privileges->seccomp),
	           privileges->seccomp ? "system calls may be refused" : "");
	report_add(report, TOPIC_PRIVILEGE, "user namespace",
	           privileges->initial_user_namespace ? "the initial one" : "another",
	           privileges->initial_user_namespace ? ""
	                                              : "capabilities are valid only inside it");
	report_add(report, TOPIC_PRIVILEGE, "hidepid",
	           *privileges->hidepid != '\0' ? privileges->hidepid : "off",
	           *privileges->hidepid != '\0' && strcmp(privileges->hidepid, "0") != 0
	                   ? "/proc hides processes of other users"
	                   : "");
}
