/* SPDX-License-Identifier: MIT */
/* wrap_errors.h - the ways in which each call can fail */
#ifndef WRAP_ERRORS_H
#define WRAP_ERRORS_H

#include "wrap.h"

/* Returns the ways in which one call can fail: errnos, or a negative number: the call transfers at
 * most so many bytes. 0 ends the list. Returns NULL for an unknown call. */
const int *wrap_errors(const char *call);

/* Return the name of such an errno, and the errno of a name; NULL and 0 if unknown. Not every libc
 * has strerrorname_np(3). */
const char *wrap_error_name(int error);
int wrap_error_number(const char *name);

/* Makes the nth call fail in one of these ways, once. */
void wrap_fail_by(const char *call, enum wrap_where where, unsigned int nth, int way);

#endif
