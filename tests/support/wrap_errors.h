/* SPDX-License-Identifier: MIT */
/* wrap_errors.h - in which ways each call can fail */
#ifndef WRAP_ERRORS_H
#define WRAP_ERRORS_H

#include "wrap.h"

/* The ways of one call: errnos, or (negative) that it transfers at most so many bytes; 0 ends them.
 * NULL for one that isn't known. */
const int *wrap_errors(const char *call);

/* The name of such an errno, and back; NULL and 0 for one that isn't in use here. Not every libc
 * has strerrorname_np(3). */
const char *wrap_error_name(int error);
int wrap_error_number(const char *name);

/* Makes the nth call fail in one of these ways, once. */
void wrap_fail_by(const char *call, enum wrap_where where, unsigned int nth, int way);

#endif
