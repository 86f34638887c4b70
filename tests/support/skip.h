/* SPDX-License-Identifier: MIT */
/* skip.h - test cases that cannot run here say so */
#ifndef SKIP_H
#define SKIP_H

/* Ends the running test case as skipped, with the reason on standard error; where the environment
 * has PORTWATCH_TEST_NO_SKIP it fails instead. A program all of whose cases were skipped exits
 * with 77. To be called from the thread of the test case. */
_Noreturn void test_skip(const char *reason, ...) __attribute__((format(printf, 1, 2)));

/* For check_main(): counts the skipped cases from here on, those of forked children included. */
void skip_begin(void);
int skip_count(void);

/* For cases that leave the process in which Check runs them: such a child reports its skip with
 * this exit status, see sandbox_run(). */
#define SKIP_STATUS 77

#endif
