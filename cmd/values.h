/* SPDX-License-Identifier: MIT */
/* values.h - the values that options take, read strictly: the whole word or nothing */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
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

#endif
