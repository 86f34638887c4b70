/* SPDX-License-Identifier: MIT */
/* values.c - parsers of option values, which must match completely */
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "values.h"

#define SECONDS_MAX 86400U

static int find_choice(const char *word, size_t length, const char *choices)
{
	size_t width;

	for (int index = 0;; index++) {
		width = strcspn(choices, "|");
		if (width == length && memcmp(choices, word, length) == 0)
			return index;
		if (choices[width] == '\0')
			return -1;
		choices += width + 1;
	}
}

int values_choice(const char *word, const char *choices)
{
	return find_choice(word, strlen(word), choices);
}

bool values_list(const char *list, const char *choices, unsigned int *bits)
{
	unsigned int found = 0;
	size_t width;
	int index;

	for (;; list += width + 1) {
		width = strcspn(list, ",");
		index = find_choice(list, width, choices);
		if (index < 0)
			return false;
		found |= 1U << index;
		if (list[width] == '\0')
			break;
	}
	*bits = found;
	return true;
}

static bool is_digit(char byte)
{
	return byte >= '0' && byte <= '9';
}

/* Reads digits up to the first other byte. Returns false if the value exceeds `max`. */
static bool read_digits(const char **word, uint64_t max, uint64_t *value)
{
	uint64_t sum = 0;

	for (; is_digit(**word); (*word)++) {
		sum = sum * 10 + (uint64_t)(**word - '0');
		if (sum > max)
			return false;
	}
	*value = sum;
	return true;
}

/* Reads the digits after the decimal point as milliseconds, rounded up. */
static uint64_t read_fraction(const char **word)
{
	uint64_t milliseconds = 0, digit, unit = 100;
	bool rest = false;

	for (; is_digit(**word); (*word)++) {
		digit = (uint64_t)(**word - '0');
		milliseconds += digit * unit;
		rest |= unit == 0 && digit > 0;
		unit /= 10;
	}
	return milliseconds + rest;
}

bool values_seconds(const char *word, unsigned int *milliseconds)
{
	uint64_t seconds, fraction = 0;

	if (!is_digit(word[0]) && !(word[0] == '.' && is_digit(word[1])))
		return false;
	if (!read_digits(&word, SECONDS_MAX, &seconds))
		return false;
	if (*word == '.') {
		word++;
		fraction = read_fraction(&word);
	}
	fraction += seconds * 1000;
	if (*word != '\0' || fraction == 0 || fraction > SECONDS_MAX * 1000)
		return false;
	*milliseconds = (unsigned int)fraction;
	return true;
}

bool values_pid(const char *word, pid_t *pid)
{
	uint64_t number;

	if (!is_digit(*word) || !read_digits(&word, INT_MAX, &number) || *word != '\0' ||
	    number == 0)
		return false;
	*pid = (pid_t)number;
	return true;
}

bool values_number(const char *word, unsigned int max, unsigned int *number)
{
	uint64_t value;

	if (!is_digit(*word) || !read_digits(&word, max, &value) || *word != '\0')
		return false;
	*number = (unsigned int)value;
	return true;
}

static bool read_port(const char **word, unsigned int *port)
{
	uint64_t value;

	if (!is_digit(**word) || !read_digits(word, VALUES_PORT_MAX, &value) || value == 0)
		return false;
	*port = (unsigned int)value;
	return true;
}

bool values_ports(const char *list, struct values_ports *ports)
{
	struct values_ports found = {.count = 0};
	unsigned int first, last;

	for (;; list++) {
		if (found.count == VALUES_PORTS_MAX || !read_port(&list, &first))
			return false;
		last = first;
		if (*list == '-') {
			list++;
			if (!read_port(&list, &last) || last < first)
				return false;
		}
		found.ranges[found.count].first = first;
		found.ranges[found.count++].last = last;
		if (*list == '\0')
			break;
		if (*list != ',')
			return false;
	}
	*ports = found;
	return true;
}

bool values_has_port(const struct values_ports *ports, unsigned int port)
{
	for (size_t i = 0; i < ports->count; i++) {
		if (port >= ports->ranges[i].first && port <= ports->ranges[i].last)
			return true;
	}
	return ports->count == 0;
}
