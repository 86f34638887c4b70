/* SPDX-License-Identifier: MIT */
/* fuzz_closes.c - any bytes as a report of the kernel about a closed socket */
#include "fuzz.h"
#include "table/closes.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	/* The memory ends with the input, and its address is odd. */
	uint8_t *memory = malloc(size + 1);
	struct closes closes = {0};

	REQUIRE(memory);
	if (size > 0)
		memcpy(memory + 1, bytes, size);
	closes_parse(memory + 1, size, &closes);
	REQUIRE(closes.listeners + closes.samples <= 1);
	free(memory);
	return 0;
}
