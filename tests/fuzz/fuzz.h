/* SPDX-License-Identifier: MIT */
/* fuzz.h - functions that all fuzz targets share */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The target. The fuzzer or replay_main.c calls this function with one input after the other. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static inline _Noreturn void fuzz_fail(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: the condition is false: %s\n", file, line, condition);
	abort();
}

/* A condition that must be true for every input. */
#define REQUIRE(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

/* Copies bytes into a string. The memory has exactly the size of the string, so that a sanitizer
 * reports a read past its end. The caller frees the string. */
static inline char *fuzz_string(const uint8_t *bytes, size_t size)
{
	char *string = malloc(size + 1);

	REQUIRE(string);
	if (size > 0)
		memcpy(string, bytes, size);
	string[size] = '\0';
	return string;
}

/* Removes bytes from the front of the input. Bytes past its end are 0. */
static inline void fuzz_take(const uint8_t **bytes, size_t *size, void *to, size_t count)
{
	size_t available = count < *size ? count : *size;

	memset(to, 0, count);
	if (available == 0)
		return;
	memcpy(to, *bytes, available);
	*bytes += available;
	*size -= available;
}

#endif
