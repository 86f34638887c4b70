/* SPDX-License-Identifier: MIT */
/* vdso.h - detects Linux by the note in the page that the kernel maps into every process, vdso(7)
 *
 * Linux adds a note with the owner "Linux" and its version to this page. No other place reliably
 * distinguishes a kernel that imitates Linux: its uname(2) and file systems have the same names.
 * The known imitations have no such note. */
#ifndef VDSO_H
#define VDSO_H

#include <stdbool.h>

/* Whether the note identifies the kernel as Linux. Returns false also if this is unknown (no vDSO,
 * as under valgrind). No locks, no memory: usable in a forked child. */
bool vdso_is_linux(void);

/* The same for an image in memory; NULL: none. Reads only the segments that the image describes.
 */
bool vdso_says_linux(const void *image);

#endif
