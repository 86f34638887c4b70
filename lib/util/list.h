/* SPDX-License-Identifier: MIT */
/* list.h - circular doubly linked lists, the links inside the objects */
#ifndef LIST_H
#define LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *previous;
};

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Walks all objects of a list; the current one may be removed and freed. */
#define list_each(object, head, type, member)                                                      \
	list_each_(object, head, type, member, LIST_NAME(each, __LINE__),                          \
	           LIST_NAME(after, __LINE__))
#define list_each_(object, head, type, member, each, after)                                        \
	for (struct list *each = (head)->next, *after = (each)->next;                              \
	     each != (head) && ((object) = container_of(each, type, member), true);                \
	     each = after, after = (each)->next)
/* Names of their own for nested walks. */
#define LIST_NAME(name, line) LIST_PASTE(name, line)
#define LIST_PASTE(name, line) name##_at_##line

static inline void list_init(struct list *list)
{
	list->next = list;
	list->previous = list;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_append(struct list *list, struct list *link)
{
	link->next = list;
	link->previous = list->previous;
	list->previous->next = link;
	list->previous = link;
}

/* Moves all of `from` to the end of `list`. */
static inline void list_splice(struct list *list, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->previous = list->previous;
	list->previous->next = from->next;
	from->previous->next = list;
	list->previous = from->previous;
	list_init(from);
}

/* Removes a link. The link becomes a list of its own, so that it may be removed again. */
static inline void list_remove(struct list *link)
{
	link->previous->next = link->next;
	link->next->previous = link->previous;
	list_init(link);
}

/* Moves a link, which may be in a list, to the end of a list. list_append() of a link that is in a
 * list would corrupt both lists. */
static inline void list_move(struct list *list, struct list *link)
{
	list_remove(link);
	list_append(list, link);
}

#endif
