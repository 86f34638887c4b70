/* SPDX-License-Identifier: MIT */
/* heap.c - objects in the order of a number: a pairing heap */
#include "util/heap.h"

/* Joins two trees; NULL is an empty one. */
static struct heap_link *join(struct heap_link *a, struct heap_link *b)
{
	if (!a || !b)
		return a ? a : b;
	if (b->key < a->key) {
		struct heap_link *other = a;

		a = b;
		b = other;
	}
	b->next = a->child;
	if (b->next)
		b->next->previous = b;
	b->previous = a;
	a->child = b;
	return a;
}

/* Joins the trees of a list of siblings: in pairs, then all pairs. */
static struct heap_link *join_all(struct heap_link *first)
{
	struct heap_link *pairs = NULL, *all = NULL;

	while (first) {
		struct heap_link *second = first->next, *rest = second ? second->next : NULL;
		struct heap_link *pair;

		first->next = NULL;
		if (second)
			second->next = NULL;
		pair = join(first, second);
		pair->next = pairs;
		pairs = pair;
		first = rest;
	}
	while (pairs) {
		struct heap_link *rest = pairs->next;

		pairs->next = NULL;
		all = join(all, pairs);
		pairs = rest;
	}
	return all;
}

static void set_first(struct heap *heap, struct heap_link *first)
{
	heap->first = first;
	if (first)
		first->previous = first;
}

void heap_remove(struct heap *heap, struct heap_link *link)
{
	struct heap_link *below;

	if (!link->previous)
		return;
	below = join_all(link->child);
	if (heap->first == link) {
		set_first(heap, below);
	} else {
		if (link->previous->child == link)
			link->previous->child = link->next;
		else
			link->previous->next = link->next;
		if (link->next)
			link->next->previous = link->previous;
		set_first(heap, join(heap->first, below));
	}
	*link = (struct heap_link){.key = link->key};
}

void heap_set(struct heap *heap, struct heap_link *link, uint64_t key)
{
	if (link->previous && link->key == key)
		return;
	heap_remove(heap, link);
	link->key = key;
	set_first(heap, join(heap->first, link));
}
