/* SPDX-License-Identifier: MIT */
/* fuzz_parse.c - any bytes as /proc/PID/stat */
#include <limits.h>

#include "fuzz.h"
#include "proc/procfs.h"

#define LAST_FIELD 22

static uint64_t field_value(const struct process_stat *stat, int field)
{
	switch (field) {
	case 4:
		return (uint64_t)stat->ppid;
	case 9:
		return stat->exiting ? 4 : 0;
	case 20:
		return stat->threads;
	case LAST_FIELD:
		return stat->start_time;
	default:
		return 0;
	}
}

/* Writes the line as the kernel does. */
static size_t format(char text[1024], const struct process_stat *stat)
{
	char *at = text + sprintf(text, "%d (", (int)stat->pid);
	size_t size = sizeof(stat->name);

	while (size > 0 && stat->name[size - 1] == '\0')
		size--;
	memcpy(at, stat->name, size);
	at += size;
	at += sprintf(at, ") ");
	*at++ = stat->state;
	for (int field = 4; field <= LAST_FIELD; field++)
		at += sprintf(at, " %llu", (unsigned long long)field_value(stat, field));
	return (size_t)(at - text);
}

static void check(const struct process_stat *stat)
{
	struct process_stat again;
	char text[1024];

	REQUIRE(stat->pid >= 0 && stat->ppid >= 0);
	REQUIRE(memchr(stat->name, '\0', sizeof(stat->name)));
	REQUIRE(procfs_parse_stat(text, format(text, stat), &again) == 0);
	REQUIRE(again.pid == stat->pid && again.ppid == stat->ppid);
	REQUIRE(again.state == stat->state && again.threads == stat->threads);
	REQUIRE(again.exiting == stat->exiting && again.start_time == stat->start_time);
	REQUIRE(memcmp(again.name, stat->name, sizeof(stat->name)) == 0);
	REQUIRE(procfs_is_dead(&again) == procfs_is_dead(stat));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct process_stat stat = {.pid = -1};
	char *text = fuzz_string(bytes, size);

	if (procfs_parse_stat(text, size, &stat) == 0)
		check(&stat);
	free(text);
	return 0;
}
