/* SPDX-License-Identifier: MIT */
/* array.h - arrays that grow */
#ifndef ARRAY_H
#define ARRAY_H

#include <stddef.h>
#include <stdlib.h>

/* Makes room for one more row in a malloc()ed array of `count` rows: doubles a full one. Returns
 * the array, perhaps in another place. NULL without memory: then the array is as it was. */
static inline void *array_grow(void *rows, size_t *capacity, size_t count, size_t row_size)
{
	size_t wanted = *capacity ? *capacity * 2 : 64;
	void *grown;

	if (count < *capacity)
		return rows;
	grown = realloc(rows, wanted * row_size);
	if (grown)
		*capacity = wanted;
	return grown;
}

#endif
