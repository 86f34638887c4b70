/* SPDX-License-Identifier: MIT */
/* fuzz_cpu_list.c - any bytes as a list of CPUs */
#include "notify/cpu_list.h"
#include "fuzz.h"

/* Each CPU of the list is below the limit, and the limit is as low as possible. */
static void check(const char *list, const char *end)
{
	uint64_t limit = cpu_list_limit(list, end), first, last;
	const char *at = list;

	REQUIRE(limit == 0 || cpu_list_has(list, end, limit - 1));
	REQUIRE(!cpu_list_has(list, end, limit));
	for (uint64_t cpu = 0; cpu < 256; cpu++)
		REQUIRE(cpu < limit || !cpu_list_has(list, end, cpu));
	while (cpu_list_next(&at, end, &first, &last)) {
		REQUIRE(at > list && at <= end);
		REQUIRE(first <= last && last < limit);
		REQUIRE(cpu_list_has(list, end, first) && cpu_list_has(list, end, last));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *list = fuzz_string(bytes, size);

	check(list, list + size);
	free(list);
	return 0;
}
