/* SPDX-License-Identifier: MIT */
/* cpu_list.h - the kernel's lists of CPUs, such as "0-3,8" */
#ifndef CPU_LIST_H
#define CPU_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "util/number.h"

/* Parses the first range at the front of [*at, end). Returns false at the end of the list, and for
 * invalid text. */
static inline bool cpu_list_next(const char **at, const char *end, uint64_t *first, uint64_t *last)
{
	if (!decimal_parse(at, end, first))
		return false;
	*last = *first;
	if (*at < end && **at == '-') {
		(*at)++;
		if (!decimal_parse(at, end, last) || *last < *first)
			return false;
	}
	if (*last == UINT64_MAX) /* no limit can be above it */
		return false;
	if (*at < end && **at == ',')
		(*at)++;
	return true;
}

static inline bool cpu_list_has(const char *list, const char *end, uint64_t cpu)
{
	uint64_t first, last;

	while (cpu_list_next(&list, end, &first, &last))
		if (cpu >= first && cpu <= last)
			return true;
	return false;
}

/* One more than the highest number in the list; 0 for an empty one. */
static inline uint64_t cpu_list_limit(const char *list, const char *end)
{
	uint64_t first, last, limit = 0;

	while (cpu_list_next(&list, end, &first, &last))
		if (last >= limit)
			limit = last + 1;
	return limit;
}

#endif
