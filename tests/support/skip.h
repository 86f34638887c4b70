/* SPDX-License-Identifier: MIT */
/* skip.h - skips test cases that cannot run on this machine */
#ifndef SKIP_H
#define SKIP_H

/* Ends the running test case as skipped and prints the reason to standard error. If the environment
 * has PORTWATCH_TEST_NO_SKIP, the case fails instead. A program whose cases were all skipped exits
 * with 77. Only the thread of the test case may call this function. */
_Noreturn void test_skip(const char *reason, ...) __attribute__((format(printf, 1, 2)));

/* For check_main(): starts counting the skipped cases, including those in forked children. */
void skip_begin(void);
int skip_count(void);

/* For cases that leave the process in which Check runs them: the child reports a skip with this
 * exit status, see sandbox_run_as_nobody(). */
#define SKIP_STATUS 77

#endif
