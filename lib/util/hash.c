/* SPDX-License-Identifier: MIT */
/* hash.c - hash tables by number, the links inside the objects */
#include <stdlib.h>

#include "util/hash.h"

#define FIRST_BUCKETS 16

void hash_init(struct hash *hash)
{
	*hash = (struct hash){.bucket_count = 1};
}

void hash_clear(struct hash *hash)
{
	free(hash->buckets);
	hash_init(hash);
}

/* Spreads consecutive numbers and multiples of a number well. */
static size_t spread(uint64_t number)
{
	return (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static struct hash_link **bucket(const struct hash *hash, uint64_t number)
{
	if (!hash->buckets)
		return (struct hash_link **)&hash->first;
	return &hash->buckets[spread(number) & (hash->bucket_count - 1)];
}

/* Moves the links of one bucket of the old table into the new one. */
static void move(struct hash *hash, struct hash_link *link)
{
	while (link) {
		struct hash_link *next = link->next, **head = bucket(hash, link->number);

		link->next = *head;
		*head = link;
		link = next;
	}
}

static void grow(struct hash *hash)
{
	struct hash old = *hash;
	size_t count = old.buckets ? old.bucket_count * 2 : FIRST_BUCKETS;
	struct hash_link **buckets = calloc(count, sizeof(*buckets));

	if (!buckets)
		return;
	hash->buckets = buckets;
	hash->bucket_count = count;
	hash->first = NULL;
	if (!old.buckets)
		move(hash, old.first);
	for (size_t i = 0; old.buckets && i < old.bucket_count; i++)
		move(hash, old.buckets[i]);
	free(old.buckets);
}

void hash_add(struct hash *hash, struct hash_link *link, uint64_t number)
{
	struct hash_link **head;

	if (hash->count >= hash->bucket_count * 2)
		grow(hash);
	head = bucket(hash, number);
	link->number = number;
	link->next = *head;
	*head = link;
	hash->count++;
}

void hash_remove(struct hash *hash, struct hash_link *link)
{
	struct hash_link **at = bucket(hash, link->number);

	while (*at && *at != link)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = link->next;
	hash->count--;
}

struct hash_link *hash_find(const struct hash *hash, uint64_t number)
{
	struct hash_link *link = *bucket(hash, number);

	while (link && link->number != number)
		link = link->next;
	return link;
}

struct hash_link *hash_next(const struct hash_link *link)
{
	uint64_t number = link->number;

	do
		link = link->next;
	while (link && link->number != number);
	return (struct hash_link *)link;
}
