/* SPDX-License-Identifier: MIT */
/* text.h - text put together in a buffer of fixed size, and strangers' bytes made harmless */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Always terminated by NUL. What doesn't fit is left out, in whole units: an escape sequence or a
 * UTF-8 character is never cut. */
struct text {
	char *data;
	size_t size;
	size_t length;
};

void text_init(struct text *text, char *data, size_t size);

/* Appends as printf(3) does; all or nothing. */
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends bytes for a terminal: what isn't printable and the backslash as \xNN for each byte. UTF-8
 * characters pass where the terminal takes them (utf8), unless they are invisible or reorder what
 * stands around them. */
void text_add_visible(struct text *text, const char *bytes, bool utf8);

/* How many columns of a terminal the first `length` bytes of a visible text take: what
 * text_add_visible() has made, or plain ASCII. */
size_t text_width(const char *visible, size_t length);

/* Cuts a visible text to that many columns, in whole units. */
void text_cut(struct text *text, size_t columns);

/* Appends bytes as the inside of a JSON string, always valid: control characters as \u00NN, each
 * byte that is not part of valid UTF-8 as U+FFFD. */
void text_add_json(struct text *text, const char *bytes);

#endif
