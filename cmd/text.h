/* SPDX-License-Identifier: MIT */
/* text.h - builds text in a buffer of fixed size, and escapes untrusted bytes */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Always terminated by NUL. Units that do not fit are left out: an escape sequence or a UTF-8
 * character is never cut. */
struct text {
	char *data;
	size_t size;
	size_t length;
};

void text_init(struct text *text, char *data, size_t size);

/* Appends text as printf(3) does, completely or not at all. */
void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends bytes for a terminal. Bytes that are not printable, and the backslash, become \xNN. With
 * `utf8`, UTF-8 characters are appended unchanged, unless they are invisible or change the
 * direction of the text around them. */
void text_add_visible(struct text *text, const char *bytes, bool utf8);

/* The width in columns of the first `length` bytes of a visible text, which text_add_visible() has
 * written or which is plain ASCII. */
size_t text_width(const char *visible, size_t length);

/* Cuts a visible text to `columns` columns, at the end of a unit. */
void text_cut(struct text *text, size_t columns);

/* Appends bytes as the content of a JSON string. The result is always valid: control characters
 * become \u00NN, and each byte that is not part of valid UTF-8 becomes U+FFFD. */
void text_add_json(struct text *text, const char *bytes);

#endif
