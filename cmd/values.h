/* SPDX-License-Identifier: MIT */
/* values.h - the values that options take, read strictly: the whole word or nothing */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The position of word among those of choices, which are separated by '|'; -1 where it isn't one.
 */
int values_choice(const char *word, const char *choices);

/* A list of choices separated by commas, as bits: 1 for the first choice, 2 for the second. False
 * where it is empty or has a word that isn't a choice. */
bool values_list(const char *list, const char *choices, unsigned int *bits);

/* Seconds with decimals, from 0.001 to 86400, as milliseconds; finer ones are rounded up. */
bool values_seconds(const char *word, unsigned int *milliseconds);

/* A process ID: decimal digits, from 1 to 2147483647. */
bool values_pid(const char *word, pid_t *pid);

/* A number from 0 to max: decimal digits. */
bool values_number(const char *word, unsigned int max, unsigned int *number);

#define VALUES_PORT_MAX 65535U
#define VALUES_PORTS_MAX 32

/* Port numbers; without a range all of them. */
struct values_ports {
	struct {
		unsigned int first, last;
	} ranges[VALUES_PORTS_MAX];
	size_t count;
};

/* A list of ports from 1 to 65535 and of ranges of them, such as 80,3000-3999. */
bool values_ports(const char *list, struct values_ports *ports);
bool values_has_port(const struct values_ports *ports, unsigned int port);

#endif
