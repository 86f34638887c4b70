/* SPDX-License-Identifier: MIT */
/* place.h - where pwatch runs: its container or service, and what the kernel refuses there */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>
#include <sys/types.h>

enum place_kind {
	PLACE_HOST, /* or a container that looks the same */
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
	PLACE_CALL_UNSHARE = 8,      /* unused by the library; shows why setns is refused: */
	PLACE_CALL_UNSHARE_NET = 16, /* for network namespaces, as RestrictNamespaces= does */
};

struct place {
	enum place_kind kind;
	unsigned int refused;
	int paranoid;          /* kernel.perf_event_paranoid; -1: not known */
	bool tracefs;          /* is mounted at its usual place */
	bool modules_disabled; /* kernel.modules_disabled */
	char lockdown[32]; /* of the kernel: "none", "integrity", "confidentiality"; "": not known
	                    */
	char confinement[128]; /* the profile of a security module; "": none */
};

/* Examines the place, and finds refused calls if there is a filter. Changes nothing. */
void place_read(struct place *place, bool filtered);

/* Whether the user ID of the process is a subordinate ID of `uid` (subuid(5)): the process belongs
 * to a rootless container of that user. */
bool place_owns(unsigned int uid, pid_t pid);

/* The nearest ancestor of the process that belongs to `uid` and has a user namespace of its own. A
 * process that enters the namespace may examine the process. Returns 0 if there is none. */
pid_t place_entrance(unsigned int uid, pid_t pid);

#endif
