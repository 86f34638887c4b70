/* SPDX-License-Identifier: MIT */
/* fuzz_mapping.c - any string as a line of /proc/PID/maps, in which another user can choose the
 * file name */
#include "fuzz.h"
#include "proc/parse.h"

/* Writes the line as the kernel does, and parses it again. */
static void check_again(const struct mapping *mapping)
{
	const char *name = mapping->heap ? "[heap]" : mapping->anonymous ? "" : "/lib/name";
	struct mapping again;
	char line[256];

	snprintf(line, sizeof(line), "%llx-%llx rw-%c 00000000 fe:01 %llx %s",
	         (unsigned long long)mapping->range.start, (unsigned long long)mapping->range.end,
	         mapping->private ? 'p' : 's', (unsigned long long)mapping->inode, name);
	REQUIRE(mapping_parse(line, &again));
	REQUIRE(again.range.start == mapping->range.start && again.range.end == mapping->range.end);
	REQUIRE(again.private == mapping->private && again.inode == mapping->inode);
	REQUIRE(again.anonymous == mapping->anonymous && again.heap == mapping->heap);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *line = fuzz_string(bytes, size);
	struct mapping mapping;

	if (mapping_parse(line, &mapping)) {
		/* The helper may unmap anonymous memory only. Memory with a file is not anonymous.
		 */
		REQUIRE(!mapping.anonymous || mapping.inode == 0);
		check_again(&mapping);
	}
	free(line);
	return 0;
}
