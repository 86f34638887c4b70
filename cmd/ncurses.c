/* SPDX-License-Identifier: MIT */
/* ncurses.c - loads ncurses
 *
 * The name of the library has no slash, and pwatch has no path of its own to search, so the loader
 * finds the same file as for a library that pwatch is linked with. It ignores LD_LIBRARY_PATH if
 * exec has given privileges (AT_SECURE). */
#include "ncurses.h"

#if HAVE_NCURSES

#ifdef NCURSES_SONAME

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The library stays loaded until pwatch ends. */
const struct ncurses *ncurses_load(void)
{
	static const struct {
		const char *name;
		size_t offset;
	} functions[] = {
#define FUNCTION(name) {#name, offsetof(struct ncurses, name)},
		NCURSES_FUNCTIONS(FUNCTION)
#undef FUNCTION
	};
	static struct ncurses ncurses;
	static bool loaded;
	void *library = loaded ? NULL : dlopen(NCURSES_SONAME, RTLD_NOW | RTLD_LOCAL);

	if (!loaded && !library)
		return NULL;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]) && !loaded; i++) {
		/* POSIX makes pointers to functions and to objects equally large. */
		void *address = dlsym(library, functions[i].name);

		if (!address)
			return NULL;
		memcpy((char *)&ncurses + functions[i].offset, &address, sizeof(address));
	}
	loaded = true;
	return &ncurses;
}

#else /* linked */

const struct ncurses *ncurses_load(void)
{
	static const struct ncurses ncurses = {
#define FUNCTION(name) .name = name,
		NCURSES_FUNCTIONS(FUNCTION)
#undef FUNCTION
	};

	return &ncurses;
}

#endif

#endif
