/* SPDX-License-Identifier: MIT */
/* check_main.h - the main function of a test program */
#ifndef CHECK_MAIN_H
#define CHECK_MAIN_H

#include <check.h>
#include <stdbool.h>

/* Runs the suite that make() returns and prints Check's closing line. Each case runs in a process
 * of its own unless the environment has CK_FORK=no. An argument selects one case (TCase). Returns
 * the exit status: 0, 1 if a case failed, 77 if all cases were skipped. */
int check_main(int argc, char **argv, Suite *(*make)(void));

/* Returns whether each case runs in a process of its own. */
bool check_forks(void);

#endif
