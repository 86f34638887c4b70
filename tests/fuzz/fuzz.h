/* SPDX-License-Identifier: MIT */
/* fuzz.h - what the fuzz targets have in common */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The target: the fuzzer, or replay_main.c, calls it with one input after the other. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static inline _Noreturn void fuzz_fail(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: this doesn't hold: %s\n", file, line, condition);
	abort();
}

/* What must hold whatever the input is. */
#define REQUIRE(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

/* A string in memory of exactly its size, so that a sanitizer notices each byte too many. To be
 * freed. */
static inline char *fuzz_string(const uint8_t *bytes, size_t size)
{
	char *string = malloc(size + 1);

	REQUIRE(string);
	if (size > 0)
		memcpy(string, bytes, size);
	string[size] = '\0';
	return string;
}

/* Takes bytes off the front of the input; where it has no more they are 0. */
static inline void fuzz_take(const uint8_t **bytes, size_t *size, void *to, size_t count)
{
	size_t there = count < *size ? count : *size;

	memset(to, 0, count);
	if (there == 0)
		return;
	memcpy(to, *bytes, there);
	*bytes += there;
	*size -= there;
}

#endif
