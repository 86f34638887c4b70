/* SPDX-License-Identifier: MIT */
/* check_main.h - the main function of a test program */
#ifndef CHECK_MAIN_H
#define CHECK_MAIN_H

#include <check.h>
#include <stdbool.h>

/* Runs the suite that make() returns, each case in a process of its own unless the environment has
 * CK_FORK=no, and prints Check's closing line. An argument names the one case (TCase) to run.
 * Returns the exit status: 0, 1 when a case failed, 77 when all were skipped. */
int check_main(int argc, char **argv, Suite *(*make)(void));

/* Whether each case runs in a process of its own. */
bool check_forks(void);

#endif
