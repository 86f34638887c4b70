/* SPDX-License-Identifier: MIT */
/* hash.h - hash tables by number, the links inside the objects
 *
 * Several objects may have the same number. No operation can fail: without memory for more buckets,
 * the existing ones only get longer. */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_link {
	struct hash_link *next;
	uint64_t number;
};

struct hash {
	struct hash_link **buckets;
	struct hash_link *first; /* the only bucket of a small table */
	size_t bucket_count;     /* a power of two */
	size_t count;
};

void hash_init(struct hash *hash);
/* Frees the buckets. The objects belong to the caller. */
void hash_clear(struct hash *hash);

void hash_add(struct hash *hash, struct hash_link *link, uint64_t number);
/* Removes a link that is in the table. */
void hash_remove(struct hash *hash, struct hash_link *link);

/* The first link with this number, and the next with the same number; NULL if there is none. */
struct hash_link *hash_find(const struct hash *hash, uint64_t number);
struct hash_link *hash_next(const struct hash_link *link);

#endif
