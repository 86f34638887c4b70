/* SPDX-License-Identifier: MIT */
/* wrap.h - makes system calls and allocations of lib/ fail without changing the code under test
 *
 * For programs that are linked with -Wl,@wrap.options (ld(1)). Calls are named as system calls:
 * "openat" means openat() as well as syscall(SYS_openat). Calls in forked children are covered,
 * because the rules and the counts are in shared memory.
 *
 * The thread that sets up the rules is outside: its own calls are neither counted nor failed,
 * except between wrap_enter(true) and wrap_enter(false). The library's threads and the processes
 * that they start are inside.
 */
#ifndef WRAP_H
#define WRAP_H

#include <stdbool.h>
#include <stddef.h>

enum wrap_where {
	WRAP_ANYWHERE,
	WRAP_HOST,     /* the process that called wrap_reset() */
	WRAP_CHILDREN, /* those forked by it */
};

/* Returns the name of the n-th call that can be wrapped, or NULL after the last. */
const char *wrap_name(size_t n);

/* Removes all rules and counts. The calling process becomes the host, and the calling thread is
 * outside. */
void wrap_reset(void);

/* Makes the nth call from now on (1: the next call) fail with error (errno). With times > 1 the
 * following calls fail, too, up to that number; with 0 all following calls fail. Each call has at
 * most one rule. */
void wrap_fail(const char *call, enum wrap_where where, unsigned int nth, unsigned int times,
               int error);

/* Does the same, but a read or write transfers at most `most` bytes. */
void wrap_short(const char *call, enum wrap_where where, unsigned int nth, unsigned int times,
                size_t most);

/* Removes the rule of a call. */
void wrap_clear(const char *call);

/* wrap_count() returns how often a call was made inside, whether or not it failed. wrap_struck()
 * returns how often any rule was applied. */
unsigned long wrap_count(const char *call, enum wrap_where where);
unsigned long wrap_struck(void);

/* wrap_noted() returns how often a path whose last part is `name` was opened inside since
 * wrap_note_name(). */
void wrap_note_name(const char *name);
unsigned long wrap_noted(void);

/* Until the next wrap_reset(), makes time for the library faster by the factor while the library
 * waits: its pauses and deadlines end sooner. Computation takes as long as before. A wait that has
 * already begun does not change. 1: normal time. */
void wrap_hasten(unsigned int factor);

/* Puts the calling thread inside or outside. Returns its previous place (true: inside). */
bool wrap_enter(bool inside);

#define wrap_inside(expression)                                                                    \
	__extension__({                                                                            \
		bool wrap_before_ = wrap_enter(true);                                              \
		__typeof__(expression) wrap_result_ = (expression);                                \
		wrap_enter(wrap_before_);                                                          \
		wrap_result_;                                                                      \
	})

#endif
