/* SPDX-License-Identifier: MIT */
/* test_step.c - the steps of a reader, and their way through the pipe of a child */
#include <ctype.h>
#include <string.h>

#include "support/check_main.h"
#include "table/frame.h"
#include "table/step.h"

/* The steps that a child reports, because it fails at them itself. */
static const char *const of_children[] = {
	STEP_MEMORY,    STEP_ARRANGE_FDS, STEP_SETNS,     STEP_PRIVILEGES,   STEP_OPEN_TEXT,
	STEP_OPEN_DIAG, STEP_READ_TEXT,   STEP_READ_DIAG, STEP_NSENTER_EXEC,
};
#define OF_CHILDREN (sizeof(of_children) / sizeof(of_children[0]))

/* The steps of the library itself. */
static const char *const others[] = {
	STEP_KIND,          STEP_FIND_PROCESS,      STEP_OPEN_NETNS,   STEP_CHECK_NETNS,
	STEP_REACH_NETNS,   STEP_LOCAL_NETNS,       STEP_MAKE_PIPES,   STEP_START_CHILD,
	STEP_PARSE,         STEP_HEAR_CLOSES,       STEP_ASK,          STEP_ANSWER,
	STEP_PROTOCOL,      STEP_NSENTER_AT_SECURE, STEP_NSENTER_FIND, STEP_NSENTER_RUN,
	STEP_NSENTER_TABLE, STEP_PROCFS_TABLE,
};
#define OTHERS (sizeof(others) / sizeof(others[0]))

static const char *step(size_t i)
{
	return i < OF_CHILDREN ? of_children[i] : others[i - OF_CHILDREN];
}

/* Copies the text, so that it is at another address, as after its way through a pipe. */
static const char *find(const char *text, size_t size)
{
	char copy[FRAME_NOTE_MAX];

	ck_assert_uint_le(size, sizeof(copy));
	memcpy(copy, text, size);
	return step_find(copy, size);
}

/* Callers compare steps by their addresses. */
START_TEST(the_steps_of_children_are_found)
{
	for (size_t i = 0; i < OF_CHILDREN; i++)
		ck_assert_ptr_eq(find(of_children[i], strlen(of_children[i])), of_children[i]);
}
END_TEST

/* A helper that is not genuine cannot claim that a step of the library has failed. */
START_TEST(the_steps_of_the_library_are_not)
{
	for (size_t i = 0; i < OTHERS; i++)
		ck_assert_ptr_eq(find(others[i], strlen(others[i])), STEP_ANSWER);
}
END_TEST

START_TEST(only_the_whole_text_counts)
{
	char text[FRAME_NOTE_MAX];

	ck_assert_ptr_eq(step_find("", 0), STEP_ANSWER);
	for (size_t i = 0; i < OF_CHILDREN; i++) {
		size_t size = strlen(of_children[i]);

		memcpy(text, of_children[i], size + 1);
		ck_assert_ptr_eq(find(text, size - 1), STEP_ANSWER);
		ck_assert_ptr_eq(find(text + 1, size - 1), STEP_ANSWER);
		/* With the NUL byte. */
		ck_assert_ptr_eq(find(text, size + 1), STEP_ANSWER);
		text[size - 1] ^= 1;
		ck_assert_ptr_eq(find(text, size), STEP_ANSWER);
	}
}
END_TEST

START_TEST(each_completes_a_message)
{
	for (size_t i = 0; i < OF_CHILDREN + OTHERS; i++) {
		size_t size = strlen(step(i));

		/* The text follows "cannot ". */
		ck_assert_msg(islower((unsigned char)step(i)[0]), "%s", step(i));
		ck_assert_msg(isalpha((unsigned char)step(i)[size - 1]) || step(i)[size - 1] == ')',
		              "%s", step(i));
		/* A frame has room for the text. */
		ck_assert_uint_lt(size, FRAME_NOTE_MAX);
		for (size_t other = 0; other < i; other++)
			ck_assert_str_ne(step(i), step(other));
	}
}
END_TEST

static Suite *make(void)
{
	Suite *suite = suite_create("step");
	TCase *all = tcase_create("step");

	tcase_add_test(all, the_steps_of_children_are_found);
	tcase_add_test(all, the_steps_of_the_library_are_not);
	tcase_add_test(all, only_the_whole_text_counts);
	tcase_add_test(all, each_completes_a_message);
	suite_add_tcase(suite, all);
	return suite;
}

int main(int argc, char **argv)
{
	return check_main(argc, argv, make);
}
