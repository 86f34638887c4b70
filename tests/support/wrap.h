/* SPDX-License-Identifier: MIT */
/* wrap.h - makes system calls and allocations of lib/ fail, the code under test unchanged
 *
 * For programs that are linked with -Wl,@wrap.options (ld(1)). Calls are named as system calls:
 * "openat" means openat() as well as syscall(SYS_openat). Those made in forked children are
 * covered: rules and counts live in shared memory.
 *
 * The thread that set up rules is outside: its own calls are neither counted nor failed, except
 * within wrap_inside(). The library's threads and the processes they start are inside. */
#ifndef WRAP_H
#define WRAP_H

#include <stdbool.h>
#include <stddef.h>

enum wrap_where {
	WRAP_ANYWHERE,
	WRAP_HOST,     /* the process that called wrap_reset() */
	WRAP_CHILDREN, /* those forked by it */
};

/* The name of the n-th call that can be wrapped, NULL after the last: to sweep over all of them. */
const char *wrap_name(size_t n);

/* Forgets all rules and counts; the calling process is the host, the calling thread is outside. */
void wrap_reset(void);

/* The nth call from here on (1: the next one), and with times > 1 those after it, with 0 all after
 * it, fails with error (errno). One rule for each call. */
void wrap_fail(const char *call, enum wrap_where where, unsigned int nth, unsigned int times,
               int error);

/* The same, but a read or write transfers at most `most` bytes. */
void wrap_short(const char *call, enum wrap_where where, unsigned int nth, unsigned int times,
                size_t most);

/* Ends the rule of a call. */
void wrap_clear(const char *call);

/* How often a call was made inside, failed or not; how often any rule struck. */
unsigned long wrap_count(const char *call, enum wrap_where where);
unsigned long wrap_struck(void);

/* How often a path was opened inside whose last part is `name`, since this was said. */
void wrap_note_name(const char *name);
unsigned long wrap_noted(void);

/* From here to the next wrap_reset() time goes so many times faster for the library while it has
 * nothing to do: its pauses and deadlines are over sooner. What it works takes as long as ever. A
 * wait that has begun ends as it would have. 1: as it does. */
void wrap_hasten(unsigned int factor);

/* Puts the calling thread inside or outside; returns where it was (true: inside). */
bool wrap_enter(bool inside);

#define wrap_inside(expression)                                                                    \
	__extension__({                                                                            \
		bool wrap_before_ = wrap_enter(true);                                              \
		__typeof__(expression) wrap_result_ = (expression);                                \
		wrap_enter(wrap_before_);                                                          \
		wrap_result_;                                                                      \
	})

#endif
