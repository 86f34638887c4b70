/* SPDX-License-Identifier: MIT */
/* number.h - decimal numbers: parsed from untrusted bytes, and written. Pure. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Parses a number at the front of [*at, end): digits only, no sign, no blanks. Returns false, with
 * *at undefined, if there is none or if it does not fit. */
static inline bool decimal_parse(const char **at, const char *end, uint64_t *value)
{
	const char *start = *at;

	for (*value = 0; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
		uint64_t digit = (uint64_t)(**at - '0');

		if (*value > (UINT64_MAX - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	return *at > start;
}

/* Writes a number, at most 20 characters, and returns the end of what was written. */
static inline char *decimal_write(char *buffer, uint64_t number)
{
	char digits[20];
	int count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (count > 0)
		*buffer++ = digits[--count];
	return buffer;
}

/* Writes "NUMBER" and the text, with its NUL. The functions of stdio take several times as long,
 * most of all when they have not run for a while. */
static inline void decimal_write_path(char *buffer, uint64_t number, const char *text)
{
	memcpy(decimal_write(buffer, number), text, strlen(text) + 1);
}

#endif
