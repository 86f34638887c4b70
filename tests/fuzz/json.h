/* SPDX-License-Identifier: MIT */
/* json.h - a second opinion on the JSON and the UTF-8 that pwatch prints */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes one character of UTF-8 off the front of [*at, end). False, with *at left alone, where
 * there is none (RFC 3629). */
bool utf8_next(const char **at, const char *end, uint32_t *character);

/* Whether [text, end) is one object of JSON whose values are no objects or lists (RFC 8259), in
 * UTF-8 and without a control character. Hands each value that is a string, decoded, to the visitor
 * (which may be NULL). */
#define JSON_STRING_MAX 8192
struct json_string {
	char key[64];
	size_t length;
	uint32_t characters[JSON_STRING_MAX];
};
typedef void (*json_visit)(void *data, const struct json_string *string);
bool json_is_object(const char *text, const char *end, json_visit visit, void *data);

#endif
