/* SPDX-License-Identifier: MIT */
/* helper.h - the body of the forked child that reads the tables of another network namespace
 *
 * The helper enters the namespace, opens the tables, gives up every privilege, and then answers
 * requests until its request pipe ends (frame.h). It makes only raw system calls (sys.h) on its own
 * stack. */
#ifndef HELPER_H
#define HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "portwatch.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define HELPER_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HELPER_SANITIZED 1
#endif
#ifndef HELPER_SANITIZED
#define HELPER_SANITIZED 0
#endif

/* Memory that a helper shares with the host. If the table has not changed since the answer that the
 * host has, the helper does not answer a request. It stores the sequence of the request here, so
 * that no thread is woken. */
struct helper_silence {
	_Atomic uint32_t took; /* duration of the read, in us; stored before the sequence */
	_Atomic uint32_t sequence;
};

struct helper_setup {
	int requests;  /* the end of a pipe to read from */
	int responses; /* the end of a pipe to write to */
	int netns;     /* the network namespace to enter */
	int proc;      /* the /proc directory */
	enum portwatch_table table;
	bool closes;                    /* passes on the kernel's reports of closed sockets */
	struct helper_silence *silence; /* NULL: none, so each request is answered */
	bool linux_kernel; /* for table_source_init(); unknown after helper_drop_memory()
	                    */
};

/* A child_body (spawn.h); arg is a struct helper_setup. The descriptors must be above 2. */
int helper_main(void *arg);

/* Writes the frame that ends a failed answer, or the failed setup (sequence 0). step is one of
 * step.h. Returns 0 or a negative errno. */
int helper_send_failure(int fd, uint32_t sequence, const char *step, int error);

/* Isolates the child: not dumpable, only the given descriptors, moved to 0, 1, ... and open across
 * exec; its own session, name, directory, limits, signal dispositions and mask. Returns 0 or a
 * negative errno. After a failure the descriptors may have moved; the array has their numbers. */
int helper_isolate(int *descriptors, int count);

/* Enters a network namespace with the effective capabilities, or else the permitted ones, or else
 * as the owner of its user namespace. Returns 0 or a negative errno. */
int helper_enter_netns(int netns);
/* Stores the identity of the helper's present namespace, read through /proc; zeros if unknown. */
struct netns_id;
void helper_netns_identity(int proc, struct netns_id *id);

#endif
