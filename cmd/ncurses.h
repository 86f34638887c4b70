/* SPDX-License-Identifier: MIT */
/* ncurses.h - the functions of ncurses that --live uses
 *
 * pwatch loads ncurses when --live asks for it, because it takes longer to load than any other
 * library, and no other option needs it. A static pwatch is linked with it. */
#ifndef PWATCH_NCURSES_H
#define PWATCH_NCURSES_H

#if HAVE_NCURSES

/* Functions only: a macro needs the variables of ncurses. */
#define NCURSES_NOMACROS 1
#include <curses.h>

#define NCURSES_FUNCTIONS(FUNCTION)                                                                \
	FUNCTION(cbreak)                                                                           \
	FUNCTION(clearok)                                                                          \
	FUNCTION(curs_set)                                                                         \
	FUNCTION(delscreen)                                                                        \
	FUNCTION(delwin)                                                                           \
	FUNCTION(endwin)                                                                           \
	FUNCTION(getmaxx)                                                                          \
	FUNCTION(getmaxy)                                                                          \
	FUNCTION(intrflush)                                                                        \
	FUNCTION(keypad)                                                                           \
	FUNCTION(mvwaddstr)                                                                        \
	FUNCTION(newterm)                                                                          \
	FUNCTION(newwin)                                                                           \
	FUNCTION(nodelay)                                                                          \
	FUNCTION(noecho)                                                                           \
	FUNCTION(nonl)                                                                             \
	FUNCTION(reset_prog_mode)                                                                  \
	FUNCTION(resizeterm)                                                                       \
	FUNCTION(set_escdelay)                                                                     \
	FUNCTION(tigetstr)                                                                         \
	FUNCTION(wattroff)                                                                         \
	FUNCTION(wattron)                                                                          \
	FUNCTION(werase)                                                                           \
	FUNCTION(wgetch)                                                                           \
	FUNCTION(wrefresh)

struct ncurses {
#define FUNCTION(name) __typeof__(name) *name;
	NCURSES_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

/* The file that is loaded. */
#ifdef NCURSES_SONAME
#define NCURSES_NAME NCURSES_SONAME
#else
#define NCURSES_NAME "ncurses"
#endif

/* Loads ncurses, unless it is loaded. Returns its functions, or NULL. */
const struct ncurses *ncurses_load(void);

#endif

#endif
