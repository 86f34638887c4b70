/* SPDX-License-Identifier: MIT */
/* skip.c - skips test cases that cannot run on this machine */
#include <check.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "check_main.h"
#include "skip.h"

/* In shared memory, because Check forks a process for each case. */
static atomic_int *skipped;

void skip_begin(void)
{
	void *page = mmap(NULL, sizeof(*skipped), PROT_READ | PROT_WRITE,
	                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page != MAP_FAILED)
		skipped = page;
}

int skip_count(void)
{
	return skipped ? atomic_load(skipped) : 0;
}

void test_skip(const char *reason, ...)
{
	const char *refused = getenv("PORTWATCH_TEST_NO_SKIP");
	char text[512];
	va_list arguments;

	va_start(arguments, reason);
	vsnprintf(text, sizeof(text), reason, arguments);
	va_end(arguments);
	if (refused && *refused != '\0')
		ck_abort_msg("may not be skipped: %s", text);
	/* Without a fork, the function could only end the whole program. */
	if (!check_forks())
		ck_abort_msg("to be skipped, which takes CK_FORK=yes: %s", text);
	fprintf(stderr, "SKIP: %s: %s\n", tcase_name(), text);
	if (skipped)
		atomic_fetch_add(skipped, 1);
	exit(EXIT_SUCCESS);
}
