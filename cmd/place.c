/* SPDX-License-Identifier: MIT */
/* place.c - where pwatch runs: its container or service, and what the kernel refuses there */
#include <errno.h>
#include <pwd.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "place.h"
#include "privileges.h"

#define ANCESTORS_MAX 64
#define NO_FLAG 1 /* of unshare(2) */

/* Reads the first line of a small file. Returns false if there is none. */
static bool read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	bool read = file && fgets(line, (int)size, file);

	if (read)
		line[strcspn(line, "\n")] = '\0';
	else
		line[0] = '\0';
	if (file)
		fclose(file);
	return read;
}

static int read_number(const char *path)
{
	char line[32];
	int number;

	return read_line(path, line, sizeof(line)) && sscanf(line, "%d", &number) == 1 ? number
	                                                                               : -1;
}

/* --- the container or service */

/* Whether systemd has started this process or a program that has executed pwatch. */
static bool is_service(void)
{
	const char *main_process = secure_getenv("SYSTEMD_EXEC_PID");
	int pid = main_process ? atoi(main_process) : 0;

	return secure_getenv("INVOCATION_ID") && (pid == getpid() || pid == getppid());
}

/* Whether a file is mounted there, as container engines do. A machine whose file system was copied
 * from a container has the file and no such mount. */
static bool is_hosts_mounted(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char place[16], *line = NULL;
	size_t size = 0;
	bool found = false;

	while (file && !found && getline(&line, &size, file) >= 0)
		found = sscanf(line, "%*s %*s %*s %*s %15s", place) == 1 &&
		        strcmp(place, "/etc/hosts") == 0;
	free(line);
	if (file)
		fclose(file);
	return found;
}

static bool is_nspawn(void)
{
	char manager[64];

	return (read_line("/run/host/container-manager", manager, sizeof(manager)) ||
	        read_line("/run/systemd/container", manager, sizeof(manager))) &&
	       strcmp(manager, "systemd-nspawn") == 0;
}

static enum place_kind find_kind(void)
{
	if (is_service())
		return PLACE_SERVICE;
	if (secure_getenv("KUBERNETES_SERVICE_HOST"))
		return PLACE_KUBERNETES;
	if (access("/run/.containerenv", F_OK) == 0 && is_hosts_mounted())
		return PLACE_PODMAN;
	if (access("/.dockerenv", F_OK) == 0 && is_hosts_mounted())
		return PLACE_DOCKER;
	if (is_nspawn())
		return PLACE_NSPAWN;
	return secure_getenv("container") ? PLACE_CONTAINER : PLACE_HOST;
}

/* The file contains "NAME (MODE)" of AppArmor, or a context of SELinux. */
static void read_confinement(struct place *place)
{
	char *confinement = place->confinement;

	read_line("/proc/self/attr/current", confinement, sizeof(place->confinement));
	if (strcmp(confinement, "unconfined") == 0 || strstr(confinement, ":unconfined_t:") ||
	    strcmp(confinement, "kernel") == 0)
		confinement[0] = '\0';
}

/* "none [integrity] confidentiality" */
static void read_lockdown(struct place *place)
{
	char line[128], *begin;

	place->lockdown[0] = '\0';
	if (!read_line("/sys/kernel/security/lockdown", line, sizeof(line)))
		return;
	begin = strchr(line, '[');
	if (begin)
		snprintf(place->lockdown, sizeof(place->lockdown), "%.*s",
		         (int)strcspn(begin + 1, "]"), begin + 1);
}

/* --- the calls that a filter refuses */

static bool fails_as(int error, long result)
{
	return result < 0 && errno == error;
}

/* The kernel itself refuses each of these calls because of an invalid descriptor, flag or size. Any
 * other error comes from a filter. */
