/* SPDX-License-Identifier: MIT */
/* loop.c - an epoll loop for descriptors and children */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/loop.h"

/* The most events of one epoll_wait(2). */
#define BATCH 64

/* epoll_wait(2) reports a slot and its use number, never a pointer: a process that obtains the
 * epoll descriptor can make it report any number. */
struct loop_slot {
	struct source *source; /* NULL: free */
	uint32_t use;          /* how often the slot was filled */
	uint32_t next;         /* the next free slot */
};

/* How often the removal of a source is tried. */
#define REMOVALS 8

static int grow_slots(struct loop *loop)
{
	uint32_t count = loop->slot_count ? loop->slot_count * 2 : 32;
	struct loop_slot *slots;

	if (count < loop->slot_count)
		return -ENOMEM;
	slots = realloc(loop->slots, count * sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (uint32_t i = loop->slot_count; i < count; i++)
		slots[i] = (struct loop_slot){.next = i + 1};
	loop->slots = slots;
	loop->slot_free = loop->slot_count;
	loop->slot_count = count;
	return 0;
}

static void free_slot(struct loop *loop, uint32_t slot)
{
	loop->slots[slot].source = NULL;
	loop->slots[slot].next = loop->slot_free;
	loop->slot_free = slot;
}

int loop_add(struct loop *loop, struct source *source)
{
	struct epoll_event event = {.events = EPOLLIN};
	uint32_t slot;
	int result = 0;

	if (loop->slot_free == loop->slot_count)
		result = grow_slots(loop);
	if (result < 0)
		return result;
	slot = loop->slot_free;
	loop->slot_free = loop->slots[slot].next;
	loop->slots[slot].source = source;
	loop->slots[slot].use++;
	source->slot = slot;
	event.data.u64 = (uint64_t)loop->slots[slot].use << 32 | slot;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, source->fd, &event) == 0)
		return 0;
	result = -errno;
	free_slot(loop, slot);
	return result;
}

/* Every operation may fail with ENOMEM (epoll_ctl(2)). The source is freed afterwards, and closing
 * its descriptor does not remove it from the epoll set while a forked child still has the
 * descriptor open. */
static void take_out(int epoll, int fd)
{
	for (int i = 0; i < REMOVALS; i++)
		if (epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0 || errno == ENOENT ||
		    errno == EBADF)
			return;
}

void loop_remove(struct loop *loop, struct source *source)
{
	take_out(loop->epoll, source->fd);
	free_slot(loop, source->slot);
}

static void handle(struct loop *loop, const struct epoll_event *event)
{
	uint32_t slot = (uint32_t)event->data.u64, use = (uint32_t)(event->data.u64 >> 32);
	struct source *source;

	/* If an earlier event of this batch has removed the source, the slot is empty or has
	 * another use number. */
	if (slot >= loop->slot_count || loop->slots[slot].use != use)
		return;
	source = loop->slots[slot].source;
	if (source)
		source->ready(source);
}

void loop_wait(struct loop *loop, int timeout)
{
	struct epoll_event events[BATCH];
	int count = epoll_wait(loop->epoll, events, BATCH, timeout);

	for (int i = 0; i < count; i++)
		handle(loop, &events[i]);
}

/* --- children */

/* A child that was killed. */
struct reaper {
	struct source source;
	struct child child;
	struct loop *loop;
	struct list link;
};

static void note_reaped(struct loop *loop, pid_t pid)
{
	loop->reaped[loop->reaped_count++ % LOOP_REAPED_MAX] = pid;
}

static void free_reaper(struct reaper *reaper)
{
	if (reaper->source.fd >= 0)
		loop_remove(reaper->loop, &reaper->source);
	list_remove(&reaper->link);
	reaper->loop->reaping_count--;
	free(reaper);
}

static void try_reap(struct source *source)
{
	struct reaper *reaper = container_of(source, struct reaper, source);
	struct child child = reaper->child;
	pid_t pid = child.pid;

	/* spawn_reap() closes the pidfd, which must leave the epoll set before. */
	if (source->fd >= 0)
		loop_remove(reaper->loop, source);
	if (spawn_reap(&child) == 0) {
		note_reaped(reaper->loop, pid);
		source->fd = -1;
		free_reaper(reaper);
	} else {
		/* Its exit was reported, but it cannot be reaped yet, because another process
		 * traces it. */
		source->fd = -1;
	}
}

void loop_reap(struct loop *loop, const struct child *child)
{
	struct child copy = *child;
	struct reaper *reaper;

	if (child->pid == 0)
		return;
	if (spawn_reap(&copy) == 0) {
		note_reaped(loop, child->pid);
		return;
	}
	reaper = calloc(1, sizeof(*reaper));
	if (!reaper) {
		spawn_reap_soon(&copy);
		note_reaped(loop, child->pid);
		return;
	}
	reaper->child = copy;
	reaper->loop = loop;
	reaper->source = (struct source){.fd = copy.pidfd, .ready = try_reap};
	list_append(&loop->reaping, &reaper->link);
	loop->reaping_count++;
	if (copy.pidfd >= 0 && loop_add(loop, &reaper->source) < 0)
		reaper->source.fd = -1;
}

bool loop_reap_more(struct loop *loop)
{
	struct reaper *reaper;
	bool waiting = false;

	list_each (reaper, &loop->reaping, struct reaper, link) {
		if (reaper->source.fd >= 0)
			continue;
		try_reap(&reaper->source);
		waiting = true;
	}
	return waiting;
}

bool loop_reaps(const struct loop *loop, pid_t pid)
{
	struct reaper *reaper;

	list_each (reaper, &loop->reaping, struct reaper, link)
		if (reaper->child.pid == pid)
			return true;
	return false;
}

/* A child that does not end delays the others once, not once for each of them. */
static void reap_all(struct loop *loop)
{
	bool late = false;
	struct reaper *reaper;

	list_each (reaper, &loop->reaping, struct reaper, link) {
		if (late)
			spawn_give_up(&reaper->child);
		else
			late = !spawn_reap_soon(&reaper->child);
		reaper->source.fd = -1;
		free_reaper(reaper);
	}
}

int loop_open(struct loop *loop)
{
	*loop = (struct loop){.epoll = -1};
	list_init(&loop->reaping);
	loop->epoll = fd_own(epoll_create1(EPOLL_CLOEXEC));
	return loop->epoll < 0 ? loop->epoll : 0;
}

void loop_close(struct loop *loop)
{
	if (!loop->reaping.next)
		return;
	reap_all(loop);
	fd_close(loop->epoll);
	free(loop->slots);
	loop->slots = NULL;
}

bool loop_has_reaped(const struct loop *loop, pid_t pid)
{
	unsigned int count =
		loop->reaped_count < LOOP_REAPED_MAX ? loop->reaped_count : LOOP_REAPED_MAX;

	for (unsigned int i = 0; i < count; i++)
		if (loop->reaped[i] == pid)
			return true;
	return false;
}

void loop_forget_reaped(struct loop *loop)
{
	loop->reaped_count = 0;
}
