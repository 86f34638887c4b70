/* SPDX-License-Identifier: MIT */
/* mapping.h - the lines of /proc/PID/maps. Pure: no I/O, no allocation; usable in a forked child.
 */
#ifndef MAPPING_H
#define MAPPING_H

#include <stdbool.h>
#include <stdint.h>

struct range {
	uintptr_t start;
	uintptr_t end;
};

struct mapping {
	struct range range;
	bool private;
	bool anonymous;
	bool heap; /* may follow a .bss without a gap */
	uint64_t inode;
};

/* Parses "start-end perms offset major:minor inode name" (proc(5)). False where it is no such line.
 */
bool mapping_parse(const char *line, struct mapping *mapping);

#endif
