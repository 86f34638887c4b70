/* SPDX-License-Identifier: MIT */
/* place.h - where pwatch runs: the container or service around it, and what the kernel refuses
 * there
 */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>
#include <sys/types.h>

enum place_kind {
	PLACE_HOST, /* or what can't be told from it */
	PLACE_DOCKER,
	PLACE_PODMAN,
	PLACE_KUBERNETES,
	PLACE_NSPAWN,
	PLACE_CONTAINER, /* of another kind */
	PLACE_SERVICE,   /* of systemd's */
};

/* System calls, as bits, that a seccomp filter refuses. */
enum {
	PLACE_CALL_SETNS = 1,
	PLACE_CALL_BPF = 2,
	PLACE_CALL_PERF = 4,
	PLACE_CALL_UNSHARE = 8,      /* of no use itself; tells apart why setns is refused: */
	PLACE_CALL_UNSHARE_NET = 16, /* for network namespaces, as RestrictNamespaces= does */
};

struct place {
	enum place_kind kind;
	unsigned int refused;
	int paranoid;          /* kernel.perf_event_paranoid; -1: not known */
	bool tracefs;          /* is mounted where it is looked for */
	bool modules_disabled; /* kernel.modules_disabled */
	char lockdown[32]; /* of the kernel: "none", "integrity", "confidentiality"; "": not known
	                    */
	char confinement[128]; /* the profile of a security module; "": none */
};

/* Looks around; for refused calls where there is a filter. Does nothing that lasts. */
void place_read(struct place *place, bool filtered);

/* Whether the user of this process was given the IDs of the process (subuid(5)): it is of a
 * rootless container of that user. */
bool place_owns(unsigned int uid, pid_t pid);

/* The nearest ancestor of the process in a user namespace of the user's own: whoever enters it may
 * look at the process. 0 where there is none. */
pid_t place_entrance(unsigned int uid, pid_t pid);

#endif
