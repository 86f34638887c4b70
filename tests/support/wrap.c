/* SPDX-License-Identifier: MIT */
/* wrap.c - decides which calls fail, and counts the calls */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "wrap.h"
#include "wrap_calls.h"

struct rule {
	atomic_bool active;
	atomic_int where;
	atomic_uint seen;
	atomic_uint first;
	atomic_uint last;
	atomic_int error; /* 0: reduce the size instead */
	atomic_size_t most;
};

struct shared {
	struct rule rules[WRAP_CALL_COUNT];
	atomic_ulong counts[WRAP_CALL_COUNT][2]; /* in the host, in its children */
	atomic_ulong struck;
	atomic_ulong noted;
	char name[32];
};

static const struct {
	const char *name;
	long number;
} calls[] = {
#define WRAP_ROW(name, number) {#name, number},
	WRAP_CALLS(WRAP_ROW)
#undef WRAP_ROW
};

/* Mapped once, before other threads exist. */
static struct shared *shared;

/* Set in each forked child by the wrapper of the forking call. A filter of system calls may refuse
 * getpid(2), and the child may unmap the memory of thread-local variables. */
static bool in_child;
static bool child_outside;
static _Thread_local bool outside;

const char *wrap_name(size_t n)
{
	return n < WRAP_CALL_COUNT ? calls[n].name : NULL;
}

static enum wrap_call find(const char *name)
{
	for (size_t i = 0; i < WRAP_CALL_COUNT; i++)
		if (strcmp(calls[i].name, name) == 0)
			return (enum wrap_call)i;
	fprintf(stderr, "%s cannot be wrapped\n", name);
	abort();
}

enum wrap_call wrap_find_number(long number)
{
	for (size_t i = 0; i < WRAP_CALL_COUNT; i++)
		if (calls[i].number == number)
			return (enum wrap_call)i;
	return CALL_other;
}

void wrap_reset(void)
{
	void *page;

	outside = true;
	in_child = false;
	if (!shared) {
		page = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED)
			abort();
		shared = page;
		return;
	}
	for (size_t i = 0; i < WRAP_CALL_COUNT; i++) {
		atomic_store(&shared->rules[i].active, false);
		atomic_store(&shared->counts[i][0], 0);
		atomic_store(&shared->counts[i][1], 0);
	}
	atomic_store(&shared->struck, 0);
	atomic_store(&shared->noted, 0);
	wrap_hasten(1);
}

static void set_rule(const char *call, enum wrap_where where, unsigned int nth, unsigned int times,
                     int error, size_t most)
{
	struct rule *rule = &shared->rules[find(call)];

	atomic_store(&rule->active, false);
	atomic_store(&rule->where, where);
	atomic_store(&rule->seen, 0);
	atomic_store(&rule->first, nth);
	atomic_store(&rule->last, times ? nth + times - 1 : ~0U);
	atomic_store(&rule->error, error);
	atomic_store(&rule->most, most);
	atomic_store(&rule->active, true);
}

void wrap_fail(const char *call, enum wrap_where where, unsigned int nth, unsigned int times,
               int error)
{
	set_rule(call, where, nth, times, error, 0);
}

void wrap_short(const char *call, enum wrap_where where, unsigned int nth, unsigned int times,
                size_t most)
{
	set_rule(call, where, nth, times, 0, most);
}

void wrap_clear(const char *call)
{
	atomic_store(&shared->rules[find(call)].active, false);
}

unsigned long wrap_count(const char *call, enum wrap_where where)
{
	enum wrap_call found = find(call);
	unsigned long in_host = atomic_load(&shared->counts[found][0]);
	unsigned long in_children = atomic_load(&shared->counts[found][1]);

	return (where == WRAP_CHILDREN ? 0 : in_host) + (where == WRAP_HOST ? 0 : in_children);
}

unsigned long wrap_struck(void)
{
	return atomic_load(&shared->struck);
}

void wrap_note_name(const char *name)
{
	snprintf(shared->name, sizeof(shared->name), "%s", name);
	atomic_store(&shared->noted, 0);
}

unsigned long wrap_noted(void)
{
	return atomic_load(&shared->noted);
}

bool wrap_is_outside(void)
{
	return in_child ? child_outside : outside;
}

void wrap_forked(void)
{
	child_outside = wrap_is_outside();
	in_child = true;
}

bool wrap_enter(bool inside)
{
	bool before = !wrap_is_outside();

	if (in_child)
		child_outside = !inside;
	else
		outside = !inside;
	return before;
}

void wrap_note_path(const char *path)
{
	const char *slash;

	if (!shared || wrap_is_outside() || !shared->name[0])
		return;
	slash = strrchr(path, '/');
	if (strcmp(slash ? slash + 1 : path, shared->name) == 0)
		atomic_fetch_add(&shared->noted, 1);
}

static bool applies(struct rule *rule)
{
	int where = atomic_load(&rule->where);
	unsigned int turn;

	if (!atomic_load(&rule->active) ||
	    (where != WRAP_ANYWHERE && (where == WRAP_CHILDREN) != in_child))
		return false;
	turn = atomic_fetch_add(&rule->seen, 1) + 1;
	return turn >= atomic_load(&rule->first) && turn <= atomic_load(&rule->last);
}

/* Also runs in children made by a bare clone, so the rest of the function only uses memory. */
bool wrap_strike(enum wrap_call call, size_t *size)
{
	struct rule *rule;
	int error;

	if (!shared || wrap_is_outside())
		return false;
	rule = &shared->rules[call];
	atomic_fetch_add(&shared->counts[call][in_child], 1);
	if (!applies(rule))
		return false;
	atomic_fetch_add(&shared->struck, 1);
	error = atomic_load(&rule->error);
	if (error == 0 && size && *size > atomic_load(&rule->most))
		*size = atomic_load(&rule->most);
	if (error)
		errno = error;
	return error != 0;
}
