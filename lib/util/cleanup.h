/* SPDX-License-Identifier: MIT */
/* cleanup.h - variables that release their resource when they go out of scope */
#ifndef CLEANUP_H
#define CLEANUP_H

#include <errno.h>
#include <stdlib.h>

#include "util/fd.h"

static inline void cleanup_close(int *fd)
{
	int saved = errno;

	fd_close(*fd);
	errno = saved;
}

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

#define CLEANUP_CLOSE __attribute__((cleanup(cleanup_close)))
#define CLEANUP_FREE __attribute__((cleanup(cleanup_free)))

#endif
