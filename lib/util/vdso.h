/* SPDX-License-Identifier: MIT */
/* vdso.h - what the kernel says of itself in the page that it maps into every process, vdso(7)
 *
 * Linux puts a note into it, of the owner "Linux", with its version. A kernel that only imitates
 * Linux says so in no other place that can be relied on: its uname(2) and file systems carry the
 * same names. The imitations that are known have no such note. */
#ifndef VDSO_H
#define VDSO_H

#include <stdbool.h>

/* Whether the kernel is Linux by its own word. False also where that is unknown (no vDSO, as
 * under valgrind). No locks, no memory: usable in a forked child. */
bool vdso_is_linux(void);

/* The same of an image in memory; NULL: none. Reads no further than the segments that it describes.
 */
bool vdso_says_linux(const void *image);

#endif
