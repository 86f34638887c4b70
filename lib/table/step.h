/* SPDX-License-Identifier: MIT */
/* step.h - the steps of a reader that can fail (failure.h). A child reports a step by its text. */
#ifndef STEP_H
#define STEP_H

#include <stddef.h>

extern const char STEP_KIND[];
extern const char STEP_FIND_PROCESS[];
extern const char STEP_OPEN_NETNS[];
extern const char STEP_CHECK_NETNS[];
extern const char STEP_REACH_NETNS[];
extern const char STEP_LOCAL_NETNS[];
extern const char STEP_MAKE_PIPES[];
extern const char STEP_START_CHILD[];
extern const char STEP_MEMORY[];
extern const char STEP_ARRANGE_FDS[];
extern const char STEP_SETNS[];
extern const char STEP_PRIVILEGES[];
extern const char STEP_OPEN_TEXT[];
extern const char STEP_OPEN_DIAG[];
extern const char STEP_READ_TEXT[];
extern const char STEP_READ_DIAG[];
extern const char STEP_PARSE[];
extern const char STEP_HEAR_CLOSES[];
extern const char STEP_ASK[];
extern const char STEP_ANSWER[];
extern const char STEP_PROTOCOL[];
extern const char STEP_NSENTER_AT_SECURE[];
extern const char STEP_NSENTER_FIND[];
extern const char STEP_NSENTER_EXEC[];
extern const char STEP_NSENTER_RUN[];
extern const char STEP_NSENTER_TABLE[];
extern const char STEP_PROCFS_TABLE[];

/* The step whose text a child has sent; STEP_ANSWER for an unknown text. */
const char *step_find(const char *text, size_t size);

#endif
