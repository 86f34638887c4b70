/* SPDX-License-Identifier: MIT */
/* values.h - parsers of option values, which must match completely */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The position of `word` among `choices`, which are separated by '|'; -1 if it is not there.
 */
int values_choice(const char *word, const char *choices);

/* Parses a list of choices, separated by commas, into bits: 1 for the first choice, 2 for the
 * second, and so on. Returns false if the list is empty or contains another word. */
bool values_list(const char *list, const char *choices, unsigned int *bits);

/* Parses seconds with decimals, from 0.001 to 86400, into milliseconds, rounded up. */
bool values_seconds(const char *word, unsigned int *milliseconds);

/* Parses a process ID: decimal digits, from 1 to 2147483647. */
bool values_pid(const char *word, pid_t *pid);

/* Parses a number from 0 to `max`: decimal digits. */
bool values_number(const char *word, unsigned int max, unsigned int *number);

#define VALUES_PORT_MAX 65535U
#define VALUES_PORTS_MAX 32

/* A set of port numbers; without a range, all ports. */
struct values_ports {
	struct {
		unsigned int first, last;
	} ranges[VALUES_PORTS_MAX];
	size_t count;
};

/* Parses a list of ports from 1 to 65535 and ranges of ports, such as 80,3000-3999. */
bool values_ports(const char *list, struct values_ports *ports);
bool values_has_port(const struct values_ports *ports, unsigned int port);

#endif