static bool is_filtered(unsigned int call)
{
	if (call == PLACE_CALL_SETNS)
		return !fails_as(EBADF, syscall(SYS_setns, -1, CLONE_NEWNET)) ||
		       !fails_as(EBADF, syscall(SYS_setns, -1, CLONE_NEWUSER));
	if (call == PLACE_CALL_UNSHARE)
		return !fails_as(EINVAL, syscall(SYS_unshare, NO_FLAG));
	if (call == PLACE_CALL_UNSHARE_NET)
		return !fails_as(EINVAL, syscall(SYS_unshare, NO_FLAG | CLONE_NEWNET));
	if (call == PLACE_CALL_PERF)
		return !fails_as(EINVAL, syscall(SYS_perf_event_open, NULL, 0, -1, -1, ~0UL));
	/* Kernels before 6.4 check the capability first. */
	return privileges_raise(PRIVILEGES_BPF | PRIVILEGES_SYS_ADMIN) == 0 &&
	       !fails_as(E2BIG, syscall(SYS_bpf, 0, NULL, 1U << 30));
}

/* Makes the call in a child process, because a filter may kill the caller. */
static bool is_refused(unsigned int call)
{
	const struct rlimit none = {0, 0};
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		_exit(is_filtered(call) ? 1 : 0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return false;
	return pid > 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static unsigned int find_refused(void)
{
	static const unsigned int calls[] = {
		PLACE_CALL_SETNS,   PLACE_CALL_BPF,         PLACE_CALL_PERF,
		PLACE_CALL_UNSHARE, PLACE_CALL_UNSHARE_NET,
	};
	unsigned int refused = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (is_refused(calls[i]))
			refused |= calls[i];
	return refused;
}

void place_read(struct place *place, bool filtered)
{
	memset(place, 0, sizeof(*place));
	place->kind = find_kind();
	place->refused = filtered ? find_refused() : 0;
	place->paranoid = read_number("/proc/sys/kernel/perf_event_paranoid");
	place->tracefs = access("/sys/kernel/tracing/events", F_OK) == 0 || errno == EACCES ||
	                 access("/sys/kernel/debug/tracing/events", F_OK) == 0;
	place->modules_disabled = read_number("/proc/sys/kernel/modules_disabled") == 1;
	read_lockdown(place);
	read_confinement(place);
}

/* --- rootless containers */

/* A line of subuid(5), "NAME:FIRST:COUNT"; the name may be a number. */
static bool gives(const char *line, const char *name, unsigned int uid, unsigned int wanted)
{
	unsigned int first, count, number;
	size_t length = strcspn(line, ":");
	bool ours = strncmp(line, name, length) == 0 && name[length] == '\0';

	if (line[length] != ':' || sscanf(line + length, ":%u:%u", &first, &count) != 2)
		return false;
	if (!ours && !(sscanf(line, "%u", &number) == 1 && number == uid))
		return false;
	return wanted >= first && wanted - first < count;
}

static bool is_given(unsigned int uid, unsigned int wanted)
{
	/* No other thread of pwatch calls getpwuid(3). */
	/* cppcheck-suppress getpwuidCalled */
	const struct passwd *user = getpwuid(uid);
	const char *name = user ? user->pw_name : "";
	FILE *file = fopen("/etc/subuid", "re");
	char line[512];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = gives(line, name, uid, wanted);
	if (file)
		fclose(file);
	return found;
}

/* The effective user and the parent of a process. */
static bool read_process(pid_t pid, unsigned int *uid, pid_t *parent)
{
	char path[64], line[256];
	FILE *file;
	int found = 0, number;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && found < 2 && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "PPid: %d", &number) == 1)
			*parent = number;
		else if (sscanf(line, "Uid: %*u %u", uid) != 1)
			continue;
		found++;
	}
	if (file)
		fclose(file);
	return found == 2;
}

bool place_owns(unsigned int uid, pid_t pid)
{
	unsigned int wanted;
	pid_t parent;

	return read_process(pid, &wanted, &parent) && wanted != uid && is_given(uid, wanted);
}

pid_t place_entrance(unsigned int uid, pid_t pid)
{
	struct stat own, other;
	unsigned int user;
	char path[64];

	if (stat("/proc/self/ns/user", &own) < 0)
		return 0;
	for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
		pid_t parent;

		if (!read_process(pid, &user, &parent))
			break;
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		if (user == uid && stat(path, &other) == 0)
			return other.st_ino != own.st_ino ? pid : 0;
		pid = parent;
	}
	return 0;
}
