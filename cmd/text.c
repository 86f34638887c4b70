/* SPDX-License-Identifier: MIT */
/* text.c - builds text in a buffer of fixed size, and escapes untrusted bytes */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "text.h"

void text_init(struct text *text, char *data, size_t size)
{
	text->data = data;
	text->size = size;
	text->length = 0;
	data[0] = '\0';
}

void text_add(struct text *text, const char *format, ...)
{
	size_t room = text->size - text->length;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(text->data + text->length, room, format, arguments);
	va_end(arguments);
	if (length >= 0 && (size_t)length < room)
		text->length += (size_t)length;
	else
		text->data[text->length] = '\0';
}

/* Decodes one UTF-8 character of a string (RFC 3629: nothing overlong, no surrogate). Returns the
 * number of its bytes, or 0 if the bytes are not valid. A NUL is never a continuation byte. */
static size_t decode_utf8(const char *string, uint32_t *character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *)string;
	uint32_t code;
	size_t length;

	if (bytes[0] < 0x80) {
		*character = bytes[0];
		return 1;
	}
	if (bytes[0] < 0xc2 || bytes[0] > 0xf4)
		return 0;
	length = bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
	code = bytes[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*character = code;
	return length;
}

/* Whether a character is safe to print: no control character, not invisible, no change of the
 * writing direction, no private use. */
static bool is_visible(uint32_t character)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {
		{0x00, 0x1f},       {0x5c, 0x5c},       {0x7f, 0x9f},        {0xad, 0xad},
		{0x34f, 0x34f},     {0x61c, 0x61c},     {0x115f, 0x1160},    {0x17b4, 0x17b5},
		{0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},    {0x2060, 0x206f},
		{0x2800, 0x2800},   {0x3164, 0x3164},   {0xe000, 0xf8ff},    {0xfdd0, 0xfdef},
		{0xfe00, 0xfe0f},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},    {0xfff0, 0xfffb},
		{0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0x10ffff},
	};

	if ((character & 0xfffe) == 0xfffe)
		return false;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		if (character >= hidden[i].first && character <= hidden[i].last)
			return false;
	}
	return true;
}

void text_add_visible(struct text *text, const char *bytes, bool utf8)
{
	uint32_t character;
	size_t length;

	for (; *bytes != '\0'; bytes += length) {
		length = decode_utf8(bytes, &character);
		if (length > 0 && is_visible(character) && (utf8 || length == 1)) {
			text_add(text, "%.*s", (int)length, bytes);
			continue;
		}
		length = 1;
		text_add(text, "\\x%02x", (unsigned char)*bytes);
	}
}

/* Measures one unit of a visible text: a character, or an escape sequence, which has four bytes.
 * Returns its length in bytes; `columns` receives its width. */
static size_t measure_unit(const char *visible, size_t *columns)
{
	uint32_t character;
	size_t length = decode_utf8(visible, &character);
	int width;

	*columns = 1;
	if (*visible == '\\' && visible[1] == 'x')
		return *columns = strnlen(visible, 4);
	if (length < 2)
		return 1;
	width = wcwidth((wchar_t)character);
	if (width >= 0)
		*columns = (size_t)width;
	return length;
}

size_t text_width(const char *visible, size_t length)
{
	size_t width = 0, columns;

	for (size_t at = 0; at < length; width += columns)
		at += measure_unit(visible + at, &columns);
	return width;
}

void text_cut(struct text *text, size_t columns)
{
	size_t width = 0, at = 0, unit, taken;

	while (at < text->length) {
		unit = measure_unit(text->data + at, &taken);
		if (width + taken > columns)
			break;
		width += taken;
		at += unit;
	}
	text->length = at;
	text->data[at] = '\0';
}

void text_add_json(struct text *text, const char *bytes)
{
	uint32_t character;
	size_t length;

	for (; *bytes != '\0'; bytes += length) {
		length = decode_utf8(bytes, &character);
		if (length == 0) {
			length = 1;
			text_add(text, "\\ufffd");
		} else if (character == '"' || character == '\\') {
			text_add(text, "\\%c", (int)character);
		} else if (is_visible(character)) {
			text_add(text, "%.*s", (int)length, bytes);
		} else if (character <= 0xffff) {
			text_add(text, "\\u%04x", character);
		} else {
			character -= 0x10000;
			text_add(text, "\\u%04x\\u%04x", 0xd800 + (character >> 10),
			         0xdc00 + (character & 0x3ff));
		}
	}
}
