/* SPDX-License-Identifier: MIT */
/* heap.h - objects in the order of a number, such as the time when they are due; the links inside
 * the objects
 *
 * A pairing heap: adding takes constant time, and removing takes logarithmic time on average.
 * No operation allocates memory, so none can fail. */
#ifndef HEAP_H
#define HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A zeroed link is in no heap. */
struct heap_link {
	uint64_t key;
	struct heap_link *child;
	struct heap_link *next;     /* the next child of the same parent */
	struct heap_link *previous; /* the one before it, or the parent; itself at the top */
};

/* A zeroed heap is empty. */
struct heap {
	struct heap_link *first;
};

/* Adds a link, or moves it to another place. */
void heap_set(struct heap *heap, struct heap_link *link, uint64_t key);
/* Removes a link, if it is in the heap. */
void heap_remove(struct heap *heap, struct heap_link *link);

/* The link with the smallest key; NULL if the heap is empty. */
static inline struct heap_link *heap_first(const struct heap *heap)
{
	return heap->first;
}

/* That key; UINT64_MAX if the heap is empty. */
static inline uint64_t heap_key(const struct heap *heap)
{
	return heap->first ? heap->first->key : UINT64_MAX;
}

#endif
