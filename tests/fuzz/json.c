/* SPDX-License-Identifier: MIT */
/* json.c - an independent parser of JSON and UTF-8, to check the output of pwatch */
#include <string.h>

#include "json.h"

bool utf8_next(const char **at, const char *end, uint32_t *character)
{
	/* For each length: the mask and the value of the first byte, and the smallest character. */
	static const struct {
		unsigned char mask, lead;
		uint32_t least;
	} lengths[] = {
		{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
	const unsigned char *bytes = (const unsigned char *)*at;
	size_t more = 0;
	uint32_t value;

	if (*at == end)
		return false;
	while (more < 4 && (bytes[0] & lengths[more].mask) != lengths[more].lead)
		more++;
	if (more == 4 || (size_t)(end - *at) <= more)
		return false;
	value = bytes[0] & (unsigned char)~lengths[more].mask;
	for (size_t i = 1; i <= more; i++) {
		if (bytes[i] >> 6 != 2)
			return false;
		value = value << 6 | (bytes[i] & 0x3f);
	}
	if (value < lengths[more].least || value > 0x10ffff || value >> 11 == 0x1b)
		return false;
	*at += more + 1;
	*character = value;
	return true;
}

static bool take(const char **at, const char *end, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(end - *at) < length || memcmp(*at, word, length) != 0)
		return false;
	*at += length;
	return true;
}

/* Reads the four digits of \uXXXX. */
static bool take_hex(const char **at, const char *end, uint32_t *value)
{
	static const char digits[] = "0123456789abcdef";

	if (end - *at < 4)
		return false;
	*value = 0;
	for (int i = 0; i < 4; i++, (*at)++) {
		const char *digit = **at ? strchr(digits, **at) : NULL;

		if (!digit)
			return false;
		*value = *value << 4 | (uint32_t)(digit - digits);
	}
	return true;
}

/* Reads an escape after its backslash. */
static bool take_escape(const char **at, const char *end, uint32_t *character)
{
	uint32_t low;

	if (take(at, end, "\"") || take(at, end, "\\")) {
		*character = (unsigned char)(*at)[-1];
		return true;
	}
	if (!take(at, end, "u") || !take_hex(at, end, character))
		return false;
	if (*character >> 10 == 0x37) /* a low surrogate alone */
		return false;
	if (*character >> 10 != 0x36)
		return true;
	if (!take(at, end, "\\u") || !take_hex(at, end, &low) || low >> 10 != 0x37)
		return false;
	*character = 0x10000 + ((*character & 0x3ff) << 10 | (low & 0x3ff));
	return true;
}

static bool take_string(const char **at, const char *end, struct json_string *string)
{
	uint32_t character;

	if (!take(at, end, "\""))
		return false;
	for (string->length = 0; string->length < JSON_STRING_MAX; string->length++) {
		if (take(at, end, "\""))
			return true;
		if (take(at, end, "\\")) {
			if (!take_escape(at, end, &character))
				return false;
		} else if (!utf8_next(at, end, &character) || character < ' ') {
			return false;
		}
		string->characters[string->length] = character;
	}
	return false;
}

static bool take_number(const char **at, const char *end)
{
	const char *start = *at;

	while (*at < end && **at >= '0' && **at <= '9')
		(*at)++;
	return *at > start && (*start != '0' || *at == start + 1);
}

static bool take_key(const char **at, const char *end, struct json_string *string)
{
	if (!take_string(at, end, string) || string->length >= sizeof(string->key))
		return false;
	for (size_t i = 0; i < string->length; i++) {
		if (string->characters[i] > '~')
			return false;
		string->key[i] = (char)string->characters[i];
	}
	string->key[string->length] = '\0';
	return take(at, end, ":");
}

bool json_is_object(const char *text, const char *end, json_visit visit, void *data)
{
	static struct json_string string;

	if (!take(&text, end, "{"))
		return false;
	do {
		if (!take_key(&text, end, &string))
			return false;
		if (text < end && *text == '"') {
			if (!take_string(&text, end, &string))
				return false;
			if (visit)
				visit(data, &string);
		} else if (!take(&text, end, "null") && !take(&text, end, "true") &&
		           !take(&text, end, "false") && !take_number(&text, end)) {
			return false;
		}
	} while (take(&text, end, ","));
	return take(&text, end, "}") && text == end;
}
